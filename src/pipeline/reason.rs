//! Why heal abstained, as one of the contract's words, and what it exits with.
//!
//! Maps words; finds out nothing.

use super::ended::Ended;
use super::leads;
use crate::detect::Outcome;
use crate::detect::Reproduction;
use crate::diagnose::Class;
use crate::diagnose::Diagnosis;
use crate::interrupt::Stop;
use crate::report::RunReport;
use crate::report::reason;

/// An abstention: one of the contract's words, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The word.
    pub word: &'static str,
    /// What happened, and what to do.
    pub why: String,
}

impl Reason {
    /// A reason with its sentence.
    pub fn new(word: &'static str, why: impl Into<String>) -> Reason {
        Reason { word, why: why.into() }
    }

    /// The reason where no patch of the code can mend it.
    pub fn of_hopeless(diagnosis: &Diagnosis) -> Option<Reason> {
        let why = diagnosis.class_why.clone();
        match diagnosis.class {
            Class::MissingDependency => {
                Some(Reason::new("environment", format!("{why}; install it and run heal again")))
            }
            Class::Environment | Class::RunnerCrash => Some(Reason::new("environment", why)),
            // How a failure came back is told by `of_outcome`.
            Class::OrderDependent | Class::Flaky => None,
            Class::Code | Class::CompileError | Class::Timeout | Class::TestSuspected => None,
        }
    }

    /// The reason that a failure's way of reproducing gives.
    pub fn of_outcome(outcome: &Outcome, reproduction: &Reproduction) -> Reason {
        let (failed, runs) = (reproduction.failed, reproduction.runs);
        match outcome {
            Outcome::Flaky => Reason::new(
                "flaky",
                format!("it failed {failed} times of {runs} on the same tree; a patch cannot be told from luck"),
            ),
            Outcome::OrderDependent => Reason::new(
                "order-dependent",
                "it fails in the suite and passes alone: another test leaves something behind".to_owned(),
            ),
            Outcome::NotReproduced | Outcome::Reproduced => {
                Reason::new("not-reproduced", format!("it failed {failed} times of {runs} here"))
            }
        }
    }

    /// The reason where a hunt came to its end and nothing verified.
    pub fn of_nothing(ended: &Ended, diagnosis: &Diagnosis, has_model: bool) -> Reason {
        if let Some(weak) = leads::weak(&ended.leads) {
            return weak;
        }
        let tried = ended.counts.tried;
        let hint = if has_model { "" } else { "; a model may find more: --model PROVIDER/NAME" };
        if diagnosis.class == Class::TestSuspected {
            let why = format!("{}; none of {tried} candidates verified", diagnosis.class_why);
            return Reason::new("test-suspected", why);
        }
        if ended.counts.proposed == 0 {
            return Reason::new("no-candidate", format!("no rule fits the suspect code{hint}"));
        }
        Reason::new("none-verified", format!("{tried} candidates were tried and none passed every gate{hint}"))
    }

    /// The reason that an interrupted run gives.
    pub fn of_stop(stop: Stop) -> Reason {
        match stop {
            Stop::Asked => Reason::new("interrupted", "the run was interrupted"),
            Stop::Deadline => Reason::new("timeout", "the run's time was over; give it more with --timeout"),
        }
    }
}

/// The run's exit code: the highest-ranked of what happened (CLI contract).
pub fn exit_code(report: &RunReport, stop: Option<Stop>) -> i32 {
    if stop == Some(Stop::Asked) {
        return 130;
    }
    let codes: Vec<i32> = report
        .failures
        .iter()
        .filter_map(|row| row.reason.as_deref())
        .map(|word| reason::of(word).map_or(1, |reason| reason.exit))
        .collect();
    [130, 5, 4, 3, 1].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}
