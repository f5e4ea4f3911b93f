//! The hash chain over all events, and its check.
//!
//! A row's digest is BLAKE3 over the digest before it and the row's own
//! fields, each with its length, so that no two rows read alike. Documents
//! that are kept beside the chain (reports, proposals, deliveries) enter it
//! through a row that holds their digest; so does what was pruned, which is
//! then no contradiction. The chain proves that what it
//! covers was not changed *without rewriting all that follows*: whoever can
//! write the file can rewrite it whole, which only a head kept elsewhere (a
//! commit trailer, a pull request) shows.

use std::collections::BTreeMap;
use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use super::Ledger;
use super::LedgerError;
use super::Problem;
use super::digest;
use super::now;

/// What came before the first event.
const ORIGIN: &str = "heal ledger 1";

/// How a check of the chain ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// Every row and every kept document is as it was written.
    Intact {
        /// Rows of the chain.
        events: u64,
        /// Digest of the last; empty where there is none.
        head: String,
        /// Runs whose texts were pruned, as the chain itself says.
        pruned: usize,
    },
    /// Something was changed.
    Broken {
        /// The row at which it shows; `None` where a document beside the
        /// chain was changed.
        seq: Option<i64>,
        /// What does not agree, in words.
        why: String,
    },
}

impl Ledger {
    /// Digest of the last event of any run: 64 hexadecimal digits; empty
    /// where nothing was recorded.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn head(&self) -> Result<String, LedgerError> {
        self.read("read", |connection| Ok(last(connection)?.unwrap_or_default()))
    }

    /// Whether some event has the digest `head` (at least 8 hexadecimal
    /// digits of it): whether this ledger still holds what was printed.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn holds(&self, head: &str) -> Result<bool, LedgerError> {
        if head.len() < 8 || !head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(false);
        }
        let head = head.to_ascii_lowercase();
        self.read("read", |connection| {
            let sql = "SELECT 1 FROM events WHERE substr(digest, 1, ?2) = ?1";
            Ok(connection.query_row(sql, params![head, head.len() as i64], |_| Ok(())).optional()?.is_some())
        })
    }

    /// Reads the whole ledger and says whether it is as it was written.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn verify(&self) -> Result<ChainState, LedgerError> {
        self.read("check", |connection| {
            // One transaction, so that a run that goes on meanwhile is not
            // taken for a contradiction.
            connection.execute_batch("BEGIN")?;
            let state = check(connection);
            connection.execute_batch("ROLLBACK")?;
            state
        })
    }
}

