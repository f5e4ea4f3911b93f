//! Reports for tests: one of each sort.

use super::*;
use crate::patch::Patch;
use crate::verify::Strength;
use crate::verify::SuiteCounts;
use crate::verify::Target;

const RUN: &str = "01JDXQ3N6V8Z0RTK5M2W7YHB4C";

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

fn evidence() -> Evidence {
    Evidence {
        target: Target { passed: 3, runs: 3 },
        suite: Some(SuiteCounts { passed: 41, ..SuiteCounts::default() }),
        cause: "fails-passes-fails".into(),
        control: Some("red".into()),
        strength: Some(Strength {
            mutants: 5,
            killed: 4,
            survivors: vec!["gcd.py:2: `b == 0` to `b <= 0`".into()],
            one_way: 0,
            around: None,
        }),
        witnesses: Some(3),
        integrity: "held".into(),
        scratch: "checkout".into(),
        sandbox: "none".into(),
        suite_scope: "given".into(),
        agreement: 2,
        taken_out: 0,
    }
}

fn proposal(number: usize, patch: &Patch) -> ProposalReport {
    ProposalReport {
        id: format!("{RUN}.{number}"),
        source: Origin { kind: "rule".into(), name: "swap-arguments".into() },
        diff: patch.diff(),
        files: patch.files().into_iter().cloned().collect(),
        explanation: "The arguments of the recursive call are swapped: b never shrinks, so the recursion does not end."
            .into(),
        evidence: evidence(),
    }
}

fn failure(id: &str) -> FailureReport {
    FailureReport {
        id: id.into(),
        kind: Kind::Exception,
        message: "RecursionError: maximum recursion depth exceeded in comparison".into(),
        expected: None,
        actual: None,
        fingerprint: "9f2c41d07ab35e18".into(),
        location: Some(Location { path: path("gcd.py"), line: Some(5), symbol: Some("gcd".into()) }),
        outcome: "verified".into(),
        reason: None,
        reason_why: None,
        proposals: Vec::new(),
        leads: Vec::new(),
        candidates: Counts { proposed: 9, duplicate: 2, refused: 1, tried: 4, verified: 1 },
        suspects: vec![
            "gcd.py:1-5 gcd: innermost frame; all failing tests run it".into(),
            "fraction.py:12-20 Fraction.reduced: calls it".into(),
        ],
        reproduced: Some(Reproduced { failed: 2, runs: 2 }),
    }
}

fn report(failures: Vec<FailureReport>) -> RunReport {
    RunReport {
        schema: "heal.fix/1".into(),
        run: RUN.into(),
        exit: 0,
        base: Base { commit: Some("3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d".into()), dirty: false },
        runner: Some("pytest".into()),
        command: Some("pytest -q tests".into()),
        runner_why: Some("pyproject.toml has [tool.pytest.ini_options]".into()),
        failures,
        cost: Cost::default(),
        time: Time { total_s: 1.9, model_s: 0.0, tests_s: 1.6, heal_s: 0.3 },
        ledger: LedgerHead { head: "9f2c41d07ab35e18c6ebd12dc40214fa8f0108c7c7c1ef5de3e66a3adcd33188".into() },
        notes: Vec::new(),
        together: None,
        requests: Vec::new(),
    }
}

fn gcd() -> Patch {
    let before = "def gcd(a, b):\n    if b == 0:\n        return a\n    else:\n        return gcd(a % b, b)\n";
    Patch::of_file(path("gcd.py"), before, before.replace("gcd(a % b, b)", "gcd(b, a % b)"))
}

/// One failure, one verified patch.
pub(crate) fn verified() -> RunReport {
    let mut failure = failure("tests/test_gcd.py::test_gcd[case1]");
    failure.proposals = vec![proposal(1, &gcd())];
    report(vec![failure])
}

