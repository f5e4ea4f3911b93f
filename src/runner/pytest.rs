//! pytest, through a plugin that heal injects: nothing need be installed in
//! the user's project.
//!
//! The command is the user's own; the plugin comes by `PYTEST_ADDOPTS` and
//! `PYTHONPATH` (pytest documentation, "How to change command line options
//! defaults"), so that it also reaches pytest through wrappers.

use super::Channel;
use super::Project;
use super::Report;
use super::Request;
use super::RunnerError;
use super::Site;
use super::TestPlace;
use super::python;
use crate::process::Command;
use crate::process::Finished;
use crate::source::RelPath;

/// Composes the command.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    python::compose(project, project.command.clone(), site, request, channel)
}

/// Reads the channel.
pub fn read(project: &Project, site: &Site, _request: &Request, channel: &Channel, finished: &Finished) -> Report {
    python::records::read(project, site, channel, finished)
}

/// What an opaque command needs in its environment, so that a pytest somewhere
/// inside it (`make check`, `tox`) speaks into the channel; empty where the
/// project is not known to be Python.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn opaque_environment(
    site: &Site,
    request: &Request,
    channel: &Channel,
) -> Result<Vec<python::Variable>, RunnerError> {
    python::opaque_environment(site, request, channel)
}

/// Reads what a pytest inside an opaque command told; `None` where none spoke.
pub fn read_channel(project: &Project, site: &Site, channel: &Channel, finished: &Finished) -> Option<Report> {
    python::records::overhear(project, site, channel, finished)
}

/// `tests/test_a.py::TestB::test_c[x]` names its file and function.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    let (file, rest) = id.split_once("::")?;
    // Ids start at pytest's rootdir, which is the project's root or above it.
    let near = project.root.join(file).ok().filter(|path| path.under(&site.tree).is_file());
    let path = near.or_else(|| RelPath::new(file).ok())?;
    let function = rest.split('[').next().unwrap_or(rest).rsplit("::").next().unwrap_or(rest);
    Some(TestPlace { path, function: function.to_owned(), lines: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_file_and_function() {
        let project = Project {
            root: RelPath::root(),
            kind: super::super::RunnerKind::Pytest,
            command: vec![],
            given: false,
            why: String::new(),
        };
        let site = python::tests::site("/nowhere");
        for (id, path, function) in [
            ("tests/test_a.py::test_b", "tests/test_a.py", "test_b"),
            ("t.py::TestB::test_c[a::b c]", "t.py", "test_c"),
        ] {
            let place = place(&project, &site, id).expect("a place");
            assert_eq!((place.path.as_str(), place.function.as_str()), (path, function));
        }
        assert!(place(&project, &site, "t.py").is_none());
    }
}
