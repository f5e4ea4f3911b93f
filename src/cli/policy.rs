//! `heal doctor --policy`: how far heal may go with a path, and who says so.
//!
//! Reads the configuration and CODEOWNERS as they are checked out; changes
//! nothing.

use std::path::Path;
use std::path::PathBuf;

use heal::deliver::owners;
use heal::deliver::owners::Owners;
use heal::deliver::request::ForgeKind;
use heal::failure::Kind;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::options::Settings;
use heal::options::ci::Ci;
use heal::pipeline::PipelineError;
use heal::report::clean;
use heal::report::fit;
use heal::source::RelPath;
use heal::verify::policy;
use heal::verify::policy::rules::Applied;
use heal::verify::policy::rules::Policy;
use heal::verify::policy::rules::Says;
use heal::verify::policy::rules::Set;
use serde_json::Value;
use serde_json::json;

use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings::RunFlags;
use super::setup;

/// What applies to one path.
struct Row {
    path: RelPath,
    /// Why no patch of heal's own may touch it.
    closed: Option<String>,
    applied: Applied,
    /// Kinds of failures for which it is otherwise.
    otherwise: Vec<(Kind, Applied)>,
    owners: Vec<String>,
}

/// Runs `heal doctor --policy`; returns the exit code.
pub fn run(repo: &Path, paths: &[PathBuf], as_json: bool, look: Look) -> Result<i32, Failed> {
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(repo, &launcher).map_err(PipelineError::from)?;
    let settings = RunFlags::of(repo).settings()?;
    let globs = |patterns: &[String]| policy::globs(patterns).map_err(|error| Failed::usage(error.to_string()));
    let config =
        policy::Config { allow: globs(&settings.allow)?, deny: globs(&settings.deny)?, ..policy::Config::default() };
    let owners = owners_of(&repository);
    let mut rows = Vec::new();
    for path in paths {
        let path = within(&repository, repo, path)?;
        let of = |kind: Kind| settings.policy.applied([&path], &[kind]);
        // Most failures are one of these; a rule for others shows beside it.
        let applied = of(Kind::Assertion);
        let otherwise = Kind::ALL.into_iter().map(|kind| (kind, of(kind))).filter(|(_, other)| *other != applied);
        rows.push(Row {
            closed: policy::closed(&path, &config),
            otherwise: otherwise.collect(),
            owners: owners.of(std::slice::from_ref(&path)),
            applied,
            path,
        });
    }
    output::result(&match as_json {
        true => document(&rows, &settings.policy),
        false => text(&rows, &settings, look.width),
    });
    Ok(0)
}

/// A path as it was typed, of the repository.
fn within(repository: &Repository, repo: &Path, path: &Path) -> Result<RelPath, Failed> {
    let start = repo.canonicalize().unwrap_or_else(|_| repo.to_owned());
    let whole = start.join(path);
    // One that is not there yet has a policy too.
    let whole = whole.canonicalize().unwrap_or(whole);
    let found = RelPath::within(repository.root(), &whole).filter(|path| !path.is_root());
    found.ok_or_else(|| {
        Failed::usage(format!(
            "`{}` is no file of this repository\n  Name one as seen from {}",
            path.display(),
            start.display()
        ))
    })
}

/// The owners by the rules of the forge that the repository comes from.
fn owners_of(repository: &Repository) -> Owners {
    let origin = repository.setting("remote.origin.url").ok().flatten();
    let ci = Ci::of(&|_| None, &|_| None).with_repository(None, origin);
    let kind = ci.forge.unwrap_or(ForgeKind::Github);
    let file = owners::places(kind).iter().find_map(|place| std::fs::read(repository.root().join(place)).ok());
    file.map(|bytes| Owners::read(&String::from_utf8_lossy(&bytes), kind)).unwrap_or_default()
}

