//! A shell, or a system that heal does not know: what flags do not say is told
//! by the repository.
//!
//! Reads variables; nothing else.

use super::Ci;
use super::Event;
use super::Lookup;
use super::System;
use super::place;
use super::token;

pub(super) fn read(variable: &Lookup<'_>) -> Ci {
    Ci {
        system: System::Shell,
        event: Event::Branch,
        branch: None,
        commit: None,
        target: None,
        forge: None,
        api: None,
        project: None,
        remote: None,
        token: token(variable, &["HEAL_TOKEN"]),
        run_url: None,
        summary: None,
        outputs: None,
    }
}

impl Ci {
    /// Fills in what only the repository knows: the branch that is checked out,
    /// and where it was cloned from.
    pub fn with_repository(mut self, branch: Option<String>, origin: Option<String>) -> Ci {
        self.branch = self.branch.or(branch);
        if self.remote.is_none()
            && let Some(origin) = origin
        {
            let place = place(&origin);
            self.forge = self.forge.or(place.forge);
            self.api = self.api.or(place.api);
            self.project = self.project.or(place.project);
            self.remote = place.remote;
        }
        self
    }
}
