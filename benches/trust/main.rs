//! Measures how often "verified" is wrong: seeds faults into a Python checkout
//! with pytest, hides half of its tests, lets `heal fix` work with the rest
//! (with `--offline`, or with the model that `--model` names), and judges what it proposes by the hidden tests and by calls on
//! which it differs from the code before the fault.
//!
//! ```text
//! cargo bench --bench trust -- --repo DIR --out ROWS.jsonl [--faults N] [--seed N] [--shard I/N] [--small] [--model NAME --base-url URL] -- TEST_COMMAND…
//! cargo bench --bench trust -- --table ROWS.jsonl…
//! ```
//!
//! The checkout itself is not touched. A file of rows is gone on with where it
//! ends. The faults share no operator with the repair rules
//! (`benches/localize/seed.rs`), so that few can be mended by them: what is
//! measured is what else passes. With `--small` they are those of mutation
//! testing, many of which a rule undoes: then there are many verified patches
//! to be judged, and the share of those that are mended says nothing.

#[path = "../localize/choose.rs"]
mod choose;
mod hide;
mod judge;
#[path = "../localize/noted.rs"]
mod noted;
#[path = "../localize/open.rs"]
mod open;
#[path = "../localize/record.rs"]
mod record;
mod score;
#[path = "../localize/seed.rs"]
mod seed;
mod small;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::Parser;
use heal::language;
use heal::patch::Patch;
use heal::patch::unified;
use heal::pipeline::prepare;
use heal::pipeline::prepare::Prepared;
use heal::runner::Report;
use heal::runner::Selection;
use serde_json::Value;

use choose::Seeded;
use hide::TestFunction;
use record::must;
use record::read;
use score::Judged;
use score::Row;

/// Leads that are judged too, of one fault.
const LEADS: usize = 3;

#[derive(Parser)]
struct Arguments {
    /// The checkout
    #[arg(long)]
    repo: Option<PathBuf>,
    /// Rows, as JSON lines; added to
    #[arg(long)]
    out: Option<PathBuf>,
    /// Faults that a test shows, to be had in this shard
    #[arg(long, default_value_t = 30)]
    faults: usize,
    /// Chooses the faults and what is hidden
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One of several runs side by side
    #[arg(long, default_value = "0/1")]
    shard: String,
    /// Time for one `heal fix`, as heal takes it
    #[arg(long, default_value = "3m")]
    timeout: String,
    /// Seed the small changes of mutation testing
    #[arg(long)]
    small: bool,
    /// Leave out faults that more tests than this show
    #[arg(long)]
    most: Option<usize>,
    /// A model to ask, as heal takes it; without one rules alone propose
    #[arg(long)]
    model: Option<String>,
    /// Where the model answers
    #[arg(long, requires = "model")]
    base_url: Option<String>,
    /// Trials side by side, as heal takes them
    #[arg(long)]
    jobs: Option<usize>,
    /// Another heal than the one built with this
    #[arg(long)]
    heal: Option<PathBuf>,
    /// Only print the table of these rows
    #[arg(long, num_args = 1..)]
    table: Vec<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
    /// The test command
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let rows = match (&arguments.repo, &arguments.out) {
        (Some(repo), Some(out)) if arguments.table.is_empty() => measure(&arguments, repo, out)?,
        _ if !arguments.table.is_empty() => {
            arguments.table.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?.concat()
        }
        _ => bail!("name a checkout with --repo and a file of rows with --out, or rows with --table"),
    };
    println!("{}", score::table(&rows));
    Ok(())
}

