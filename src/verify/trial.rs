//! A trial: one candidate, one scratch, gate after gate until the first miss.
//!
//! Walks the gates in the order of the table; decides nothing itself.

mod whole;

use std::sync::Arc;
use std::time::Duration;

use super::Evidence;
use super::Miss;
use super::Proved;
use super::Strength;
use super::SuiteCounts;
use super::Target;
use super::Verdict;
use super::alone;
use super::build;
use super::cause;
use super::control;
use super::distinct;
use super::distinct::Seen;
use super::integrity;
use super::integrity::Guard;
use super::minimal;
use super::near;
use super::policy;
use super::policy::Author;
use super::recall::Recall;
use super::scan;
use super::special;
use super::stable;
use super::strength;
use super::suite;
use super::syntax;
use super::target;
use super::target::Aim;
use super::witness;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::detect::BenchError;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Status;
use crate::scratch::Scratch;
use crate::scratch::ScratchError;
use whole::SuiteRun;

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
    /// The tests and what configures them.
    pub guard: Guard,
    /// What trials of other failures have shown.
    pub recall: Arc<Recall>,
    /// Which suite stands for "nothing else broke".
    pub suite_scope: String,
    /// The containment that is in force.
    pub sandbox: String,
    /// A gate that is left out, so that tests can show what it alone catches.
    /// `None` everywhere else.
    pub without: Option<String>,
}

/// A candidate's proof beyond the target.
pub type Proof = Result<Box<Proved>, Miss>;

