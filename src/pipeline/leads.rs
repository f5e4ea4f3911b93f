//! Leads: patches that pass the failing test and miss a later gate, kept for
//! what they are worth.
//!
//! Chooses among what was tried; none of it is ever applied.

use super::reason::Reason;
use crate::propose::Candidate;
use crate::report::LeadReport;
use crate::verify;
use crate::verify::Miss;

/// Patches that are shown as leads.
const MOST: usize = 3;

/// Takes note of a candidate that missed a gate behind the failing test. What
/// passes everything and is merely weak comes first.
pub fn note(leads: &mut Vec<LeadReport>, candidate: &Candidate, miss: &Miss) {
    let weak = verify::is_weak(&miss.gate);
    if !weak && !matches!(miss.gate.as_str(), "near" | "suite" | "stable" | "cause" | "control") {
        return;
    }
    let lead = LeadReport {
        source: candidate.origin.clone(),
        diff: candidate.patch.diff(),
        missed: miss.gate.clone(),
        detail: miss.detail.clone(),
    };
    let before = leads.iter().take_while(|lead| verify::is_weak(&lead.missed)).count();
    leads.insert(if weak { before } else { leads.len() }, lead);
    leads.truncate(MOST);
}

/// The reason to abstain where a patch passes and the tests do not hold it.
pub fn weak(leads: &[LeadReport]) -> Option<Reason> {
    let lead = leads.iter().find(|lead| verify::is_weak(&lead.missed))?;
    Some(Reason::new("only-weak", lead.detail.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Patch;
    use crate::propose::Origin;

    #[test]
    fn what_is_merely_weak_comes_first_and_gives_the_reason() {
        let candidate = Candidate {
            id: "c1".into(),
            origin: Origin { kind: "rule".into(), name: "r".into() },
            patch: Patch::default(),
            explanation: String::new(),
            prior: 1.0,
        };
        let mut leads = Vec::new();
        for gate in ["target", "suite", "stable", "strength", "cause", "special"] {
            note(&mut leads, &candidate, &Miss { gate: gate.into(), detail: gate.into(), output: String::new() });
        }
        let gates: Vec<&str> = leads.iter().map(|lead| lead.missed.as_str()).collect();
        assert_eq!(gates, ["strength", "special", "suite"]);
        assert_eq!(weak(&leads), Some(Reason::new("only-weak", "strength")));
        assert_eq!(weak(&leads[2..]), None);
    }
}
