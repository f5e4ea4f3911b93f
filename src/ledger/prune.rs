//! Drops the texts of old runs: prompts, replies, patches, files as they were,
//! reports.
//!
//! What happened stays: the chain's rows, who asked for what, evidence. What
//! goes is named in the chain, so that a pruned record is told from one that
//! somebody cut. Never drops a text that a run which is kept needs too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::params;

use super::Ledger;
use super::LedgerError;
use super::Problem;
use super::chain;
use super::now;

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs.
    pub runs: usize,
    /// Bytes of their texts.
    pub bytes: u64,
}

impl Ledger {
    /// Drops the texts of the runs that began before `before` (RFC 3339, UTC,
    /// as the ledger writes times); of those, not the run `except`.
    ///
    /// `compact` also gives the room back to the disk, which rewrites the file.
    ///
    /// # Errors
    /// The ledger cannot be written; then nothing was dropped.
    pub fn prune(&self, before: &str, except: Option<&str>, compact: bool) -> Result<Pruned, LedgerError> {
        if self.read("read", |connection| old_runs(connection, before, except))?.is_empty() {
            return Ok(Pruned::default());
        }
        // What is dropped shall not lie in the file's free pages
        // (https://www.sqlite.org/pragma.html#pragma_secure_delete).
        self.read("prune", |connection| Ok(connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?))?;
        let pruned = self.write("prune", true, |transaction| {
            let runs = old_runs(transaction, before, except)?;
            drop_texts(transaction, &runs)
        })?;
        if compact {
            self.read("compact", |connection| {
                connection.execute_batch("VACUUM")?;
                Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
            })?;
        }
        Ok(pruned)
    }
}

