//! (filled in its own commit)
use super::*;

pub fn compose(
    _project: &Project,
    _site: &Site,
    _request: &Request,
    _channel: &Channel,
) -> Result<Command, RunnerError> {
    todo!()
}

pub fn read(_project: &Project, _site: &Site, _request: &Request, _channel: &Channel, _finished: &Finished) -> Report {
    todo!()
}

pub fn place(_project: &Project, _site: &Site, _id: &str) -> Option<TestPlace> {
    todo!()
}
