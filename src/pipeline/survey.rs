//! Survey: what fails, for sure, and what does not.
//!
//! Runs the suite (or the tests asked for) and what failed of it again; ends
//! with failures that are reproduced, or with the reason why there are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PipelineError;
use super::Tools;
use super::endless;
use super::endless::Settling;
use super::prepare::Prepared;
use crate::detect::Baseline;
use crate::detect::Reproduction;
use crate::detect::Spectrum;
use crate::detect::reproduce;
use crate::detect::spectrum;
use crate::event::Event;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::options::Settings;
use crate::runner;
use crate::runner::Report;
use crate::runner::Request;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::Status;
use crate::runner::TestPlace;
use crate::runner::TestResult;
use crate::scratch::Method;
use crate::scratch::Scratch;
use crate::trace;

/// What fails on the snapshot.
pub struct Survey {
    /// What every test does; `None` until it is needed, where only some tests
    /// were asked for.
    pub baseline: Option<Arc<Baseline>>,
    /// Each failure and how it behaved.
    pub reproductions: Vec<Reproduction>,
    /// Where the failing tests are defined, by id, as far as it is known.
    pub places: BTreeMap<String, TestPlace>,
    /// Which lines passing tests execute.
    pub spectrum: Spectrum,
    /// The run that showed the failures.
    pub first: Report,
    /// Modules that the tests load from another copy of the code.
    pub other_copies: Vec<OtherCopy>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Whether what ran into its first deadline is endless or merely slow.
    pub settling: Settling,
}

/// A module of the repository that the tests load from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherCopy {
    /// Its dotted name.
    pub module: String,
    /// Where it was loaded from.
    pub loaded: std::path::PathBuf,
    /// The file of the repository it should be.
    pub own: crate::source::RelPath,
}

/// What a first run takes in, where tests are asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those tests, where the runner finds them by name.
    Asked,
    /// The suite: it is the baseline too.
    Suite,
}

/// The same, with tests that are merely slow told from endless ones.
///
/// # Errors
/// As for [`survey`].
pub async fn settled(
    prepared: &mut Prepared,
    settings: &Settings,
    tools: &Tools,
    scope: Scope,
) -> Result<Survey, PipelineError> {
    let found = survey(prepared, settings, tools, scope).await?;
    if found.settling.is_slow().await? { patient(prepared, settings, tools, scope).await } else { Ok(found) }
}

/// The survey with the full time for every test.
///
/// # Errors
/// As for [`survey`].
pub async fn patient(
    prepared: &mut Prepared,
    settings: &Settings,
    tools: &Tools,
    scope: Scope,
) -> Result<Survey, PipelineError> {
    let full = settings.test_timeout.unwrap_or(Settings::LONGEST_TEST);
    prepared.bench.limits.test = full;
    let mut found = survey(prepared, settings, tools, scope).await?;
    found.notes.push(format!("some tests are slow; each may take {} s", full.as_secs()));
    Ok(found)
}

