//! A trial: one candidate, one scratch, gate after gate until the first miss.
//!
//! Walks the gates in the order of the table; decides nothing itself.

use std::sync::Arc;
use std::time::Duration;

use super::Evidence;
use super::Miss;
use super::SuiteCounts;
use super::Target;
use super::Verdict;
use super::build;
use super::cause;
use super::distinct;
use super::distinct::Seen;
use super::policy;
use super::policy::Author;
use super::stable;
use super::suite;
use super::syntax;
use super::target;
use super::target::Aim;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::detect::BenchError;
use crate::patch::Patch;
use crate::runner::Selection;
use crate::scratch::Scratch;
use crate::scratch::ScratchError;

/// Why a trial could not be held. Never the candidate's fault.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The tests cannot be run.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The scratch could not be kept.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

/// What trials of one failure have in common. Cheap to clone.
#[derive(Clone)]
pub struct Trials {
    /// Runs the tests.
    pub bench: Bench,
    /// What is to be cured.
    pub aim: Arc<Aim>,
    /// What may be touched.
    pub policy: Arc<policy::Config>,
    /// Whose patches these are.
    pub author: Author,
    /// What was tried so far.
    pub seen: Arc<Seen>,
    /// Which suite stands for "nothing else broke".
    pub suite_scope: String,
    /// The containment that is in force.
    pub sandbox: String,
}

/// A candidate's evidence beyond the target.
pub type Proof = Result<Box<Evidence>, Miss>;

/// What became of the failing tests.
pub enum Cure {
    /// They pass.
    Works,
    /// They do not, or nothing compiles.
    Missed(Miss),
    /// One was still running at its deadline.
    RanOut(Miss),
}

impl Trials {
    /// The gates that run nothing: `policy`, `distinct`, `syntax`.
    pub fn screen(&self, patch: &Patch) -> Result<(), Miss> {
        policy::judge(patch, self.author, &self.policy)?;
        self.seen.judge(patch)?;
        syntax::judge(patch)
    }

    /// The gates `build` and `target`: one run of the failing tests, each
    /// within `limit`.
    ///
    /// # Errors
    /// Only where the tests cannot be run.
    pub async fn cure(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: Option<&Baseline>,
        limit: Duration,
    ) -> Result<Cure, TrialError> {
        scratch.lay(patch)?;
        let mut request = self.bench.request(self.aim.selection.clone());
        request.fail_fast = true;
        request.test_limit = limit;
        let report = self.bench.run(scratch, &request).await?;
        if let Err(miss) = build::judge(&report, baseline) {
            return Ok(Cure::Missed(miss));
        }
        Ok(match target::judge(&self.aim, &report) {
            Ok(()) => Cure::Works,
            Err(miss) if self.aim.ran_out(&report) => Cure::RanOut(miss),
            Err(miss) => Cure::Missed(miss),
        })
    }

    /// The gates `suite`, `stable` and `cause`, for a patch that passed
    /// `target`.
    ///
    /// # Errors
    /// Only where the tests cannot be run.
    pub async fn prove(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: &Baseline,
    ) -> Result<Proof, TrialError> {
        scratch.lay(patch)?;
        let report = self.bench.run(scratch, &self.bench.request(Selection::All)).await?;
        if let Err(miss) = target::judge(&Aim { selection: Selection::All, ..(*self.aim).clone() }, &report) {
            return Ok(Err(Miss {
                gate: suite::GATE.name.to_owned(),
                detail: format!("in the whole suite {}", miss.detail),
                ..miss
            }));
        }
        let took = self.aim.longest(&report);
        // A person may mend one form at a time; a machine that does has fitted
        // its patch to one.
        if self.author == Author::Machine
            && let Some(form) = self.aim.form_that_still_fails(&report, baseline)
        {
            let detail = format!("{form}, another form of the same test, still fails");
            return Ok(Err(Miss { gate: suite::GATE.name.to_owned(), detail, output: String::new() }));
        }
        let counts = match suite::judge(&self.bench, scratch, patch, baseline, report).await? {
            Ok(counts) => counts,
            Err(miss) => return Ok(Err(miss)),
        };
        let target = match stable::judge(&self.bench, scratch, patch, &self.aim, baseline).await? {
            Ok(target) => target,
            Err(miss) => return Ok(Err(miss)),
        };
        if let Err(miss) = cause::judge(&self.bench, scratch, &self.aim, took).await? {
            return Ok(Err(miss));
        }
        Ok(Ok(Box::new(self.evidence(scratch, target, counts, cause::PROVEN))))
    }

    /// The whole way for a patch that claims to mend nothing in particular:
    /// it must merely break nothing.
    ///
    /// # Errors
    /// Only where the tests cannot be run.
    pub async fn harmless(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: &Baseline,
    ) -> Result<Verdict, TrialError> {
        if let Err(miss) = self.screen(patch) {
            return Ok(Verdict::Missed(miss));
        }
        scratch.lay(patch)?;
        let report = self.bench.run(scratch, &self.bench.request(Selection::All)).await?;
        if let Err(miss) = build::judge(&report, Some(baseline)) {
            return Ok(Verdict::Missed(miss));
        }
        Ok(match suite::judge(&self.bench, scratch, patch, baseline, report).await? {
            Ok(counts) => Verdict::Verified(Box::new(self.evidence(scratch, Target::default(), counts, "not asked"))),
            Err(miss) => Verdict::Missed(miss),
        })
    }

    fn evidence(&self, scratch: &dyn Scratch, target: Target, suite: Option<SuiteCounts>, cause: &str) -> Evidence {
        Evidence {
            target,
            suite,
            cause: cause.to_owned(),
            control: None,
            strength: None,
            integrity: "held".to_owned(),
            scratch: scratch.method().name().to_owned(),
            sandbox: self.sandbox.clone(),
            suite_scope: self.suite_scope.clone(),
            agreement: 1,
        }
    }

    /// The whole way.
    ///
    /// # Errors
    /// Only where the tests cannot be run.
    pub async fn attempt(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: &Baseline,
    ) -> Result<Verdict, TrialError> {
        if let Err(miss) = self.screen(patch) {
            return Ok(Verdict::Missed(miss));
        }
        match self.cure(scratch, patch, Some(baseline), self.bench.limits.test).await? {
            Cure::Works => {}
            Cure::Missed(miss) | Cure::RanOut(miss) => return Ok(Verdict::Missed(miss)),
        }
        Ok(match self.prove(scratch, patch, baseline).await? {
            Ok(evidence) => Verdict::Verified(evidence),
            Err(miss) => Verdict::Missed(miss),
        })
    }
}

/// The normalised digest of a patch: equal for equal changes.
pub fn identity(patch: &Patch) -> String {
    distinct::digest(patch)
}
