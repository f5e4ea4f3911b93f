//! Measures localization: seeds faults into a Python or Rust checkout, lets heal
//! diagnose those that some test shows, and scores where the fault ranks.
//!
//! ```text
//! cargo bench --bench localize -- --repo DIR --out ROWS.jsonl [--faults N] [--seed N] [--shard I/N] -- TEST_COMMAND…
//! cargo bench --bench localize -- --repo DIR --out ROWS.jsonl --known FAULTS.jsonl -- TEST_COMMAND…
//! cargo bench --bench localize -- --repo DIR --out ROWS.jsonl --again [--verbose] [--show NAME]
//! cargo bench --bench localize -- --table ROWS.jsonl…
//! ```
//!
//! The checkout itself is not touched: its commit is cloned into a temporary
//! directory. A file of rows is gone on with where it ends, and can be scored
//! anew by a changed diagnosis without running a test (`--again`). History is no
//! evidence here: the fault would be the only change. Each row also holds the
//! ranks with one source of evidence off.

mod choose;
mod known;
mod noted;
mod open;
mod record;
mod score;
mod seed;
mod seed_rust;
mod show;

use std::collections::BTreeMap;
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
use heal::detect::Outcome;
use heal::detect::Reproduction;
use heal::diagnose;
use heal::diagnose::Folder;
use heal::diagnose::Sources;
use heal::failure::Kind;
use heal::pipeline::prepare;
use heal::pipeline::survey;
use heal::source::RelPath;

use choose::Seeded;
use choose::chosen;
use choose::tracked;
use known::Known;
use record::must;
use record::read;
use score::Row;
use score::Seen;

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
    /// Chooses the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One of several runs side by side
    #[arg(long, default_value = "0/1")]
    shard: String,
    /// Instead of seeding: a list of faults that people made, in JSON lines with
    /// `id`, `path`, `wrong` and `right` (the file's texts), and where they are
    /// needed `revision` and `command`
    #[arg(long)]
    known: Option<PathBuf>,
    /// Score the rows of --out anew, by what was seen when they were made
    #[arg(long)]
    again: bool,
    /// Say what is first for each fault
    #[arg(long)]
    verbose: bool,
    /// With --again: print the whole diagnosis of the faults whose name holds this
    #[arg(long)]
    show: Option<String>,
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
    for row in rows.iter().filter(|_| arguments.verbose) {
        let Some(score) = row.scores.get("all") else { continue };
        println!(
            "{:?} {:?} {} {} {}:{:?}",
            score.function, score.statement, score.in_slice, row.id, row.function, row.lines
        );
        println!("    {}", row.suspects.join("\n    "));
    }
    println!("{}", score::table(&rows));
    Ok(())
}

fn measure(arguments: &Arguments, repo: &Path, out: &Path) -> Result<Vec<Row>> {
    let (shard, shards) = arguments.shard.split_once('/').context("a shard is written I/N")?;
    let (shard, shards): (usize, usize) = (shard.parse()?, shards.parse()?);
    let folder = tempfile::Builder::new().prefix("heal-localize-").tempdir()?;
    let tree = folder.path().join("tree");
    must(Command::new("git").args(["clone", "-q", "--no-hardlinks"]).arg(repo).arg(&tree))?;
    let project = repo.canonicalize()?.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(list) = &arguments.known {
        let site = Site::new(tree, folder.path(), arguments, project);
        return measure_known(arguments, &known::read(list)?, site, out);
    }
    let faults = chosen(&tree, arguments.seed, &faults_of)?;
    let mut rows: Vec<Row> = if out.exists() { read(out)? } else { Vec::new() };
    if arguments.again {
        return again(&Site::new(tree, folder.path(), arguments, project), &faults, rows);
    }
    let done: HashSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut site = Site::new(tree, folder.path(), arguments, project);
    site.broken = runtime.block_on(site.failing())?;
    eprintln!("{} faults can be seeded into {}", faults.len(), site.project);
    for seeded in faults.iter().skip(shard).step_by(shards.max(1)) {
        if rows.iter().filter(|row| !row.scores.is_empty()).count() >= arguments.faults {
            break;
        }
        let text = std::fs::read_to_string(seeded.path.under(&site.tree))?;
        if done.contains(&seeded.id()) || !parses(seeded, &text) {
            continue;
        }
        let row = runtime.block_on(site.run(seeded, None))?;
        eprintln!(
            "{} {}: {:?}",
            row.id,
            row.function,
            row.scores.get("all").map(|score| (score.function, score.statement))
        );
        writeln!(file, "{}", serde_json::to_string(&row)?)?;
        rows.push(row);
    }
    Ok(rows)
}

