//! The ledger's file: its schema, its migrations, and what SQLite's refusals
//! mean.
//!
//! Opens and migrates; reads and writes no row.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::TransactionBehavior;

use super::LedgerError;

pub(super) const IN_MEMORY: &str = ":memory:";

/// How long a writer waits for another process. Its transactions take
/// milliseconds, so a longer wait means a process that hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two attempts to open it.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// `PRAGMA application_id` of a ledger, so that another program's database is
/// not taken for one: "heal" in ASCII.
const APPLICATION_ID: i64 = 0x6865_616c;

/// The schema's history: entry `n` leads from version `n` to `n + 1`. Entries
/// are added, never changed.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (
        n           INTEGER PRIMARY KEY,
        id          TEXT NOT NULL UNIQUE,
        started     TEXT NOT NULL,
        command     TEXT NOT NULL,
        base_commit TEXT,
        dirty       INTEGER NOT NULL,
        exit        INTEGER,
        finished    TEXT,
        report      TEXT
    ) STRICT;
    CREATE TABLE events (
        seq    INTEGER PRIMARY KEY,
        run    TEXT NOT NULL,
        at     TEXT NOT NULL,
        event  TEXT NOT NULL,
        digest TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_of_run ON events (run, seq);
    CREATE TABLE blobs (
        digest TEXT PRIMARY KEY,
        bytes  BLOB NOT NULL
    ) STRICT;
    CREATE TABLE replies (
        n             INTEGER PRIMARY KEY,
        prompt_digest TEXT NOT NULL,
        model         TEXT NOT NULL,
        prompt        TEXT NOT NULL REFERENCES blobs (digest),
        reply         TEXT NOT NULL REFERENCES blobs (digest),
        at            TEXT NOT NULL
    ) STRICT;
    CREATE INDEX replies_by_prompt ON replies (prompt_digest, model);
    CREATE TABLE proposals (
        n        INTEGER PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        run      TEXT NOT NULL,
        failure  TEXT NOT NULL,
        patch    TEXT NOT NULL REFERENCES blobs (digest),
        diff     TEXT NOT NULL,
        evidence TEXT NOT NULL,
        state    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX proposals_of_run ON proposals (run, n);
    CREATE TABLE deliveries (
        n        INTEGER PRIMARY KEY,
        proposal TEXT NOT NULL,
        kind     TEXT NOT NULL,
        detail   TEXT NOT NULL,
        at       TEXT NOT NULL,
        before   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_of_proposal ON deliveries (proposal, n);
    ",
    "
    ALTER TABLE runs ADD COLUMN pruned TEXT;
    ",
];

/// Opens for writing; makes the folder, the file and the schema.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| no_folder(path, &error))?;
    }
    // SQLite does not wait by itself where two processes turn the same new file
    // into a ledger, or one closes it last while another opens it.
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match attempt_to_write(path) {
            Err(LedgerError::Busy { .. }) if Instant::now() < until => std::thread::sleep(BUSY_PAUSE),
            other => return other,
        }
    }
}

fn attempt_to_write(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fail = |source| error(path, "open", source);
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    check(&connection, path)?;
    // Not `pragma_update`: the pragma answers with a row. A file system
    // without shared memory answers with another mode, which serves too.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(fail)?;
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(fail)?;
    migrate(&mut connection, path, MIGRATIONS)?;
    // SQLite opens a write-protected file for reading without a word, and
    // makes its log only when it writes: better to know now than midway.
    if connection.is_readonly("main").map_err(fail)? {
        let detail = "it is write-protected".to_owned();
        return Err(LedgerError::Unwritable { path: path.to_path_buf(), detail });
    }
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(fail)?;
    Ok(connection)
}

fn no_folder(path: &Path, error: &std::io::Error) -> LedgerError {
    let (path, detail) = (path.to_path_buf(), error.to_string());
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            LedgerError::Disk { path, doing: "make", detail }
        }
        _ => LedgerError::Unwritable { path, detail },
    }
}

/// Opens for reading; makes nothing.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, LedgerError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LedgerError::Absent { path: path.to_path_buf() });
        }
        _ => {}
    }
    let connection = match attempt_to_read(path, false) {
        // A reader in WAL mode makes a shared-memory file beside the ledger.
        // Where that is forbidden and no log is left to be read, the file
        // alone is the whole truth (https://www.sqlite.org/wal.html#readonly).
        Err(refused) if refused.is_unwritable() && !log_of(path).exists() => attempt_to_read(path, true)?,
        other => other?,
    };
    let version = version_of(&connection).map_err(|source| error(path, "read", source))?;
    if version < MIGRATIONS.len() as i64 {
        // Only a writer can bring it up to date.
        drop(connection);
        return open(path);
    }
    Ok(connection)
}