/// One failure, nothing verified, for this reason.
pub(crate) fn abstained(reason: &str) -> RunReport {
    let mut failure = failure("tests/test_gcd.py::test_gcd[case1]");
    failure.outcome = "abstained".into();
    failure.reason = Some(reason.into());
    failure.candidates.verified = 0;
    if matches!(reason, "not-reproduced" | "flaky") {
        failure.candidates = Counts::default();
        failure.reproduced = Some(Reproduced { failed: usize::from(reason == "flaky"), runs: 5 });
    }
    if reason == "only-weak" {
        failure.reason_why = Some("A patch passes, but 4 of 5 changes to its lines pass as well.".into());
        failure.leads = vec![LeadReport {
            source: Origin { kind: "model".into(), name: "anthropic/claude-test".into() },
            diff: gcd().diff(),
            missed: "strength".into(),
            detail: "1 of 5 mutants killed".into(),
        }];
    }
    let mut report = report(vec![failure]);
    report.exit = super::reason::of(reason).map_or(1, |reason| reason.exit);
    let cost = Cost { calls: 2, input_tokens: 5120, cached_tokens: 900, output_tokens: 1044, ..Cost::default() };
    report.cost = Cost { usd: Some(0.0213), ..cost };
    report
}

/// Three failures: two of one cluster, one abstained.
pub(crate) fn several() -> RunReport {
    let mut verified = verified();
    let mut second = failure("tests/test_gcd.py::test_gcd[case2]");
    second.proposals = verified.failures[0].proposals.clone();
    let third = abstained("none-verified").failures.remove(0);
    verified.failures.extend([second, third]);
    verified.exit = 1;
    verified.cost.usd = None;
    verified.cost.calls = 1;
    verified
}

/// A patch that does not fit a screen, and everything else long too.
pub(crate) fn long() -> RunReport {
    let lines: Vec<String> = (1..=40).map(|n| format!("    step_{n}(cart)\n")).collect();
    let before = format!("def run(cart):\n{}", lines.concat());
    let after = before.replace("(cart)\n    step_2", "(cart, strict=True)\n    step_2").replace("_3", "_three");
    let mut report = verified();
    let failure = &mut report.failures[0];
    failure.message = "AssertionError: ".to_owned() + &"a very long message that goes on, ".repeat(30);
    failure.expected = Some("[1, 2, 3, 4, 5, 6, 7, 8, 9]".repeat(9));
    failure.actual = Some("[]".into());
    failure.proposals = vec![proposal(1, &Patch::of_file(path("shop/run.py"), before, after)); 2];
    failure.proposals[0].explanation = "Because of this and that. ".repeat(40);
    failure.proposals[0].evidence.suite.as_mut().expect("a suite").already_failing = 3;
    report.notes =
        (1..=5).map(|n| format!("note number {n}, which is also rather long, {}", "long ".repeat(20))).collect();
    report
}

/// Text that takes two columns a character.
pub(crate) fn wide() -> RunReport {
    let mut report = verified();
    let failure = &mut report.failures[0];
    failure.id = format!("tests/test_漢字.py::test_{}", "文字列".repeat(20));
    failure.message = format!("ValueError: {} 🦀👩‍👩‍👧‍👦❤️", "長い説明".repeat(40));
    let before = format!("名前 = '{}'\n", "太郎".repeat(60));
    failure.proposals =
        vec![proposal(1, &Patch::of_file(path("漢字.py"), before.clone(), before.replace("名前", "姓名")))];
    report
}

/// Everything a test's output could try on a terminal or a pull request.
pub(crate) fn hostile() -> RunReport {
    let trick = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m<img src=x onerror=alert(1)> ![x](http://e/x.png) \
                 @everyone fixes #1 https://evil.example `code` ```\nCI: ok\r\u{202e}| a | b |\n## heading\n- [ ] task";
    let mut report = verified();
    let failure = &mut report.failures[0];
    failure.id = format!("t::{trick}");
    failure.message = trick.into();
    failure.expected = Some(trick.into());
    failure.actual = Some(trick.into());
    let mut patch =
        proposal(1, &Patch::of_file(path("a.md"), "x\n", "````\n</details>\n@everyone\u{1b}[2J\n~~~\n```` \n"));
    patch.explanation = trick.into();
    patch.source.name = trick.into();
    patch.evidence.cause = trick.into();
    patch.evidence.integrity = trick.into();
    patch.evidence.strength.as_mut().expect("strength").survivors = vec![trick.into()];
    failure.proposals = vec![patch];
    report.notes = vec![trick.into()];
    report
}

/// Nothing fails.
pub(crate) fn nothing() -> RunReport {
    report(Vec::new())
}
