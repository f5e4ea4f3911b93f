//! How far heal may go by itself, by path and by kind of failure.
//!
//! Reckons what applies; enforces nothing. In one file the last rule that
//! matches says what it says, as in CODEOWNERS. Of several files, several
//! paths and several failures the strictest word counts: whoever adds a file
//! can only lower what heal may do.

use globset::GlobSet;
use serde::Deserialize;
use serde::Serialize;

use super::globs;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::verify::Evidence;

/// Mutants that are made at most; no floor can ask for more to be killed.
pub const MOST_KILLED: usize = 12;

/// Runs of the target at most.
pub const MOST_REPEATS: usize = 20;

/// How far heal may go by itself; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Say what fails and where the fault is; propose no patch.
    Explain,
    /// Show a verified patch.
    Diff,
    /// Push it to a branch of heal's own.
    Branch,
    /// Open a pull or merge request.
    Request,
}

impl Level {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Level::Explain => "explain",
            Level::Diff => "diff",
            Level::Branch => "branch",
            Level::Request => "request",
        }
    }
}

/// What a rule says, or a file by default: `[policy]` and `[[policy.rule]]` as
/// they are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Says {
    /// Paths that a rule is for; all where there are none.
    pub paths: Vec<String>,
    /// Kinds of failures that a rule is for; all where there are none.
    pub kinds: Vec<Kind>,
    /// How far heal may go.
    pub level: Option<Level>,
    /// Of the mutants of a patch, the share that the tests must kill.
    pub min_strength: Option<f64>,
    /// Mutants that they must kill at least.
    pub min_killed: Option<usize>,
    /// Times the target must pass, of as many.
    pub repeats: Option<usize>,
    /// Whether owners are asked for a review.
    pub reviewers: Option<bool>,
    /// The rules of a file; a rule has none.
    #[serde(skip_serializing)]
    pub rule: Vec<Says>,
}

/// One file's rules, ready to be asked.
#[derive(Clone, Debug)]
struct Rules {
    /// The file, as a person knows it.
    file: String,
    default: Says,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// How the rule is told from others: `rule 2 (billing/**)`.
    name: String,
    paths: Option<GlobSet>,
    says: Says,
}

/// The rules of all files.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    files: Vec<Rules>,
}

/// A setting and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Set<T> {
    /// What applies.
    pub value: T,
    /// The file and the rule; empty for what holds where nothing is said.
    pub by: String,
}

impl<T: PartialOrd> Set<T> {
    /// The stricter of two; of equal ones the one that somebody wrote.
    fn or(self, other: Set<T>, is_stricter: impl Fn(&T, &T) -> bool) -> Set<T> {
        let written = self.by.is_empty() && !other.by.is_empty() && self.value == other.value;
        if is_stricter(&other.value, &self.value) || written { other } else { self }
    }
}

/// What applies to a patch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Applied {
    /// How far heal may go.
    pub level: Set<Level>,
    /// The share of mutants that the tests must kill.
    pub min_strength: Set<f64>,
    /// Mutants that they must kill at least.
    pub min_killed: Set<usize>,
    /// Times the target must pass, of as many.
    pub repeats: Set<usize>,
    /// Whether owners are asked for a review.
    pub reviewers: Set<bool>,
}

impl Default for Applied {
    fn default() -> Applied {
        fn unsaid<T>(value: T) -> Set<T> {
            Set { value, by: String::new() }
        }
        Applied {
            level: unsaid(Level::Request),
            min_strength: unsaid(0.0),
            min_killed: unsaid(0),
            repeats: unsaid(0),
            reviewers: unsaid(true),
        }
    }
}

impl Applied {
    /// The stricter of both, setting by setting.
    fn and(self, other: Applied) -> Applied {
        Applied {
            level: self.level.or(other.level, |a, b| a < b),
            min_strength: self.min_strength.or(other.min_strength, |a, b| a > b),
            min_killed: self.min_killed.or(other.min_killed, |a, b| a > b),
            repeats: self.repeats.or(other.repeats, |a, b| a > b),
            reviewers: self.reviewers.or(other.reviewers, |a, b| !a && *b),
        }
    }

    fn said(&mut self, says: &Says, by: &str) {
        fn put<T: Clone>(set: &mut Set<T>, value: &Option<T>, by: &str) {
            if let Some(value) = value {
                *set = Set { value: value.clone(), by: by.to_owned() };
            }
        }
        put(&mut self.level, &says.level, by);
        put(&mut self.min_strength, &says.min_strength, by);
        put(&mut self.min_killed, &says.min_killed, by);
        put(&mut self.repeats, &says.repeats, by);
        put(&mut self.reviewers, &says.reviewers, by);
    }

    /// Which floor the evidence is below, in words; `None` where it is below
    /// none.
    pub fn shortfall(&self, evidence: &Evidence) -> Option<String> {
        let target = evidence.target;
        if target.passed < self.repeats.value {
            return Some(format!(
                "it passed {} times of {}, and the policy asks for {} ({})",
                target.passed, target.runs, self.repeats.value, self.repeats.by
            ));
        }
        self.weakness(evidence.strength.as_ref().map(|strength| (strength.killed, strength.mutants)))
    }

