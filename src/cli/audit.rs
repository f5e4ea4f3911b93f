//! `heal audit`: whether the record is as it was written.
//!
//! Checks the hash chain, heads that were kept elsewhere, and those in the
//! trailers of heal's commits; changes nothing.

use std::path::PathBuf;

use clap::Args;
use heal::git::Marked;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::ChainState;
use heal::ledger::Ledger;
use heal::pipeline::PipelineError;
use serde_json::json;

use super::output;
use super::output::Failed;
use super::setup;

/// The arguments of `heal audit`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// A head that was kept elsewhere, which the record must still hold
    #[arg(long, value_name = "DIGEST")]
    pub head: Vec<String>,
    /// Print the whole chain as JSON lines
    #[arg(long, conflicts_with = "json")]
    pub export: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
}

/// What was found.
#[derive(Debug)]
struct Audit {
    state: ChainState,
    /// Heads that were given, and whether the record holds them.
    heads: Vec<(String, bool)>,
    /// Commits whose run is in the record and whose head is not.
    torn: Vec<Marked>,
    /// Commits whose head the record holds.
    held: usize,
    /// Commits whose run is not in the record.
    foreign: usize,
}

/// Runs `heal audit`; returns the exit code: 0 where the record is sound, 1
/// where it is not.
pub fn run(arguments: &Arguments) -> Result<i32, Failed> {
    for head in &arguments.head {
        if head.len() < 8 || !head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failed::usage(format!(
                "`{head}` is no head\n  A head is 64 hexadecimal digits, of which at least 8 must be given"
            )));
        }
    }
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(&arguments.repo, &launcher).map_err(PipelineError::from)?;
    let ledger = Ledger::open_read_only(repository.common_dir()).map_err(Failed::ledger)?;
    if arguments.export {
        let mut lines = String::new();
        ledger
            .rows(&mut |row| {
                // A row has only text and numbers.
                lines.push_str(&serde_json::to_string(&row).unwrap_or_default());
                lines.push('\n');
            })
            .map_err(Failed::ledger)?;
        output::result(&lines);
        return Ok(0);
    }
    let commits = repository.marked_commits().map_err(PipelineError::from)?;
    let audit = audit(&ledger, &arguments.head, commits)?;
    output::result(&if arguments.json { in_json(&audit) } else { in_words(&audit) });
    Ok(i32::from(!audit.is_sound()))
}

fn audit(ledger: &Ledger, given: &[String], commits: Vec<Marked>) -> Result<Audit, Failed> {
    let holds = |head: &str| ledger.holds(head).map_err(Failed::ledger);
    let state = ledger.verify().map_err(Failed::ledger)?;
    let heads = given.iter().map(|head| Ok((head.clone(), holds(head)?))).collect::<Result<Vec<_>, Failed>>()?;
    let mut audit = Audit { state, heads, torn: Vec::new(), held: 0, foreign: 0 };
    for commit in commits {
        if holds(&commit.ledger)? {
            audit.held += 1;
        } else if ledger.run(&commit.run).is_ok() {
            audit.torn.push(commit);
        } else {
            audit.foreign += 1;
        }
    }
    Ok(audit)
}

impl Audit {
    fn is_sound(&self) -> bool {
        matches!(self.state, ChainState::Intact { .. })
            && self.torn.is_empty()
            && self.heads.iter().all(|(_, held)| *held)
    }
}

fn in_words(audit: &Audit) -> String {
    let mut out = match &audit.state {
        ChainState::Intact { events, head, .. } if head.is_empty() => format!("the chain is whole: {events} events\n"),
        ChainState::Intact { events, head, .. } => format!("the chain is whole: {events} events, head {head}\n"),
        ChainState::Broken { why, .. } => format!("the chain is BROKEN: {why}\n"),
    };
    if let ChainState::Intact { pruned, .. } = &audit.state
        && *pruned > 0
    {
        out.push_str(&format!("runs whose texts were pruned, as the chain itself says: {pruned}\n"));
    }
    for (head, held) in &audit.heads {
        out.push_str(&match held {
            true => format!("the head {head} is in it\n"),
            false => format!("the head {head} is NOT in it: rows are gone, or it is another repository's\n"),
        });
    }
    if audit.held > 0 {
        out.push_str(&format!("commits whose trailer agrees: {}\n", audit.held));
    }
    for commit in &audit.torn {
        let short = &commit.commit[..commit.commit.len().min(12)];
        out.push_str(&format!("the head in commit {short} is NOT in it, though run {} is\n", commit.run));
    }
    if audit.foreign > 0 {
        out.push_str(&format!(
            "commits of runs that are not recorded here: {} (another clone's, or rows that are gone; a head kept \
             elsewhere tells which: --head)\n",
            audit.foreign
        ));
    }
    out
}

/// `heal.audit/1`.
fn in_json(audit: &Audit) -> String {
    let (events, head, pruned, seq, why) = match &audit.state {
        ChainState::Intact { events, head, pruned } => (Some(events), Some(head), Some(pruned), None, None),
        ChainState::Broken { seq, why } => (None, None, None, *seq, Some(why)),
    };
    let heads: Vec<_> = audit.heads.iter().map(|(head, held)| json!({"head": head, "held": held})).collect();
    let torn: Vec<_> = audit.torn.iter().map(|one| json!({"commit": one.commit, "run": one.run})).collect();
    format!(
        "{:#}\n",
        json!({
            "schema": "heal.audit/1",
            "sound": audit.is_sound(),
            "chain": {"events": events, "head": head, "pruned": pruned, "broken_at": seq, "why": why},
            "heads": heads,
            "trailers": {"agree": audit.held, "torn": torn, "foreign": audit.foreign},
        })
    )
}
