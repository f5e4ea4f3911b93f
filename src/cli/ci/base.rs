//! The tree that says what heal may do: of a pull or merge request the branch
//! it goes to, never the request's own (DECISIONS 29); else what is checked
//! out.
//!
//! Reads git's objects, and fetches one commit where it is not there.

use std::path::Path;

use heal::deliver::owners;
use heal::deliver::owners::Owners;
use heal::deliver::request::ForgeKind;
use heal::deliver::request::push_authorization;
use heal::git::Outbox;
use heal::git::Remote;
use heal::git::Repository;
use heal::options::OptionsError;
use heal::options::ci::Ci;
use heal::options::files::File;
use heal::pipeline::PipelineError;
use heal::source::RelPath;

use super::Failed;

/// Where its objects are.
enum Objects {
    /// Here.
    Here(Repository),
    /// Fetched.
    Fetched(Outbox),
    /// Nowhere: a stranger's request, for which nothing is delivered.
    Nowhere,
}

/// The tree.
pub struct Base {
    objects: Objects,
    revision: String,
    /// Whether it is what is checked out.
    is_own: bool,
}

impl Base {
    /// The tree that is checked out.
    pub fn checked_out(repository: &Repository) -> Base {
        Base { objects: Objects::Here(repository.clone()), revision: "HEAD".into(), is_own: true }
    }

    /// The tree for what runs here.
    ///
    /// # Errors
    /// The branch that a request goes to is not there and cannot be fetched.
    pub fn of(ci: &Ci, stranger: bool, offline: bool, repository: &Repository) -> Result<Base, Failed> {
        let target = ci.request().and(ci.target.as_ref());
        let Some(target) = target else {
            return match ci.request() {
                Some(number) if !stranger => Err(missing(&format!("request {number} goes to"), "it is not named")),
                Some(_) => Ok(Base { objects: Objects::Nowhere, revision: String::new(), is_own: false }),
                None => Ok(Base::checked_out(repository)),
            };
        };
        let here = format!("refs/remotes/origin/{target}");
        if repository.has(&here).map_err(PipelineError::from)? {
            return Ok(Base { objects: Objects::Here(repository.clone()), revision: here, is_own: false });
        }
        if stranger {
            // No token is used for a stranger's request, not even to read.
            return Ok(Base { objects: Objects::Nowhere, revision: String::new(), is_own: false });
        }
        match fetched(ci, target, offline, repository) {
            Ok((outbox, revision)) => Ok(Base { objects: Objects::Fetched(outbox), revision, is_own: false }),
            Err(why) => Err(missing(&format!("`{target}` that this request goes to"), &why)),
        }
    }

    /// The text of a file; `None` where there is none.
    fn read(&self, path: &RelPath) -> Result<Option<String>, Failed> {
        let bytes = match &self.objects {
            Objects::Here(repository) => repository.show(&self.revision, path).map_err(PipelineError::from)?,
            Objects::Fetched(outbox) => outbox.show(&self.revision, path).map_err(PipelineError::from)?,
            Objects::Nowhere => None,
        };
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// `heal.toml` for who stands in `repo`; `None` where the one that is
    /// checked out is the one that counts.
    ///
    /// # Errors
    /// It is not valid, or sets what it may not.
    pub fn file(&self, repo: &Path, repository: &Repository) -> Result<Option<File>, Failed> {
        if self.is_own {
            return Ok(None);
        }
        let start = repo.canonicalize().ok().and_then(|start| RelPath::within(repository.root(), &start));
        let mut folder = start.unwrap_or_default();
        loop {
            let name = if folder.is_root() { "heal.toml".to_owned() } else { format!("{folder}/heal.toml") };
            let path = RelPath::new(&name).map_err(Failed::own)?;
            if let Some(text) = self.read(&path)? {
                let usage = |error: OptionsError| Failed::usage(format!("in {}: {error}", self.revision));
                return File::parse_repository(&text, Path::new(&name)).map(Some).map_err(usage);
            }
            if folder.is_root() {
                return Ok(Some(File::default()));
            }
            folder = folder.parent();
        }
    }

    /// The owners of its files, by the rules of a forge.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn owners(&self, kind: ForgeKind) -> Result<Owners, Failed> {
        for place in owners::places(kind) {
            let path = RelPath::new(place).map_err(Failed::own)?;
            if let Some(text) = self.read(&path)? {
                return Ok(Owners::read(&text, kind));
            }
        }
        Ok(Owners::default())
    }
}

/// Fetches the last commit of the branch, without its history.
fn fetched(ci: &Ci, target: &str, offline: bool, repository: &Repository) -> Result<(Outbox, String), String> {
    if offline {
        return Err("it is not among the branches of the checkout, and --offline fetches nothing".into());
    }
    let url = ci.remote.clone().ok_or("nothing says where to fetch it from")?;
    let authorization = ci.token.as_ref().zip(ci.forge).map(|(token, kind)| push_authorization(kind, token));
    let outbox = repository.outbox().map_err(|error| error.to_string())?;
    let revision = outbox.fetch_branch(&Remote { url, authorization }, target).map_err(|error| error.to_string())?;
    Ok((outbox, revision))
}

fn missing(what: &str, why: &str) -> Failed {
    Failed::usage(format!(
        "the branch {what} is not here, and its heal.toml says what heal may do: {why}\n  \
         Fetch it with the checkout (fetch-depth: 0, or GIT_DEPTH: 0 on GitLab)"
    ))
}
