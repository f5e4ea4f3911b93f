//! One patch for several cases: of patches that each cure a case, the one that
//! cures others too is the better for all of them.
//!
//! One fault has many faces. What was fitted to one of them cures that one
//! alone; what mends the fault cures them all, and that is executed evidence.
//! Looks back only: every later case was offered the patches of the earlier
//! ones already.

use super::PipelineError;
use super::Tools;
use super::case::Case;
use super::docket;
use super::ended::Ended;
use super::ended::Proposal;
use super::prepare::Prepared;
use super::survey::Survey;
use crate::options::Settings;
use crate::patch::Patch;
use crate::verify::Verdict;

/// Trials at most; each is a whole way through the gates.
const TRIALS: usize = 12;

/// Puts the patches of later cases in the first place of earlier ones that they
/// cure as well.
///
/// # Errors
/// The tests cannot be run. That the run is to stop is no error: then what is
/// known stays.
pub async fn look_back(
    prepared: &Prepared,
    survey: &Survey,
    cases: &mut [(Case, Ended)],
    settings: &Settings,
    tools: &Tools,
) -> Result<(), PipelineError> {
    let mut left = TRIALS;
    for later in 1..cases.len() {
        let Some(best) = cases[later].1.proposals.first().cloned() else { continue };
        for earlier in 0..later {
            let (case, ended) = &cases[earlier];
            if ended.proposals.first().is_some_and(|own| own.patch == best.patch) || !is_near(case, &best) {
                continue;
            }
            // The other way round: what cured the earlier cures the later too.
            if ended.proposals.iter().any(|own| cases[later].1.proposals.iter().any(|also| also.patch == own.patch)) {
                continue;
            }
            if left == 0 || tools.interrupt.raised().is_some() {
                return Ok(());
            }
            left -= 1;
            match cures(prepared, survey, case, &best, settings).await {
                Ok(None) => {}
                Ok(Some(proposal)) => {
                    let ended = &mut cases[earlier].1;
                    ended.proposals.insert(0, proposal);
                    ended.reason = None;
                }
                Err(PipelineError::Stopped(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Puts in the first place of each case the proposal that most cases have.
pub fn prefer_shared(cases: &mut [(Case, Ended)]) {
    let all: Vec<Vec<Patch>> = cases
        .iter()
        .map(|(_, ended)| ended.proposals.iter().map(|proposal| proposal.patch.clone()).collect())
        .collect();
    for (_, ended) in cases {
        lift(&mut ended.proposals, |proposal| all.iter().filter(|patches| patches.contains(&proposal.patch)).count());
    }
}

/// Moves the first of those that count most to the front.
fn lift<T>(items: &mut [T], count: impl Fn(&T) -> usize) {
    let counts: Vec<usize> = items.iter().map(count).collect();
    let most = counts.iter().copied().max().unwrap_or_default();
    if let Some(at) = counts.iter().position(|count| *count == most) {
        items[..=at].rotate_right(1);
    }
}

/// Whether the patch changes a file that holds a suspect of the case.
fn is_near(case: &Case, proposal: &Proposal) -> bool {
    proposal.patch.files().into_iter().any(|path| case.diagnosis.suspects.iter().any(|suspect| suspect.path == *path))
}

/// The proposal for the case, where it verifies there.
async fn cures(
    prepared: &Prepared,
    survey: &Survey,
    case: &Case,
    proposal: &Proposal,
    settings: &Settings,
) -> Result<Option<Proposal>, PipelineError> {
    let Some(baseline) = &survey.baseline else { return Ok(None) };
    let mut scratch = prepared.scratch().await?;
    let trials = docket::machine(prepared, case, settings)?;
    Ok(match trials.attempt(&mut *scratch, &proposal.patch, baseline).await? {
        // Where `minimal` leaves less of it here, it is not the same patch.
        Verdict::Verified(proved) if proved.patch == proposal.patch => {
            Some(Proposal { evidence: proved.evidence, ..proposal.clone() })
        }
        Verdict::Verified(_) | Verdict::Missed(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_most_comes_first_and_the_rest_keeps_its_order() {
        let mut items = vec!["a", "bb", "cc", "d"];
        lift(&mut items, |item| item.len());
        assert_eq!(items, ["bb", "a", "cc", "d"]);
        lift(&mut items, |_| 1);
        assert_eq!(items, ["bb", "a", "cc", "d"]);
        lift(&mut Vec::<u8>::new(), |_| 1);
    }
}
