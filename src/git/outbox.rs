//! Commits on their way out: a bare repository of heal's own that borrows the
//! user's objects, and pushes from there.
//!
//! What the user's `.git/config` says (other addresses, proxies, certificates,
//! hooks) has no say here, so that nothing which ran in the tree decides where
//! a token goes. Writes nothing into the user's repository; the token is in
//! the environment of git alone, never on its command line, and goes to the
//! one server it is for.

use std::path::Path;

use super::GitError;
use super::Repository;
use crate::http::Secret;
use crate::patch::Patch;
use crate::process::Command;
use crate::process::Exit;
use crate::source::RelPath;

/// Schemes that are pushed over, and the setting that lets git.
const SCHEMES: [(&str, &str); 3] =
    [("https://", "protocol.https.allow"), ("http://", "protocol.http.allow"), ("file://", "protocol.file.allow")];

/// Where a branch goes, and what opens the door there.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `https://…`, `file://…` or a path on this machine; never with a password.
    pub url: String,
    /// The `Authorization` header; `None` for none.
    pub authorization: Option<Secret>,
}

/// The bare repository; gone with the value.
#[derive(Debug)]
pub struct Outbox {
    dir: tempfile::TempDir,
    repository: Repository,
    author: (String, String),
}

/// Why a branch did not get there. [`PushError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The address cannot be pushed to.
    #[error("`{url}` cannot be pushed to with a token")]
    Scheme {
        /// The address.
        url: String,
    },
    /// No token, a wrong one, or one that may not.
    #[error("pushing to `{url}` is not permitted: {said}")]
    Denied {
        /// The address.
        url: String,
        /// The server's own word.
        said: String,
    },
    /// The server has rules against this branch.
    #[error("`{url}` refuses the branch `{branch}`: {said}")]
    Refused {
        /// The address.
        url: String,
        /// The branch.
        branch: String,
        /// The server's own word.
        said: String,
    },
    /// Somebody else was there first.
    #[error("the branch `{branch}` was changed by somebody else meanwhile")]
    Moved {
        /// The branch.
        branch: String,
    },
    /// No answer.
    #[error("`{url}` cannot be reached: {said}")]
    Unreachable {
        /// The address.
        url: String,
        /// git's own word.
        said: String,
    },
    /// git cannot be used.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl PushError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            PushError::Scheme { .. } => "Name an https:// address with --remote".into(),
            PushError::Denied { .. } => {
                "Give heal a token that may write to the repository (HEAL_TOKEN), or the job the permission to".into()
            }
            PushError::Refused { .. } => "Let the token's owner create branches that begin with heal/".into(),
            PushError::Moved { .. } => "Nothing was overwritten; the next run looks at it again".into(),
            PushError::Unreachable { .. } => "Run the job again; the patch is among the artifacts".into(),
            PushError::Git(error) => error.hint().unwrap_or_else(|| "The patch is among the artifacts".into()),
        }
    }
}

impl Repository {
    /// Makes an outbox for commits on this repository's history.
    ///
    /// # Errors
    /// git or the disk refuses.
    pub fn outbox(&self) -> Result<Outbox, GitError> {
        let fail = |doing: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| GitError::Io { doing, path, source }
        };
        let temporary = std::env::temp_dir();
        let dir = tempfile::Builder::new()
            .prefix("heal-outbox-")
            .tempdir()
            .map_err(fail("create a folder in", &temporary))?;
        let format = self.git.answer(["rev-parse", "--show-object-format"])?.unwrap_or_else(|| "sha1".into());
        let git = self.git.bare(dir.path());
        git.run(&git.command(["init", "--quiet", "--bare", &format!("--object-format={format}"), "--template="]))?;
        let alternates = dir.path().join("objects/info/alternates");
        if let Some(folder) = alternates.parent() {
            std::fs::create_dir_all(folder).map_err(fail("create", folder))?;
        }
        let objects = self.common_dir.join("objects");
        std::fs::write(&alternates, format!("{}\n", objects.display())).map_err(fail("write", &alternates))?;
        // A shallow clone's last commits have parents that are nowhere.
        let shallow = self.common_dir.join("shallow");
        if shallow.is_file() {
            let copy = dir.path().join("shallow");
            std::fs::copy(&shallow, &copy).map_err(fail("write", &copy))?;
        }
        let path = dir.path().to_owned();
        let repository = Repository { root: path.clone(), git_dir: path.clone(), common_dir: path, git };
        Ok(Outbox { dir, repository, author: self.author()? })
    }
}

