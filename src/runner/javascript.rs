//! JavaScript's runners: jest, vitest, mocha, node:test.
//!
//! | runner | asked by | answers through |
//! |---|---|---|
//! | jest | `--json --outputFile`, `--ci`, `--coverage=false`; `-t` and files | its JSON report (jestjs.io/docs/cli) |
//! | vitest | `--run --reporter=json --outputFile`; `-t` and files | its JSON report (vitest.dev/guide/cli) |
//! | mocha | `--reporter` with heal's own; `--grep` and files | the document of its JSON reporter |
//! | node | `--test-reporter` with heal's own; files | heal's records, with nonce and end |
//!
//! Ids are those of [`crate::trace::javascript`]: file, blocks and title with
//! ` > ` between them. The report is written when the run has come to its end,
//! which is the end record of the three that write one.
//!
//! Decided here:
//! - `CI=true`: no watching, and a missing snapshot fails instead of being
//!   written, which would let a test pass that checks nothing.
//! - A test that never gives way cannot be ended by these runners: the command
//!   then ends at its own limit, and a single test asked for counts as timed out.
//! - Runs of selected tests report the others of their files as skipped; these
//!   rows are left out.
//!
//! Composes and reads; never starts anything.

mod answer;
mod traced;
mod words;

use super::*;

pub use traced::OPTIONS as NODE_OPTIONS;

/// heal's own reporters: for node:test, and for mocha.
const REPORTERS: &[(RunnerKind, &str, &str)] = &[
    (RunnerKind::Node, "heal_node.mjs", include_str!("heal_node.mjs")),
    (RunnerKind::Mocha, "heal_mocha.cjs", include_str!("heal_mocha.cjs")),
];

/// Bytes kept of each output: results come by file.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// The report's name in the channel.
const REPORT: &str = "report.json";

/// Composes the command.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    if let Some((_, name, text)) = REPORTERS.iter().find(|(kind, ..)| *kind == project.kind) {
        let path = channel.dir.join(name);
        std::fs::write(&path, text).map_err(|source| RunnerError::Channel { path, source })?;
    }
    let mut argv = words::argv(project, request, channel);
    let mut env: Vec<(String, Option<String>)> =
        site.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    let mut set = |name: &str, value: &str| env.push((name.to_owned(), Some(value.to_owned())));
    set("CI", "true");
    set("NO_COLOR", "1");
    set("FORCE_COLOR", "0");
    set("NODE_DISABLE_COLORS", "1");
    if let Some(zone) = request.variation.time_zone {
        set("TZ", zone);
    }
    if request.records_selected()
        && let Some(load) = traced::lay(project, site, channel)?
    {
        traced::add(&load, &mut env, &mut argv);
    }
    let time_limit = match &request.selection {
        Selection::All => request.time_limit,
        Selection::Tests(ids) => request.limit_of(ids.len(), request.start_limit),
    };
    Ok(Command {
        argv: argv.into_iter().map(Into::into).collect(),
        cwd: project.root.under(&site.tree),
        env: env.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect(),
        time_limit,
        output_limit: OUTPUT_LIMIT,
        // node reserves far more address space than it uses.
        memory_limit: None,
    })
}

/// Reads the report.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    answer::read(project, site, request, channel, finished)
}

/// `src/a.test.js > Cart > adds`: its file and title.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    let (file, rest) = id.split_once(crate::trace::javascript::SEPARATOR)?;
    let near = project.root.join(file).ok().filter(|path| path.under(&site.tree).is_file());
    let path = near.or_else(|| RelPath::new(file).ok())?;
    let title = rest.rsplit(crate::trace::javascript::SEPARATOR).next().unwrap_or(rest);
    Some(TestPlace { path, function: title.to_owned(), lines: None })
}

/// The runner that a `package.json` asks for and its command: by the test
/// script, else by what is installed.
pub fn of_package(folder: &std::path::Path) -> Option<(RunnerKind, Vec<String>, String)> {
    words::of_package(folder)
}

/// The runner that a script of `package.json` starts (`npm test`).
pub fn of_script(folder: &std::path::Path, command: &[String]) -> Option<RunnerKind> {
    words::of_script(folder, command)
}
