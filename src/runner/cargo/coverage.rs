//! Which lines of the repository one Rust test executes, from the compiler's
//! own instrumentation (`-C instrument-coverage`).
//!
//! heal is the workspace's compiler wrapper for that one build, so that the
//! dependencies are built as before and stay as they are; each test then runs
//! in a process of its own, which writes its counters as it ends. They are read
//! by `llvm_profparser`, with no LLVM tool. What cannot be read has no lines.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use llvm_profparser::CoverageMapping;
use llvm_profparser::merge_profiles;

use crate::process;

/// The name under which heal's executable is the compiler's wrapper. A name,
/// since cargo gives a wrapper no argument of ours.
pub const WRAPPER: &str = "heal-rustc";

/// A program of more bytes is not read: its map takes longer than the test.
const LARGEST: u64 = 256 << 20;

/// Lines of one file.
pub type FileLines = (PathBuf, Vec<u32>);

/// Acts as the wrapper: `arguments` are the compiler and what it is to do.
/// Returns only where the compiler cannot be started.
pub fn wrapper_main(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let mut words: Vec<OsString> = arguments.into_iter().collect();
    if words.is_empty() {
        return super::target::FAULT;
    }
    let compiler = words.remove(0);
    if is_instrumented(&words) {
        words.push("-Cinstrument-coverage".into());
    }
    let _error = process::become_program(&compiler, &words);
    super::target::FAULT
}

/// Build scripts and macros run inside the build: counters of theirs would be
/// written into the tree.
fn is_instrumented(words: &[OsString]) -> bool {
    let after = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).and_then(|word| word.to_str())
    };
    let Some(name) = after("--crate-name") else { return false };
    // Cargo itself asks the compiler what it can do under this name.
    !name.starts_with("build_script_") && name != "___" && after("--crate-type") != Some("proc-macro")
}

/// The lines that were executed, by file as the compiler names it, 1-based and
/// in order: from the counters in `profiles` and the map in `binary`, and in
/// the programs beside it where one was started too. Empty where nothing can
/// be read.
pub fn lines(binary: &Path, profiles: &[PathBuf]) -> Vec<FileLines> {
    let mut objects = vec![binary.to_path_buf()];
    if profiles.len() > 1 {
        objects.extend(programs(binary));
    }
    objects.retain(|object| object.metadata().is_ok_and(|about| about.len() <= LARGEST));
    if objects.is_empty() || profiles.is_empty() {
        return Vec::new();
    }
    // The tests may write anything where their counters are looked for, and the
    // reader (0.15.0) panics at some of it.
    let report = std::panic::catch_unwind(|| {
        let counters = merge_profiles(profiles).ok()?;
        CoverageMapping::new(&objects, &counters, true).ok()?.generate_report().ok()
    });
    let Ok(Some(report)) = report else { return Vec::new() };
    let files = report.files.into_iter().map(|(path, result)| {
        let regions = result.hits.into_iter().map(|(at, hits)| Region {
            first: at.line_start as u32,
            last: at.line_end as u32,
            column: at.column_start as u32,
            ran: hits > 0,
        });
        (path, executed(&regions.collect::<Vec<_>>()))
    });
    files.filter(|(_, lines)| !lines.is_empty()).collect()
}

/// The package's own programs, which tests may start: they stand beside the
/// folder of the test binaries.
fn programs(binary: &Path) -> Vec<PathBuf> {
    let Some(folder) = binary.parent().and_then(Path::parent) else { return Vec::new() };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0);
    let mut found: Vec<PathBuf> = files.map(|entry| entry.path()).filter(is_program).collect();
    found.sort();
    found
}

/// A stretch of code with one counter.
struct Region {
    first: u32,
    last: u32,
    column: u32,
    ran: bool,
}

/// The lines of regions that ran. A line belongs to the regions that begin on
/// it; where none does, to the innermost around it.
fn executed(regions: &[Region]) -> Vec<u32> {
    let mut begun: BTreeMap<u32, bool> = BTreeMap::new();
    for region in regions {
        *begun.entry(region.first).or_default() |= region.ran;
    }
    let mut inner: BTreeMap<u32, ((u32, u32), bool)> = BTreeMap::new();
    for region in regions {
        // A generated region may span a whole file.
        for line in (region.first..=region.last.min(region.first.saturating_add(2_000))).skip(1) {
            let begins_at = (region.first, region.column);
            let known = inner.entry(line).or_insert((begins_at, region.ran));
            if begins_at >= known.0 {
                *known = (begins_at, region.ran);
            }
        }
    }
    let mut lines: Vec<u32> = begun.iter().filter(|(_, ran)| **ran).map(|(line, _)| *line).collect();
    lines.extend(inner.iter().filter(|(line, (_, ran))| *ran && !begun.contains_key(line)).map(|(line, _)| *line));
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_line_belongs_to_what_begins_on_it_and_else_to_the_innermost_around_it() {
        let region = |first, last, column, ran| Region { first, last, column, ran };
        for (regions, wanted) in [
            (vec![region(1, 1, 1, true), region(1, 1, 9, false), region(2, 2, 1, false)], vec![1]),
            // A call over three lines, in a branch not taken below it.
            (vec![region(1, 3, 1, true), region(4, 6, 5, false)], vec![1, 2, 3]),
            // A closure that did not run, inside of a call that did.
            (vec![region(1, 5, 1, true), region(2, 4, 9, false)], vec![1, 5]),
            (vec![], vec![]),
        ] {
            assert_eq!(executed(&regions), wanted);
        }
    }

    #[test]
    fn only_what_runs_in_tests_is_instrumented() {
        for (words, wanted) in [
            ("--crate-name shop --edition=2021 src/lib.rs --crate-type lib", true),
            ("--crate-name it --test tests/it.rs", true),
            ("--crate-name build_script_build build.rs --crate-type bin", false),
            ("--crate-name shop_macros src/lib.rs --crate-type proc-macro", false),
            ("- --crate-name ___ --print=file-names --crate-type bin", false),
            ("-vV", false),
        ] {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            assert_eq!(is_instrumented(&words), wanted, "{words:?}");
        }
    }

    #[test]
    fn what_is_no_profile_has_no_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("p.profraw");
        std::fs::write(&file, b"\xfflprofr\x81garbage").expect("written");
        assert_eq!(lines(&std::env::current_exe().expect("this test"), std::slice::from_ref(&file)), vec![]);
        assert_eq!(lines(Path::new("/nowhere"), &[file]), vec![]);
    }
}