    /// The same for the strength alone: killed, of how many; `None` where it
    /// was not measured.
    pub fn weakness(&self, strength: Option<(usize, usize)>) -> Option<String> {
        let (killed, mutants) = strength.unwrap_or_default();
        if killed < self.min_killed.value {
            return Some(format!(
                "the tests notice {killed} small changes of the patched code, and the policy asks for {} ({})",
                self.min_killed.value, self.min_killed.by
            ));
        }
        let share = if mutants == 0 { 0.0 } else { killed as f64 / mutants as f64 };
        (share + 1e-9 < self.min_strength.value).then(|| {
            format!(
                "the tests notice {killed} of {mutants} small changes of the patched code, and the policy asks for {:.0} % ({})",
                self.min_strength.value * 100.0,
                self.min_strength.by
            )
        })
    }
}

impl Policy {
    /// Adds the rules of `file`, as a person knows it.
    ///
    /// # Errors
    /// What is wrong with them, in a sentence.
    pub fn with(mut self, file: &str, written: &Says) -> Result<Policy, String> {
        check(written, "policy")?;
        if !written.paths.is_empty() || !written.kinds.is_empty() {
            return Err("policy: `paths` and `kinds` are a rule's; write [[policy.rule]] above them".to_owned());
        }
        let mut rules = Vec::new();
        for (number, says) in (1..).zip(&written.rule) {
            let at = format!("rule {number} of `policy.rule`");
            check(says, &at)?;
            if !says.rule.is_empty() {
                return Err(format!("{at} has rules of its own; write one below the other"));
            }
            if (Says { paths: Vec::new(), kinds: Vec::new(), ..says.clone() }) == Says::default() {
                return Err(format!("{at} says nothing: give it a level, or a floor"));
            }
            let paths = match says.paths.is_empty() {
                true => None,
                false => Some(globs(&says.paths).map_err(|error| format!("{at}: {error}"))?),
            };
            rules.push(Rule { name: format!("rule {number}{}", shown(says)), paths, says: says.clone() });
        }
        let default = Says { rule: Vec::new(), ..written.clone() };
        self.files.push(Rules { file: file.to_owned(), default, rules });
        Ok(self)
    }

    /// Whether nobody has said anything.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What each file and each of its rules says, and who that is.
    pub fn rules(&self) -> Vec<(String, Says)> {
        let of = |rules: &Rules| {
            let default = (rules.default != Says::default()).then(|| (rules.file.clone(), rules.default.clone()));
            let rest: Vec<_> =
                rules.rules.iter().map(|rule| (format!("{}, {}", rules.file, rule.name), rule.says.clone())).collect();
            default.into_iter().chain(rest)
        };
        self.files.iter().flat_map(of).collect()
    }

    /// What applies to a patch of these files for failures of these kinds.
    pub fn applied<'p>(&self, paths: impl IntoIterator<Item = &'p RelPath>, kinds: &[Kind]) -> Applied {
        let mut all: Option<Applied> = None;
        for path in paths {
            for kind in kinds {
                for rules in &self.files {
                    let one = rules.applied(path, *kind);
                    all = Some(match all {
                        Some(all) => all.and(one),
                        None => one,
                    });
                }
            }
        }
        all.unwrap_or_default()
    }
}

impl Rules {
    fn applied(&self, path: &RelPath, kind: Kind) -> Applied {
        let mut applied = Applied::default();
        applied.said(&self.default, &self.file);
        for rule in &self.rules {
            let here = rule.paths.as_ref().is_none_or(|paths| paths.is_match(path.as_str()));
            if here && (rule.says.kinds.is_empty() || rule.says.kinds.contains(&kind)) {
                applied.said(&rule.says, &format!("{}, {}", self.file, rule.name));
            }
        }
        applied
    }
}

/// What a rule is for, in brackets.
fn shown(rule: &Says) -> String {
    let kinds = rule.kinds.iter().map(|kind| kind.name().to_owned());
    let of: Vec<String> = rule.paths.iter().cloned().chain(kinds).collect();
    if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) }
}

