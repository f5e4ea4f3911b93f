//! What a run saw beside what it reports: tests that do not fail, and what it
//! could not mend.
//!
//! Holds data; runs nothing.

use super::survey::Survey;
use crate::diagnose::Diagnosis;
use crate::outcome::Status;

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The failures that nothing mends, diagnosed.
    pub open: Vec<Diagnosis>,
    /// What failed, in the order of the suite.
    pub failing: Vec<String>,
    /// Tests that passed before any patch, as the runner names them; one that failed in any run is not among them.
    pub passed: Vec<String>,
}

impl Seen {
    pub(super) fn of(survey: &Survey, open: Vec<Diagnosis>) -> Seen {
        let failed: Vec<&str> =
            survey.reproductions.iter().map(|reproduction| reproduction.failure.id.as_str()).collect();
        let passed = survey.first.tests.iter().filter(|test| test.status == Status::Passed);
        let passed = passed.filter(|test| !failed.contains(&test.id.as_str())).map(|test| test.id.clone());
        let passed = passed.collect();
        Seen { open, failing: failed.into_iter().map(str::to_owned).collect(), passed }
    }
}
