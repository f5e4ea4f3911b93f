//! `heal audit`: a record that was changed is told from a sound one, in every
//! case that a chain with a head kept elsewhere can tell.

use std::path::Path;
use std::path::PathBuf;

use pretty_assertions::assert_eq;
use rusqlite::Connection;

use crate::support::Project;
use crate::support::SHOP;

/// The shop after two runs; the head and the file as they were after the
/// first.
fn two_runs() -> (Project, String, PathBuf) {
    let project = Project::new(SHOP);
    project.heal(&["fix", "--offline", "--branch", "fix/one", "-q"]).code(0);
    let head = head(&project);
    let kept = project.root.parent().expect("a parent").join("kept.db");
    connection(&project).execute("VACUUM INTO ?1", [kept.to_str().expect("text")]).expect("copied");
    project.heal(&["explain", "-q"]).code(0);
    (project, head, kept)
}

fn connection(project: &Project) -> Connection {
    Connection::open(project.root.join(".git/heal/ledger.db")).expect("sqlite")
}

/// Puts an earlier state of the record in its place.
fn put_back(project: &Project, kept: &Path) {
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        // What is not there need not go.
        let _ = std::fs::remove_file(project.root.join(".git/heal").join(name));
    }
    std::fs::copy(kept, project.root.join(".git/heal/ledger.db")).expect("put back");
}

fn head(project: &Project) -> String {
    let json = project.heal(&["audit", "--json"]).code(0).json();
    assert_eq!(json["sound"], true);
    json["chain"]["head"].as_str().expect("a head").to_owned()
}

#[test]
fn a_sound_record_holds_its_heads_and_is_exported_whole() {
    let (project, first, _) = two_runs();
    let last = head(&project);
    let json = project.heal(&["audit", "--json", "--head", &first, "--head", &last[..12]]).code(0).json();
    assert_eq!((&json["sound"], &json["trailers"]["agree"]), (&true.into(), &1.into()));
    let export = project.heal(&["audit", "--export"]).code(0).stdout;
    let rows: Vec<serde_json::Value> = export.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert_eq!(rows.last().map(|row| row["digest"].clone()), Some(last.into()));
    assert!(rows.iter().any(|row| row["digest"] == first.as_str()));
    let seqs: Vec<i64> = rows.iter().filter_map(|row| row["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=rows.len() as i64).collect::<Vec<_>>());
    let ran = project.heal(&["audit", "--head", "what?"]).code(2);
    assert!(ran.stderr.contains("no head"), "{}", ran.stderr);
}

#[test]
fn a_truncated_reordered_or_edited_record_is_told_by_itself() {
    let (project, ..) = two_runs();
    let whole = project.root.parent().expect("a parent").join("whole.db");
    connection(&project).execute("VACUUM INTO ?1", [whole.to_str().expect("text")]).expect("copied");
    for (change, told) in [
        ("UPDATE events SET event = replace(event, 'a', 'b') WHERE seq = 1", "row 1"),
        ("DELETE FROM events WHERE seq = 3", "row 3 is missing"),
        ("DELETE FROM events WHERE seq > 4", "is not in the chain"),
        ("UPDATE events SET seq = -seq WHERE seq IN (2, 3); UPDATE events SET seq = 5 + seq WHERE seq < 0", "row 2"),
        ("UPDATE runs SET report = '{}'", "report"),
        ("UPDATE proposals SET evidence = '{}'", "proposal"),
    ] {
        put_back(&project, &whole);
        connection(&project).execute_batch(change).expect("changed");
        let ran = project.heal(&["audit"]).code(1);
        assert!(ran.stdout.contains("BROKEN") && ran.stdout.contains(told), "{change}: {}", ran.stdout);
    }
}

#[test]
fn a_record_that_was_rolled_back_is_told_by_a_head_kept_elsewhere_alone() {
    let (project, first, kept) = two_runs();
    let last = head(&project);
    put_back(&project, &kept);
    // By itself it is whole: that is what a chain cannot tell.
    project.heal(&["audit", "--head", &first]).code(0);
    let ran = project.heal(&["audit", "--head", &last]).code(1);
    assert!(ran.stdout.contains("is NOT in it"), "{}", ran.stdout);
}

#[test]
fn a_record_that_was_written_anew_does_not_agree_with_heals_commits() {
    let (project, ..) = two_runs();
    // The run is kept, and what was recorded of it is another.
    let commit = project.git(&["log", "-1", "--format=%(trailers:key=Heal-Run,valueonly)", "fix/one"]);
    let message = format!("Fix\n\nHeal-Run: {}\nHeal-Ledger: {}\n", commit.trim(), "0".repeat(64));
    project.git(&["commit", "-q", "--allow-empty", "-m", &message]);
    let ran = project.heal(&["audit"]).code(1);
    assert!(ran.stdout.contains("though run"), "{}", ran.stdout);
    let foreign = format!("Fix\n\nHeal-Run: 01OTHERCLONE\nHeal-Ledger: {}\n", "1".repeat(64));
    project.git(&["commit", "-q", "--amend", "--allow-empty", "-m", &foreign]);
    let ran = project.heal(&["audit"]).code(0);
    assert!(ran.stdout.contains("not recorded here: 1"), "{}", ran.stdout);
}
