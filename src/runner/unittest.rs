//! unittest, through heal's own runner in its place: `-m heal_unittest` for
//! `-m unittest`, with the same arguments.
//!
//! Composes and reads; starts nothing.

use super::Channel;
use super::Project;
use super::Report;
use super::Request;
use super::RunnerError;
use super::Site;
use super::TestPlace;
use super::python;
use super::wrap;
use crate::process::Command;
use crate::process::Finished;
use crate::source::RelPath;

/// Composes the command.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    let variables = python::open(site, request, channel)?;
    let mut command = project.command.clone();
    if let Some(seen) = wrap::see(&command)
        && let Some(module) = command.get_mut(seen.at + 1)
    {
        *module = "heal_unittest".to_owned();
    }
    Ok(python::command(project, command, site, request, variables))
}

/// Reads the channel.
pub fn read(project: &Project, site: &Site, _request: &Request, channel: &Channel, finished: &Finished) -> Report {
    python::read(project, site, channel, finished)
}

/// `tests.test_a.ATest.test_b`: the longest beginning that is a module of the
/// tree, from the project's root, its start directory, or `src`.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    let parts: Vec<&str> = id.split('.').collect();
    let function = (*parts.last()?).to_owned();
    let starts = start_directories(project);
    for end in (1..parts.len()).rev() {
        let module = parts[..end].join("/");
        for start in &starts {
            let file = project.root.join(start).ok()?.join(&format!("{module}.py")).ok()?;
            if file.under(&site.tree).is_file() {
                return Some(TestPlace { path: file, function, lines: None });
            }
        }
    }
    None
}

/// Where discovery starts: what follows `-s`, and the root.
fn start_directories(project: &Project) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut words = project.command.iter();
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "-s" | "--start-directory")
            && let Some(start) = words.next()
            && RelPath::new(start).is_ok()
        {
            found.push(start.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_name_leads_to_its_file() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("tests/deep")).expect("folders");
        for file in ["tests/test_a.py", "tests/deep/test_b.py", "test_c.py"] {
            std::fs::write(dir.path().join(file), "").expect("written");
        }
        let words = "python3 -m unittest discover -s tests".split(' ').map(str::to_owned).collect();
        let project = Project {
            root: RelPath::root(),
            kind: super::super::RunnerKind::Unittest,
            command: words,
            given: true,
            why: String::new(),
        };
        let site = python::tests::site(dir.path().to_str().expect("text"));
        for (id, path) in [
            ("tests.test_a.A.test_x", "tests/test_a.py"),
            ("deep.test_b.B.test_y", "tests/deep/test_b.py"),
            ("test_c.C.test_z", "test_c.py"),
        ] {
            assert_eq!(
                place(&project, &site, id).map(|place| place.path.as_str().to_owned()).as_deref(),
                Some(path),
                "{id}"
            );
        }
        assert!(place(&project, &site, "nowhere.N.test_n").is_none());
    }
}
