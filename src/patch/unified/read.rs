//! Reads the text of diffs and mails; the grammar is in the module above.
//!
//! Tolerates wrong counts, missing numbers and empty context lines, as models
//! write them; never trusts a count for how much to read or to allocate.

use super::DiffKind;
use super::FileDiff;
use super::Hunk;
use super::HunkLine;
use super::Side;
use super::UnifiedError;
use super::header;

/// A start or count beyond this is no source file.
const MOST_LINES: u64 = 100_000_000;

/// Reads every diff in `text`: unified diffs with git's headers or without,
/// and `git format-patch` mails.
///
/// # Errors
/// Text without a diff, paths outside the repository, and what a patch cannot
/// hold.
pub fn parse(text: &str) -> Result<Vec<FileDiff>, UnifiedError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { lines: text.split_inclusive('\n').collect(), at: 0, files: Vec::new() };
    if let Some(line) = reader.lines.iter().position(|line| line.contains('\0')) {
        return Err(UnifiedError::Nul { line: line + 1 });
    }
    reader.read()?;
    let files: Vec<FileDiff> = reader.files.into_iter().filter_map(Draft::finish).collect();
    if files.is_empty() { Err(UnifiedError::NoDiff) } else { Ok(files) }
}

/// A file whose headers are being read.
#[derive(Default)]
struct Draft {
    diff: FileDiff,
    /// Set by `new file mode` and `deleted file mode`.
    created: bool,
    deleted: bool,
    /// The line of its first header.
    has_names: bool,
}

impl Draft {
    fn finish(mut self) -> Option<FileDiff> {
        if self.created {
            self.diff.old = None;
        }
        if self.deleted {
            self.diff.new = None;
        }
        let says_something =
            !self.diff.hunks.is_empty() || self.created || self.deleted || self.diff.kind != DiffKind::Change;
        (self.has_names && says_something).then_some(self.diff)
    }
}

struct Reader<'t> {
    lines: Vec<&'t str>,
    at: usize,
    files: Vec<Draft>,
}

