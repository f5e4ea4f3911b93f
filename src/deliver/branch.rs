//! Commits a verified patch on a new branch, on top of HEAD.
//!
//! Touches neither the work tree nor the index nor HEAD; pushes nothing.

use super::DeliverError;
use crate::git::Repository;
use crate::patch::Patch;

/// What a commit says about its patch, as trailers.
#[derive(Clone, Debug)]
pub struct Message {
    /// The failing test.
    pub failure: String,
    /// The failure's fingerprint.
    pub fingerprint: String,
    /// The root cause and the change.
    pub explanation: String,
    /// The run's id.
    pub run: String,
    /// Where the patch came from.
    pub source: String,
    /// The evidence in one line.
    pub evidence: String,
    /// The ledger's head.
    pub ledger: String,
}

impl Message {
    /// The commit message: subject, explanation, trailers.
    pub fn render(&self) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let failure = one_line(&self.failure);
        let subject: String = format!("Fix {failure}").chars().take(72).collect();
        format!(
            "{subject}\n\n{}\n\nHeal-Run: {}\nHeal-Failure: {}\nHeal-Source: {}\nHeal-Evidence: {}\nHeal-Ledger: {}\n",
            self.explanation.trim(),
            one_line(&self.run),
            one_line(&self.fingerprint),
            one_line(&self.source),
            one_line(&self.evidence),
            one_line(&self.ledger)
        )
    }
}

/// Commits `patch` on the new branch `name`; returns the commit.
///
/// # Errors
/// The branch exists or its name is no branch name, or HEAD's files are not
/// what the patch changes.
pub fn commit(repository: &Repository, name: &str, patch: &Patch, message: &Message) -> Result<String, DeliverError> {
    Ok(repository.commit_on_branch(name, patch, &message.render())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_one_line_each_whatever_a_test_is_called() {
        let message = Message {
            failure: "tests/test_a.py::test[x\nHeal-Run: forged]".into(),
            fingerprint: "ab12".into(),
            explanation: "The bound was one too low.".into(),
            run: "01J".into(),
            source: "rule off-by-one".into(),
            evidence: "target 3/3".into(),
            ledger: "ff".into(),
        };
        insta::assert_snapshot!(message.render(), @r"
        Fix tests/test_a.py::test[x Heal-Run: forged]

        The bound was one too low.

        Heal-Run: 01J
        Heal-Failure: ab12
        Heal-Source: rule off-by-one
        Heal-Evidence: target 3/3
        Heal-Ledger: ff
        ");
    }
}
