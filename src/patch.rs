//! Patches: an all-or-nothing set of file changes, and how they are shown.
//!
//! Works in memory; never reads or writes a file. A patch holds whole file
//! texts, so that it cannot half apply; a unified diff is only its picture.

pub mod edit;
pub mod unified;

use serde::Deserialize;
use serde::Serialize;
use similar::TextDiff;

use crate::source::Lines;
use crate::source::RelPath;

/// One file before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The file.
    pub path: RelPath,
    /// Its text in the snapshot; `None` where the patch creates it.
    pub before: Option<String>,
    /// Its text with the patch; `None` where the patch deletes it.
    pub after: Option<String>,
}

/// An all-or-nothing set of changes, at most one a file, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    changes: Vec<FileChange>,
}

impl Patch {
    /// Makes a patch; changes that change nothing are dropped, and of several
    /// for one file the last counts.
    pub fn new(changes: Vec<FileChange>) -> Patch {
        let mut kept: Vec<FileChange> = Vec::new();
        for change in changes {
            kept.retain(|other| other.path != change.path);
            if change.before != change.after {
                kept.push(change);
            }
        }
        kept.sort_by(|a, b| a.path.cmp(&b.path));
        Patch { changes: kept }
    }

    /// A patch of one existing file.
    pub fn of_file(path: RelPath, before: impl Into<String>, after: impl Into<String>) -> Patch {
        Patch::new(vec![FileChange { path, before: Some(before.into()), after: Some(after.into()) }])
    }

    /// The changes, sorted by path.
    pub fn changes(&self) -> &[FileChange] {
        &self.changes
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The files it touches, sorted.
    pub fn files(&self) -> Vec<&RelPath> {
        self.changes.iter().map(|change| &change.path).collect()
    }

    /// The patch that takes this one back.
    pub fn inverse(&self) -> Patch {
        let changes = self.changes.iter().map(|change| FileChange {
            path: change.path.clone(),
            before: change.after.clone(),
            after: change.before.clone(),
        });
        Patch { changes: changes.collect() }
    }

    /// What this patch changes of a tree in which `laid`, a part of it, lies
    /// already; `None` where it leaves a file of `laid` alone.
    pub fn after(&self, laid: &Patch) -> Option<Patch> {
        let is_here = |path: &RelPath| self.changes.iter().any(|mine| &mine.path == path);
        if !laid.changes.iter().all(|change| is_here(&change.path)) {
            return None;
        }
        let changes = self.changes.iter().map(|change| {
            let under = laid.changes.iter().find(|other| other.path == change.path);
            let before = under.map_or(&change.before, |other| &other.after);
            FileChange { before: before.clone(), ..change.clone() }
        });
        Some(Patch { changes: changes.filter(|change| change.before != change.after).collect() })
    }

    /// One patch with the changes of both.
    ///
    /// # Errors
    /// The first file that both change, to different texts.
    pub fn joined(&self, other: &Patch) -> Result<Patch, RelPath> {
        for change in &other.changes {
            if let Some(mine) = self.changes.iter().find(|mine| mine.path == change.path)
                && mine.after != change.after
            {
                return Err(change.path.clone());
            }
        }
        Ok(Patch::new(self.changes.iter().chain(&other.changes).cloned().collect()))
    }

    /// Digest of what the patch does: 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for change in &self.changes {
            for text in [Some(change.path.as_str()), change.before.as_deref(), change.after.as_deref()] {
                hasher.update(&(text.map_or(u64::MAX, |text| text.len() as u64)).to_le_bytes());
                hasher.update(text.unwrap_or_default().as_bytes());
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// The lines of each file, in the text *before*, that the patch removes or
    /// changes; an insertion counts the line it comes after (1-based, at
    /// least 1).
    pub fn touched_before(&self) -> Vec<(&RelPath, Vec<Lines>)> {
        self.touched(true)
    }

    /// The lines of each file, in the text *after*, that the patch adds or
    /// changes; a deletion counts the line it comes after.
    pub fn touched_after(&self) -> Vec<(&RelPath, Vec<Lines>)> {
        self.touched(false)
    }

    fn touched(&self, old: bool) -> Vec<(&RelPath, Vec<Lines>)> {
        let lines_of = |change: &FileChange| {
            let (before, after) =
                (change.before.as_deref().unwrap_or_default(), change.after.as_deref().unwrap_or_default());
            let diff = by_lines(before, after);
            let spans = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal).map(|op| {
                let range = if old { op.old_range() } else { op.new_range() };
                if range.is_empty() {
                    Lines::new((range.start as u32).max(1), (range.start as u32).max(1))
                } else {
                    Lines::new(range.start as u32 + 1, range.end as u32)
                }
            });
            spans.collect()
        };
        self.changes.iter().map(|change| (&change.path, lines_of(change))).collect()
    }

    /// Lines added and lines removed.
    pub fn size(&self) -> (usize, usize) {
        let mut size = (0, 0);
        for change in &self.changes {
            let (before, after) =
                (change.before.as_deref().unwrap_or_default(), change.after.as_deref().unwrap_or_default());
            for line in by_lines(before, after).iter_all_changes() {
                match line.tag() {
                    similar::ChangeTag::Insert => size.0 += 1,
                    similar::ChangeTag::Delete => size.1 += 1,
                    similar::ChangeTag::Equal => {}
                }
            }
        }
        size
    }

    /// The unified diff, three lines of context, that `git apply` takes.
    pub fn diff(&self) -> String {
        let mut out = String::new();
        for change in &self.changes {
            let (before, after) =
                (change.before.as_deref().unwrap_or_default(), change.after.as_deref().unwrap_or_default());
            let path = change.path.as_str();
            let (old, new) = (quoted("a/", path), quoted("b/", path));
            out.push_str(&format!("diff --git {old} {new}\n"));
            match (&change.before, &change.after) {
                (None, _) => out.push_str("new file mode 100644\n"),
                (_, None) => out.push_str("deleted file mode 100644\n"),
                _ => {}
            }
            let old = if change.before.is_some() { old } else { "/dev/null".into() };
            let new = if change.after.is_some() { new } else { "/dev/null".into() };
            let diff = by_lines(before, after);
            out.push_str(&diff.unified_diff().context_radius(3).header(&old, &new).to_string());
            if !out.ends_with('\n') {
                out.push('\n');
            }
        }
        out
    }
}

/// The difference by lines that end in `\n` alone, as git counts them: a lone
/// carriage return ends no line.
pub(crate) fn by_lines<'t>(before: &'t str, after: &'t str) -> TextDiff<'t, 't, str> {
    let lines = |text: &'t str| text.split_inclusive('\n').collect::<Vec<_>>();
    TextDiff::configure().newline_terminated(true).diff_slices(&lines(before), &lines(after))
}

