//! rustdoc's results as those of a package.
//!
//! Reads text that was already cut into blocks; the package is told by the
//! file in a doc test's name.

use super::*;
use crate::runner::cargo::identity::What;
use crate::trace::rust::log;

impl Reader<'_> {
    /// rustdoc's results; complete where every crate announced has some and
    /// each block is whole.
    pub(super) fn doctests(&mut self, blocks: &[Block], stderr: &str, channel: &Channel) {
        let announced = stderr.lines().filter(|line| line.trim_start().starts_with("Doc-tests ")).count();
        let documents = blocks.iter().filter(|block| is_doctests(block)).count();
        if blocks.iter().any(|block| !block.whole) || documents < announced {
            self.doubt("the doc tests did not run to their end");
        }
        let tests: Vec<(DoctestName, &str, Verdict, &Block)> = blocks
            .iter()
            .flat_map(|block| block.tests.iter().map(move |(name, verdict)| (name, *verdict, block)))
            .filter_map(|(name, verdict, block)| Some((DoctestName::parse(name)?, name.as_str(), verdict, block)))
            .collect();
        let names: Vec<DoctestName> = tests.iter().map(|(name, ..)| name.clone()).collect();
        let stable = doctests::stable_names(&names);
        for ((name, written, verdict, block), stable) in tests.into_iter().zip(stable) {
            let (package, folder) = self.documented(&name.file, stderr);
            let id = Identity { package, what: What::Doctest(stable) }.id();
            let output = block.outputs.get(written).map_or("", String::as_str);
            let failure = (verdict == Verdict::Failed).then(|| {
                let compiled = place::workspace(&self.site.tree, &folder);
                let roots = Roots { compiled: &compiled, running: &folder };
                let mut failure = log::doctest_failure(&id, written, output, &self.site.places, roots);
                if output.contains(&target::deadline_mark(&channel.nonce)) {
                    failure.kind = Kind::Timeout;
                    failure.message = "timed out".to_owned();
                }
                failure
            });
            let status = match verdict {
                Verdict::Passed => Status::Passed,
                Verdict::Failed => Status::Failed,
                Verdict::Ignored => Status::Skipped,
            };
            self.report.tests.push(result(id, status, doctests::UNKNOWN_TIME, failure));
        }
    }

    /// The package whose doc tests lie in `file` (relative to the workspace's
    /// root): the deepest folder that holds it, else the only crate announced.
    fn documented(&self, file: &str, stderr: &str) -> (String, RelPath) {
        let libraries = self.messages.artifacts.iter().filter(|artifact| artifact.target == Target::Lib);
        let holding = libraries.filter_map(|artifact| {
            let folder = self.inside(&artifact.folder)?;
            let root = place::workspace(&self.site.tree, &folder);
            // `src/../README.md` climbs, but starts in the right folder.
            let start = file.split("/..").next().unwrap_or(file);
            root.join(start).is_ok_and(|path| path.is_within(&folder)).then_some((artifact, folder))
        });
        let deepest = holding.max_by_key(|(_, folder)| folder.as_str().len());
        match deepest {
            Some((artifact, folder)) => (artifact.package.clone(), folder),
            None => {
                let name = stderr.lines().find_map(|line| line.trim_start().strip_prefix("Doc-tests "));
                (name.unwrap_or("crate").to_owned(), self.project.root.clone())
            }
        }
    }
}
