//! The record of every run: `<git common dir>/heal/ledger.db`.
//!
//! Events are hash-chained across runs, so that a rewritten or truncated
//! record can be told ([`Ledger::verify`]); prompts, replies, patches and the
//! texts an undo needs are kept as blobs under their digest. The only place
//! that names SQLite. Deletes nothing but what is pruned by the user's word,
//! and never redacts: whoever hands text in has taken the secrets out.

mod chain;
mod export;
mod facts;
mod id;
mod listener;
mod proposals;
mod prune;
mod replies;
mod runs;
mod store;

pub use chain::ChainState;
pub use export::Row;
pub use facts::Fact;
pub use listener::LedgerListener;
pub use proposals::DeliveryKind;
pub use proposals::DeliveryRow;
pub use proposals::NewProposal;
pub use proposals::ProposalRow;
pub use proposals::ProposalState;
pub use prune::Pruned;
pub use replies::Reply;
pub use runs::RunRow;
pub use runs::StoredEvent;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

/// The record, open. Shared between threads by reference; several processes
/// may hold it open at once, and wait for each other to write.
#[derive(Debug)]
pub struct Ledger {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Ledger {
    /// The ledger's file for a repository whose common git directory
    /// (`git rev-parse --git-common-dir`) is `common_dir`.
    pub fn path_in(common_dir: &Path) -> PathBuf {
        common_dir.join("heal").join("ledger.db")
    }

    /// Opens the ledger for writing; makes it, or brings its schema up to
    /// date, where that is needed.
    ///
    /// # Errors
    /// [`LedgerError::Unwritable`] where the repository is read-only (a caller
    /// may go on with [`Ledger::in_memory`]); [`LedgerError::Newer`],
    /// [`LedgerError::Corrupt`], [`LedgerError::Busy`], [`LedgerError::Disk`].
    pub fn open(common_dir: &Path) -> Result<Ledger, LedgerError> {
        let path = Ledger::path_in(common_dir);
        let connection = store::open(&path)?;
        Ok(Ledger { connection: Mutex::new(connection), path })
    }

    /// Opens the ledger for reading only; makes nothing.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] where no run was ever recorded, else as for
    /// [`Ledger::open`].
    pub fn open_read_only(common_dir: &Path) -> Result<Ledger, LedgerError> {
        let path = Ledger::path_in(common_dir);
        let connection = store::open_read_only(&path)?;
        Ok(Ledger { connection: Mutex::new(connection), path })
    }

    /// A ledger that is forgotten when it is dropped, for repositories that
    /// cannot be written.
    ///
    /// # Errors
    /// Only where memory is short.
    pub fn in_memory() -> Result<Ledger, LedgerError> {
        Ok(Ledger { connection: Mutex::new(store::in_memory()?), path: PathBuf::from(store::IN_MEMORY) })
    }