/// A path in a diff header, in git's C-style quotes where it needs them
/// (`git help diff`, "quoted"; names with spaces are written plain).
fn quoted(prefix: &str, path: &str) -> String {
    if path.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
        return format!("{prefix}{path}");
    }
    let mut out = format!("\"{prefix}");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(byte as char);
            }
            0x20..0x7f => out.push(byte as char),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("path")
    }

    #[test]
    fn a_diff_has_the_headers_that_git_apply_reads() {
        let patch = Patch::of_file(path("a b.py"), "x = 1\ny = 2", "x = 1\ny = 3");
        assert_eq!(
            patch.diff(),
            "diff --git a/a b.py b/a b.py\n--- a/a b.py\n+++ b/a b.py\n@@ -1,2 +1,2 @@\n x = 1\n-y = 2\n\\ No newline at end of file\n+y = 3\n\\ No newline at end of file\n"
        );
        assert!(Patch::of_file(path("é.py"), "x\n", "y\n").diff().contains(r#""a/\303\251.py""#));
    }

    #[test]
    fn what_a_larger_patch_adds_to_one_that_lies_is_told() {
        let of = |after: &str| Patch::of_file(path("a.py"), "x = 1\n", after);
        let added = of("x = 3\n").after(&of("x = 2\n"));
        assert_eq!(added, Some(Patch::of_file(path("a.py"), "x = 2\n", "x = 3\n")));
        assert_eq!(of("x = 2\n").after(&of("x = 2\n")), Some(Patch::default()));
        assert_eq!(of("x = 2\n").after(&Patch::default()), Some(of("x = 2\n")));
        assert_eq!(of("x = 2\n").after(&Patch::of_file(path("b.py"), "", "y\n")), None);
    }

    #[test]
    fn a_patch_that_changes_nothing_is_empty() {
        assert!(Patch::of_file(path("a.py"), "x\n", "x\n").is_empty());
    }

    #[test]
    fn touched_lines_are_counted_on_either_side() {
        let patch = Patch::of_file(path("a.py"), "a\nb\nc\n", "a\nB\nB2\nc\n");
        assert_eq!(patch.touched_before(), vec![(&path("a.py"), vec![Lines::new(2, 2)])]);
        assert_eq!(patch.touched_after(), vec![(&path("a.py"), vec![Lines::new(2, 3)])]);
        assert_eq!(patch.size(), (2, 1));
    }

    #[test]
    fn patches_of_one_file_join_only_where_they_agree() {
        let one = Patch::of_file(path("a.py"), "a\n", "b\n");
        assert_eq!(one.joined(&Patch::of_file(path("a.py"), "a\n", "c\n")), Err(path("a.py")));
        assert_eq!(one.joined(&Patch::of_file(path("b.py"), "a\n", "c\n")).expect("joined").files().len(), 2);
    }
}
