//! Patches that another job made, before this one hands them on.
//!
//! Believes nothing: the policy of the tree that is checked out here is applied
//! again, and what is shown is what is pushed. Runs nothing.

use heal::options::Settings;
use heal::patch::Patch;
use heal::report::RunReport;
use heal::verify::policy;
use heal::verify::policy::Author;

use super::Failed;

/// The report with what the policy of this tree lets through; what it refuses
/// is abstained on, with the reason.
pub fn admitted(
    report: &RunReport,
    patches: &[(String, Patch)],
    settings: &Settings,
) -> Result<(RunReport, Vec<(String, Patch)>), Failed> {
    let globs = |patterns: &[String]| policy::globs(patterns).map_err(|error| Failed::usage(error.to_string()));
    let mut config = policy::Config {
        allow: globs(&settings.allow)?,
        deny: globs(&settings.deny)?,
        rules: settings.policy.clone(),
        ..policy::Config::default()
    };
    let mut report = report.clone();
    let mut admitted = Vec::new();
    for failure in report.failures.iter_mut().filter(|failure| failure.is_verified()) {
        let Some(proposal) = failure.proposals.first_mut() else { continue };
        config.kinds = vec![failure.kind];
        let patch = patches.iter().find(|(id, _)| *id == proposal.id).map(|(_, patch)| patch);
        // `Patch::new` again: a document may hold what no patch of heal's does.
        let patch = patch.map(|patch| Patch::new(patch.changes().to_vec()));
        let verdict = match &patch {
            Some(patch) => {
                let judged = policy::judge(patch, Author::Machine, &config).map_err(|miss| miss.detail);
                // The floors as well: the other job may have known of none.
                judged.and_then(|()| config.applied(patch).shortfall(&proposal.evidence).map_or(Ok(()), Err))
            }
            None => Err("the parcel does not hold the patch".to_owned()),
        };
        match (verdict, patch) {
            (Ok(()), Some(patch)) => {
                // What is shown is what is pushed.
                proposal.diff = patch.diff();
                proposal.files = patch.files().into_iter().cloned().collect();
                admitted.push((proposal.id.clone(), patch));
            }
            (Ok(()), None) => {}
            (Err(why), _) => {
                failure.outcome = "abstained".into();
                failure.reason = Some("policy".into());
                failure.reason_why = Some(format!("the patch was refused when it was to be published: {why}"));
                failure.proposals.clear();
                report.exit = report.exit.max(1);
            }
        }
    }
    Ok((report, admitted))
}

#[cfg(test)]
mod tests {
    use heal::patch::FileChange;
    use heal::source::RelPath;

    use super::*;

    fn judged(path: &str, before: Option<&str>, after: &str) -> (RunReport, Vec<(String, Patch)>) {
        let change = FileChange {
            path: RelPath::new(path).expect("path"),
            before: before.map(str::to_owned),
            after: Some(after.to_owned()),
        };
        let report = include_str!("judged.json").replace("PATH", path);
        (serde_json::from_str(&report).expect("a report"), vec![("01J.1".into(), Patch::new(vec![change]))])
    }

    fn settings() -> Settings {
        use clap::Parser;
        let cli = crate::cli::Cli::try_parse_from(["heal", "fix", "--deny", "secret/**"]).expect("parsed");
        let crate::cli::Command::Fix(arguments) = cli.command else { panic!("fix") };
        arguments.flags.settings().expect("settings")
    }

    #[test]
    fn what_the_policy_of_this_tree_refuses_is_not_published() {
        for (path, before, after, wanted) in [
            ("shop.py", Some("x = 1\n"), "x = 2\n", None),
            (".github/workflows/ci.yml", Some("a\n"), "b\n", Some(".github")),
            ("tests/test_shop.py", Some("a = 1\n"), "a = 2\n", Some("test file")),
            ("secret/key.py", Some("a = 1\n"), "a = 2\n", Some("denied")),
            ("new.py", None, "a = 2\n", Some("creates")),
            ("shop.py", Some("x = 1\n"), "import os\nx = os.system('id')\n", Some("brings into")),
            ("shop.py", Some("x = 1\n"), "x = 1\n", Some("changes nothing")),
        ] {
            let (report, patches) = judged(path, before, after);
            let (report, patches) = admitted(&report, &patches, &settings()).expect("read");
            let why = report.failures[0].reason_why.clone();
            assert_eq!(patches.len(), usize::from(wanted.is_none()), "{path}: {why:?}");
            assert_eq!(report.failures[0].is_verified(), wanted.is_none());
            let told = why.unwrap_or_default();
            assert!(wanted.is_none_or(|word| told.contains(word)), "{path}: {told}");
        }
        let (report, mut patches) = judged("shop.py", Some("x = 1\n"), "x = 2\n");
        patches[0].0 = "01J.2".into();
        assert!(admitted(&report, &patches, &settings()).expect("read").1.is_empty());
    }
}