impl Outbox {
    /// Whether `commit` is there to build on.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn has(&self, commit: &str) -> Result<bool, GitError> {
        self.repository.has(commit)
    }

    /// Fetches the last commit of a branch without its history; returns the
    /// name it has here.
    ///
    /// # Errors
    /// The server does not give it.
    pub fn fetch_branch(&self, remote: &Remote, branch: &str) -> Result<String, PushError> {
        let name = "refs/heal/base";
        let refs = format!("+refs/heads/{branch}:{name}");
        let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--", &remote.url, &refs];
        self.speak(remote, branch, &args)?;
        Ok(name.to_owned())
    }

    /// The bytes of `path` in `revision`; `None` where there is none.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn show(&self, revision: &str, path: &RelPath) -> Result<Option<Vec<u8>>, GitError> {
        self.repository.show(revision, path)
    }

    /// Fetches one commit without its history.
    ///
    /// # Errors
    /// The server does not give it.
    pub fn fetch(&self, remote: &Remote, commit: &str) -> Result<(), PushError> {
        let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--", &remote.url, commit];
        self.speak(remote, commit, &args)
    }

    /// Commits `patch` on `parent`; returns the commit.
    ///
    /// # Errors
    /// A file in `parent` is not what the patch changes.
    pub fn commit(&self, parent: &str, patch: &Patch, message: &str) -> Result<String, GitError> {
        self.repository.commit_on(parent, patch, message, self.author.clone())
    }

    /// Makes `branch` there point at `commit`, where it points at `expected`
    /// (`None`: where it is not there) until now.
    ///
    /// # Errors
    /// The server refuses, somebody else was first, or there is no answer;
    /// nothing there is changed then.
    pub fn push(&self, remote: &Remote, commit: &str, branch: &str, expected: Option<&str>) -> Result<(), PushError> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", expected.unwrap_or_default());
        let refs = format!("{commit}:refs/heads/{branch}");
        self.speak(remote, branch, &["push", "--quiet", "--no-verify", &lease, "--", &remote.url, &refs])
    }

    /// Removes `branch` there, where it points at `expected`.
    ///
    /// # Errors
    /// As for [`Outbox::push`].
    pub fn remove(&self, remote: &Remote, branch: &str, expected: &str) -> Result<(), PushError> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{expected}");
        let refs = format!(":refs/heads/{branch}");
        self.speak(remote, branch, &["push", "--quiet", "--no-verify", &lease, "--", &remote.url, &refs])
    }

    /// The folder it lies in.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn speak(&self, remote: &Remote, what: &str, args: &[&str]) -> Result<(), PushError> {
        let command = self.command(remote, args)?;
        let output = self.repository.git.attempt(&command, None)?;
        if output.exit.is_success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let timed_out = matches!(output.exit, Exit::TimedOut);
        Err(read(&stderr, timed_out, remote, what))
    }

    /// The call, with the one transport that it needs and the header for the
    /// one server. Settings in the environment come after the user's own.
    fn command(&self, remote: &Remote, args: &[&str]) -> Result<Command, PushError> {
        let refused = || PushError::Scheme { url: crate::http::without_user(&remote.url) };
        let local = Path::new(&remote.url).is_absolute();
        let known = SCHEMES.iter().find(|(scheme, _)| remote.url.starts_with(scheme));
        let allow = match known {
            Some((_, setting)) => *setting,
            None if local => "protocol.file.allow",
            None => return Err(refused()),
        };
        let mut settings =
            vec![(allow.to_owned(), "always".to_owned()), ("http.followRedirects".into(), "false".into())];
        if let Some(authorization) = remote.authorization.as_ref().filter(|_| remote.url.starts_with("http")) {
            // An empty value first: a checkout may have left a header of its own.
            settings.push((format!("http.{}.extraHeader", remote.url), String::new()));
            let header = format!("Authorization: {}", authorization.reveal());
            settings.push((format!("http.{}.extraHeader", remote.url), header));
        }
        let mut command = self.repository.git.command(args.iter().copied());
        let given = self.repository.git.settings_given();
        for (at, (name, value)) in settings.iter().enumerate() {
            let at = given + at;
            command = command.env(format!("GIT_CONFIG_KEY_{at}"), name).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        Ok(command.env("GIT_CONFIG_COUNT", (given + settings.len()).to_string()))
    }
}

