//! What a run saw of tests that do not fail.
//!
//! Holds names; runs nothing.

use super::survey::Survey;
use crate::outcome::Status;

/// The tests that passed before any patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// As the runner names them; one that failed in any run is not among them.
    pub passed: Vec<String>,
}

impl Seen {
    pub(super) fn of(survey: &Survey) -> Seen {
        let failed: Vec<&str> =
            survey.reproductions.iter().map(|reproduction| reproduction.failure.id.as_str()).collect();
        let passed = survey.first.tests.iter().filter(|test| test.status == Status::Passed);
        let passed = passed.filter(|test| !failed.contains(&test.id.as_str())).map(|test| test.id.clone());
        Seen { passed: passed.collect() }
    }
}
