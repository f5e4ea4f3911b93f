//! What models answered: kept before it is used, so that nothing is paid for
//! twice.
//!
//! Never asks anyone; a reply is bytes here.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use super::Ledger;
use super::LedgerError;
use super::Problem;
use super::chain;
use super::digest;
use super::now;

/// A model's answer, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Digest of the reply's bytes, as in [`crate::event::Event::Answered`].
    pub digest: String,
    /// The reply, as it was handed in.
    pub text: String,
    /// When it was kept: RFC 3339, UTC.
    pub at: String,
}

impl Ledger {
    /// Keeps a model's reply; on the disk before this returns, so that it can
    /// be used. Returns the reply's digest.
    ///
    /// `prompt_digest` names the whole request (whoever asks decides what
    /// belongs to it); `prompt` and `reply` are what is shown and read again,
    /// secrets taken out.
    ///
    /// # Errors
    /// The ledger cannot be written: the reply must not be lost then.
    pub fn keep_reply(
        &self,
        run: &str,
        prompt_digest: &str,
        model: &str,
        prompt: &str,
        reply: &str,
    ) -> Result<String, LedgerError> {
        self.write("write", true, |transaction| {
            let prompt = keep_blob(transaction, prompt.as_bytes())?;
            let reply = keep_blob(transaction, reply.as_bytes())?;
            transaction.execute(
                "INSERT INTO replies (prompt_digest, model, prompt, reply, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![prompt_digest, model, prompt, reply, now()],
            )?;
            let n = transaction.last_insert_rowid().to_string();
            let sum = chain::sum(&[prompt_digest, model, &prompt, &reply]);
            chain::seal(transaction, run, "reply", &n, &sum)?;
            Ok(reply)
        })
    }

    /// The first reply that `model` gave to this request, in any run; `None`
    /// also where it was pruned.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn find_reply(&self, prompt_digest: &str, model: &str) -> Result<Option<Reply>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT blobs.digest, blobs.bytes, replies.at FROM replies \
                       JOIN blobs ON blobs.digest = replies.reply \
                       WHERE prompt_digest = ?1 AND model = ?2 ORDER BY n LIMIT 1";
            let row: Option<(String, Vec<u8>, String)> = connection
                .query_row(sql, [prompt_digest, model], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((digest, bytes, at)) = row else { return Ok(None) };
            if is_pruned(&digest, &bytes) {
                return Ok(None);
            }
            Ok(Some(Reply { digest, text: text_of(bytes)?, at }))
        })
    }

    /// Keeps bytes under their digest, which it returns.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn keep_blob(&self, bytes: &[u8]) -> Result<String, LedgerError> {
        self.write("write", false, |transaction| keep_blob(transaction, bytes))
    }

    /// The bytes kept under `digest`; `None` where there are none, or none any
    /// more.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT bytes FROM blobs WHERE digest = ?1";
            let bytes: Option<Vec<u8>> = connection.query_row(sql, [digest], |row| row.get(0)).optional()?;
            Ok(bytes.filter(|bytes| !is_pruned(digest, bytes)))
        })
    }
}

pub(super) fn keep_blob(transaction: &Transaction<'_>, bytes: &[u8]) -> Result<String, Problem> {
    let name = digest(bytes);
    transaction
        // One that was pruned is there again.
        .prepare_cached(
            "INSERT INTO blobs (digest, bytes) VALUES (?1, ?2) \
             ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes WHERE length(blobs.bytes) = 0",
        )?
        .execute(params![name, bytes])?;
    Ok(name)
}

/// Whether the blob `name` holds nothing any more.
pub(super) fn is_pruned(name: &str, bytes: &[u8]) -> bool {
    bytes.is_empty() && name != digest(b"")
}

pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|_| Problem::Damaged("a kept text is not UTF-8".to_owned()))
}