fn check(says: &Says, at: &str) -> Result<(), String> {
    if let Some(share) = says.min_strength.filter(|share| !(0.0..=1.0).contains(share)) {
        return Err(format!("{at}: `min-strength` is {share}; write a share from 0 to 1"));
    }
    if let Some(killed) = says.min_killed.filter(|killed| *killed > MOST_KILLED) {
        return Err(format!("{at}: `min-killed` is {killed}; at most {MOST_KILLED} mutants are made"));
    }
    if let Some(repeats) = says.repeats.filter(|repeats| !(1..=MOST_REPEATS).contains(repeats)) {
        return Err(format!("{at}: `repeats` is {repeats}; write a number from 1 to {MOST_REPEATS}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::verify::Strength;
    use crate::verify::Target;

    fn policy(files: &[&str]) -> Policy {
        let mut policy = Policy::default();
        for (number, text) in files.iter().enumerate() {
            let written: Says = toml::from_str(text).expect("toml");
            policy = policy.with(&format!("file {number}"), &written).expect("a policy");
        }
        policy
    }

    fn applied(policy: &Policy, paths: &[&str], kinds: &[Kind]) -> Applied {
        let paths: Vec<RelPath> = paths.iter().map(|path| RelPath::new(path).expect("path")).collect();
        policy.applied(&paths, kinds)
    }

    const RULES: &str = "level = 'branch'\nmin-killed = 2\n\
        [[rule]]\npaths = ['billing/**']\nlevel = 'explain'\nmin-killed = 6\n\
        [[rule]]\npaths = ['billing/text/**', 'docs/**']\nlevel = 'request'\n\
        [[rule]]\nkinds = ['timeout']\nlevel = 'diff'\nrepeats = 9\n";

    #[test]
    fn the_last_rule_that_matches_says_what_it_says() {
        let policy = policy(&[RULES]);
        for (path, kind, level, killed, by) in [
            ("a.py", Kind::Assertion, Level::Branch, 2, "file 0"),
            ("billing/a.py", Kind::Assertion, Level::Explain, 6, "file 0, rule 1 (billing/**)"),
            ("billing/text/a.py", Kind::Exit, Level::Request, 6, "file 0, rule 2 (billing/text/**, docs/**)"),
            ("billing/a.py", Kind::Timeout, Level::Diff, 6, "file 0, rule 3 (timeout)"),
        ] {
            let applied = applied(&policy, &[path], &[kind]);
            assert_eq!((applied.level.value, applied.min_killed.value), (level, killed), "{path}");
            assert_eq!(applied.level.by, by);
        }
        assert_eq!(applied(&Policy::default(), &["a.py"], &[Kind::Exit]), Applied::default());
    }

    #[test]
    fn of_several_paths_failures_and_files_the_strictest_counts() {
        let one = policy(&[RULES]);
        let all = applied(&one, &["docs/a.py", "billing/a.py"], &[Kind::Assertion, Kind::Timeout]);
        assert_eq!((all.level.value, all.repeats.value), (Level::Explain, 9));
        for other in
            ["level = 'request'", "reviewers = false", "[[rule]]\npaths = ['**']\nlevel = 'diff'\nmin-killed = 1"]
        {
            for files in [[RULES, other], [other, RULES]] {
                let both = policy(&files);
                for path in ["a.py", "billing/a.py", "docs/a.py"] {
                    let (alone, with) = (applied(&one, &[path], &[Kind::Exit]), applied(&both, &[path], &[Kind::Exit]));
                    assert!(with.level.value <= alone.level.value, "{other}: {path}");
                    assert!(with.min_killed.value >= alone.min_killed.value, "{other}: {path}");
                    assert!(!with.reviewers.value || alone.reviewers.value);
                }
            }
        }
    }

    #[test]
    fn evidence_below_a_floor_is_told_with_the_rule() {
        let policy = policy(&["min-strength = 0.8\nmin-killed = 3\nrepeats = 5"]);
        let applied = applied(&policy, &["a.py"], &[Kind::Exit]);
        let evidence = |passed: usize, runs: usize, strength: Option<(usize, usize)>| Evidence {
            target: Target { passed, runs },
            strength: strength.map(|(killed, mutants)| Strength { mutants, killed, ..Strength::default() }),
            ..Evidence::default()
        };
        for (evidence, told) in [
            (evidence(5, 5, Some((4, 5))), None),
            (evidence(3, 3, Some((4, 5))), Some("passed 3 times of 3, and the policy asks for 5 (file 0)")),
            (
                evidence(5, 5, Some((4, 6))),
                Some("4 of 6 small changes of the patched code, and the policy asks for 80 %"),
            ),
            (evidence(5, 5, Some((2, 2))), Some("notice 2 small changes")),
            (evidence(5, 5, None), Some("notice 0 small changes")),
        ] {
            let found = applied.shortfall(&evidence);
            assert_eq!(found.is_some(), told.is_some(), "{found:?}");
            assert!(told.is_none_or(|told| found.unwrap_or_default().contains(told)), "{told:?}");
        }
        assert_eq!(Applied::default().shortfall(&evidence(1, 1, None)), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (text, told) in [
            ("min-strength = 1.5", "policy: `min-strength` is 1.5"),
            ("[[rule]]\npaths = ['a']\nmin-killed = 13", "rule 1 of `policy.rule`: `min-killed` is 13"),
            ("repeats = 0", "`repeats` is 0"),
            ("paths = ['a']\nlevel = 'diff'", "are a rule's"),
            ("[[rule]]\nlevel = 'diff'\n[[rule.rule]]\nlevel = 'diff'", "has rules of its own"),
            ("[[rule]]\npaths = ['a']", "says nothing"),
            ("[[rule]]\npaths = ['a{']\nlevel = 'diff'", "rule 1 of `policy.rule`: "),
        ] {
            let written: Says = toml::from_str(text).expect("toml");
            let error = Policy::default().with("f", &written).expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
        }
        for text in ["level = 'merge'", "levels = 'diff'", "[[rule]]\nkinds = ['bad-luck']\nlevel = 'diff'"] {
            assert!(toml::from_str::<Says>(text).is_err(), "{text}");
        }
    }
}
