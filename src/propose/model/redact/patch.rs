//! Patches as they are recorded: without the secrets of the files they touch.
//!
//! A recorded patch has placeholders, numbered file by file; the map is never
//! kept, and is derived again from the file as it stands. Works in memory.

use super::Redactor;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::RelPath;

/// A recorded patch that cannot be used on the file as it stands: its secrets
/// are not found again.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{path}` holds secrets and was changed since, so that the recorded patch cannot be completed")]
pub struct NotRevealed {
    /// The file.
    pub path: RelPath,
}

/// `patch` with placeholders for secrets.
pub fn concealed(patch: &Patch, values: &[String]) -> Patch {
    let conceal = |change: &FileChange| {
        let mut redactor = Redactor::new(values);
        let before = change.before.as_deref().map(|text| redactor.redact(text));
        FileChange {
            path: change.path.clone(),
            before,
            after: change.after.as_deref().map(|text| redactor.redact(text)),
        }
    };
    Patch::new(patch.changes().iter().map(conceal).collect())
}

/// The patch that was recorded as `patch`. `read` gives the file as it stands:
/// as the patch found it, or as it left it.
///
/// # Errors
/// The first file whose secrets are not found again.
pub fn revealed(
    patch: &Patch,
    values: &[String],
    read: &dyn Fn(&RelPath) -> Option<String>,
) -> Result<Patch, NotRevealed> {
    let reveal = |change: &FileChange| {
        let has_secrets = [&change.before, &change.after].into_iter().flatten().any(|text| text.contains("«SECRET_"));
        if !has_secrets {
            return Ok(change.clone());
        }
        let fails = || NotRevealed { path: change.path.clone() };
        let mut redactor = Redactor::new(values);
        let now = redactor.redact(&read(&change.path).ok_or_else(fails)?);
        if Some(&now) != change.before.as_ref() && Some(&now) != change.after.as_ref() {
            return Err(fails());
        }
        let whole = |text: &Option<String>| text.as_deref().map(|text| redactor.revealed(text));
        Ok(FileChange { path: change.path.clone(), before: whole(&change.before), after: whole(&change.after) })
    };
    Ok(Patch::new(patch.changes().iter().map(reveal).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_recorded_patch_holds_no_secret_and_is_whole_again_on_its_file() {
        let path = RelPath::new("a.py").expect("path");
        let before = "KEY = 'hunter2-is-it'\nx = 1\nplain = '«SECRET_9»'\n";
        let after = before.replace("x = 1", "x = 2");
        let patch = Patch::of_file(path, before, after.clone());
        let values = ["hunter2-is-it".to_owned()];
        let kept = concealed(&patch, &values);
        assert!(!serde_json::to_string(&kept).expect("json").contains("hunter2"));
        for text in [before, &after] {
            assert_eq!(revealed(&kept, &values, &|_| Some(text.to_owned())), Ok(patch.clone()));
        }
        for text in [Some("x = 1\n".to_owned()), None] {
            assert!(revealed(&kept, &values, &|_| text.clone()).is_err());
        }
    }

    #[test]
    fn a_patch_without_secrets_is_recorded_as_it_is() {
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), "x = 1\n", "x = 2\n");
        assert_eq!(concealed(&patch, &[]), patch);
        assert_eq!(revealed(&patch, &[], &|_| None), Ok(patch));
    }
}
