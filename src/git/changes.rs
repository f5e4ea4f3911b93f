//! Which lines were changed lately: since the last commit, or by it.
//!
//! Compares texts it is given with git's objects; never reads the work tree.
//! Of the last commit it reads git's unified diff without context.
//!
//! ```text
//! diff   = { header | hunk }
//! header = "+++ " path            after "--- "; git quotes odd names
//! hunk   = "@@ -" span " +" span " @@" … NL { ("-"|"+"|"\") … NL }
//! span   = start ["," count]      1-based; count 1 where it is left out
//! ```

use std::collections::HashSet;
use std::time::Duration;

use super::GitError;
use super::Repository;
use crate::source::Lines;
use crate::source::RelPath;

/// Bytes of diff that are read; a larger change says nothing about where the
/// fault is.
const MOST_DIFF: usize = 8 << 20;

/// Changed files that are looked at, and bytes of each.
const MOST_FILES: usize = 300;
const MOST_BYTES: usize = 1 << 20;

/// Longest time one text is compared; then the rest counts as changed.
const PATIENCE: Duration = Duration::from_millis(200);

/// One change of the repository's history, or of its work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The revision before it.
    pub before: String,
    /// The commit that made it and the first line of its message; `None` for
    /// what is not committed.
    pub commit: Option<(String, String)>,
    /// The files it changed that nothing changed later, with the lines as they
    /// are now. A file that it made is among them.
    pub files: Vec<(RelPath, Vec<Lines>)>,
}

impl Repository {
    /// The latest changes, the newest first: what is not committed, then at
    /// most `commits` commits from `commit` on, of merges the first parent's
    /// way. `changed` are the files that differ from it, `read` gives their
    /// text.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn last_changes(
        &self,
        commit: Option<&str>,
        changed: &[RelPath],
        read: &dyn Fn(&RelPath) -> Option<String>,
        commits: usize,
    ) -> Result<Vec<Change>, GitError> {
        let mut found = Vec::new();
        let Some(mut at) = commit.map(str::to_owned) else { return Ok(found) };
        if !changed.is_empty() {
            let files = self.recent_changes(commit, changed, read)?;
            found.push(Change { before: at.clone(), commit: None, files });
        }
        let mut later: HashSet<RelPath> = changed.iter().cloned().collect();
        for _ in 0..commits {
            let Some(parent) = self.git.answer(["rev-parse", "--verify", "--quiet", &format!("{at}^1")])? else {
                break;
            };
            let all = self.changed_lines(&[&parent, &at])?;
            let files: Vec<_> = all.iter().filter(|(path, _)| !later.contains(path)).cloned().collect();
            later.extend(all.into_iter().map(|(path, _)| path));
            let subject =
                self.git.answer(["log", "-1", "--no-show-signature", "--format=%s", &at])?.unwrap_or_default();
            found.push(Change { before: parent.clone(), commit: Some((at, subject)), files });
            at = parent;
        }
        Ok(found)
    }

    /// Lines of text files that differ from `commit`, new files whole; where
    /// no file does, those that the commit itself changed. Sorted by path;
    /// lines 1-based in the text of now; a deletion is the line before it.
    ///
    /// `changed` are the files that differ, `read` gives their text.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn recent_changes(
        &self,
        commit: Option<&str>,
        changed: &[RelPath],
        read: &dyn Fn(&RelPath) -> Option<String>,
    ) -> Result<Vec<(RelPath, Vec<Lines>)>, GitError> {
        let mut changes = Vec::new();
        for path in changed.iter().take(MOST_FILES) {
            let now = read(path).filter(|text| text.len() <= MOST_BYTES && !text.contains('\0'));
            let Some(now) = now.filter(|text| !text.is_empty()) else { continue };
            let before = match commit {
                Some(commit) => self.show(commit, path)?,
                None => None,
            };
            let before = before.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines = lines_between(&before, &now);
            if !lines.is_empty() && !before.contains('\0') {
                changes.push((path.clone(), lines));
            }
        }
        if let Some(commit) = commit.filter(|_| changed.is_empty())
            && let Some(parent) = self.git.answer(["rev-parse", "--verify", "--quiet", &format!("{commit}^1")])?
        {
            changes = self.changed_lines(&[&parent, commit])?;
        }
        changes.sort();
        Ok(changes)
    }

    /// The lines of the new side of `git diff <between>`.
    fn changed_lines(&self, between: &[&str]) -> Result<Vec<(RelPath, Vec<Lines>)>, GitError> {
        let options = [
            "diff",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--diff-filter=AMT",
            "--ignore-submodules=all",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--no-relative",
            "--output-indicator-new=+",
            "--inter-hunk-context=0",
        ];
        let command = self.git.command(options.iter().chain(between).chain(&["--"]).copied());
        let command = command.output_limit(4 * MOST_DIFF);
        let output = self.git.attempt_cut(&command, None)?;
        if !output.exit.is_success() {
            return Err(GitError::failed(&command, &String::from_utf8_lossy(&output.stderr)));
        }
        // Of an over-long diff its beginning alone is in one piece.
        let whole = if output.dropped > 0 { &output.stdout[..MOST_DIFF] } else { &output.stdout };
        Ok(lines_of(whole))
    }
}