/// Finds and reproduces the failures. Whether a test that ran into its first
/// deadline ends after all is found out beside what follows.
///
/// # Errors
/// The tests cannot be run, run another copy of the code, or the tests asked
/// for do not exist.
pub async fn survey(
    prepared: &mut Prepared,
    settings: &Settings,
    tools: &Tools,
    scope: Scope,
) -> Result<Survey, PipelineError> {
    let asked = asked_for(prepared, settings)?;
    let selection = if scope == Scope::Suite { Selection::All } else { first_selection(prepared, &asked) };
    let whole = selection == Selection::All;
    let what = if whole { "the suite".to_owned() } else { format!("{} of its tests", asked.len()) };
    tools.events.emit(Event::Stage { name: "run".into(), what });
    let before = prepared.pool.method();
    let (mut scratch, first) = first_run(prepared, &prepared.bench.request(selection)).await?;
    let took = prepared.bench.clock.total();
    tools.events.emit(suite_event(&first, prepared));
    let other_copies = other_copies(prepared, &*scratch, &first);
    refuse_other_copies(prepared, &other_copies)?;
    let wanted = wanted_failures(prepared, &first, &asked)?;
    if wanted.is_empty() {
        return nothing_fails(prepared, &mut *scratch, first, &asked, whole, other_copies).await;
    }
    let mut notes = scratch.notes();
    if prepared.pool.method() != before {
        notes.push("the tests rename directories of the tree, which an overlay cannot: scratches are checkouts".into());
    }
    let settling = settle(prepared, &first, &wanted, settings);
    let reference = Baseline::of(&first);
    let limits = &mut prepared.bench.limits;
    limits.brief = settings.brief_limit(reference.slowest).min(limits.test);
    let baseline = whole.then(|| Arc::new(reference));
    if let Some(baseline) = &baseline {
        limits.test = settings.test_limit(baseline.slowest);
    }
    tools.events.emit(Event::Stage { name: "reproduce".into(), what: format!("{} failing", wanted.len()) });
    let wanted_refs: Vec<&Failure> = wanted.iter().collect();
    let before = prepared.bench.clock.total();
    let mut reproductions = reproduce::reproduce(&prepared.bench, &mut *scratch, &first, &wanted_refs, whole).await?;
    // Each of them needed a start, and more.
    let again = prepared.bench.clock.total().saturating_sub(before);
    prepared.bench.limits.start = first.lasted.min(again);
    if whole {
        prepared.bench.limits.whole = first.lasted;
    }
    for reproduction in &reproductions {
        tools.events.emit(Event::Reproduced {
            id: reproduction.failure.id.clone(),
            failed: reproduction.failed,
            runs: reproduction.runs,
            message: reproduction.failure.message.clone(),
        });
    }
    scratch.restore()?;
    let places = places(prepared, &*scratch, &wanted);
    let spectrum = spectrum::measure(&prepared.bench, &*scratch, &first, took, &mut reproductions).await?;
    Ok(Survey { baseline, reproductions, places, spectrum, first, other_copies, notes, settling })
}

/// The first run. In an overlay a directory that lies below the layer cannot
/// be renamed: tests that do so are given checkouts.
async fn first_run(prepared: &Prepared, request: &Request) -> Result<(Box<dyn Scratch>, Report), PipelineError> {
    let scratch = prepared.scratch().await?;
    let report = prepared.bench.run(&*scratch, request).await?;
    if scratch.method() != Method::Overlay || !report.tests.iter().any(fails_to_rename) {
        return Ok((scratch, report));
    }
    drop(scratch);
    prepared.pool.set_method(Method::Checkout);
    let scratch = prepared.scratch().await?;
    let report = prepared.bench.run(&*scratch, request).await?;
    Ok((scratch, report))
}

/// Whether a test says that something cannot be renamed from one file system
/// to another: EXDEV in the words of C libraries and of Node, its number in
/// Rust's.
fn fails_to_rename(test: &TestResult) -> bool {
    let said = |failure: &Failure| {
        [&failure.message, &failure.output]
            .iter()
            .any(|text| ["cross-device link", "os error 18", "EXDEV"].iter().any(|words| text.contains(words)))
    };
    test.failure.as_ref().is_some_and(said)
}

/// Where the tests of `failures` are defined: looked up in the scratch, since
/// the user's own tree may have changed by now.
fn places(prepared: &Prepared, scratch: &dyn Scratch, failures: &[Failure]) -> BTreeMap<String, TestPlace> {
    let site = prepared.bench.site(scratch);
    let place = |failure: &Failure| {
        let place = runner::place(&prepared.bench.project, &site, &failure.id)?;
        Some((failure.id.clone(), place))
    };
    failures.iter().filter_map(place).collect()
}