fn measure(arguments: &Arguments, repo: &Path, out: &Path) -> Result<Vec<Row>> {
    let (shard, shards) = arguments.shard.split_once('/').context("a shard is written I/N")?;
    let (shard, shards): (usize, usize) = (shard.parse()?, shards.parse()?);
    let folder = tempfile::Builder::new().prefix("heal-trust-").tempdir()?;
    let tree = folder.path().join("tree");
    must(Command::new("git").args(["clone", "-q", "--no-hardlinks"]).arg(repo).arg(&tree))?;
    let project = repo.canonicalize()?.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let faults = choose::chosen(&tree, arguments.seed, &|_, text| match arguments.small {
        true => small::faults(text),
        false => seed::faults(text),
    })?;
    let mut rows: Vec<Row> = if out.exists() { read(out)? } else { Vec::new() };
    let done: HashSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let site = Site { tree, folder: folder.path().to_path_buf(), arguments, project };
    let clean = runtime.block_on(site.whole())?.1;
    let clean = judge::passing(&clean);
    eprintln!("{}: {} tests pass, {} faults can be seeded", site.project, clean.len(), faults.len());
    for seeded in faults.iter().skip(shard).step_by(shards.max(1)) {
        if rows.iter().filter(|row| row.failing.1 > 0).count() >= arguments.faults {
            break;
        }
        let text = std::fs::read_to_string(seeded.path.under(&site.tree))?;
        if done.contains(&seeded.id()) || !seed::parses(&seeded.fault, &text) {
            continue;
        }
        std::fs::write(seeded.path.under(&site.tree), seeded.fault.put_into(&text))?;
        let row = runtime.block_on(site.run(seeded, &text, &clean));
        std::fs::write(seeded.path.under(&site.tree), &text)?;
        let row = row.unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", seeded.id());
            site.row(seeded, "cannot be run")
        });
        eprintln!("{} {}: {}", row.id, row.function, told(&row));
        writeln!(file, "{}", serde_json::to_string(&row)?)?;
        rows.push(row);
    }
    Ok(rows)
}

fn told(row: &Row) -> String {
    let patches = row.patches.iter().map(|patch| {
        let kind = if patch.verified { "verified" } else { "lead" };
        format!("{kind} {:?} ({})", patch.judgement, patch.why)
    });
    let patches: Vec<String> = patches.collect();
    format!(
        "{} of {} failing seen, {} in {:.0} s; {}",
        row.failing.1,
        row.failing.0,
        row.outcome,
        row.seconds,
        patches.join("; ")
    )
}

/// Where faults are seeded.
struct Site<'a> {
    tree: PathBuf,
    folder: PathBuf,
    arguments: &'a Arguments,
    project: String,
}

