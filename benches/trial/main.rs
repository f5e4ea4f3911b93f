//! Measures what heal's scratches and trials cost beside what they replace: a
//! worktree of git's, the test command in the user's own tree, and a fresh
//! clone for each candidate.
//!
//! ```text
//! cargo bench --bench trial -- --repo DIR --edit FILE [--runs N] [--candidates N] [--naive N] -- TEST_COMMAND…
//! ```
//!
//! The checkout itself is not touched: a clone of it is the user's tree, in
//! which the command is run once before anything counts. A candidate is a
//! comment at the end of FILE, so that every build and every test has the same
//! work. What is compared runs in turn, so that a busy machine is as busy for
//! one as for the other; what counts are the ratios: of medians and, where the
//! speed of the machine itself changes, of the least times.

#[path = "../localize/open.rs"]
mod open;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::Parser;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::options::ScratchMethod;
use heal::options::Settings;
use heal::patch::Patch;
use heal::pipeline::prepare;
use heal::pipeline::prepare::Prepared;
use heal::process::Environment;
use heal::process::Launcher;
use heal::runner::Selection;
use heal::scratch::Method;
use heal::scratch::Pool;
use heal::scratch::Scratch;
use heal::scratch::Snapshot;
use heal::source::RelPath;

/// What changed within this time is looked at again by whoever relies on times, git
/// included.
const SETTLING: Duration = Duration::from_millis(2100);

/// Runs that record lines, at most.
const TRACED: usize = 3;

#[derive(Parser)]
struct Arguments {
    /// The checkout
    #[arg(long)]
    repo: PathBuf,
    /// The source file that candidates change, from the checkout's root
    #[arg(long)]
    edit: PathBuf,
    /// Runs of each of two that are compared
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Candidates that are tried two at a time; 0: scratches alone are made
    #[arg(long, default_value_t = 20)]
    candidates: usize,
    /// Fresh clones that are timed, of as many as there are candidates
    #[arg(long, default_value_t = 3)]
    naive: usize,
    /// How scratches get their files: auto, overlay or checkout
    #[arg(long, default_value = "auto")]
    scratch: ScratchMethod,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
    /// The test command
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// The user's tree, and what is tried on it.
struct Site {
    folder: tempfile::TempDir,
    tree: PathBuf,
    edit: RelPath,
    text: String,
    command: Vec<String>,
    asked: ScratchMethod,
    /// By which method its scratches are made.
    method: Method,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut site = Site::new(&arguments)?;
    let runtime = tokio::runtime::Runtime::new()?;
    site.in_place(&site.tree)?;
    std::thread::sleep(SETTLING);
    site.method = runtime.block_on(site.opened("cache-of-none"))?.pool.method();
    println!("scratches: {}\n", site.method.name());
    println!("| | least | median |\n|---|---|---|");
    scratches(&site, arguments.runs)?;
    if arguments.candidates > 0 {
        runtime.block_on(trials(&site, &arguments))?;
    }
    Ok(())
}

impl Site {
    fn new(arguments: &Arguments) -> Result<Site> {
        let folder = tempfile::Builder::new().prefix("heal-trial-").tempdir()?;
        let tree = folder.path().join("tree");
        git(Path::new("."), &["clone", "-q", "--no-hardlinks", &text_of(&arguments.repo)?, &text_of(&tree)?])?;
        let edit = RelPath::within(&tree, &tree.join(&arguments.edit)).context("--edit is not in the checkout")?;
        let text = std::fs::read_to_string(edit.under(&tree)).context("--edit cannot be read")?;
        Ok(Site {
            folder,
            tree,
            edit,
            text,
            command: arguments.command.clone(),
            asked: arguments.scratch,
            method: Method::Checkout,
        })
    }

    /// The file as candidate `number` has it.
    fn changed(&self, number: usize) -> String {
        let sign = if self.edit.as_str().ends_with(".py") { "#" } else { "//" };
        format!("{}{sign} candidate {number}\n", self.text)
    }

    fn patch(&self, number: usize) -> Patch {
        Patch::of_file(self.edit.clone(), self.text.clone(), self.changed(number))
    }

