//! `heal stats` and `heal log --prune`: numbers from the record alone, and a
//! record whose old texts are gone and that is whole all the same.

use std::process::Command;

use pretty_assertions::assert_eq;

use crate::ecosystem::environment;
use crate::support::Project;
use crate::support::SHOP;

#[test]
fn what_is_counted_outlives_the_texts_that_are_pruned() {
    let project = Project::new(SHOP);
    assert!(project.heal(&["stats"]).code(2).stderr.contains("no run of heal is recorded"));
    project.heal(&["fix", "--offline", "--apply", "-q"]).code(0);
    project.heal(&["undo"]).code(0);
    let counted = project.heal(&["stats", "--json"]).code(0).json();
    assert_eq!(counted["schema"], "heal.stats/1");
    assert_eq!(
        (&counted["failures"], &counted["fix_rate"], &counted["revert_rate"]),
        (&1.into(), &1.0.into(), &1.0.into())
    );
    assert_eq!(counted["sources"][0]["source"], "rule");
    assert_eq!(counted["runners"][0]["runner"], "unittest");
    assert!(counted["time_to_repair"]["median_s"].as_f64().is_some_and(|seconds| seconds > 0.0), "{counted}");
    assert_eq!(project.heal(&["stats", "--json", "--since", "2999-01-01"]).code(0).json()["failures"], 0);
    for (words, told) in [
        (&["stats", "--since", "when?"][..], "`when?` is no time"),
        (&["log", "--prune"], "nothing says how old"),
        (&["log", "--prune", "--older-than", "0d"], "`0d` is no age"),
    ] {
        let ran = project.heal(words).code(2);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
    let head = project.heal(&["audit", "--json"]).code(0).json()["chain"]["head"].clone();
    let none = project.heal(&["log", "--prune", "--older-than", "1h"]).code(0);
    assert!(none.stderr.contains("no run is older"), "{}", none.stderr);
    let ran = project.heal(&["log", "--prune", "--older-than", "1ms"]).code(0);
    assert!(ran.stderr.contains("the chain is whole"), "{}", ran.stderr);
    let audit = project.heal(&["audit", "--json", "--head", head.as_str().expect("a head")]).code(0).json();
    assert_eq!((&audit["sound"], &audit["chain"]["pruned"]), (&true.into(), &1.into()));
    assert_eq!(project.heal(&["stats", "--json"]).code(0).json(), counted);
    assert!(project.heal(&["log"]).code(0).stdout.contains("exit 0, pruned"));
    assert!(project.heal(&["show"]).code(0).stdout.contains("was pruned on"));
    for words in [&["show", "--json"][..], &["show", "--diff"]] {
        assert!(project.heal(words).code(1).stderr.contains("was pruned on"));
    }
    for words in [&["apply"][..], &["replay"]] {
        let ran = project.heal(words).code(2);
        assert!(ran.stderr.contains("were pruned") && ran.stderr.contains("`retention`"), "{}", ran.stderr);
    }
}

#[test]
fn a_repository_can_have_texts_kept_longer_and_not_dropped() {
    let config = |project: &Project, text: &str| {
        let folder = project.root.parent().expect("a parent").join("home/config/heal");
        std::fs::create_dir_all(&folder).expect("the folder");
        std::fs::write(folder.join("config.toml"), text).expect("written");
    };
    // A run on a green tree is enough: it has a report.
    let green = &[("test_a.py", "assert True\n")];
    let run = |project: &Project| project.heal(&["fix", "--offline", "-q", "--", "python3", "-S", "test_a.py"]).code(0);
    let pruned = |project: &Project| project.heal(&["audit", "--json"]).code(0).json()["chain"]["pruned"].clone();
    for (user, repository, wanted) in [
        ("", "retention = '1ms'\n", 0),
        ("retention = '1ms'\n", "", 1),
        ("retention = '1ms'\n", "retention = '9d'\n", 0),
        ("retention = '9d'\n", "retention = '1ms'\n", 0),
    ] {
        let project = Project::new(green);
        config(&project, user);
        project.write(&[("heal.toml", repository)]);
        run(&project);
        run(&project);
        assert_eq!(pruned(&project), wanted, "user: {user:?}, repository: {repository:?}");
    }
    let project = Project::new(green);
    project.write(&[("heal.toml", "retention = 'for ever'\n")]);
    let ran = project.heal(&["log", "--prune"]).code(2);
    assert!(ran.stderr.contains("heal.toml") && ran.stderr.contains("`for ever` is no age"), "{}", ran.stderr);
}

const PARSE: &str = "import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
names = {family.name for family in text_string_to_metric_families(open(sys.argv[1]).read())}
assert {'heal_runs', 'heal_failures', 'heal_repair_seconds', 'heal_model_calls'} <= names, names";

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs prometheus-client: --features ecosystem")]
fn the_numbers_are_read_by_prometheus() {
    let project = Project::new(SHOP);
    project.heal(&["fix", "--offline", "-q"]).code(0);
    let beside = project.root.parent().expect("a parent");
    let python = environment(&beside.join("venv"), &["prometheus-client"]);
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/stats/snapshots/");
    let pinned = std::fs::read_dir(snapshot).expect("snapshots").flatten().map(|entry| entry.path());
    let pinned = pinned.filter(|path| path.to_string_lossy().contains("openmetrics")).map(|path| {
        let text = std::fs::read_to_string(path).expect("a snapshot");
        text.splitn(3, "---\n").nth(2).expect("a body").to_owned()
    });
    let mut texts: Vec<String> = pinned.collect();
    assert!(!texts.is_empty());
    texts.push(project.heal(&["stats", "--openmetrics"]).code(0).stdout);
    for text in texts {
        let file = beside.join("metrics.txt");
        std::fs::write(&file, &text).expect("written");
        let output = Command::new(&python).args(["-c", PARSE]).arg(&file).output().expect("python runs");
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    }
}
