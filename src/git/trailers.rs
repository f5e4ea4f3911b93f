//! What commit messages say in trailers.
//!
//! Reads the history of every branch and tag; changes nothing.

use super::GitError;
use super::Repository;

/// Bytes of the answer that are read; a longer history is read so far.
const MOST: usize = 64 << 20;

/// A commit that heal made, as its trailers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The commit.
    pub commit: String,
    /// `Heal-Run`.
    pub run: String,
    /// `Heal-Ledger`.
    pub ledger: String,
}

impl Repository {
    /// The commits of any branch or tag that carry `Heal-Run` and
    /// `Heal-Ledger`, the newest first.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn marked_commits(&self) -> Result<Vec<Marked>, GitError> {
        let trailer = |key: &str| format!("%(trailers:key={key},valueonly,separator=%x20)");
        let format = format!("--format=%H%x09{}%x09{}", trailer("Heal-Run"), trailer("Heal-Ledger"));
        let args = ["log", "--all", "--no-show-signature", "--fixed-strings", "--grep=Heal-Ledger: ", &format];
        let command = self.git.command(args).output_limit(MOST);
        let output = self.git.attempt_cut(&command, None)?;
        if !output.exit.is_success() {
            return Err(GitError::failed(&command, &String::from_utf8_lossy(&output.stderr)));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(read).collect())
    }
}

fn read(line: &str) -> Option<Marked> {
    let mut fields = line.split('\t').map(str::trim);
    let (commit, run, ledger) = (fields.next()?, fields.next()?, fields.next()?);
    let hex = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let named = run.len() <= 64 && !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (hex(commit) && hex(ledger) && named).then(|| Marked {
        commit: commit.to_owned(),
        run: run.to_owned(),
        ledger: ledger.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn commits_with_heals_trailers_are_found_on_every_branch() {
        let fixture = Fixture::with(&[("a.py", "x = 1\n")]);
        fixture.git(&["checkout", "-q", "-b", "heal/x"]);
        let ledger = "9f2c41d07ab35e18";
        let message = format!("Fix\n\nHeal-Run: 01JABC\nHeal-Ledger: {ledger}\n");
        fixture.git(&["commit", "-q", "--allow-empty", "-m", &message]);
        let commit = fixture.git(&["rev-parse", "HEAD"]);
        fixture.git(&["commit", "-q", "--allow-empty", "-m", "Talk\n\nHeal-Ledger: not one\n"]);
        fixture.git(&["checkout", "-q", "main"]);
        let found = fixture.repository().marked_commits().expect("read");
        assert_eq!(found, [Marked { commit, run: "01JABC".into(), ledger: ledger.into() }]);
    }
}