fn text(rows: &[Row], settings: &Settings, width: usize) -> String {
    let mut lines = Vec::new();
    for row in rows {
        lines.push(clean(row.path.as_str()));
        lines.push(format!("  patch      {}", row.closed.as_deref().unwrap_or("allowed")));
        lines.push(format!("  level      {}", said(row.applied.level.value.name(), &row.applied.level)));
        lines.extend(floors(&row.applied));
        for (kind, applied) in &row.otherwise {
            if applied.level != row.applied.level {
                lines.push(format!("  {:10} {}", kind.name(), said(applied.level.value.name(), &applied.level)));
            }
            let differing = floors(applied).into_iter().filter(|line| !floors(&row.applied).contains(line));
            let floor = |line: &str| {
                line.trim_start().split_once("  ").map_or_else(String::new, |(_, floor)| floor.trim().into())
            };
            lines.extend(differing.map(|line| format!("  {:10} {}", kind.name(), floor(&line))));
        }
        if !row.owners.is_empty() {
            let asked = if row.applied.reviewers.value { "asked for a review" } else { "not asked for a review" };
            lines.push(format!("  owners     {}: {asked}", row.owners.join(", ")));
        }
    }
    if rows.is_empty() {
        for (by, says) in settings.policy.rules() {
            lines.push(format!("{by}: {}", in_words(&says)));
        }
        if settings.policy.is_empty() {
            lines.push("no policy is written: heal may open requests (level request)".to_owned());
        }
        lines.extend((!settings.deny.is_empty()).then(|| format!("denied: {}", settings.deny.join(", "))));
        let caps = settings.caps;
        lines.push(format!("a run may cost {:.2} USD and {} tokens", caps.usd, caps.tokens));
    }
    lines.push("Of one file the last rule that matches counts, of several files the strictest.".to_owned());
    lines.push("In a pipeline a request is under the heal.toml of the branch it goes to.".to_owned());
    lines.iter().map(|line| fit(&clean(line), width) + "\n").collect()
}

/// A value, and who says so.
fn said<T>(value: &str, set: &Set<T>) -> String {
    if set.by.is_empty() { value.to_owned() } else { format!("{value:24} {}", set.by) }
}

/// The floors that somebody has set, a line each.
fn floors(applied: &Applied) -> Vec<String> {
    let mut lines = Vec::new();
    if applied.min_strength.value > 0.0 {
        let share = format!("{:.0} % of mutants killed", applied.min_strength.value * 100.0);
        lines.push(format!("  strength   {}", said(&share, &applied.min_strength)));
    }
    if applied.min_killed.value > 0 {
        let killed = format!("{} mutants killed", applied.min_killed.value);
        lines.push(format!("  strength   {}", said(&killed, &applied.min_killed)));
    }
    if applied.repeats.value > 0 {
        lines.push(format!("  stability  {}", said(&format!("{} runs pass", applied.repeats.value), &applied.repeats)));
    }
    lines
}

fn in_words(says: &Says) -> String {
    let parts = [
        says.level.map(|level| format!("level {}", level.name())),
        says.min_strength.map(|share| format!("{:.0} % of mutants killed", share * 100.0)),
        says.min_killed.map(|killed| format!("{killed} mutants killed")),
        says.repeats.map(|repeats| format!("{repeats} runs pass")),
        says.reviewers.map(|asked| if asked { "owners are asked".into() } else { "owners are not asked".into() }),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `heal.policy/1`.
fn document(rows: &[Row], policy: &Policy) -> String {
    let row = |row: &Row| {
        let otherwise: serde_json::Map<String, Value> =
            row.otherwise.iter().map(|(kind, applied)| (kind.name().to_owned(), json!(applied))).collect();
        json!({
            "path": row.path, "may_touch": row.closed.is_none(), "why": row.closed, "applied": row.applied,
            "otherwise": otherwise, "owners": row.owners,
        })
    };
    let rules: Vec<Value> = policy.rules().iter().map(|(by, says)| json!({"by": by, "says": says})).collect();
    let rows: Vec<Value> = rows.iter().map(row).collect();
    format!("{:#}\n", json!({"schema": "heal.policy/1", "paths": rows, "rules": rules}))
}