/// Gives what ran into the first, short deadline its full time.
fn settle(prepared: &Prepared, first: &Report, wanted: &[Failure], settings: &Settings) -> Settling {
    let full = settings.test_timeout.unwrap_or(Settings::LONGEST_TEST);
    let ids = endless::timed_out(first, wanted.iter().map(|failure| failure.id.as_str()));
    if ids.is_empty() || full <= prepared.bench.limits.test {
        return Settling::nothing();
    }
    Settling::start(prepared.bench.clone(), prepared.pool.clone(), &ids, full)
}

/// The tests the user or a saved log names; none for whatever fails.
fn asked_for(prepared: &Prepared, settings: &Settings) -> Result<Vec<String>, PipelineError> {
    let mut asked = settings.tests.clone();
    if let Some(text) = &settings.trace {
        let failures = trace::failures(text, &prepared.bench.places, &prepared.bench.project.root);
        if failures.is_empty() {
            return Err(PipelineError::Usage { what: "the trace holds no failure heal can read".into(), hint: "heal reads the output of test runners (pytest, cargo, jest, vitest, mocha, node, go and others), stack traces, JUnit XML and Sentry events; or name the test: heal fix --test ID".into() });
        }
        asked.extend(failures.into_iter().filter(names_a_test).map(|failure| failure.id));
    }
    asked.dedup();
    Ok(asked)
}

/// Whether a failure read from text carries the name of a test, and not just
/// a place.
fn names_a_test(failure: &Failure) -> bool {
    failure.kind != Kind::CompileError && !failure.id.is_empty() && !failure.id.starts_with("trace:")
}

/// pytest and unittest find tests by name themselves; a cargo test's full id
/// is only known once the suite has run.
fn first_selection(prepared: &Prepared, asked: &[String]) -> Selection {
    let by_name = matches!(prepared.bench.project.kind, RunnerKind::Pytest | RunnerKind::Unittest);
    if by_name && !asked.is_empty() { Selection::Tests(asked.to_vec()) } else { Selection::All }
}

fn wanted_failures(prepared: &Prepared, report: &Report, asked: &[String]) -> Result<Vec<Failure>, PipelineError> {
    let named =
        |id: &str| asked.is_empty() || asked.iter().any(|wanted| runner::names(&prepared.bench.project, id, wanted));
    let of_tests = report.tests.iter().filter(|test| named(&test.id)).filter_map(|test| test.failure.clone());
    let failures: Vec<Failure> = of_tests.chain(report.problems.iter().cloned()).collect();
    for wanted in asked {
        let known = report.tests.iter().any(|test| runner::names(&prepared.bench.project, &test.id, wanted));
        if !known && report.problems.is_empty() {
            return Err(PipelineError::NoSuchTest {
                name: wanted.clone(),
                hint: format!(
                    "{} ran and reported {} tests; name one as the runner does",
                    prepared.bench.project.shown(),
                    report.tests.len()
                ),
            });
        }
    }
    Ok(failures)
}

/// Nothing fails: either all is well, or what was asked for passes here, or
/// the run told nothing.
async fn nothing_fails(
    prepared: &Prepared,
    scratch: &mut dyn Scratch,
    first: Report,
    asked: &[String],
    whole: bool,
    other_copies: Vec<OtherCopy>,
) -> Result<Survey, PipelineError> {
    if first.exit_only.is_none() && !first.complete {
        return Err(PipelineError::Environment {
            what: format!(
                "`{}` did not come to its end: {}",
                prepared.bench.project.shown(),
                first.incomplete_why.clone().unwrap_or_else(|| "no reason was given".into())
            ),
            hint: "Run the command yourself; heal needs one that runs its tests and reports them".into(),
        });
    }
    let mut reproductions = Vec::new();
    if !asked.is_empty() {
        // What was asked for passes: always, or just this time?
        let ids: Vec<String> = first
            .tests
            .iter()
            .filter(|test| asked.iter().any(|wanted| runner::names(&prepared.bench.project, &test.id, wanted)))
            .map(|test| test.id.clone())
            .collect();
        reproductions = passing(prepared, scratch, &ids).await?;
    }
    let baseline = whole.then(|| Arc::new(Baseline::of(&first)));
    let failures: Vec<Failure> = reproductions.iter().map(|reproduction| reproduction.failure.clone()).collect();
    let places = places(prepared, scratch, &failures);
    let spectrum = Spectrum::default();
    let settling = Settling::nothing();
    Ok(Survey { baseline, reproductions, places, spectrum, first, other_copies, notes: Vec::new(), settling })
}