/// Lines of `now` that are not in `before`. Line ends do not count: git keeps
/// its own of a file that has others in the work tree.
fn lines_between(before: &str, now: &str) -> Vec<Lines> {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let diff = similar::TextDiff::configure().timeout(PATIENCE).diff_slices(&before, &now);
    let changed = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal);
    changed
        .map(|op| {
            let new = op.new_range();
            let (start, end) = if new.is_empty() { (new.start, new.start) } else { (new.start + 1, new.end) };
            let line = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).max(1);
            Lines::new(line(start), line(end))
        })
        .collect()
}

/// The lines that each file of a diff gains or loses, on its new side.
fn lines_of(diff: &[u8]) -> Vec<(RelPath, Vec<Lines>)> {
    let mut changes: Vec<(RelPath, Vec<Lines>)> = Vec::new();
    let mut file: Option<RelPath> = None;
    let mut body = 0u64;
    for line in diff.split(|byte| *byte == b'\n') {
        // Inside a hunk nothing is a header, whatever it looks like.
        if body > 0 {
            if matches!(line.first(), Some(b'+' | b'-')) {
                body -= 1;
            }
            continue;
        }
        if line.starts_with(b"diff --git ") {
            file = None;
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            file = path_in_header(name);
        } else if let Some((removed, start, added)) = hunk(line) {
            body = removed + added;
            let Some(path) = &file else { continue };
            let (start, added) = (clamped(start), clamped(added));
            let lines = Lines::new(start.max(1), start.saturating_add(added.saturating_sub(1)));
            match changes.last_mut() {
                Some((last, spans)) if last == path => spans.push(lines),
                _ => changes.push((path.clone(), vec![lines])),
            }
        }
    }
    changes
}

fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Lines removed, first new line and lines added of `@@ -a,b +c,d @@`.
fn hunk(line: &[u8]) -> Option<(u64, u64, u64)> {
    let spans = std::str::from_utf8(line.get(..line.len().min(80))?).unwrap_or_else(|error| {
        // The section heading after the second `@@` may be any bytes.
        std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default()
    });
    let mut words = spans.strip_prefix("@@ ")?.split(' ');
    let (_, removed) = span(words.next()?.strip_prefix('-')?)?;
    let (start, added) = span(words.next()?.strip_prefix('+')?)?;
    Some((removed, start, added))
}

fn span(text: &str) -> Option<(u64, u64)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}

/// The path of a `+++` line: `b/` before it, a tab after a name with spaces,
/// quotes with octal escapes around an odd one.
fn path_in_header(name: &[u8]) -> Option<RelPath> {
    let bytes = match name.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted),
        None => name.strip_suffix(b"\t").unwrap_or(name).to_vec(),
    };
    RelPath::new(std::str::from_utf8(bytes.strip_prefix(b"b/")?).ok()?).ok()
}

/// Takes git's C-style quotes off; `quoted` begins after the first.
fn unquoted(quoted: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = quoted.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(first @ b'0'..=b'7') => {
                    let rest = [bytes.next(), bytes.next()].into_iter().flatten();
                    let digits = std::iter::once(first).chain(rest).map(|digit| u32::from(digit & 7));
                    out.push(digits.fold(0, |value, digit| value * 8 + digit) as u8);
                }
                Some(b'n') => out.push(b'\n'),
                Some(b't') => out.push(b'\t'),
                Some(other) => out.push(other),
                None => break,
            },
            byte => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_diff_is_read_by_its_counts_not_by_its_looks() {
        let diff = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@ fn \xff\n-old\n+++ b/y\n+@@ -1 +1 @@\n\
            @@ -7,2 +8,0 @@\n--- a/z\n-b\n\\ No newline at end of file\n\
            diff --git a/q b/q\n--- /dev/null\n+++ \"b/\\303\\251 \\\"q\\\".py\"\n@@ -0,0 +1 @@\n+a\n";
        let changes: Vec<(String, Vec<Lines>)> =
            lines_of(diff).into_iter().map(|(path, lines)| (path.as_str().to_owned(), lines)).collect();
        let wanted = vec![
            ("x".to_owned(), vec![Lines::new(1, 2), Lines::new(8, 8)]),
            ("é \"q\".py".to_owned(), vec![Lines::new(1, 1)]),
        ];
        assert_eq!(changes, wanted);
    }

    #[test]
    fn a_torn_diff_is_no_panic() {
        for diff in ["@@ -1 +1", "@@ -1,99999999999999999999 +1 @@", "+++ \"b/\\3", "+++ ", "@@ ", ""] {
            assert_eq!(lines_of(diff.as_bytes()), vec![], "{diff}");
        }
    }
}