/// The evidence as far as the gates have come.
#[derive(Default)]
struct Found {
    target: Target,
    suite: Option<SuiteCounts>,
    cause: &'static str,
    control: Option<String>,
    strength: Option<Strength>,
    witnesses: Option<usize>,
    taken_out: usize,
    cured: Vec<String>,
}

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
    /// Whether the gate is asked.
    fn asks(&self, gate: &super::Gate) -> bool {
        self.without.as_deref() != Some(gate.name)
    }

    /// A judgement, unless the gate is left out.
    fn of<T: Default>(&self, gate: &super::Gate, judged: Result<T, Miss>) -> Result<T, Miss> {
        match judged {
            Err(_) if !self.asks(gate) => Ok(T::default()),
            judged => judged,
        }
    }

    /// The gates that run nothing: `policy`, `distinct`, `syntax`, `scan`.
    /// `reasoned`: whether it is a model's.
    pub fn screen(&self, patch: &Patch, reasoned: bool) -> Result<(), Miss> {
        self.screened(patch, Some(reasoned))
    }

    /// Whether a gate that runs nothing refuses the patch, whatever was tried
    /// before.
    pub fn refuses(&self, patch: &Patch) -> bool {
        self.screened(patch, None).is_err()
    }

    fn screened(&self, patch: &Patch, once: Option<bool>) -> Result<(), Miss> {
        self.of(&policy::GATE, policy::judge(patch, self.author, &self.policy))?;
        if let Some(reasoned) = once {
            self.of(&distinct::GATE, self.seen.judge(patch, reasoned))?;
        }
        self.of(&syntax::GATE, syntax::judge(patch))?;
        self.of(&scan::GATE, scan::judge(patch))
    }

    /// The gates `build`, `target` and `integrity`: one run of the failing
    /// tests, each within `limit`.
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
        let mut request = self.bench.request(self.aim.selection.clone());
        request.fail_fast = true;
        request.test_limit = limit;
        request.start_limit = self.bench.limits.beside_target();
        let (report, held) = self.guard.run(&self.bench, scratch, patch, &request).await?;
        if let Err(miss) = self.of(&build::GATE, build::judge(&report, baseline)) {
            return Ok(Cure::Missed(miss));
        }
        Ok(match self.of(&target::GATE, target::judge(&self.aim, &report)) {
            Ok(()) => match self.of(&integrity::GATE, held) {
                Ok(()) => Cure::Works,
                Err(miss) => Cure::Missed(miss),
            },
            Err(miss) if self.aim.ran_out(&report) => Cure::RanOut(miss),
            Err(miss) => Cure::Missed(miss),
        })
    }

    /// The other gates, for a patch that passed `target`.
    ///
    /// # Errors
    /// Only where the tests cannot be run.
    pub async fn prove(
        &self,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        baseline: &Baseline,
    ) -> Result<Proof, TrialError> {
        let mut found = Found { cause: cause::PROVEN, ..Found::default() };
        let SuiteRun { patch, report, took } = match self.suite(scratch, patch, baseline, &mut found).await? {
            Ok(run) => run,
            Err(miss) => return Ok(Err(miss)),
        };
        // A person may mend one form at a time; a machine that does has fitted
        // its patch to one.
        if self.author == Author::Machine
            && let Some(form) = self.aim.form_that_still_fails(&report, baseline)
        {
            let detail = format!("{form}, another form of the same test, still fails");
            return Ok(Err(Miss { gate: suite::GATE.name.to_owned(), detail, output: String::new() }));
        }
        let whole = report.clone();
        let longest = self.aim.longest(&report);
        let near = near::of(&report, &self.aim, &patch, baseline);
        found.cured = cured(baseline, &report);
        let counts = suite::judge(&self.bench, scratch, &patch, baseline, report).await?;
        let special = self.of(&special::GATE, special::judge(&patch, &self.aim.literals));
        found.suite = match self.of(&suite::GATE, counts).and_then(|counts| special.map(|()| counts)) {
            Ok(counts) => counts,
            Err(miss) => return Ok(Err(miss)),
        };
        if let Err(miss) = alone::judge(&self.bench, scratch, &patch, &self.aim, baseline).await? {
            return Ok(Err(miss));
        }
        let floor = self.policy.applied(&patch);
        if self.asks(&stable::GATE) {
            found.target =
                match stable::judge(&self.bench, scratch, &patch, &self.aim, baseline, floor.repeats.value).await? {
                    Ok(target) => target,
                    Err(miss) => return Ok(Err(miss)),
                };
        }
        if self.asks(&cause::GATE)
            && let Err(miss) = cause::judge(&self.bench, scratch, &patch, &self.guard, &self.aim, longest).await?
        {
            return Ok(Err(miss));
        }
        if self.asks(&control::GATE) {
            found.control = match control::judge(&self.bench, scratch, &patch, &self.aim).await? {
                Ok(control) => control,
                Err(miss) => return Ok(Err(miss)),
            };
        }
        if self.asks(&strength::GATE) {
            found.strength = match strength::judge(
                &self.bench,
                scratch,
                &patch,
                &self.aim,
                &near,
                baseline,
                strength::Asked { suite_took: took, floor: &floor, recall: &self.recall },
            )
            .await?
            {
                Ok(strength) => strength,
                Err(miss) => return Ok(Err(miss)),
            };
            if found.control.is_none() && found.strength.is_none() {
                let detail = "nothing of it could be measured: neither a fault planted in it nor a change of it";
                return Ok(Err(Miss::new(&strength::GATE, detail)));
            }
            // After all gates: it is asked of the few that passed them.
            found.witnesses = match self.recall.witnesses(&patch) {
                Some(count) => Some(count),
                None => witness::count(&self.bench, scratch, &patch, &self.aim, &near, baseline).await?,
            };
        }
        self.recall.keep(&patch, whole, took, found.witnesses);
        Ok(Ok(Box::new(self.proved(scratch, patch, found))))
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
        if let Err(miss) = self.screen(patch, false) {
            return Ok(Verdict::Missed(miss));
        }
        let request = self.bench.patched_suite(baseline);
        let (report, held) = self.guard.run(&self.bench, scratch, patch, &request).await?;
        let judged =
            self.of(&build::GATE, build::judge(&report, Some(baseline))).and_then(|()| self.of(&integrity::GATE, held));
        if let Err(miss) = judged {
            return Ok(Verdict::Missed(miss));
        }
        let mut found = Found { cause: "not asked", cured: cured(baseline, &report), ..Found::default() };
        let judged = suite::judge(&self.bench, scratch, patch, baseline, report).await?;
        Ok(match self.of(&suite::GATE, judged) {
            Ok(counts) => {
                found.suite = counts;
                Verdict::Verified(Box::new(self.proved(scratch, patch.clone(), found)))
            }
            Err(miss) => Verdict::Missed(miss),
        })
    }

    fn proved(&self, scratch: &dyn Scratch, patch: Patch, found: Found) -> Proved {
        let evidence = Evidence {
            target: found.target,
            suite: found.suite,
            cause: found.cause.to_owned(),
            control: found.control,
            strength: found.strength,
            witnesses: found.witnesses,
            integrity: integrity::HELD.to_owned(),
            scratch: scratch.method().name().to_owned(),
            sandbox: self.sandbox.clone(),
            suite_scope: self.suite_scope.clone(),
            agreement: 1,
            taken_out: found.taken_out,
        };
        Proved { patch, evidence, cured: found.cured }
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
        if let Err(miss) = self.screen(patch, false) {
            return Ok(Verdict::Missed(miss));
        }
        match self.cure(scratch, patch, Some(baseline), self.bench.limits.test).await? {
            Cure::Works => {}
            Cure::Missed(miss) | Cure::RanOut(miss) => return Ok(Verdict::Missed(miss)),
        }
        Ok(match self.prove(scratch, patch, baseline).await? {
            Ok(proved) => Verdict::Verified(proved),
            Err(miss) => Verdict::Missed(miss),
        })
    }
}

/// Tests that failed on the unpatched tree and pass now.
fn cured(baseline: &Baseline, report: &Report) -> Vec<String> {
    let passing = report.tests.iter().filter(|test| test.status == Status::Passed);
    let failed = |id: &str| baseline.tests.get(id) == Some(&Status::Failed);
    passing.map(|test| test.id.clone()).filter(|id| failed(id)).collect()
}

/// The normalised digest of a patch: equal for equal changes.
pub fn identity(patch: &Patch) -> String {
    distinct::digest(patch)
}