impl Site<'_> {
    fn row(&self, seeded: &Seeded, outcome: &str) -> Row {
        Row {
            project: self.project.clone(),
            id: seeded.id(),
            kind: seeded.fault.kind.to_owned(),
            function: seeded.fault.function.clone(),
            failing: (0, 0),
            hidden: 0,
            outcome: outcome.to_owned(),
            seconds: 0.0,
            patches: Vec::new(),
        }
    }

    /// Runs all tests of the tree as it is.
    async fn whole(&self) -> Result<(Prepared, Report)> {
        let settings = open::settings(&self.tree, &self.arguments.command);
        let tools = open::tools("trust", &self.tree, &self.folder.join("cache"), &settings)?;
        let prepared = prepare::prepare(&settings, &tools).await?;
        let scratch = prepared.scratch().await?;
        let report = prepared.bench.run(&*scratch, &prepared.bench.request(Selection::All)).await?;
        drop(scratch);
        Ok((prepared, report))
    }

    /// One fault, which is in the tree; `text` is its file without it.
    async fn run(&self, seeded: &Seeded, text: &str, clean: &BTreeSet<String>) -> Result<Row> {
        let mut row = self.row(seeded, "no test shows it");
        let (prepared, report) = self.whole().await?;
        if !report.problems.is_empty() || !report.complete {
            row.outcome = "the tests do not load".to_owned();
            return Ok(row);
        }
        let passes = judge::passing(&report);
        let failing: BTreeSet<String> = clean.iter().filter(|id| !passes.contains(*id)).cloned().collect();
        let functions = |ids: &BTreeSet<String>| -> BTreeSet<TestFunction> {
            ids.iter().filter_map(|id| TestFunction::of_id(id)).collect()
        };
        let order = |function: &TestFunction| {
            choose::order(self.arguments.seed, &format!("{} {} {}", seeded.id(), function.path, function.name))
        };
        let hidden = hide::half(&functions(clean), &functions(&failing), &order);
        if self.arguments.most.is_some_and(|most| failing.len() > most) {
            row.outcome = "more tests show it than were asked for".to_owned();
            return Ok(row);
        }
        let seen =
            failing.iter().filter_map(|id| TestFunction::of_id(id)).filter(|test| !hidden.contains(test)).count();
        row.failing = (failing.len(), seen);
        row.hidden = hidden.len();
        if seen == 0 {
            return Ok(row);
        }
        let began = Instant::now();
        let answer = self.heal(&hidden)?;
        row.seconds = began.elapsed().as_secs_f64();
        let seeded_text = seeded.fault.put_into(text);
        let original = Patch::of_file(seeded.path.clone(), seeded_text, text);
        let failures = answer["failures"].as_array().cloned().unwrap_or_default();
        let outcomes = failures.iter().map(|failure| failure["reason"].as_str().unwrap_or("verified"));
        row.outcome = outcomes.collect::<BTreeSet<&str>>().into_iter().collect::<Vec<_>>().join(", ");
        for (verified, shown) in shown(&failures) {
            let diff = shown["diff"].as_str().unwrap_or_default().to_owned();
            let read = |path: &heal::source::RelPath| prepared.text(path);
            let patch = unified::resolve(&unified::parse(&diff)?, &read)?;
            let (judgement, why) = judge::judge(&prepared, &patch, &original, clean, &failing).await?;
            let missed = shown["missed"].as_str();
            let missed = missed.map(|gate| format!("{gate}: {}", shown["detail"].as_str().unwrap_or_default()));
            row.patches.push(Judged { verified, missed, diff, evidence: shown["evidence"].clone(), judgement, why });
        }
        Ok(row)
    }

    /// `heal fix` on a copy of the tree without the hidden tests.
    fn heal(&self, hidden: &BTreeSet<TestFunction>) -> Result<Value> {
        let copy = self.folder.join("visible");
        if copy.exists() {
            std::fs::remove_dir_all(&copy)?;
        }
        must(Command::new("cp").arg("-a").arg(&self.tree).arg(&copy))?;
        let mut by_file: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for function in hidden {
            by_file.entry(&function.path).or_default().push(&function.name);
        }
        for (path, names) in by_file {
            let text = std::fs::read_to_string(path.under(&copy))?;
            let Some(language) = language::of_path(path) else { continue };
            if let Some(less) = hide::without(language, &text, &names) {
                std::fs::write(path.under(&copy), less)?;
            }
        }
        // A history of one commit: in another the fault would be the last change.
        std::fs::remove_dir_all(copy.join(".git"))?;
        must(Command::new("git").args(["init", "-q"]).arg(&copy))?;
        must(Command::new("git").arg("-C").arg(&copy).args(["add", "-A"]))?;
        let identity = ["-c", "user.name=trust", "-c", "user.email=trust@localhost"];
        must(Command::new("git").arg("-C").arg(&copy).args(identity).args(["commit", "-q", "-m", "all"]))?;
        let heal = self.arguments.heal.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_heal").into());
        let mut command = Command::new(heal);
        command.args(["fix", "--json", "--no-progress", "--timeout", &self.arguments.timeout]);
        match &self.arguments.model {
            Some(model) => command.args(["--model", model]),
            None => command.arg("--offline"),
        };
        if let Some(url) = &self.arguments.base_url {
            command.args(["--base-url", url]);
        }
        if let Some(jobs) = self.arguments.jobs {
            command.args(["--jobs", &jobs.to_string()]);
        }
        let output = command.arg("--").args(&self.arguments.command).current_dir(&copy).output()?;
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The first proposal of all, and else the first leads: what a person sees.
fn shown(failures: &[Value]) -> Vec<(bool, Value)> {
    let list = |name: &str| -> Vec<Value> {
        failures.iter().flat_map(|failure| failure[name].as_array().cloned().unwrap_or_default()).collect()
    };
    match list("proposals").into_iter().next() {
        Some(first) => vec![(true, first)],
        None => list("leads").into_iter().take(LEADS).map(|lead| (false, lead)).collect(),
    }
}
