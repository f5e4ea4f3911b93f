//! The second half of `heal ci` and of `heal ci merge`: patches and reports go
//! where a reviewer finds them.
//!
//! Heals nothing; what cannot be delivered is among the artifacts first.

use std::path::Path;
use std::path::PathBuf;

use heal::git::Repository;
use heal::options::Settings;
use heal::options::ci::Ci;
use heal::report::RunReport;

use super::Failed;
use super::Kit;
use super::PlaceFlags;
use super::artifacts;
use super::base::Base;
use super::desk;
use super::orders;
use super::orders::Whole;
use crate::cli::fix;
use crate::cli::output::Look;

/// Where things go.
pub struct Handover<'a> {
    /// Where requests go.
    pub place: &'a PlaceFlags,
    /// Where heal runs.
    pub ci: &'a Ci,
    /// The repository.
    pub repository: &'a Repository,
    /// The tree that says who reviews.
    pub base: &'a Base,
    /// How the forge is reached.
    pub settings: &'a Settings,
    /// The run's tools.
    pub kit: &'a Kit,
    /// The folder of artifacts.
    pub artifacts: &'a Path,
    /// Further reports.
    pub reports: &'a [PathBuf],
    /// Whether the report is printed as JSON.
    pub json: bool,
    /// Whether a forge may be spoken to.
    pub delivers: bool,
    /// How it is printed.
    pub look: Look,
}

impl Handover<'_> {
    /// Writes, delivers, records and prints; returns the report as it is
    /// recorded. `passed`: tests whose requests may be closed.
    ///
    /// # Errors
    /// A file cannot be written, or the settings of the forge cannot be used.
    pub fn carry_out<'p>(
        &self,
        mut report: RunReport,
        passed: impl Iterator<Item = &'p String>,
        whole: &Whole<'_>,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<RunReport, Failed> {
        let folder = artifacts::Folder::create(self.artifacts)?;
        let shown = self.kit.tools.shown.document(&report);
        let batches = orders::of(&shown, "", self.ci, &self.settings.policy, whole)?;
        folder.patches(&batches)?;
        let plan = match self.delivers {
            true => {
                desk::Plan::new(self.place, self.ci, self.repository, self.settings, self.kit, self.base, &mut report)?
            }
            false => None,
        };
        let undelivered =
            plan.and_then(|plan| runtime.block_on(plan.carry_out(&batches, passed, &mut report, &self.kit.tools)));
        if let Some(code) = undelivered.filter(|_| report.exit <= 1) {
            report.exit = code;
        }
        let shown = fix::record(self.kit, &report)?;
        self.kit.progress.finish();
        folder.reports(&shown)?;
        for path in self.reports {
            fix::write_report(path, &shown)?;
        }
        super::tell(self.json, &shown, self.ci, self.look)?;
        Ok(shown)
    }
}