fn attempt_to_read(path: &Path, immutable: bool) -> Result<Connection, LedgerError> {
    let fail = |source| error(path, "open", source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        Connection::open_with_flags(uri_of(path), flags | OpenFlags::SQLITE_OPEN_URI).map_err(fail)?
    } else {
        Connection::open_with_flags(path, flags).map_err(fail)?
    };
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    check(&connection, path)?;
    Ok(connection)
}

/// A ledger in memory, schema included.
pub(super) fn in_memory() -> Result<Connection, LedgerError> {
    let path = Path::new(IN_MEMORY);
    let mut connection = Connection::open_in_memory().map_err(|source| error(path, "open", source))?;
    migrate(&mut connection, path, MIGRATIONS)?;
    Ok(connection)
}

/// Whether a commit waits for the disk (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
pub(super) fn set_durable(connection: &Connection, durable: bool) -> rusqlite::Result<()> {
    connection.execute_batch(if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })
}

/// Refuses what is no ledger, and what a newer heal has written, before
/// anything is changed in it.
fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let fail = |source| error(path, "read", source);
    // All at one moment: another process may just be making it a ledger.
    let moment = connection.unchecked_transaction().map_err(fail)?;
    let tables: i64 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    let version = version_of(&moment).map_err(fail)?;
    let application: i64 = moment.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(fail)?;
    drop(moment);
    let empty = version == 0 && tables == 0;
    if !empty && application != APPLICATION_ID {
        let detail = "it is another program's database".to_owned();
        return Err(LedgerError::Corrupt { path: path.to_path_buf(), detail });
    }
    refuse_newer(version, path, MIGRATIONS)
}

fn refuse_newer(version: i64, path: &Path, migrations: &[&str]) -> Result<(), LedgerError> {
    let known = migrations.len() as i64;
    if version > known {
        return Err(LedgerError::Newer { path: path.to_path_buf(), found: version, known });
    }
    Ok(())
}

fn version_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the schema up to date, all steps in one transaction.
fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), LedgerError> {
    let fail = |source| error(path, "migrate", source);
    if version_of(connection).map_err(fail)? == migrations.len() as i64 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    // Read again: another process may have been first.
    let version = version_of(&transaction).map_err(fail)?;
    refuse_newer(version, path, migrations)?;
    for step in migrations.iter().skip(usize::try_from(version).unwrap_or_default()) {
        transaction.execute_batch(step).map_err(fail)?;
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", migrations.len());
    transaction.execute_batch(&stamp).map_err(fail)?;
    transaction.commit().map_err(fail)
}

/// What SQLite's refusal means here (<https://www.sqlite.org/rescode.html>).
pub(super) fn error(path: &Path, doing: &'static str, source: rusqlite::Error) -> LedgerError {
    let path = path.to_path_buf();
    let detail = source.to_string();
    match source.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            LedgerError::Unwritable { path, detail }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LedgerError::Corrupt { path, detail },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Busy { path },
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => LedgerError::Disk { path, doing, detail },
        _ => LedgerError::Sqlite { path, doing, source },
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// `path` as an SQLite URI that says the file does not change
/// (<https://www.sqlite.org/uri.html>).
fn uri_of(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(*byte as char),
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").expect("sql");
        let rows = statement.query_map([], |row| row.get(0)).expect("sql");
        rows.map(|row| row.expect("row")).collect()
    }

    #[test]
    fn a_ledger_of_any_older_schema_is_brought_up_to_date() {
        let steps = ["CREATE TABLE a (x) ", "CREATE TABLE b (x)", "CREATE TABLE c (x)"];
        for from in 0..steps.len() {
            let mut connection = Connection::open_in_memory().expect("sqlite");
            migrate(&mut connection, Path::new("l"), &steps[..from]).expect("older");
            migrate(&mut connection, Path::new("l"), &steps).expect("migrated");
            assert_eq!(tables(&connection), ["a", "b", "c"], "from {from}");
            assert_eq!(version_of(&connection).expect("version"), 3);
        }
    }

    #[test]
    fn a_migration_that_fails_midway_changes_nothing() {
        let mut connection = Connection::open_in_memory().expect("sqlite");
        migrate(&mut connection, Path::new("l"), &["CREATE TABLE a (x)"]).expect("first");
        let error = migrate(&mut connection, Path::new("l"), &["", "CREATE TABLE b (x)", "CREATE NONSENSE"]);
        assert!(matches!(error, Err(LedgerError::Sqlite { doing: "migrate", .. })), "{error:?}");
        assert_eq!(tables(&connection), ["a"]);
        assert_eq!(version_of(&connection).expect("version"), 1);
    }

    #[test]
    fn a_path_with_any_byte_becomes_a_uri() {
        assert_eq!(uri_of(Path::new("/a b/?#%é.db")), "file:/a%20b/%3f%23%25%c3%a9.db?immutable=1");
    }
}