impl<'t> Reader<'t> {
    /// Line `at`, without its end.
    fn bare(&self, at: usize) -> Option<&'t str> {
        self.lines.get(at).map(|line| line.trim_end_matches(['\n', '\r']))
    }

    fn read(&mut self) -> Result<(), UnifiedError> {
        // Whether the last lines were headers of a file (before its hunks).
        let mut in_headers = false;
        while let Some(line) = self.bare(self.at) {
            let number = self.at + 1;
            if let Some(rest) = line.strip_prefix("diff --git ") {
                let mut draft = Draft::default();
                if let Some((old, new)) = header::of_git_line(rest, number)? {
                    (draft.diff.old, draft.diff.new, draft.has_names) = (Some(old), Some(new), true);
                }
                self.files.push(draft);
                in_headers = true;
            } else if self.is_file_header(self.at) {
                if !in_headers {
                    self.files.push(Draft::default());
                }
                self.file_header()?;
                in_headers = false;
                continue;
            } else if line.starts_with("@@") && !self.files.is_empty() {
                self.hunk()?;
                in_headers = false;
                continue;
            } else if line.starts_with("Binary files ") && line.ends_with(" differ") || line == "GIT binary patch" {
                return Err(UnifiedError::Unsupported { line: number, what: "a binary file" });
            } else if in_headers {
                self.extended(line, number)?;
            }
            self.at += 1;
        }
        Ok(())
    }

    fn is_file_header(&self, at: usize) -> bool {
        self.bare(at).is_some_and(|line| line.starts_with("--- "))
            && self.bare(at + 1).is_some_and(|line| line.starts_with("+++ "))
    }

    /// Reads `---` and `+++`, and steps over both.
    fn file_header(&mut self) -> Result<(), UnifiedError> {
        let names = [self.at, self.at + 1].map(|at| {
            let line = self.bare(at).and_then(|line| line.get(4..)).unwrap_or_default();
            header::of_file_line(line, at + 1)
        });
        self.at += 2;
        let [old, new] = names;
        let (old, new) = (old?, new?);
        if old.is_none() && new.is_none() {
            return Err(UnifiedError::BadPath { line: self.at - 1, reason: "both names are `/dev/null`".to_owned() });
        }
        if let Some(draft) = self.files.last_mut() {
            draft.has_names = true;
            // What `rename from` and `rename to` said is more exact.
            if draft.diff.kind == DiffKind::Change {
                (draft.diff.old, draft.diff.new) = (old, new);
            }
        }
        Ok(())
    }

    fn extended(&mut self, line: &str, number: usize) -> Result<(), UnifiedError> {
        let Some(draft) = self.files.last_mut() else { return Ok(()) };
        let unsupported = |what| Err(UnifiedError::Unsupported { line: number, what });
        let mode_of = |rest: &str| match rest.trim() {
            "120000" => Some("a symbolic link"),
            "160000" => Some("a submodule"),
            "100755" => Some("an executable file"),
            _ => None,
        };
        if let Some(rest) = line.strip_prefix("new file mode ") {
            draft.created = true;
            return mode_of(rest).map_or(Ok(()), unsupported);
        }
        if let Some(rest) = line.strip_prefix("deleted file mode ") {
            draft.deleted = true;
            return mode_of(rest).filter(|_| rest.trim() != "100755").map_or(Ok(()), unsupported);
        }
        if line.starts_with("old mode ") || line.starts_with("new mode ") {
            return unsupported("a change of a file's mode");
        }
        if let Some((_, mode)) = line.strip_prefix("index ").and_then(|rest| rest.trim().rsplit_once(' ')) {
            return mode_of(mode).filter(|_| mode != "100755").map_or(Ok(()), unsupported);
        }
        for (marker, kind, is_old) in [
            ("rename from ", DiffKind::Rename, true),
            ("rename to ", DiffKind::Rename, false),
            ("copy from ", DiffKind::Copy, true),
            ("copy to ", DiffKind::Copy, false),
        ] {
            if let Some(rest) = line.strip_prefix(marker) {
                let name = header::of_move_line(rest, number)?;
                draft.diff.kind = kind;
                draft.has_names = true;
                *(if is_old { &mut draft.diff.old } else { &mut draft.diff.new }) = Some(name);
            }
        }
        Ok(())
    }

    /// Reads one hunk, and steps over it.
    fn hunk(&mut self) -> Result<(), UnifiedError> {
        let at = self.at + 1;
        let head = self.bare(self.at).unwrap_or_default();
        let (old_start, counts) = hunk_header(head).map_err(|reason| UnifiedError::BadHunk { line: at, reason })?;
        self.at += 1;
        let mut lines: Vec<HunkLine> = Vec::new();
        let (mut old, mut new) = (0, 0);
        while let Some(line) = self.lines.get(self.at) {
            // Only a hunk that has not got what its header counts may hold a
            // line that looks like the next header.
            let open = counts.is_some_and(|(olds, news)| old < olds || new < news);
            let (side, text) = match line.as_bytes()[0] {
                _ if self.ends_here(open) => break,
                b' ' => (Side::Both, &line[1..]),
                b'-' => (Side::Old, &line[1..]),
                b'+' => (Side::New, &line[1..]),
                b'\\' => {
                    if let Some(last) = lines.last_mut() {
                        last.text.truncate(last.text.trim_end_matches('\n').len());
                    }
                    self.at += 1;
                    continue;
                }
                // An empty context line whose space was lost on the way.
                b'\n' | b'\r' if open || counts.is_none() && self.goes_on_after_blanks() => (Side::Both, *line),
                _ => break,
            };
            old += u64::from(side != Side::New);
            new += u64::from(side != Side::Old);
            lines.push(HunkLine { side, text: with_end(text) });
            self.at += 1;
        }
        if lines.is_empty() {
            return Err(UnifiedError::BadHunk { line: at, reason: "it has no lines".to_owned() });
        }
        if let Some(draft) = self.files.last_mut() {
            draft.diff.hunks.push(Hunk { old_start, lines, at });
        }
        Ok(())
    }

    /// Whether the hunk is over although the line could be one of its own.
    fn ends_here(&self, open: bool) -> bool {
        let is_header =
            self.is_file_header(self.at) && self.bare(self.at + 2).is_some_and(|line| line.starts_with("@@"));
        if is_header || self.bare(self.at).is_some_and(|line| line.starts_with("diff --git ")) {
            return true;
        }
        // A mail's signature: `-- `, then git's version.
        let signature = matches!(self.bare(self.at), Some("-- " | "--"));
        let version = self.bare(self.at + 1).is_none_or(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        signature && version && (!open || self.bare(self.at + 2).is_none_or(str::is_empty))
    }

    /// Whether more of the hunk follows the blank lines here.
    fn goes_on_after_blanks(&self) -> bool {
        let next = self.lines[self.at..].iter().take(3).find(|line| !line.trim_end_matches(['\n', '\r']).is_empty());
        next.is_some_and(|line| line.starts_with([' ', '-', '+']))
    }
}

/// The last line of a text that was cut off has no end of its own.
fn with_end(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// The old start and both counts of `@@ -1,2 +3,4 @@`; `None`s for a header
/// without numbers.
type HunkHeader = (Option<u32>, Option<(u64, u64)>);

fn hunk_header(head: &str) -> Result<HunkHeader, String> {
    let inner = head.trim_start_matches('@').split("@@").next().unwrap_or_default();
    let part = |sign: char| inner.split_whitespace().find_map(|word| word.strip_prefix(sign));
    let (Some(old), Some(new)) = (part('-'), part('+')) else { return Ok((None, None)) };
    if !old.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((None, None));
    }
    let numbers = |text: &str| -> Result<(u64, u64), String> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        let number = |text: &str| match text.parse::<u64>() {
            Ok(number) if number <= MOST_LINES => Ok(number),
            _ => Err(format!("`{}` is no number of lines", text.chars().take(40).collect::<String>())),
        };
        Ok((number(start)?, number(count)?))
    };
    let ((start, olds), (_, news)) = (numbers(old)?, numbers(new)?);
    Ok((u32::try_from(start).ok(), Some((olds, news))))
}