/// The faults of a file, by its language.
fn faults_of(path: &RelPath, text: &str) -> Vec<noted::Fault> {
    match heal::language::of_path(path).map(|language| language.name) {
        Some("python") => seed::faults(text),
        Some("rust") => seed_rust::faults(text),
        _ => Vec::new(),
    }
}

fn parses(seeded: &Seeded, text: &str) -> bool {
    match heal::language::of_path(&seeded.path).map(|language| language.name) {
        Some("rust") => seed_rust::parses(&seeded.fault, text),
        _ => seed::parses(&seeded.fault, text),
    }
}

/// Measures faults that people made, each at its own revision.
fn measure_known(arguments: &Arguments, list: &[Known], mut site: Site, out: &Path) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = if out.exists() { read(out)? } else { Vec::new() };
    let before: BTreeMap<String, Row> = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let command = site.command.clone();
    if arguments.again {
        rows.clear();
    }
    for known in list.iter().filter(|known| arguments.again == before.contains_key(&known.id)) {
        if let Some(revision) = &known.revision {
            must(Command::new("git").arg("-C").arg(&site.tree).args(["checkout", "-q", "--force", revision]))?;
        }
        let present = std::fs::read_to_string(known.path.under(&site.tree)).unwrap_or_default();
        let Some(fault) = known.fault(&present) else {
            eprintln!("{}: not in a function", known.id);
            continue;
        };
        site.command = if known.command.is_empty() { command.clone() } else { known.command.clone() };
        if !arguments.again {
            std::fs::write(known.path.under(&site.tree), &known.right)?;
            site.broken = runtime.block_on(site.failing()).unwrap_or_else(|error| {
                eprintln!("{} without the fault: {error:#}", known.id);
                HashSet::new()
            });
            std::fs::write(known.path.under(&site.tree), &present)?;
        }
        let seeded = Seeded { path: known.path.clone(), fault, name: Some(known.id.clone()) };
        let row = runtime.block_on(site.run(&seeded, before.get(&known.id).cloned()))?;
        if !arguments.again {
            eprintln!("{} {}: {:?}", row.id, row.function, row.scores.get("all"));
            writeln!(file, "{}", serde_json::to_string(&row)?)?;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Scores what was seen before by the diagnosis of now; runs no test.
fn again(site: &Site, faults: &[Seeded], rows: Vec<Row>) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let by_id: BTreeMap<String, &Seeded> = faults.iter().map(|seeded| (seeded.id(), seeded)).collect();
    let known = rows.into_iter().filter_map(|row| Some((*by_id.get(&row.id)?, row)));
    known.map(|(seeded, row)| runtime.block_on(site.run(seeded, Some(row)))).collect()
}

/// Where faults are seeded, and how they are looked for.
struct Site {
    tree: PathBuf,
    cache: PathBuf,
    command: Vec<String>,
    project: String,
    /// Tests that fail without any fault: no fault is to be found by them.
    broken: HashSet<String>,
    /// Faults whose name holds this are shown with their diagnosis.
    show: Option<String>,
}

impl Site {
    fn new(tree: PathBuf, folder: &Path, arguments: &Arguments, project: String) -> Site {
        let (cache, broken) = (folder.join("cache"), HashSet::new());
        let (command, show) = (arguments.command.clone(), arguments.show.clone());
        Site { tree, cache, command, project, broken, show }
    }

    /// Seeds one fault, runs the tests, scores the diagnosis of what fails, and
    /// takes the fault out again. With `seen` no test is run.
    async fn run(&self, seeded: &Seeded, seen: Option<Row>) -> Result<Row> {
        let path = seeded.path.under(&self.tree);
        let before = std::fs::read_to_string(&path)?;
        std::fs::write(&path, seeded.fault.put_into(&before))?;
        let mut row = match seen {
            Some(row) => row,
            // What heal cannot run (a suite that no longer loads) is a row
            // without scores, and is counted as seeded.
            None => self.surveyed(seeded).await.unwrap_or_else(|error| {
                eprintln!("{}: {error:#}", seeded.id());
                self.row(seeded)
            }),
        };
        self.score(seeded, &mut row)?;
        std::fs::write(&path, before)?;
        Ok(row)
    }

    fn row(&self, seeded: &Seeded) -> Row {
        Row {
            project: self.project.clone(),
            id: seeded.id(),
            kind: seeded.fault.kind.to_owned(),
            function: seeded.fault.function.clone(),
            lines: seeded.fault.lines,
            failing: 0,
            seconds: (0.0, 0.0),
            scores: BTreeMap::new(),
            suspects: Vec::new(),
            seen: None,
        }
    }

    /// Tests that fail in the tree as it stands.
    async fn failing(&self) -> Result<HashSet<String>> {
        let survey = self.survey().await?;
        Ok(survey.reproductions.into_iter().map(|reproduction| reproduction.failure.id).collect())
    }

    async fn survey(&self) -> Result<survey::Survey> {
        let settings = open::settings(&self.tree, &self.command);
        let tools = open::tools("localize", &self.tree, &self.cache, &settings)?;
        let mut prepared = prepare::prepare(&settings, &tools).await?;
        Ok(survey::survey(&mut prepared, &settings, &tools, survey::Scope::Asked).await?)
    }

    /// Runs the tests.
    async fn surveyed(&self, seeded: &Seeded) -> Result<Row> {
        let mut row = self.row(seeded);
        let began = Instant::now();
        let mut survey = self.survey().await?;
        survey.reproductions.retain(|reproduction| !self.broken.contains(&reproduction.failure.id));
        row.seconds.0 = began.elapsed().as_secs_f64();
        row.failing = survey.reproductions.len();
        let failures: Vec<_> = survey.reproductions.iter().map(|reproduction| reproduction.failure.clone()).collect();
        let clusters = diagnose::clusters(&failures);
        let Some(first) = clusters.first() else { return Ok(row) };
        // The compiler has found it.
        if failures.iter().any(|failure| failure.kind == Kind::CompileError) {
            row.failing = 0;
            return Ok(row);
        }
        let members: Vec<&Reproduction> = first.iter().map(|index| &survey.reproductions[*index]).collect();
        if members.iter().all(|member| member.outcome == Outcome::Reproduced) {
            let others = survey.reproductions.iter().enumerate().filter(|(index, _)| !first.contains(index));
            row.seen = Some(Seen {
                beside: others.map(|(_, other)| other.executed.clone()).collect(),
                failures: members.iter().map(|member| member.failure.clone()).collect(),
                executed: members.iter().map(|member| member.executed.clone()).collect(),
                passing: survey.spectrum,
                tests: members.iter().filter_map(|member| survey.places.get(&member.failure.id)).cloned().collect(),
            });
        }
        Ok(row)
    }

    /// Diagnoses what was seen, by all evidence and without each source.
    fn score(&self, seeded: &Seeded, row: &mut Row) -> Result<()> {
        let Some(seen) = &row.seen else { return Ok(()) };
        let evidence = diagnose::Evidence {
            texts: &Folder(self.tree.clone()),
            files: &tracked(&self.tree)?,
            failures: &seen.failures,
            executed: &seen.executed,
            beside: &seen.beside,
            passing: &seen.passing,
            tests: &seen.tests,
            earlier: None,
            rerun: None,
            recent: &[],
            root: RelPath::root(),
        };
        for (name, sources) in variants() {
            let config = diagnose::Config { sources, ..diagnose::Config::default() };
            let began = Instant::now();
            let Some(diagnosis) = diagnose::diagnose(&evidence, &config) else { continue };
            if name == "all" {
                row.seconds.1 = began.elapsed().as_secs_f64();
                row.suspects = diagnosis.suspects.iter().take(5).map(heal::pipeline::case::describe).collect();
                if self.show.as_ref().is_some_and(|name| row.id.contains(name)) {
                    println!("{}", show::text(row, &diagnosis));
                }
            }
            row.scores.insert(name.to_owned(), score::score(&diagnosis, &seeded.path, &seeded.fault));
        }
        Ok(())
    }
}

/// All evidence but history, and the same without one source each.
fn variants() -> Vec<(&'static str, Sources)> {
    let all = Sources { history: false, ..Sources::ALL };
    vec![
        ("all", all),
        ("without calls", Sources { calls: false, ..all }),
        ("without frames", Sources { frames: false, ..all }),
        ("without lines", Sources { executed: false, spectrum: false, ..all }),
        ("without spectrum", Sources { spectrum: false, ..all }),
        ("without values", Sources { values: false, ..all }),
    ]
}