/// Runs tests that passed three more times.
async fn passing(
    prepared: &Prepared,
    scratch: &mut dyn Scratch,
    ids: &[String],
) -> Result<Vec<Reproduction>, PipelineError> {
    let mut failed: Vec<(usize, Option<Failure>)> = ids.iter().map(|_| (0, None)).collect();
    let runs = 3;
    for _ in 0..runs {
        scratch.restore()?;
        let report = prepared.bench.run(scratch, &prepared.bench.request(Selection::Tests(ids.to_vec()))).await?;
        for (id, (count, failure)) in ids.iter().zip(&mut failed) {
            if let Some(found) = reproduce::find(&report, id) {
                *count += 1;
                failure.get_or_insert_with(|| found.clone());
            }
        }
    }
    let row = |(id, (count, failure)): (&String, (usize, Option<Failure>))| Reproduction {
        outcome: if count == 0 { crate::detect::Outcome::NotReproduced } else { crate::detect::Outcome::Flaky },
        fingerprints: failure.iter().map(Failure::fingerprint).collect(),
        failure: failure.unwrap_or_else(|| Failure {
            id: id.clone(),
            kind: Kind::Exit,
            message: "it passes here".into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        }),
        failed: count,
        runs: runs + 1,
        executed: Vec::new(),
        by_itself: true,
        in_company: false,
    };
    Ok(ids.iter().zip(failed).map(row).collect())
}

fn suite_event(report: &Report, prepared: &Prepared) -> Event {
    Event::SuiteRan {
        passed: report.count(Status::Passed),
        failed: report.count(Status::Failed) + report.problems.len(),
        skipped: report.count(Status::Skipped),
        seconds: prepared.bench.clock.total().as_secs_f64(),
    }
}

/// Modules that belong to the repository by their name and were loaded from
/// outside the scratch.
fn other_copies(prepared: &Prepared, scratch: &dyn Scratch, report: &Report) -> Vec<OtherCopy> {
    let mut found = Vec::new();
    for module in &report.modules {
        if module.file.starts_with(scratch.root()) {
            continue;
        }
        let path = module.name.replace('.', "/");
        let forms = [format!("{path}.py"), format!("{path}/__init__.py")];
        let own = prepared.snapshot.files().into_iter().find(|file| {
            let text = file.as_str();
            forms.iter().any(|form| text == form || text == format!("src/{form}") || text == format!("lib/{form}"))
        });
        if let Some(own) = own {
            found.push(OtherCopy { module: module.name.clone(), loaded: module.file.clone(), own });
        }
    }
    found
}

/// A copy in the user's own tree is certainly the wrong one. Any other is
/// where the whole package comes from elsewhere: no module of it from the
/// scratch.
fn refuse_other_copies(prepared: &Prepared, copies: &[OtherCopy]) -> Result<(), PipelineError> {
    let Some(copy) = copies.first() else { return Ok(()) };
    let in_user_tree = copies.iter().find(|copy| copy.loaded.starts_with(prepared.repository.root()));
    let copy = in_user_tree.unwrap_or(copy);
    Err(PipelineError::NotExercised {
        what: format!(
            "`{}` was loaded from `{}`, not from the repository's `{}`",
            copy.module,
            copy.loaded.display(),
            copy.own
        ),
        hint: format!(
            "Install the project in editable mode (pip install -e .), or uninstall the other copy of `{}`",
            copy.module.split('.').next().unwrap_or_default()
        ),
    })
}
