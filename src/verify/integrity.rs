//! Gate `integrity`: while the tests run, nothing rewrites them or what
//! configures them.
//!
//! Before each run the scratch is laid from the snapshot, so that what one run
//! did to the tests is gone in the next. This gate looks at the run itself:
//! code that rewrites a test file before it is collected would judge itself.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::Gate;
use super::Miss;
use super::policy;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::language;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Request;
use crate::scratch::Scratch;
use crate::source::RelPath;

/// The gate.
pub const GATE: Gate = Gate {
    name: "integrity",
    missed_when: "while the tests run, it rewrites them or what configures them",
    runs_tests: true,
};

/// What the evidence says where nothing was touched.
pub const HELD: &str = "held";

/// Names of files that configure tests and builds, beside those that no patch
/// may touch.
const CONFIGURATION: &[&str] = &[
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "Cargo.toml",
    "Cargo.lock",
    "uv.lock",
    "poetry.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "go.sum",
    "gradle.properties",
];

/// Files watched at most.
const MOST: usize = 20_000;

/// The files to watch. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    files: Arc<Vec<RelPath>>,
}

/// How the disk shows a file: modification time, size and inode.
type Stat = Option<(i64, i64, u64, u64)>;

impl Guard {
    /// Watches the tests and the configuration among `files`.
    pub fn of(files: &[RelPath]) -> Guard {
        let guarded = files.iter().filter(|path| {
            language::is_test_file(path)
                || policy::is_among_tests(path)
                || policy::always_refused(path).is_some()
                || CONFIGURATION.contains(&path.file_name())
        });
        Guard { files: Arc::new(guarded.take(MOST).cloned().collect()) }
    }

    /// The files that are watched.
    pub fn files(&self) -> &[RelPath] {
        &self.files
    }

    fn look(&self, scratch: &dyn Scratch) -> Vec<Stat> {
        let stat = |path: &RelPath| {
            let about = scratch.left(path)?.symlink_metadata().ok()?;
            Some((about.mtime(), about.mtime_nsec(), about.size(), about.ino()))
        };
        self.files.iter().map(stat).collect()
    }

    /// Runs `request` with `patch` in; tells the file that it rewrote.
    ///
    /// # Errors
    /// Only where the tests cannot be run.
    pub async fn run(
        &self,
        bench: &Bench,
        scratch: &mut dyn Scratch,
        patch: &Patch,
        request: &Request,
    ) -> Result<(Report, Result<(), Miss>), TrialError> {
        scratch.lay(patch)?;
        let before = self.look(scratch);
        let report = bench.run(scratch, request).await?;
        let Some(path) = self.rewritten(&before, scratch, Some(patch))? else { return Ok((report, Ok(()))) };
        // Tests that write their own data do so without the patch as well.
        scratch.restore()?;
        let before = self.look(scratch);
        bench.run(scratch, request).await?;
        if self.rewritten(&before, scratch, None)?.is_some() {
            return Ok((report, Ok(())));
        }
        let miss = Miss::new(&GATE, format!("the patched code rewrites `{path}` while the tests run"));
        Ok((report, Err(miss)))
    }

    /// The first file whose content is another than the scratch was laid with.
    /// Lays the scratch again where one looks so.
    fn rewritten(
        &self,
        before: &[Stat],
        scratch: &mut dyn Scratch,
        patch: Option<&Patch>,
    ) -> Result<Option<RelPath>, TrialError> {
        let now = self.look(scratch);
        let changed: Vec<&RelPath> = (self.files.iter().zip(before).zip(&now))
            .filter(|((_, before), now)| before != now)
            .map(|((path, _), _)| path)
            .collect();
        if changed.is_empty() {
            return Ok(None);
        }
        let found: Vec<(&RelPath, Option<Vec<u8>>)> =
            changed.into_iter().map(|path| (path, held(scratch, path))).collect();
        match patch {
            Some(patch) => scratch.lay(patch)?,
            None => scratch.restore()?,
        }
        Ok(found.into_iter().find(|(path, found)| held(scratch, path) != *found).map(|(path, _)| path.clone()))
    }
}

/// What a file holds as the scratch shows it.
fn held(scratch: &dyn Scratch, path: &RelPath) -> Option<Vec<u8>> {
    std::fs::read(scratch.left(path).unwrap_or_else(|| path.under(scratch.root()))).ok()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn tests_and_what_configures_them_are_watched() {
        let files: Vec<RelPath> = [
            "src/a.py",
            "tests/test_a.py",
            "tests/data.json",
            "conftest.py",
            "pyproject.toml",
            "Cargo.lock",
            "src/lib.rs",
            "tests/it.rs",
            ".github/workflows/ci.yml",
        ]
        .iter()
        .map(|path| RelPath::new(path).expect("path"))
        .collect();
        let watched: Vec<String> = Guard::of(&files).files.iter().map(ToString::to_string).collect();
        assert_eq!(
            watched,
            [
                "tests/test_a.py",
                "tests/data.json",
                "conftest.py",
                "pyproject.toml",
                "Cargo.lock",
                "tests/it.rs",
                ".github/workflows/ci.yml"
            ]
        );
    }
}