    /// Its file; `:memory:` for one that is not on disk.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it will outlive the process.
    pub fn is_on_disk(&self) -> bool {
        self.path != Path::new(store::IN_MEMORY)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in one transaction. `durable` means on the disk before
    /// this returns; otherwise it survives heal's death, not the machine's.
    fn write<T>(
        &self,
        doing: &'static str,
        durable: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.lock();
        let attempt = || {
            store::set_durable(&connection, durable)?;
            // Immediate: the chain's last row must not change between being
            // read and being built upon.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        attempt().map_err(|problem: Problem| self.error(doing, problem))
    }

    fn read<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Problem>,
    ) -> Result<T, LedgerError> {
        let connection = self.lock();
        work(&connection).map_err(|problem| self.error(doing, problem))
    }

    fn error(&self, doing: &'static str, problem: Problem) -> LedgerError {
        match problem {
            Problem::Sqlite(source) => store::error(&self.path, doing, source),
            Problem::Typed(error) => error,
            Problem::Damaged(detail) => LedgerError::Corrupt { path: self.path.clone(), detail },
        }
    }
}

/// What can stop a piece of work inside a transaction.
enum Problem {
    Sqlite(rusqlite::Error),
    Typed(LedgerError),
    Damaged(String),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Problem {
        Problem::Sqlite(error)
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Problem {
        Problem::Typed(error)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Problem {
        Problem::Damaged(format!("a stored document cannot be read: {error}"))
    }
}

/// Why the ledger cannot be used. [`LedgerError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The folder or the file cannot be made or written: a read-only
    /// repository, another user's.
    #[error("cannot write the ledger `{path}`: {detail}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's own word.
        detail: String,
    },
    /// A newer heal has written it.
    #[error("the ledger `{path}` has schema {found}, and this heal knows up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// It is no ledger, or its content contradicts itself.
    #[error("the ledger `{path}` is damaged: {detail}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Another process holds it for longer than heal waits.
    #[error("the ledger `{path}` is in use by another process")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full or fails.
    #[error("cannot {doing} the ledger `{path}`: {detail}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's own word.
        detail: String,
    },
    /// No run was ever recorded in this repository.
    #[error("no run of heal is recorded in this repository")]
    Absent {
        /// Where the ledger would be.
        path: PathBuf,
    },
    /// Nothing has this name.
    #[error("no {what} `{given}` is recorded in this repository")]
    NoSuch {
        /// `run` or `proposal`.
        what: &'static str,
        /// As it was asked for.
        given: String,
    },
    /// Several have this beginning.
    #[error("`{given}` means more than one {what}: {}", matches.join(", "))]
    Ambiguous {
        /// `run` or `proposal`.
        what: &'static str,
        /// As it was asked for.
        given: String,
        /// Some of those it may mean.
        matches: Vec<String>,
    },
    /// What is asked for is not kept any more.
    #[error("the texts of run {run} were pruned, its patches among them")]
    Pruned {
        /// Its id.
        run: String,
    },
    /// SQLite refuses for another reason.
    #[error("cannot {doing} the ledger `{path}`: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// SQLite's own word.
        #[source]
        source: rusqlite::Error,
    },
}

impl LedgerError {
    /// What the user can do about it, in one sentence.
    pub fn hint(&self) -> String {
        match self {
            LedgerError::Unwritable { .. } => {
                "Give yourself write access to that folder; without it the run is not recorded.".into()
            }
            LedgerError::Newer { .. } => "Upgrade heal; nothing in the ledger was changed.".into(),
            LedgerError::Corrupt { path, .. } => {
                format!("Nothing was deleted. Move it away to start a new one: mv '{0}' '{0}.damaged'", path.display())
            }
            LedgerError::Busy { .. } => "Wait for the other heal to end, then run this again.".into(),
            LedgerError::Disk { .. } => "Make room on that disk, then run this again; nothing of yours is lost.".into(),
            LedgerError::Absent { .. } => "Run `heal fix` first.".into(),
            LedgerError::NoSuch { .. } => "List what there is with `heal log`.".into(),
            LedgerError::Pruned { run } => {
                format!("What is left of it: heal show {run}; how long runs are kept is for `retention` to say.")
            }
            LedgerError::Ambiguous { .. } => "Give more of its id.".into(),
            LedgerError::Sqlite { .. } => "Check the file and its folder; nothing was deleted.".into(),
        }
    }

    /// Whether a run may go on with [`Ledger::in_memory`] and a note.
    pub fn is_unwritable(&self) -> bool {
        matches!(self, LedgerError::Unwritable { .. })
    }
}