/// What git's and the server's words mean. git's are those of 2.30 to 2.50 in
/// the C locale (`transport-helper.c`, `http.c`, `remote-curl.c`).
fn read(stderr: &str, timed_out: bool, remote: &Remote, what: &str) -> PushError {
    let url = crate::http::without_user(&remote.url);
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    let branch = what.to_owned();
    let said = said(stderr);
    if timed_out {
        return PushError::Unreachable { url, said: "it did not answer in time".into() };
    }
    if has(&["(stale info)", "(fetch first)", "(non-fast-forward)", "reference already exists", "cannot lock ref"]) {
        return PushError::Moved { branch };
    }
    if has(&["[remote rejected]", "hook declined", "GH006", "GH013"]) {
        return PushError::Refused { url, branch, said };
    }
    let denied = [
        "Authentication failed",
        "could not read Username",
        "error: 401",
        "error: 403",
        "Permission to",
        "denied",
        "not allowed to push",
    ];
    if has(&denied) {
        return PushError::Denied { url, said };
    }
    PushError::Unreachable { url, said }
}

/// The line that tells most: the server's, else git's error, else the last.
fn said(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let by = |start: &str| lines.iter().find_map(|line| line.strip_prefix(start)).map(str::trim);
    let remote = by("remote: error:").or_else(|| by("remote: ERROR:")).or_else(|| by("remote:"));
    let said = remote.filter(|said| !said.is_empty()).or_else(|| by("fatal:")).or_else(|| by("error:"));
    said.or(lines.last().copied()).unwrap_or("git says nothing").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::fixture::Fixture;
    use super::*;

    fn patch() -> Patch {
        Patch::of_file(RelPath::new("a.py").expect("path"), "x = 1\n", "x = 2\n")
    }

    /// A repository, a bare one that holds the same, and the way to it.
    fn pair() -> (Fixture, Remote, String) {
        let fixture = Fixture::with(&[("a.py", "x = 1\n")]);
        let bare = fixture.dir.path().join("remote.git");
        let bare = bare.to_str().expect("text");
        fixture.git(&["-c", "protocol.file.allow=always", "clone", "-q", "--bare", ".", bare]);
        let head = fixture.git(&["rev-parse", "HEAD"]);
        let remote = Remote { url: format!("file://{bare}"), authorization: None };
        (fixture, remote, head)
    }

    fn there(fixture: &Fixture, branch: &str) -> Option<String> {
        let bare = fixture.dir.path().join("remote.git");
        let refs = fixture.git(&[
            "--git-dir",
            bare.to_str().expect("text"),
            "for-each-ref",
            "--format=%(refname) %(objectname)",
        ]);
        let name = format!("refs/heads/{branch} ");
        refs.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
    }

    #[test]
    fn a_branch_is_made_moved_and_removed_and_the_users_repository_is_as_it_was() {
        let (fixture, remote, head) = pair();
        let before = fixture.git(&["for-each-ref"]);
        let outbox = fixture.repository().outbox().expect("outbox");
        assert!(outbox.has(&head).expect("asked") && !outbox.has(&"1".repeat(40)).expect("asked"));
        let first = outbox.commit(&head, &patch(), "one\n").expect("committed");
        outbox.push(&remote, &first, "heal/x", None).expect("pushed");
        assert_eq!(there(&fixture, "heal/x"), Some(first.clone()));
        let second = outbox.commit(&head, &patch(), "two\n").expect("committed");
        assert!(matches!(outbox.push(&remote, &second, "heal/x", None), Err(PushError::Moved { .. })));
        assert!(matches!(outbox.push(&remote, &second, "heal/x", Some(&head)), Err(PushError::Moved { .. })));
        outbox.push(&remote, &second, "heal/x", Some(&first)).expect("moved");
        assert_eq!(there(&fixture, "heal/x"), Some(second.clone()));
        assert!(matches!(outbox.remove(&remote, "heal/x", &first), Err(PushError::Moved { .. })));
        outbox.remove(&remote, "heal/x", &second).expect("removed");
        assert_eq!(there(&fixture, "heal/x"), None);
        assert_eq!(fixture.git(&["for-each-ref"]), before);
        assert!(fixture.git(&["fsck", "--unreachable"]).is_empty(), "no object is left in the user's repository");
    }

    #[test]
    fn the_users_configuration_does_not_say_where_a_push_goes() {
        let (fixture, remote, head) = pair();
        let elsewhere = fixture.dir.path().join("elsewhere.git");
        fixture.git(&["init", "-q", "--bare", elsewhere.to_str().expect("text")]);
        let key = format!("url.file://{}.insteadOf", elsewhere.display());
        fixture.git(&["config", &key, &remote.url]);
        fixture.git(&["config", "push.pushOption", "merge_request.create"]);
        let outbox = fixture.repository().outbox().expect("outbox");
        let commit = outbox.commit(&head, &patch(), "one\n").expect("committed");
        outbox.push(&remote, &commit, "heal/x", None).expect("pushed");
        assert_eq!(there(&fixture, "heal/x"), Some(commit));
    }

    #[test]
    fn a_shallow_clone_pushes_and_fetches_what_it_lacks() {
        let (fixture, remote, head) = pair();
        fixture.write("a.py", "x = 1\ny = 1\n");
        fixture.commit("second");
        fixture.git(&["-c", "protocol.file.allow=always", "push", "-q", &remote.url, "main"]);
        let shallow = fixture.dir.path().join("shallow");
        fixture.git(&[
            "-c",
            "protocol.file.allow=always",
            "clone",
            "-q",
            "--depth=1",
            &remote.url,
            shallow.to_str().expect("text"),
        ]);
        let clone = Repository::discover(&shallow, &fixture.launcher).expect("clone");
        let outbox = clone.outbox().expect("outbox");
        assert!(!outbox.has(&head).expect("asked"));
        outbox.fetch(&remote, &head).expect("fetched");
        let commit = outbox.commit(&head, &patch(), "one\n").expect("committed");
        outbox.push(&remote, &commit, "heal/x", None).expect("pushed");
        assert_eq!(there(&fixture, "heal/x"), Some(commit));
        let shown = std::fs::read_to_string(shallow.join(".git/shallow")).expect("shallow");
        assert!(!shown.contains(&head), "the user's clone has the history it had");
    }

    #[test]
    fn a_server_that_is_not_there_refuses_or_wants_a_password_is_told_apart() {
        let remote = Remote { url: "https://forge.example/a/b.git".into(), authorization: None };
        for (stderr, wanted) in [
            ("fatal: unable to access 'https://x/': The requested URL returned error: 403", "not permitted"),
            (
                "remote: Permission to a/b.git denied to github-actions[bot].\nfatal: unable to access 'https://x/': The requested URL returned error: 403",
                "Permission to a/b.git denied",
            ),
            ("remote: HTTP Basic: Access denied.\nfatal: Authentication failed for 'https://x/'", "not permitted"),
            ("fatal: could not read Username for 'https://x': terminal prompts disabled", "not permitted"),
            (
                "remote: GitLab: You are not allowed to push code to this project.\nfatal: unable to access 'https://x/': The requested URL returned error: 403",
                "not permitted",
            ),
            (
                "remote: error: GH006: Protected branch update failed\n ! [remote rejected] a -> heal/x (protected branch hook declined)",
                "GH006",
            ),
            (" ! [rejected]  a -> heal/x (stale info)\nerror: failed to push some refs", "somebody else"),
            ("fatal: unable to access 'https://x/': Could not resolve host: forge.example", "cannot be reached"),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 502", "cannot be reached"),
        ] {
            let told = read(stderr, false, &remote, "heal/x").to_string();
            assert!(told.contains(wanted), "{stderr}: {told}");
        }
        assert!(read("", true, &remote, "heal/x").to_string().contains("in time"));
    }

    #[test]
    fn a_token_is_never_on_a_command_line_and_only_for_its_server() {
        let fixture = Fixture::with(&[("a.py", "x = 1\n")]);
        let outbox = fixture.repository().outbox().expect("outbox");
        let remote =
            Remote { url: "https://forge.example/a/b.git".into(), authorization: Some(Secret::new("Basic c2VjcmV0")) };
        let command = outbox.command(&remote, &["push", "--", &remote.url]).expect("composed");
        let argv: Vec<String> = command.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert!(!argv.join(" ").contains("c2VjcmV0"));
        let env: Vec<String> = command
            .env
            .iter()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value.as_ref()?.to_str()?)))
            .collect();
        assert!(env.iter().any(|line| line.ends_with("=http.https://forge.example/a/b.git.extraHeader")), "{env:?}");
        assert!(env.iter().any(|line| line.ends_with("=Authorization: Basic c2VjcmV0")), "{env:?}");
        let file = Remote { url: "file:///srv/b.git".into(), ..remote.clone() };
        assert!(!format!("{:?}", outbox.command(&file, &["push"]).expect("composed").env).contains("c2VjcmV0"));
        for url in ["ssh://git@forge.example/a/b.git", "git@forge.example:a/b.git", "ext::sh -c x", "b.git"] {
            let remote = Remote { url: url.into(), ..remote.clone() };
            assert!(matches!(outbox.command(&remote, &["push"]), Err(PushError::Scheme { .. })), "{url}");
        }
    }
}
