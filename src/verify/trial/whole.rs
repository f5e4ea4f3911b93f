//! The whole suite with a patch in, and with what is left of the patch when
//! what no test runs is taken out.
//!
//! Runs and reads; what a suite says against a patch is for the gate to say.

use std::time::Duration;
use std::time::Instant;

use super::Aim;
use super::Found;
use super::TrialError;
use super::Trials;
use super::integrity;
use super::minimal;
use super::near;
use super::suite;
use super::target;
use crate::detect::Baseline;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Selection;
use crate::scratch::Scratch;
use crate::verify::Miss;
use crate::verify::policy::Author;

/// Lines of a suite with more tests than this are not traced: the record of
/// them would be larger than all else.
const TRACED: usize = 2_000;

/// A run of the suite with a patch in.
pub(super) struct SuiteRun {
    pub(super) patch: Patch,
    pub(super) report: Report,
    pub(super) took: Duration,
}

impl Trials {
    /// Runs the suite, after the tests beside the target where it is long,
    /// with what `minimal` leaves of the patch.
    pub(super) async fn suite(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: &Baseline,
        found: &mut Found,
    ) -> Result<Result<SuiteRun, Miss>, TrialError> {
        let mends = self.author == Author::Machine && self.asks(&minimal::GATE);
        let bare = if mends { minimal::without_layout(patch) } else { None };
        let patch = bare.as_ref().unwrap_or(patch);
        if let Some((report, took)) = self.recall.suite(patch) {
            let judged = self.passes_whole(&report);
            return Ok(judged.map(|()| SuiteRun { patch: patch.clone(), report, took }));
        }
        if self.asks(&near::GATE)
            && let Err(miss) = near::judge(&self.bench, scratch, patch, &self.aim, baseline).await?
        {
            return Ok(Err(miss));
        }
        let run = match self.run_suite(scratch, patch, baseline, mends).await? {
            Ok(run) => run,
            Err(miss) => return Ok(Err(miss)),
        };
        let less = if mends { minimal::without_unexecuted(patch, &run.report) } else { None };
        let run = match less {
            // The rest has to stand for itself; where it does not, the whole
            // patch is what is judged.
            Some(less) => self.run_suite(scratch, &less, baseline, mends).await?.unwrap_or(run),
            None => run,
        };
        let hunks = |patch: &Patch| patch.touched_after().iter().map(|(_, hunks)| hunks.len()).sum::<usize>();
        found.taken_out = hunks(patch).saturating_sub(hunks(&run.patch));
        Ok(Ok(run))
    }

    async fn run_suite(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: &Baseline,
        mends: bool,
    ) -> Result<Result<SuiteRun, Miss>, TrialError> {
        let mut request = self.bench.patched_suite(baseline);
        let hunks: usize = patch.touched_after().iter().map(|(_, hunks)| hunks.len()).sum();
        // From 3.12 on tracing costs next to nothing (`sys.monitoring`).
        let quick = self.bench.python.as_ref().is_some_and(|python| python.version >= (3, 12, 0));
        request.trace_lines =
            self.bench.python.is_some() && baseline.tests.len() <= TRACED && (quick || mends && hunks > 1);
        let began = Instant::now();
        let (mut report, mut held) = self.guard.run(&self.bench, scratch, patch, &request).await?;
        let newly = if request.trace_lines { baseline.compare(&report).newly_failing } else { Vec::new() };
        if !newly.is_empty() && self.notices_lines(scratch, newly).await? {
            request.trace_lines = false;
            (report, held) = self.guard.run(&self.bench, scratch, patch, &request).await?;
        }
        let took = began.elapsed();
        let judged = self.passes_whole(&report).and_then(|()| self.of(&integrity::GATE, held));
        Ok(judged.map(|()| SuiteRun { patch: patch.clone(), report, took }))
    }

    /// Whether one of the tests fails without the patch too where lines are recorded,
    /// as they were not for the baseline: then it speaks of the recording.
    async fn notices_lines(&self, scratch: &mut dyn Scratch, tests: Vec<String>) -> Result<bool, TrialError> {
        scratch.restore()?;
        let mut request = self.bench.request(Selection::Tests(tests));
        request.trace_lines = true;
        Ok(self.bench.run(scratch, &request).await?.failures().next().is_some())
    }

    /// Whether what is to be cured passes in the suite too.
    fn passes_whole(&self, report: &Report) -> Result<(), Miss> {
        let whole = Aim { selection: Selection::All, ..(*self.aim).clone() };
        let judged = target::judge(&whole, report).map_err(|miss| Miss {
            gate: suite::GATE.name.to_owned(),
            detail: format!("in the whole suite {}", miss.detail),
            ..miss
        });
        self.of(&suite::GATE, judged)
    }
}
