//! What this machine can do to confine a command: found out by doing it to
//! heal itself.
//!
//! Leaves nothing behind; decides nothing of what it finds.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Command;
use super::Launcher;
use super::ProcessError;
use super::confine::Confinement;
use super::confine::Layer;
use super::confine::Level;
use super::confine::Means;
use super::confine::Network;
use super::confine::can_filter_calls;
use super::confine::landlock_version;

impl Launcher {
    /// What this machine can do to confine a command: tried with heal itself as
    /// the command. Without a helper there is nothing.
    pub async fn means(&self) -> Means {
        let Some(helper) = self.helper() else {
            return Means { no_namespaces: Some("heal has no helper here".to_owned()), landlock: 0 };
        };
        let landlock = landlock_version();
        let no_namespaces = self.probe(helper, probing(helper, Vec::new())).await;
        Means { no_namespaces, landlock: if can_filter_calls() { landlock } else { 0 } }
    }

    /// Why commands cannot see layers over directories in `place` and over
    /// `lowers`, with all that is written in `place`; `None` where they can.
    /// Tried with heal itself as the command.
    pub async fn no_layers(&self, place: &Path, lowers: &[PathBuf]) -> Option<String> {
        let Some(helper) = self.helper() else { return Some("heal has no helper here".to_owned()) };
        let made = tempfile::Builder::new().prefix("heal-probe-").tempdir_in(place);
        let (_dir, folder) = match made.and_then(|dir| Ok((dir.path().canonicalize()?, dir))) {
            Ok((folder, dir)) => (dir, folder),
            Err(error) => return Some(error.to_string()),
        };
        let layer = |(number, lower): (usize, Option<&PathBuf>)| {
            let own = |name: &str| folder.join(format!("{name}{number}"));
            for name in ["at", "lower", "upper", "work"] {
                std::fs::create_dir_all(own(name))?;
            }
            let lower = lower.cloned().unwrap_or_else(|| own("lower"));
            Ok(Layer { at: own("at"), below: vec![lower], upper: own("upper"), work: own("work") })
        };
        let all = std::iter::once(None).chain(lowers.iter().map(Some));
        let layers: std::io::Result<Vec<Layer>> = all.enumerate().map(layer).collect();
        let why = match layers {
            Err(error) => Some(error.to_string()),
            Ok(layers) => self.probe(helper, probing(helper, layers)).await,
        };
        // The kernel leaves a directory there that nobody may look into.
        for work in (0..=lowers.len()).map(|number| folder.join(format!("work{number}/work"))) {
            let _ = std::fs::set_permissions(work, std::fs::Permissions::from_mode(0o700));
        }
        why
    }

    /// Runs heal itself confined; why it does not run.
    async fn probe(&self, helper: &Path, confinement: Confinement) -> Option<String> {
        let probe = Command::new(helper).arg("--version").cwd("/").time_limit(Duration::from_secs(10));
        match self.run_confined(&probe, Some(&confinement)).await {
            Ok(finished) if finished.exit.is_success() => None,
            Ok(finished) => Some(format!("heal does not run in one: {}", finished.stderr.text.trim())),
            Err(ProcessError::NotConfined { doing, source, .. }) => Some(format!("{doing}: {source}")),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// The confinement by which it is found out what works.
fn probing(helper: &Path, layers: Vec<Layer>) -> Confinement {
    Confinement {
        level: Level::Namespaces,
        landlock: landlock_version() > 0,
        writable: Vec::new(),
        layers,
        private: vec!["/tmp".into()],
        hidden: Vec::new(),
        // Itself and not its folder, which may be the private one.
        shown: vec![helper.to_path_buf()],
        replaced: Vec::new(),
        network: Network::Loopback,
        least_free: 0,
    }
}
