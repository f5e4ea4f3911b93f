//! The ledger under `kill -9`: nothing torn, nothing lost that was promised.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use heal::event::Event;
use heal::ledger::ChainState;
use heal::ledger::Ledger;
use heal::ledger::NewProposal;
use heal::patch::Patch;
use heal::source::RelPath;

/// Where the writer that will be killed writes; unset for a test of its own.
const DIR: &str = "HEAL_TEST_LEDGER_DIR";

/// Writes runs with replies and proposals, `count` of each; says on stdout
/// what it was promised to be kept.
fn write_runs(dir: &Path, count: usize) {
    let ledger = Ledger::open(dir).expect("opened");
    let run = ledger.begin("heal fix", None, false).expect("begun");
    let patch = Patch::of_file(RelPath::new("a.py").expect("path"), "x\n", "y\n");
    for n in 0..count {
        ledger.append(&run, &Event::Note { text: n.to_string() }).expect("appended");
        let reply = ledger.keep_reply(&run, &format!("{run}-{n}"), "m", "prompt", &format!("reply {n}")).expect("kept");
        writeln!(std::io::stdout(), "\nreply {run}-{n} {reply}").expect("said");
        let proposal = NewProposal { failure: "t", patch: &patch, evidence: "{}" };
        let id = ledger.keep_proposal(&run, &proposal).expect("kept");
        writeln!(std::io::stdout(), "\nproposal {id} -").expect("said");
    }
}

#[test]
fn the_writer_of_the_kill_test_writes_a_ledger_that_verifies() {
    if let Some(dir) = std::env::var_os(DIR) {
        return write_runs(Path::new(&dir), usize::MAX);
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    write_runs(dir.path(), 3);
    let state = Ledger::open_read_only(dir.path()).expect("opened").verify().expect("checked");
    assert!(matches!(state, ChainState::Intact { events: 10, .. }), "{state:?}");
}

#[test]
fn a_writer_killed_at_any_moment_leaves_a_whole_ledger_with_all_it_promised() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut promised = Vec::new();
    for round in 0..8 {
        let mut writer = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "ledger::the_writer_of_the_kill_test_writes_a_ledger_that_verifies", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(writer.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
        // Once it is writing, at a moment that moves through its work.
        promised.extend(lines.by_ref().find(|line| line.starts_with("reply ")));
        std::thread::sleep(Duration::from_micros(7_300 * round));
        writer.kill().expect("killed");
        promised.extend(lines.filter(|line| line.starts_with("reply ") || line.starts_with("proposal ")));
        writer.wait().expect("ended");

        let ledger = Ledger::open(dir.path()).expect("opened after the kill");
        let state = ledger.verify().expect("checked");
        assert!(matches!(state, ChainState::Intact { .. }), "{state:?}");
        for line in &promised {
            // The last line may have been cut by the kill.
            let [what, name, digest] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
            if what == "reply" && digest.len() == 64 {
                let reply = ledger.find_reply(name, "m").expect("read").expect("the reply is kept");
                assert_eq!(reply.digest, digest);
            } else if what == "proposal" {
                assert_eq!(ledger.proposal(name).expect("the proposal is kept").id, name);
            }
        }
    }
    assert!(promised.len() >= 8, "{promised:?}");
    let runs = Ledger::open_read_only(dir.path()).expect("opened").runs(100).expect("runs");
    assert_eq!(runs.len(), 8);
    assert!(runs.iter().all(|run| run.exit.is_none()));
}
