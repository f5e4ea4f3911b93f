//! What a person may do with a proposal on a terminal: apply it, see the next
//! one, edit it, or leave.
//!
//! Changes nothing before a key is pressed.

use std::ffi::OsString;
use std::io::BufRead;
use std::path::Path;

use heal::pipeline::Tools;
use heal::report::ProposalReport;
use heal::report::RunReport;

use super::output;
use super::output::Failed;

/// Offers the proposals of each failure in turn.
pub fn offer(report: &RunReport, tools: &Tools, repo: &Path) -> Result<(), Failed> {
    let mut seen: Vec<&str> = Vec::new();
    for row in &report.failures {
        let proposals: Vec<&ProposalReport> =
            row.proposals.iter().filter(|proposal| !seen.contains(&proposal.id.as_str())).collect();
        seen.extend(proposals.iter().map(|proposal| proposal.id.as_str()));
        if !choose(&proposals, tools, repo)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks about one failure's proposals; `false` where the person leaves.
fn choose(proposals: &[&ProposalReport], tools: &Tools, repo: &Path) -> Result<bool, Failed> {
    let mut index = 0;
    while let Some(proposal) = proposals.get(index) {
        let next = if index + 1 < proposals.len() { ", [n]ext" } else { "" };
        output::message(&format!("[a]pply{next}, [e]dit, [q]uit? "));
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).map_err(Failed::own)? == 0 {
            return Ok(false);
        }
        match line.trim().to_lowercase().as_str() {
            "a" | "apply" => {
                super::apply::apply_proposal(repo, tools, &proposal.id)?;
                output::message(&format!(
                    "applied to {}; heal undo takes it back",
                    proposal.files.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                ));
                return Ok(true);
            }
            "n" | "next" if index + 1 < proposals.len() => {
                index += 1;
                output::result(&proposals[index].diff);
            }
            "e" | "edit" => {
                super::apply::apply_proposal(repo, tools, &proposal.id)?;
                edit(proposal, tools, repo)?;
                return Ok(true);
            }
            "q" | "quit" | "" => return Ok(false),
            other => output::message(&format!("`{other}` is none of the choices")),
        }
    }
    Ok(true)
}

/// Opens the patched files in the user's editor. What is edited is the
/// user's own work and no longer verified; heal says so.
fn edit(proposal: &ProposalReport, tools: &Tools, repo: &Path) -> Result<(), Failed> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| (tools.variable)(name)).unwrap_or_else(|| "vi".into());
    let root = heal::git::Repository::discover(repo, &tools.launcher)
        .map_err(heal::pipeline::PipelineError::from)?
        .root()
        .to_path_buf();
    // `EDITOR` may hold arguments: `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi").to_owned();
    let files = proposal.files.iter().map(|path| path.under(&root).into_os_string());
    let arguments: Vec<OsString> = words.map(OsString::from).chain(files).collect();
    let opened = heal::process::foreground(Path::new(&program), &arguments, &root, &[]);
    opened.map_err(|error| Failed {
        message: format!("{error}\n  The patch is applied; set EDITOR to a program that is installed"),
        code: 5,
    })?;
    output::message(
        "what you edited is no longer what was verified; heal verify - checks it: git diff | heal verify -",
    );
    Ok(())
}
