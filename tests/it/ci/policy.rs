//! How far heal goes by itself, on a forge: as far as the policy of the branch
//! that a request goes to says, and its owners are asked.

use heal::deliver::request::ForgeKind;
use pretty_assertions::assert_eq;
use serde_json::json;

use super::FORGES;
use super::Hosted;
use super::states;
use crate::support::SHOP;
use crate::support::SHOP_TEST;

/// The shop with a policy and owners.
fn governed(kind: ForgeKind, policy: &str, owners: &str) -> Hosted {
    let place = if kind == ForgeKind::Gitlab { ".gitlab/CODEOWNERS" } else { "docs/CODEOWNERS" };
    Hosted::of(kind, &[SHOP, &[("heal.toml", policy), (place, owners)]].concat())
}

#[test]
fn a_patch_goes_as_far_as_its_level_and_its_owners_are_asked() {
    let hosted = governed(ForgeKind::Github, "[policy]\nlevel = 'branch'\n", "");
    let why = |ran: &crate::support::Ran| ran.json()["requests"][0]["why"].as_str().unwrap_or_default().to_owned();
    let first = hosted.heal(&["ci", "--json"]).code(0);
    assert_eq!((states(&first), hosted.forge.pulls().len()), (vec!["branched".to_owned()], 0));
    assert!(why(&first).contains("is pushed; heal may open no request for it (heal.toml)"), "{}", why(&first));
    let branches =
        super::forge::git(&hosted.forge.bare, &["for-each-ref", "--format=%(objectname)", "refs/heads/heal"]);
    assert!(branches.as_deref().is_some_and(|branch| !branch.is_empty()));
    let again = hosted.heal(&["ci", "--json"]).code(0);
    assert!(why(&again).contains("stands there already"), "{}", why(&again));
    let same = super::forge::git(&hosted.forge.bare, &["for-each-ref", "--format=%(objectname)", "refs/heads/heal"]);
    assert_eq!(same, branches, "nothing is pushed twice");

    hosted.project.write(&[("heal.toml", "[[policy.rule]]\npaths = ['shop/**']\nlevel = 'diff'\n")]);
    let shown = hosted.heal(&["ci", "--json"]).code(0);
    assert_eq!(states(&shown), ["withheld"]);
    assert!(why(&shown).contains("(heal.toml, rule 1 (shop/**))"), "{}", why(&shown));
    let patches = std::fs::read_dir(hosted.project.root.join("heal-artifacts/patches")).expect("the folder");
    assert_eq!(patches.count(), 1);

    for (rule, reason, told) in [
        ("kinds = ['assertion']\nlevel = 'explain'", "policy", "to propose nothing (heal.toml, rule 1 (assertion))"),
        ("min-killed = 12", "only-weak", "the policy asks for 12 (heal.toml, rule 1)"),
    ] {
        hosted.project.write(&[("heal.toml", &format!("[[policy.rule]]\n{rule}\n"))]);
        let ran = hosted.heal(&["ci", "--json"]).code(1).json();
        assert_eq!(ran["failures"][0]["reason"], reason, "{ran}");
        let why = ran["failures"][0].to_string();
        assert!(why.contains(told), "{rule}: {why}");
    }
}

#[test]
fn owners_are_asked_for_a_review_in_the_words_of_each_forge() {
    for kind in FORGES {
        let pattern = if kind == ForgeKind::Forgejo { "shop/.*" } else { "/shop/" };
        let owners = format!("{pattern} @ana @nobody @other/team\n");
        let hosted = governed(kind, "command = ['python3', '-S', '-m', 'unittest']\n", &owners);
        let ran = hosted.heal(&["ci", "--json"]).code(0);
        assert_eq!(states(&ran), ["opened"]);
        let asked: Vec<serde_json::Value> =
            hosted.forge.state.lock().expect("state").reviewers.iter().map(|(_, body)| body.clone()).collect();
        let wanted = match kind {
            ForgeKind::Gitlab => json!({"reviewer_ids": [1003]}),
            _ => json!({"reviewers": ["ana"], "team_reviewers": []}),
        };
        // Whom the forge refuses keeps nobody else from being asked.
        assert_eq!(asked, [wanted], "{kind:?}");
        assert_eq!(ran.json()["requests"][0]["why"], "asked for a review: ana");
    }
}

