//! What pytest and unittest have in common: the channel's settings, the
//! environment, and the records heal's half inside the process writes.
//!
//! Writes only into the channel's directory; starts nothing.

mod records;

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::Channel;
use super::Project;
use super::Request;
use super::RunnerError;
use super::Selection;
use super::Site;
use crate::process::Command;
use crate::source::RelPath;
pub use records::read;

/// heal's half of the channel, and the two runners above it.
const FILES: &[(&str, &str)] = &[
    ("heal_channel.py", include_str!("heal_channel.py")),
    ("heal_pytest.py", include_str!("heal_pytest.py")),
    ("heal_unittest.py", include_str!("heal_unittest.py")),
];

/// Writes plugin and settings into the channel's directory; returns the
/// variables that lead the test process there.
///
/// # Errors
/// The directory cannot be written.
pub fn open(site: &Site, request: &Request, channel: &Channel) -> Result<Vec<(String, Option<String>)>, RunnerError> {
    for (name, text) in FILES {
        write(&channel.dir.join(name), text)?;
    }
    let interpreter = site.python.as_ref();
    let own = import_path(site);
    let options = interpreter.and_then(|python| python.pytest_options.clone());
    let settings = json!({
        "nonce": channel.nonce,
        "tree": site.tree,
        "selection": match &request.selection {
            Selection::All => Value::Null,
            Selection::Tests(ids) => json!(ids),
        },
        "limit": request.test_limit.as_secs_f64(),
        "trace": request.trace_lines,
        "reverse": request.variation.reverse,
        "fail_fast": request.fail_fast,
        // What processes that the tests start shall see again.
        "restore": {"PYTEST_ADDOPTS": options, "PYTHONPATH": own},
    });
    let file = channel.dir.join("settings.json");
    write(&file, &settings.to_string())?;
    let mut path = channel.dir.display().to_string();
    if let Some(own) = own {
        path = format!("{path}:{own}");
    }
    let options = options.map(|options| format!("{options} -p heal_pytest")).unwrap_or_else(|| "-p heal_pytest".into());
    let mut variables: Vec<(String, Option<String>)> =
        site.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    variables.push(("HEAL_CHANNEL".into(), Some(file.display().to_string())));
    variables.push(("PYTHONPATH".into(), Some(path)));
    variables.push(("PYTEST_ADDOPTS".into(), Some(options)));
    // Sets and dictionaries of strings in one order, so that a verdict does
    // not depend on luck.
    variables.push(("PYTHONHASHSEED".into(), Some(request.variation.hash_seed.unwrap_or(0).to_string())));
    if let Some(zone) = request.variation.time_zone {
        variables.push(("TZ".into(), Some(zone.to_owned())));
    }
    Ok(variables)
}

/// The command `words` in the scratch, with these variables.
pub fn command(
    project: &Project,
    words: Vec<String>,
    site: &Site,
    request: &Request,
    variables: Vec<(String, Option<String>)>,
) -> Command {
    Command {
        argv: words.into_iter().map(Into::into).collect(),
        cwd: project.root.under(&site.tree),
        env: variables.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect(),
        time_limit: request.time_limit,
        output_limit: OUTPUT_LIMIT,
        memory_limit: None,
    }
}

/// Bytes kept of what the runner prints: only its tail is ever shown.
const OUTPUT_LIMIT: usize = 256 * 1024;

fn write(path: &Path, text: &str) -> Result<(), RunnerError> {
    std::fs::write(path, text).map_err(|source| RunnerError::Channel { path: path.to_path_buf(), source })
}

/// `PYTHONPATH` for the tests: the scratch's copies of the folders that an
/// editable install names, then the user's own, led to the scratch.
fn import_path(site: &Site) -> Option<String> {
    let python = site.python.as_ref()?;
    let mut entries: Vec<PathBuf> = python.editable.iter().map(|folder| folder.under(&site.tree)).collect();
    for entry in python.python_path.iter().flat_map(|path| path.split(':')).filter(|entry| !entry.is_empty()) {
        let entry = Path::new(entry);
        entries.push(match RelPath::within(&site.user_root, entry) {
            Some(inner) => inner.under(&site.tree),
            None => entry.to_path_buf(),
        });
    }
    let words: Vec<String> = entries.iter().map(|entry| entry.display().to_string()).collect();
    (!words.is_empty()).then(|| words.join(":"))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::trace::places::Places;

    /// A site in `tree` that is the user's own.
    pub fn site(tree: &str) -> Site {
        let files = ["a.py", "test_a.py"].map(|path| RelPath::new(path).expect("path"));
        Site {
            user_root: "/home/ana/shop".into(),
            tree: tree.into(),
            heal: "heal".into(),
            env: vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
            python: None,
            places: Places::new(vec!["/home/ana/shop".into()], files),
        }
    }
}