/// The runs to prune, oldest first.
fn old_runs(connection: &Connection, before: &str, except: Option<&str>) -> Result<Vec<String>, Problem> {
    let sql = "SELECT id FROM runs WHERE pruned IS NULL AND started < ?1 AND id <> ?2 ORDER BY n";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([before, except.unwrap_or_default()], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn drop_texts(transaction: &Transaction<'_>, runs: &[String]) -> Result<Pruned, Problem> {
    let by_run = texts_by_run(transaction)?;
    let gone: HashSet<String> = {
        let mut statement = transaction.prepare("SELECT id FROM runs WHERE pruned IS NOT NULL")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let is_kept = |run: &String| !runs.contains(run) && !gone.contains(run);
    let needed: HashSet<&String> = by_run.iter().filter(|(run, _)| is_kept(run)).flat_map(|(_, texts)| texts).collect();
    let mut pruned = Pruned { runs: runs.len(), bytes: 0 };
    for run in runs {
        let texts = by_run.get(run).into_iter().flatten();
        let dropped: Vec<&String> = texts.filter(|text| !needed.contains(text)).collect();
        let at = now();
        let row = serde_json::json!({
            "event": "kept", "kept": chain::PRUNED, "id": run, "digest": chain::sum(&[&at]), "blobs": dropped,
        });
        chain::append(transaction, run, &row.to_string())?;
        for text in &dropped {
            pruned.bytes += length(transaction, "SELECT length(bytes) FROM blobs WHERE digest = ?1", text)?;
            transaction.execute("UPDATE blobs SET bytes = x'' WHERE digest = ?1", [text])?;
        }
        pruned.bytes += length(transaction, "SELECT length(report) FROM runs WHERE id = ?1", run)?;
        let sql = "UPDATE runs SET pruned = ?2, report = CASE WHEN finished IS NULL THEN report ELSE '' END \
                   WHERE id = ?1";
        transaction.execute(sql, [run, &at])?;
        seal_again(transaction, run)?;
    }
    Ok(pruned)
}

fn length(transaction: &Transaction<'_>, sql: &str, of: &str) -> Result<u64, Problem> {
    let length: Option<i64> = transaction.query_row(sql, [of], |row| row.get(0))?;
    Ok(u64::try_from(length.unwrap_or_default()).unwrap_or_default())
}

/// Seals the documents of a run as they are without their texts.
fn seal_again(transaction: &Transaction<'_>, run: &str) -> Result<(), Problem> {
    let sql = "SELECT finished, CAST(exit AS TEXT) FROM runs WHERE id = ?1 AND finished IS NOT NULL";
    let mut statement = transaction.prepare(sql)?;
    let mut rows = statement.query([run])?;
    if let Some(row) = rows.next()? {
        let (finished, exit): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        chain::seal(transaction, run, "report", run, &chain::sum(&[&finished, &exit.unwrap_or_default(), ""]))?;
    }
    let mut statement = transaction.prepare("SELECT id, failure, patch, evidence FROM proposals WHERE run = ?1")?;
    let mut rows = statement.query([run])?;
    while let Some(row) = rows.next()? {
        let (id, failure): (String, String) = (row.get(0)?, row.get(1)?);
        let (patch, evidence): (String, String) = (row.get(2)?, row.get(3)?);
        chain::seal(transaction, run, "proposal", &id, &chain::sum(&[run, &failure, &patch, "", &evidence]))?;
    }
    transaction.execute("UPDATE proposals SET diff = '' WHERE run = ?1", params![run])?;
    Ok(())
}

/// The blobs that each run's replies, proposals and deliveries name.
fn texts_by_run(transaction: &Transaction<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, Problem> {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sql in [
        // A reply's run is known by the row that seals it.
        "SELECT events.run, replies.prompt FROM replies JOIN events ON json_extract(event, '$.kept') = 'reply' \
         AND json_extract(event, '$.id') = CAST(replies.n AS TEXT)",
        "SELECT events.run, replies.reply FROM replies JOIN events ON json_extract(event, '$.kept') = 'reply' \
         AND json_extract(event, '$.id') = CAST(replies.n AS TEXT)",
        "SELECT run, patch FROM proposals",
        "SELECT proposals.run, json_extract(value, '$.blob') FROM deliveries \
         JOIN proposals ON proposals.id = deliveries.proposal, json_each(deliveries.before)",
    ] {
        let mut statement = transaction.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(text) = row.get::<_, Option<String>>(1)? {
                texts.entry(row.get(0)?).or_default().insert(text);
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::ledger::ChainState;
    use crate::ledger::DeliveryKind;
    use crate::ledger::NewProposal;
    use crate::ledger::digest;
    use crate::patch::Patch;
    use crate::source::RelPath;

    /// Two runs with one reply each and one that they share; the first was
    /// begun long ago, and has a proposal that was applied.
    fn filled() -> (tempfile::TempDir, Ledger, [String; 2]) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ledger = Ledger::open(dir.path()).expect("opened");
        let runs = ["old", "new"].map(|name| {
            let run = ledger.begin("heal fix", None, false).expect("begun");
            ledger.keep_reply(&run, name, "m", &format!("prompt {name}"), &format!("reply {name}")).expect("kept");
            ledger.keep_reply(&run, &format!("{name} 2"), "m", "shared", "shared").expect("kept");
            let patch = Patch::of_file(RelPath::new("a.py").expect("path"), "x = 1\n", format!("x = '{name}'\n"));
            let proposal = NewProposal { failure: "t", patch: &patch, evidence: "{}" };
            let id = ledger.keep_proposal(&run, &proposal).expect("kept");
            let before = [(RelPath::new("a.py").expect("path"), Some(name.as_bytes()))];
            ledger.record_delivery(&id, DeliveryKind::Applied, "a.py", &before).expect("recorded");
            ledger.finish(&run, 0, &format!(r#"{{"of":"{name}"}}"#)).expect("finished");
            std::thread::sleep(std::time::Duration::from_millis(3));
            run
        });
        (dir, ledger, runs)
    }

    fn state(ledger: &Ledger) -> ChainState {
        ledger.verify().expect("checked")
    }

    #[test]
    fn texts_of_old_runs_go_and_the_chain_stays_whole() {
        let (dir, ledger, [old, new]) = filled();
        let head = ledger.head().expect("head");
        let started = ledger.run(&new).expect("run").started;
        let pruned = ledger.prune(&started, None, true).expect("pruned");
        assert!(pruned.runs == 1 && pruned.bytes > 40, "{pruned:?}");
        assert!(matches!(state(&ledger), ChainState::Intact { pruned: 1, .. }), "{:?}", state(&ledger));
        assert!(ledger.holds(&head).expect("read"), "heads that were kept elsewhere still hold");
        let row = ledger.run(&old).expect("run");
        assert!(row.pruned.is_some() && row.report.as_deref() == Some("") && row.exit == Some(0));
        assert_eq!(ledger.run(&new).expect("run").report.as_deref(), Some(r#"{"of":"new"}"#));
        let reply = |name: &str| ledger.find_reply(name, "m").expect("read").map(|reply| reply.text);
        assert_eq!((reply("old"), reply("new")), (None, Some("reply new".into())));
        assert_eq!((reply("old 2"), reply("new 2")), (Some("shared".into()), Some("shared".into())));
        for error in [
            ledger.proposal(&format!("{old}.1")).expect_err("pruned"),
            ledger.deliveries(&format!("{old}.1")).expect_err("pruned"),
        ] {
            assert!(matches!(error, LedgerError::Pruned { ref run } if *run == old), "{error:?}");
        }
        assert!(ledger.proposal(&format!("{new}.1")).is_ok());
        let bytes = std::fs::read(Ledger::path_in(dir.path())).expect("the file");
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds("reply old") && !holds("x = 'old'") && holds("reply new"), "nothing is left in the file");
        // Once is enough, and what is kept again is there again.
        assert_eq!(ledger.prune(&started, None, false).expect("pruned"), Pruned::default());
        ledger.keep_reply(&new, "old", "m", "prompt old", "reply old").expect("kept");
        assert_eq!(reply("old"), Some("reply old".into()));
        assert!(matches!(state(&ledger), ChainState::Intact { pruned: 1, .. }));
        // The shared text goes with the last run that needs it.
        ledger.prune("9999", Some(&old), false).expect("pruned");
        assert_eq!(ledger.blob(&digest(b"shared")).expect("read"), None);
        assert!(matches!(state(&ledger), ChainState::Intact { pruned: 2, .. }), "{:?}", state(&ledger));
        ledger.finish(&new, 1, "{}").expect("finished again");
        assert!(matches!(state(&ledger), ChainState::Intact { .. }));
    }

    #[test]
    fn what_the_chain_does_not_call_pruned_is_missing() {
        for (change, told) in [
            ("UPDATE blobs SET bytes = x'' WHERE bytes = CAST('reply new' AS BLOB)", "blob"),
            ("UPDATE runs SET report = '', pruned = started WHERE pruned IS NULL", "report"),
            ("UPDATE runs SET pruned = NULL", "pruned"),
            ("UPDATE runs SET pruned = '2001'", "pruned"),
            ("UPDATE proposals SET evidence = '[]'", "proposal"),
            ("UPDATE proposals SET diff = ''", "proposal"),
            ("DELETE FROM blobs WHERE length(bytes) = 0", "blob"),
            ("DELETE FROM events WHERE json_extract(event, '$.kept') = 'pruned'", "missing"),
        ] {
            let (dir, ledger, [_, new]) = filled();
            let started = ledger.run(&new).expect("run").started;
            ledger.prune(&started, None, false).expect("pruned");
            let other = rusqlite::Connection::open(Ledger::path_in(dir.path())).expect("sqlite");
            other.execute_batch(&format!("PRAGMA foreign_keys = OFF; {change}")).expect(change);
            let ChainState::Broken { why, .. } = state(&ledger) else { panic!("{change}") };
            assert!(why.contains(told), "{change}: {why}");
        }
    }

    #[test]
    fn a_document_that_is_sealed_anew_shows() {
        let (_dir, ledger, [old, _]) = filled();
        let forge = |kept: &str, id: &str| {
            let sealed = ledger.write("forge", false, |transaction| chain::seal(transaction, &old, kept, id, "other"));
            sealed.expect("written");
            state(&ledger)
        };
        let ChainState::Broken { why, .. } = forge("proposal", &format!("{old}.1")) else { panic!("not told") };
        assert!(why.contains("says otherwise of proposal"), "{why}");
    }
}
