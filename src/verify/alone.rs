//! A patch without the test files that it adds, which a person may: what those do
//! when they are loaded must neither be the cure nor hide a damage.
//!
//! A part of the gates `cause` and `suite`.

use super::Miss;
use super::cause;
use super::suite;
use super::target;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::language;
use crate::patch::Patch;
use crate::scratch::Scratch;

/// Runs the suite without new test files, where the patch has any.
///
/// # Errors
/// Only where the tests cannot be run.
pub(super) async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
    baseline: &Baseline,
) -> Result<Result<(), Miss>, TrialError> {
    let Some(code) = without_new_tests(patch) else { return Ok(Ok(())) };
    let told = |miss: Miss, gate| {
        let detail = format!("without the test files that it adds: {}", miss.detail);
        Err(Miss::new(gate, detail).with_output(miss.output))
    };
    scratch.lay(&code)?;
    let report = bench.run(scratch, &bench.patched_suite(baseline)).await?;
    if let Err(miss) = target::judge(aim, &report) {
        return Ok(told(miss, &cause::GATE));
    }
    Ok(match suite::judge(bench, scratch, &code, baseline, report).await? {
        Ok(_) => Ok(()),
        Err(miss) => told(miss, &suite::GATE),
    })
}

fn without_new_tests(patch: &Patch) -> Option<Patch> {
    let code = patch.changes().iter().filter(|change| change.before.is_some() || !language::is_test_file(&change.path));
    let code: Vec<_> = code.cloned().collect();
    (code.len() < patch.changes().len()).then(|| Patch::new(code))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::patch::FileChange;
    use crate::source::RelPath;

    #[test]
    fn only_test_files_that_are_new_are_left_out() {
        let change = |path: &str, before: Option<&str>| FileChange {
            path: RelPath::new(path).expect("path"),
            before: before.map(str::to_owned),
            after: Some("x\n".to_owned()),
        };
        let (code, data) = (change("shop/a.py", Some("y\n")), change("tests/a.json", None));
        let (new, old) = (change("tests/test_a.py", None), change("tests/test_b.py", Some("y\n")));
        let all = Patch::new(vec![code.clone(), data.clone(), new, old.clone()]);
        assert_eq!(without_new_tests(&all), Some(Patch::new(vec![code.clone(), data, old])));
        assert_eq!(without_new_tests(&Patch::new(vec![code])), None);
    }
}
