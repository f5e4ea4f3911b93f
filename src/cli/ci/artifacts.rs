//! Reports and patches as files that a pipeline keeps, and its own files for
//! summaries and outputs.
//!
//! Writes into the one folder, and appends to the files that the system names.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use heal::report;
use heal::report::RunReport;

use super::Failed;
use super::orders::Batch;

/// The folder of artifacts.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, unseen by git.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path) -> Result<Folder, Failed> {
        let folder = Folder { path: path.to_owned() };
        std::fs::create_dir_all(path.join("patches")).map_err(|error| cannot(path, &error))?;
        folder.write(".gitignore", "*\n")?;
        Ok(folder)
    }

    /// Writes each patch as a mail: `patches/<fingerprint>.patch`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn patches(&self, batches: &[Batch]) -> Result<(), Failed> {
        let old = std::fs::read_dir(self.path.join("patches")).into_iter().flatten().flatten();
        for entry in old.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "patch")) {
            // One of an earlier run is not of this one.
            std::fs::remove_file(entry.path()).map_err(|error| cannot(&entry.path(), &error))?;
        }
        for batch in batches {
            self.write(&format!("patches/{}.patch", batch.fingerprint), &batch.mail)?;
        }
        Ok(())
    }

    /// Writes the report in every form.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn reports(&self, report: &RunReport) -> Result<(), Failed> {
        self.write("report.json", &report::json::render(report))?;
        self.write("report.md", &report::markdown::render(report))?;
        self.write("report.html", &report::html::render(report))?;
        self.write("report.sarif", &report::sarif::render(report))?;
        self.write("junit.xml", &report::junit::render(report))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failed> {
        let path = self.path.join(name);
        std::fs::write(&path, text).map_err(|error| cannot(&path, &error))
    }
}

/// Appends to a file of the system's.
///
/// # Errors
/// It cannot be written.
pub fn append(path: &Path, text: &str) -> Result<(), Failed> {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| cannot(path, &error))
}

/// The outputs of the step: numbers and addresses alone, one a line.
pub fn outputs(report: &RunReport) -> String {
    let verified = report.failures.iter().filter(|failure| failure.is_verified()).count();
    let plain = |url: &&str| url.chars().all(|c| c.is_ascii_graphic());
    let urls: Vec<&str> = report.requests.iter().map(|request| request.url.as_str()).filter(plain).collect();
    format!(
        "exit={}\nfailures={}\nverified={verified}\nrequests={}\n",
        report.exit,
        report.failures.len(),
        urls.join(" ").trim()
    )
}

fn cannot(path: &Path, error: &std::io::Error) -> Failed {
    Failed::own(format!(
        "cannot write `{}`: {error}\n  Name a folder that can be written with --artifacts",
        path.display()
    ))
}