/// Digest of a blob: 64 hexadecimal digits of BLAKE3.
pub fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Now, as the ledger writes times: RFC 3339 in UTC, milliseconds.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::event::Event;
    use crate::event::Listener;
    use crate::patch::Patch;
    use crate::source::RelPath;

    fn note(text: &str) -> Event {
        Event::Note { text: text.to_owned() }
    }

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("path")
    }

    fn patch() -> Patch {
        Patch::of_file(path("a.py"), "x = 1\n", "x = 2\n")
    }

    /// A ledger on disk with one of everything.
    fn filled() -> (tempfile::TempDir, Ledger, String) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ledger = Ledger::open(dir.path()).expect("opened");
        let run = ledger.begin("heal fix -- pytest", Some("c0ffee"), true).expect("begun");
        ledger.append(&run, &note("one")).expect("appended");
        ledger.keep_reply(&run, "p1", "openai/x", "the prompt", "the reply").expect("kept");
        let evidence = r#"{"cause":"fails-passes-fails"}"#;
        let proposal = NewProposal { failure: "t::a", patch: &patch(), evidence };
        let id = ledger.keep_proposal(&run, &proposal).expect("kept");
        let before: [(RelPath, Option<&[u8]>); 2] = [(path("a.py"), Some(b"x = 1\n\xff")), (path("new.py"), None)];
        ledger.record_delivery(&id, DeliveryKind::Applied, "the work tree", &before).expect("recorded");
        ledger.finish(&run, 0, r#"{"schema":"heal.fix/1"}"#).expect("finished");
        (dir, ledger, run)
    }

    fn raw(dir: &tempfile::TempDir) -> Connection {
        Connection::open(Ledger::path_in(dir.path())).expect("sqlite")
    }

    #[test]
    fn runs_that_begin_at_once_in_a_new_repository_wait_for_each_other() {
        for _ in 0..5 {
            let dir = tempfile::tempdir().expect("a directory");
            let barrier = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        barrier.wait();
                        for _ in 0..3 {
                            let ledger = Ledger::open(dir.path()).expect("opened");
                            ledger.begin("heal fix", None, false).expect("begun");
                        }
                    });
                }
            });
            let ledger = Ledger::open_read_only(dir.path()).expect("opened");
            assert_eq!(ledger.runs(99).expect("runs").len(), 24);
        }
    }

    #[test]
    fn what_is_kept_is_there_when_the_ledger_is_opened_again() {
        let (dir, ledger, run) = filled();
        let head = ledger.head().expect("head");
        drop(ledger);
        for ledger in [Ledger::open_read_only(dir.path()), Ledger::open(dir.path())] {
            let ledger = ledger.expect("opened");
            let row = ledger.run(&run[..20]).expect("run");
            assert_eq!(
                (row.command.as_str(), row.commit.as_deref(), row.dirty, row.exit, row.report.as_deref()),
                ("heal fix -- pytest", Some("c0ffee"), true, Some(0), Some(r#"{"schema":"heal.fix/1"}"#))
            );
            assert_eq!(ledger.run("last").expect("run"), row);
            assert_eq!(ledger.runs(10).expect("runs"), vec![row]);
            let reply = ledger.find_reply("p1", "openai/x").expect("found").expect("a reply");
            assert_eq!((reply.text.as_str(), reply.digest), ("the reply", digest(b"the reply")));
            assert_eq!(ledger.find_reply("p1", "openai/y").expect("read"), None);
            assert_eq!(ledger.head().expect("head"), head);
            assert!(ledger.holds(&head[..8]).expect("read") && !ledger.holds("00000000").expect("read"));
            let proposal = ledger.proposal("last").expect("proposal");
            assert_eq!((proposal.id.clone(), proposal.patch), (format!("{run}.1"), patch()));
            assert_eq!(proposal.state, ProposalState::Applied);
            let delivery = ledger.deliveries(&proposal.id).expect("deliveries").remove(0);
            assert_eq!(delivery.before, vec![(path("a.py"), Some(b"x = 1\n\xff".to_vec())), (path("new.py"), None)]);
            assert!(matches!(ledger.verify(), Ok(ChainState::Intact { .. })));
        }
    }

    #[test]
    fn whatever_is_changed_in_the_file_shows() {
        for (change, told) in [
            ("UPDATE events SET event = replace(event, 'one', 'two')", "row 2"),
            ("UPDATE events SET at = '2001' WHERE seq = 3", "row 3"),
            ("DELETE FROM events WHERE seq = 2", "row 2 is missing"),
            ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "report"),
            ("UPDATE runs SET report = '{}'", "report"),
            ("UPDATE runs SET command = 'rm'", "run "),
            ("UPDATE runs SET report = NULL, finished = NULL", "report"),
            ("UPDATE proposals SET evidence = 'better'", "proposal"),
            ("UPDATE deliveries SET before = '[]'", "delivery"),
            ("DELETE FROM replies", "reply"),
            (
                "INSERT INTO proposals SELECT 9, 'x', run, failure, patch, diff, evidence, state FROM proposals",
                "x is not",
            ),
            ("UPDATE blobs SET bytes = x'00' WHERE digest = (SELECT reply FROM replies)", "blob"),
            ("DELETE FROM blobs", "blob"),
        ] {
            let (dir, ledger, _) = filled();
            assert!(matches!(ledger.verify(), Ok(ChainState::Intact { .. })));
            raw(&dir).execute_batch(&format!("PRAGMA foreign_keys = OFF; {change}")).expect(change);
            let state = ledger.verify().expect("checked");
            let ChainState::Broken { why, .. } = &state else { panic!("{change}: {state:?}") };
            assert!(why.contains(told), "{change}: {why}");
        }
    }

    #[test]
    fn the_chain_spans_runs() {
        let (_dir, ledger, first) = filled();
        let head = ledger.head().expect("head");
        let second = ledger.begin("heal fix", None, false).expect("begun");
        ledger.append(&second, &note("two")).expect("appended");
        ledger.append(&first, &note("late")).expect("appended");
        assert!(ledger.holds(&head).expect("read"));
        assert!(matches!(ledger.verify(), Ok(ChainState::Intact { .. })));
        let events = ledger.events(&second).expect("events");
        assert_eq!(events.last().expect("one").event, r#"{"event":"note","text":"two"}"#);
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn a_run_may_be_finished_again() {
        let (_dir, ledger, run) = filled();
        ledger.finish(&run, 1, "{}").expect("finished again");
        assert_eq!(ledger.run(&run).expect("run").exit, Some(1));
        assert!(matches!(ledger.verify(), Ok(ChainState::Intact { .. })));
    }

    #[test]
    fn a_name_means_one_thing_or_is_refused() {
        let (_dir, ledger, run) = filled();
        let proposal = NewProposal { failure: "t::b", patch: &patch(), evidence: "{}" };
        let second = ledger.keep_proposal(&run, &proposal).expect("kept");
        assert_eq!(second, format!("{run}.2"));
        let lower = format!("{}.2", run[..12].to_lowercase());
        assert_eq!(ledger.proposal(&lower).expect("proposal").id, second);
        assert_eq!(ledger.proposal("last").expect("proposal").id, format!("{run}.1"));
        for given in [run.as_str(), &run[..5]] {
            let error = ledger.proposal(given).expect_err("two");
            assert!(matches!(error, LedgerError::Ambiguous { ref matches, .. } if matches.len() == 2), "{error}");
        }
        for given in ["", "%", "ZZZ", "last.9", "é.1", &format!("{run}.3")] {
            let error = ledger.proposal(given).expect_err("none");
            assert!(matches!(error, LedgerError::NoSuch { .. }), "{given}: {error}");
        }
        assert!(matches!(ledger.run("nope"), Err(LedgerError::NoSuch { what: "run", .. })));
        assert!(matches!(ledger.finish("nope", 0, "{}"), Err(LedgerError::NoSuch { .. })));
    }

    #[test]
    fn what_was_undone_is_no_longer_the_last_applied() {
        let (_dir, ledger, run) = filled();
        let id = format!("{run}.1");
        assert_eq!(ledger.last_applied().expect("read").map(|row| row.id), Some(id.clone()));
        ledger.record_delivery(&id, DeliveryKind::Undone, "", &[]).expect("recorded");
        assert_eq!(ledger.last_applied().expect("read"), None);
        assert_eq!(ledger.proposal(&id).expect("proposal").state, ProposalState::Undone);
        ledger.record_delivery(&id, DeliveryKind::File, "fix.patch", &[]).expect("recorded");
        assert_eq!(ledger.proposal(&id).expect("proposal").state, ProposalState::Undone);
    }

    #[test]
    fn a_file_that_is_no_ledger_is_named_and_left_alone() {
        let other = {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let path = dir.path().join("x.db");
            Connection::open(&path).expect("sqlite").execute_batch("CREATE TABLE t (x)").expect("sql");
            std::fs::read(path).expect("read")
        };
        for bytes in [b"not a database, but long enough to be taken for one".repeat(40), other] {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let path = Ledger::path_in(dir.path());
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, &bytes).expect("written");
            for result in [Ledger::open(dir.path()), Ledger::open_read_only(dir.path())] {
                let error = result.expect_err("refused");
                assert!(matches!(error, LedgerError::Corrupt { .. }), "{error:?}");
                assert!(error.to_string().contains("ledger.db") && error.hint().contains("mv "), "{error}");
            }
            assert_eq!(std::fs::read(&path).expect("read"), bytes);
        }
    }

    #[test]
    fn a_ledger_of_a_newer_heal_is_refused_and_left_alone() {
        let (dir, ledger, _) = filled();
        drop(ledger);
        raw(&dir).execute_batch("PRAGMA user_version = 99").expect("sql");
        for result in [Ledger::open(dir.path()), Ledger::open_read_only(dir.path())] {
            let error = result.expect_err("refused");
            assert!(matches!(error, LedgerError::Newer { found: 99, .. }), "{error:?}");
            assert!(error.hint().contains("Upgrade heal"));
        }
    }

    #[test]
    fn a_repository_that_cannot_be_written_is_told_apart() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("heal"), "in the way").expect("written");
        let error = Ledger::open(dir.path()).expect_err("refused");
        assert!(error.is_unwritable(), "{error:?}");
        let ledger = Ledger::in_memory().expect("in memory");
        let run = ledger.begin("heal fix", None, false).expect("begun");
        ledger.append(&run, &note("one")).expect("appended");
        assert!(!ledger.is_on_disk());
        assert!(matches!(ledger.verify(), Ok(ChainState::Intact { events: 2, .. })));
    }

    #[test]
    fn no_ledger_is_made_by_reading() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(matches!(Ledger::open_read_only(dir.path()), Err(LedgerError::Absent { .. })));
        assert!(!dir.path().join("heal").exists());
    }

    #[test]
    fn an_error_while_recording_is_kept_for_whoever_asks() {
        let (dir, ledger, run) = filled();
        let listener = LedgerListener::new(Arc::new(ledger), run);
        listener.hear(&note("fine"));
        assert!(listener.take_error().is_none());
        raw(&dir).execute_batch("DROP TABLE events").expect("sql");
        listener.hear(&note("lost"));
        listener.hear(&note("lost as well"));
        assert!(matches!(listener.take_error(), Some(LedgerError::Sqlite { .. })));
        assert!(listener.take_error().is_none());
    }

    #[test]
    fn writers_in_many_threads_keep_one_chain() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                // Each its own connection, as if they were processes.
                let ledger = Ledger::open(dir.path()).expect("opened");
                scope.spawn(move || {
                    let run = ledger.begin("heal fix", None, false).expect("begun");
                    for n in 0..25 {
                        ledger.append(&run, &note(&n.to_string())).expect("appended");
                    }
                });
            }
        });
        let ledger = Ledger::open_read_only(dir.path()).expect("opened");
        assert!(matches!(ledger.verify(), Ok(ChainState::Intact { events: 104, .. })));
    }
}