    /// Runs the bare test command in `tree`.
    fn in_place(&self, tree: &Path) -> Result<()> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).current_dir(tree).stdin(Stdio::null());
        let output = command.output()?;
        if !output.status.success() {
            bail!("the tests fail in {}: {}", tree.display(), String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }

    /// A scratch of the tree as it is, with all that making one takes.
    fn scratch(&self, cache: &Path) -> Result<Box<dyn Scratch>> {
        let environment = Environment::filtered(std::env::vars_os());
        let launcher = Launcher::new(None, environment, Interrupt::new());
        let repository = Repository::discover(&self.tree, &launcher)?;
        let snapshot = Snapshot::take_again(&repository, cache)?;
        let pool = Pool::open(&repository, &snapshot, cache)?;
        pool.set_method(self.method);
        Ok(pool.take()?)
    }

    /// heal, ready to try: the tree has been looked at, no scratch is made.
    async fn opened(&self, cache: &str) -> Result<Prepared> {
        let settings = Settings { scratch: self.asked, ..open::settings(&self.tree, &self.command) };
        let mut tools = open::tools("trial", &self.tree, &self.folder.path().join(cache), &settings)?;
        // With the sandbox, as a run has it.
        tools.launcher = Launcher::new(
            Some(tools.heal.clone()),
            Environment::filtered(std::env::vars_os()),
            tools.interrupt.clone(),
        );
        Ok(prepare::prepare(&settings, &tools).await?)
    }
}

/// One candidate's trial.
async fn tried(site: &Site, prepared: &Prepared, scratch: &mut dyn Scratch, number: usize) -> Result<()> {
    passed(site, prepared, scratch, number, false).await
}

/// The same; with the lines that each test runs, where `traced`.
async fn passed(
    site: &Site,
    prepared: &Prepared,
    scratch: &mut dyn Scratch,
    number: usize,
    traced: bool,
) -> Result<()> {
    scratch.lay(&site.patch(number))?;
    let mut request = prepared.bench.request(Selection::All);
    request.trace_lines = traced;
    let report = prepared.bench.run(scratch, &request).await?;
    if !report.complete || !report.problems.is_empty() || report.failures().next().is_some() {
        bail!("the tests fail in a scratch: {:?} {:?}", report.incomplete_why, report.failures().next());
    }
    Ok(())
}

/// Making a scratch, against git.
fn scratches(site: &Site, runs: usize) -> Result<()> {
    let (mut added, mut first) = (Vec::new(), Vec::new());
    let (mut status, mut warm, mut next) = (Vec::new(), Vec::new(), Vec::new());
    // git gives neither a build directory nor bytecode: what copying that costs is told by itself.
    let aside = site.folder.path().join("built");
    std::fs::create_dir(&aside)?;
    let built = built_in(&site.tree)?;
    let built: Vec<_> = built.into_iter().enumerate().map(|(at, one)| (one, aside.join(at.to_string()))).collect();
    let mut seeded = Vec::new();
    // Nothing is removed before the end: ext4 goes slowly past each inode that was deleted lately
    // (fs/ext4/ialloc.c, recently_deleted), and whose files come to lie among those is chance.
    for run in 0..runs {
        // The disk is not to be busy with what was written or removed before.
        nix::unistd::sync();
        let place = text_of(&site.folder.path().join(format!("worktree-{run}")))?;
        added.push(timed(|| git(&site.tree, &["worktree", "add", "-q", "--detach", &place]))?);
        let mut cache = site.folder.path().join(format!("cache-{run}"));
        built.iter().try_for_each(|(built, aside)| std::fs::rename(built, aside))?;
        first.push(timed(|| site.scratch(&cache).map(drop))?);
        if !built.is_empty() {
            built.iter().try_for_each(|(built, aside)| std::fs::rename(aside, built))?;
            cache = site.folder.path().join(format!("cache-of-built-{run}"));
            nix::unistd::sync();
            std::thread::sleep(SETTLING);
            seeded.push(timed(|| site.scratch(&cache).map(drop))?);
        }
        status.push(timed(|| git(&site.tree, &["status", "--porcelain"]))?);
        let began = Instant::now();
        let mut scratch = site.scratch(&cache)?;
        warm.push(began.elapsed());
        scratch.lay(&site.patch(0))?;
        next.push(timed(|| Ok(scratch.lay(&site.patch(1))?))?);
    }
    let added = row("`git worktree add`", &mut added, None);
    row("the first scratch", &mut first, Some(added));
    if !seeded.is_empty() {
        row("the same with what was built", &mut seeded, Some(added));
    }
    let status = row("`git status`", &mut status, None);
    row("a warm scratch", &mut warm, Some(status));
    row("one more candidate in it", &mut next, None);
    Ok(())
}

/// What building and testing left in the tree: cargo's build directory, Python's
/// bytecode.
fn built_in(tree: &Path) -> Result<Vec<PathBuf>> {
    let (mut built, mut folders) = (Vec::new(), vec![tree.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == "__pycache__" || (folder == tree && name == "target") {
                built.push(entry.path());
            } else if entry.file_type()?.is_dir() && name != ".git" {
                folders.push(entry.path());
            }
        }
    }
    Ok(built)
}

/// Trials, against the test command in place and in fresh clones.
async fn trials(site: &Site, arguments: &Arguments) -> Result<()> {
    let (mut bare, mut trial, mut traced) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    let prepared = site.opened("cache").await?;
    let mut scratch = prepared.scratch().await?;
    tried(site, &prepared, &mut *scratch, 0).await?;
    let mut cold = vec![began.elapsed()];
    // As in a run, which knows the unpatched suite before it tries anything.
    scratch.restore()?;
    prepared.bench.run(&*scratch, &prepared.bench.request(Selection::All)).await?;
    for run in 1..=arguments.runs {
        std::fs::write(site.edit.under(&site.tree), site.changed(run))?;
        bare.push(timed(|| site.in_place(&site.tree))?);
        std::fs::write(site.edit.under(&site.tree), &site.text)?;
        let began = Instant::now();
        tried(site, &prepared, &mut *scratch, run).await?;
        trial.push(began.elapsed());
        // It takes several times as long as a trial: few runs tell by how much.
        if run <= TRACED && prepared.bench.python.is_some() {
            let began = Instant::now();
            passed(site, &prepared, &mut *scratch, run, true).await?;
            traced.push(began.elapsed());
        }
    }
    drop(scratch);
    let mut naive = Vec::new();
    for number in 0..arguments.naive {
        naive.push(timed(|| cloned(site, number))?);
    }
    drop(prepared);
    // As a run does it: from nothing, two at a time.
    let began = Instant::now();
    let prepared = site.opened("cache-of-all").await?;
    let next = AtomicUsize::new(0);
    tokio::try_join!(
        worker(site, &prepared, &next, arguments.candidates),
        worker(site, &prepared, &next, arguments.candidates)
    )?;
    let all = began.elapsed();
    let bare = row("the test command in place", &mut bare, None);
    row("a warm trial", &mut trial, Some(bare));
    if !traced.is_empty() {
        row("a warm trial that records lines", &mut traced, Some(bare));
    }
    row("the first trial, with its scratch", &mut cold, Some(bare));
    let naive = row("a fresh clone, built and tested", &mut naive, Some(bare)).median.as_secs_f64();
    let of_all = all.as_secs_f64() / arguments.candidates as f64;
    println!(
        "\n{} candidates, two at a time, from nothing: {:.1} s, {of_all:.2} s each; one after another in a fresh clone \
         each {:.1} s: {:.1} times as long",
        arguments.candidates,
        all.as_secs_f64(),
        naive * arguments.candidates as f64,
        naive / of_all
    );
    Ok(())
}

async fn worker(site: &Site, prepared: &Prepared, next: &AtomicUsize, candidates: usize) -> Result<()> {
    let mut scratch = prepared.scratch().await?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= candidates {
            return Ok(());
        }
        tried(site, prepared, &mut *scratch, number).await?;
    }
}