/// Adds a row to the chain.
pub(super) fn append(transaction: &Transaction<'_>, run: &str, event: &str) -> Result<(), Problem> {
    let (seq, before): (i64, String) = transaction
        .prepare_cached("SELECT seq, digest FROM events ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((0, digest(ORIGIN.as_bytes())));
    let (seq, at) = (seq + 1, now());
    let link = link(&before, seq, run, &at, event);
    transaction
        .prepare_cached("INSERT INTO events (seq, run, at, event, digest) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![seq, run, at, event, link])?;
    Ok(())
}

/// The row that ties a document kept beside the chain to it.
pub(super) fn seal(transaction: &Transaction<'_>, run: &str, kept: &str, id: &str, sum: &str) -> Result<(), Problem> {
    let row = serde_json::json!({"event": "kept", "kept": kept, "id": id, "digest": sum});
    append(transaction, run, &row.to_string())
}

fn last(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT digest FROM events ORDER BY seq DESC LIMIT 1", [], |row| row.get(0)).optional()
}

fn link(before: &str, seq: i64, run: &str, at: &str, event: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for field in [before, &seq.to_string(), run, at, event] {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// One digest of several fields, none of which can pass for two.
pub(super) fn sum(fields: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// What a row of the chain calls it where the texts of a run are dropped.
pub(super) const PRUNED: &str = "pruned";

/// What the chain says was pruned.
#[derive(Default)]
struct Dropped {
    runs: HashSet<String>,
    blobs: HashSet<String>,
}

fn check(connection: &Connection) -> Result<ChainState, Problem> {
    let mut before = digest(ORIGIN.as_bytes());
    let mut events = 0;
    let mut sealed: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut pruned = Dropped::default();
    let mut statement = connection.prepare("SELECT seq, run, at, event, digest FROM events ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, run, at, event, found): (i64, String, String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        events += 1;
        let broken = |why: String| Ok(ChainState::Broken { seq: Some(seq), why });
        if seq != events as i64 {
            return broken(format!("row {events} is missing"));
        }
        if link(&before, seq, &run, &at, &event) != found {
            return broken(format!("row {seq} of run {run} is not what was written"));
        }
        before = found;
        let Ok(event) = serde_json::from_str::<serde_json::Value>(&event) else {
            return broken(format!("row {seq} of run {run} is no JSON"));
        };
        if event["event"] == "kept" {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let (kept, id, sum) = (text("kept"), text("id"), text("digest"));
            if kept == PRUNED {
                pruned.runs.insert(id.clone());
                let blobs = event["blobs"].as_array().into_iter().flatten();
                pruned.blobs.extend(blobs.filter_map(|blob| blob.as_str().map(str::to_owned)));
            }
            // The last seal counts: a run that was resumed is finished twice,
            // and what is pruned is sealed as it is then. Nothing else changes.
            let may_change = kept == "report" || (kept == "proposal" && pruned.runs.contains(&run));
            let earlier = sealed.insert((kept.clone(), id.clone()), sum.clone());
            if earlier.is_some_and(|earlier| earlier != sum && !may_change) {
                return broken(format!("row {seq} of run {run} says otherwise of {kept} {id} than one before it"));
            }
        }
    }
    if let Some(why) = contradiction(connection, &sealed, &pruned)? {
        return Ok(ChainState::Broken { seq: None, why });
    }
    let head = if events == 0 { String::new() } else { before };
    Ok(ChainState::Intact { events, head, pruned: pruned.runs.len() })
}

/// The documents kept beside the chain: their kind, and for each its id and
/// what is sealed of it. What may change later (a proposal's state) is not.
const KEPT: &[(&str, &str)] = &[
    ("run", "SELECT id, started, command, base_commit, CAST(dirty AS TEXT) FROM runs"),
    ("report", "SELECT id, finished, CAST(exit AS TEXT), report FROM runs WHERE finished IS NOT NULL"),
    ("reply", "SELECT CAST(n AS TEXT), prompt_digest, model, prompt, reply FROM replies"),
    ("proposal", "SELECT id, run, failure, patch, diff, evidence FROM proposals"),
    ("delivery", "SELECT CAST(n AS TEXT), proposal, kind, detail, before FROM deliveries"),
    (PRUNED, "SELECT id, pruned FROM runs WHERE pruned IS NOT NULL"),
];

/// What does not agree between the chain's seals and what is kept.
fn contradiction(
    connection: &Connection,
    sealed: &BTreeMap<(String, String), String>,
    pruned: &Dropped,
) -> Result<Option<String>, Problem> {
    for (kept, sql) in KEPT {
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut seen = 0;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            let fields: Vec<Option<String>> = (1..columns).map(|n| row.get(n)).collect::<Result<_, _>>()?;
            let fields: Vec<&str> = fields.iter().map(|field| field.as_deref().unwrap_or_default()).collect();
            match sealed.get(&((*kept).to_owned(), id.clone())) {
                None => return Ok(Some(format!("{kept} {id} is not in the chain"))),
                Some(digest) if *digest != sum(&fields) => {
                    return Ok(Some(format!("{kept} {id} is not what was written")));
                }
                Some(_) => seen += 1,
            }
        }
        if seen != sealed.keys().filter(|(kind, _)| kind == kept).count() {
            return Ok(Some(format!("a {kept} that the chain speaks of is gone")));
        }
    }
    changed_blob(connection, pruned)
}

fn changed_blob(connection: &Connection, pruned: &Dropped) -> Result<Option<String>, Problem> {
    let mut statement = connection.prepare("SELECT digest, bytes FROM blobs")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(|error| Problem::Damaged(error.to_string()))?;
        if digest(bytes) != name && !(bytes.is_empty() && pruned.blobs.contains(&name)) {
            return Ok(Some(format!("blob {name} is not what was written")));
        }
    }
    let sql = "SELECT prompt FROM replies UNION SELECT reply FROM replies UNION SELECT patch FROM proposals \
               UNION SELECT json_extract(value, '$.blob') FROM deliveries, json_each(deliveries.before) \
               EXCEPT SELECT digest FROM blobs";
    let mut statement = connection.prepare(sql)?;
    let mut missing = statement.query([])?;
    while let Some(row) = missing.next()? {
        // A file that was not there before has no blob.
        if let Some(name) = row.get::<_, Option<String>>(0)? {
            return Ok(Some(format!("blob {name} is gone")));
        }
    }
    Ok(None)
}