#[test]
fn a_requests_own_policy_cannot_raise_what_heal_may_do() {
    let strict = "command = ['python3', '-S', '-m', 'unittest']\ndeny = ['shop/discount.py']\n";
    let hosted = governed(ForgeKind::Github, strict, "* @ana\n");
    hosted.project.git(&["checkout", "-q", "-b", "feature"]);
    let loose = "command = ['python3', '-S', '-m', 'unittest']\nallow = ['**']\n[policy]\nlevel = 'request'\n";
    hosted.project.write(&[("heal.toml", loose), ("docs/CODEOWNERS", "* @eve\n")]);
    hosted.project.commit("loosened");
    hosted.push("feature");
    let set = hosted.requested("feature", "ana/shop");
    let ran = hosted.heal_with(&["ci", "--json", "--test", SHOP_TEST], &set).code(1).json();
    assert_eq!(ran["failures"][0]["outcome"], "abstained", "{ran}");
    assert!(hosted.forge.pulls().is_empty() && hosted.forge.state.lock().expect("state").reviewers.is_empty());
    // Where the base cannot be had, nothing says what heal may do.
    let mut gone = set.clone();
    gone.push(("GITHUB_BASE_REF", "gone".into()));
    let ran = hosted.heal_with(&["ci"], &gone).code(2);
    assert!(ran.stderr.contains("`gone` that this request goes to is not here"), "{}", ran.stderr);
    let offline = hosted.heal_with(&["ci", "--offline"], &gone).code(2);
    assert!(offline.stderr.contains("--offline fetches nothing"), "{}", offline.stderr);
}

#[test]
fn the_policy_of_a_path_is_told_with_who_says_so() {
    let policy = "deny = ['shop/made/**']\n[policy]\nmin-killed = 2\n[[policy.rule]]\npaths = ['shop/**']\n\
                  level = 'branch'\n[[policy.rule]]\nkinds = ['timeout']\nlevel = 'explain'\nrepeats = 5\n";
    let hosted = governed(ForgeKind::Github, policy, "shop/ @ana @org/core\n");
    let doctor = |words: &[&str]| hosted.project.heal(&[&["doctor", "--policy"], words].concat()).code(0).stdout;
    insta::assert_snapshot!(doctor(&["shop/discount.py", "tests/test_discount.py", "shop/made/x.py", "heal.toml"]));
    insta::assert_snapshot!(doctor(&[]));
    let json: serde_json::Value = serde_json::from_str(&doctor(&["--json", "shop/discount.py"])).expect("json");
    assert_eq!(json["schema"], "heal.policy/1");
    assert_eq!(json["paths"][0]["applied"]["level"], json!({"value": "branch", "by": "heal.toml, rule 1 (shop/**)"}));
    assert_eq!(json["paths"][0]["otherwise"]["timeout"]["level"]["value"], "explain");
    let outside = hosted.project.heal(&["doctor", "--policy", "../x.py"]).code(2);
    assert!(outside.stderr.contains("`../x.py` is no file of this repository"), "{}", outside.stderr);
    assert!(hosted.project.heal(&["doctor", "shop/discount.py"]).code(2).stderr.contains("--policy"));
    for (text, told) in [
        ("[policy]\nlevel = 'merge'\n", "level"),
        ("[[policy.rule]]\npaths = ['a']\n", "says nothing"),
        ("[policy]\nmin-strength = 2\n", "`min-strength` is 2"),
    ] {
        hosted.project.write(&[("heal.toml", text)]);
        let ran = hosted.project.heal(&["doctor", "--policy"]).code(2);
        assert!(ran.stderr.contains("heal.toml") && ran.stderr.contains(told), "{}", ran.stderr);
    }
}