/// A candidate in a clone of its own.
fn cloned(site: &Site, number: usize) -> Result<()> {
    let clone = site.folder.path().join(format!("clone-{number}"));
    git(&site.tree, &["clone", "-q", ".", &text_of(&clone)?])?;
    std::fs::write(site.edit.under(&clone), site.changed(number))?;
    site.in_place(&clone)?;
    Ok(())
}

fn timed(act: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let began = Instant::now();
    act()?;
    Ok(began.elapsed())
}

fn git(at: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("git").args(arguments).current_dir(at).output()?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<String> {
    let path = if path.exists() { path.canonicalize()? } else { path.to_path_buf() };
    path.to_str().map(str::to_owned).context("a path is not UTF-8")
}

/// Of the runs of one thing.
#[derive(Clone, Copy)]
struct Taken {
    least: Duration,
    median: Duration,
}

/// Prints a line of the table, and all times to the error output, in their order.
fn row(name: &str, times: &mut [Duration], against: Option<Taken>) -> Taken {
    eprintln!("{name}: {:?}", times.iter().map(Duration::as_millis).collect::<Vec<_>>());
    times.sort();
    let taken = Taken { least: times[0], median: times[times.len() / 2] };
    let ratio = |one: fn(&Taken) -> Duration| {
        against.map_or(String::new(), |against| format!(" ({:.2})", one(&taken).div_duration_f64(one(&against))))
    };
    let (of_least, of_median) = (ratio(|taken| taken.least), ratio(|taken| taken.median));
    println!("| {name} | {:.0} ms{of_least} | {:.0} ms{of_median} |", millis(taken.least), millis(taken.median));
    taken
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
