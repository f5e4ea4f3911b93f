//! `heal demo`: two small broken projects, and the words around healing them.
//!
//! Writes the projects where it is told to; runs nothing.

use std::io;
use std::path::Path;

/// A project with one bug, which one of its tests shows.
#[derive(Debug)]
pub struct Project {
    /// A name for its folder.
    pub name: &'static str,
    /// What it is, for a person.
    pub title: &'static str,
    /// Its test command.
    pub command: &'static [&'static str],
    /// Its files: path and text.
    pub files: &'static [(&'static str, &'static str)],
}

macro_rules! files {
    ($folder:literal: $($path:literal $(= $stored:literal)?),+ $(,)?) => {
        &[$(($path, include_str!(files!(@ $folder $path $(= $stored)?)))),+]
    };
    (@ $folder:literal $path:literal) => { concat!("../../fixtures/demo/", $folder, "/", $path) };
    (@ $folder:literal $path:literal = $stored:literal) => { concat!("../../fixtures/demo/", $folder, "/", $stored) };
}

/// The projects, in the order they are healed.
///
/// Some files are stored under another name: cargo leaves a folder with a
/// `Cargo.toml` of its own out of heal's package, and git would obey a
/// `.gitignore`.
pub const PROJECTS: &[Project] = &[
    Project {
        name: "agenda",
        title: "a Python project that books meeting rooms",
        command: &["python3", "-m", "unittest"],
        files: files!("python":
            "README.md",
            "pyproject.toml",
            ".gitignore" = "gitignore.txt",
            "agenda/__init__.py",
            "agenda/plan.py",
            "agenda/room.py",
            "agenda/slot.py",
            "tests/__init__.py",
            "tests/test_plan.py",
            "tests/test_room.py",
            "tests/test_slot.py",
        ),
    },
    Project {
        name: "postage",
        title: "a Rust crate that quotes the price of a parcel",
        command: &["cargo", "test"],
        files: files!("rust":
            "README.md",
            "Cargo.toml" = "Cargo.toml.txt",
            "Cargo.lock" = "Cargo.lock.txt",
            ".gitignore" = "gitignore.txt",
            "src/lib.rs",
            "src/parcel.rs",
            "src/price.rs",
            "src/tariff.rs",
            "tests/quotes.rs",
        ),
    },
];

/// Writes a project's files below `dir`, which is made.
///
/// # Errors
/// A folder or a file cannot be written.
pub fn write(project: &Project, dir: &Path) -> io::Result<()> {
    for (path, text) in project.files {
        let file = dir.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, text)?;
    }
    Ok(())
}

/// What is about to happen.
pub fn intro(projects: &[Project]) -> String {
    let count = projects.len();
    let plural = if count == 1 { "" } else { "s" };
    format!(
        "heal demo: {count} small project{plural}, each with one bug and one test that shows it.\n\
         Offline: no model is asked, no socket is opened. Everything happens in a temporary folder.\n"
    )
}

/// What stands before one project is healed; `number` is 1-based.
pub fn before(project: &Project, number: usize, of: usize, dir: &Path) -> String {
    format!(
        "\n── {number} of {of}: {}, {}\n   {}\n   $ heal fix --offline -- {}\n",
        project.name,
        project.title,
        dir.display(),
        project.command.join(" ")
    )
}

/// What stands after one project; `verified` says whether a patch was found.
pub fn after(project: &Project, verified: bool) -> String {
    if verified {
        format!("   {} is healed: the patch above was run, taken out, and run again.\n", project.name)
    } else {
        format!("   {} could not be healed here; `heal doctor` says what may be missing.\n", project.name)
    }
}

/// What is said of a project whose tools are missing.
pub fn skipped(project: &Project, missing: &str) -> String {
    format!("   {} is left out: `{missing}` is not installed here.\n", project.name)
}

/// What to do next; `kept` is the folder, where it was asked to stay.
pub fn outro(kept: Option<&Path>) -> String {
    let kept = kept.map(|dir| format!("The projects are in {}.\n", dir.display())).unwrap_or_default();
    format!("\n{kept}Now yours: go to a repository with a failing test and run `heal fix`.\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Whether the tests pass, and what they printed.
    fn test(project: &Project, dir: &Path) -> (bool, String) {
        let output = Command::new(project.command[0])
            .args(&project.command[1..])
            .args(if project.command[0] == "cargo" { &["--offline", "--no-fail-fast"][..] } else { &[] })
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("CARGO_TARGET_DIR", dir.join("target"))
            .current_dir(dir)
            .output()
            .expect("started");
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
    }

    fn with(project: &Project, file: &str, before: &str, after: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary directory");
        write(project, dir.path()).expect("written");
        let text = std::fs::read_to_string(dir.path().join(file)).expect("a file");
        assert_eq!(text.matches(before).count(), 1, "{before} in {file}");
        std::fs::write(dir.path().join(file), text.replace(before, after)).expect("written");
        dir
    }

    const BUG: &str = "slot.start <= meeting.slot.end and meeting.slot.start < slot.end";

    #[test]
    fn one_test_of_agenda_fails_and_only_the_right_fix_mends_it() {
        let agenda = &PROJECTS[0];
        for (change, mends) in [
            (BUG, false),
            ("slot.start < meeting.slot.end and meeting.slot.start < slot.end", true),
            ("slot.start != meeting.slot.end and meeting.slot.start < slot.end", false),
            ("slot.start <= meeting.slot.start and meeting.slot.start < slot.end", false),
            ("slot.start < meeting.slot.end and meeting.slot.start <= slot.end", false),
            ("slot.start <= meeting.slot.end - 2 and meeting.slot.start < slot.end", false),
            ("slot.start < meeting.slot.end", false),
            ("meeting.slot.start < slot.end", false),
            ("False", false),
        ] {
            let dir = with(agenda, "agenda/room.py", BUG, change);
            let (passes, printed) = test(agenda, dir.path());
            assert_eq!(passes, mends, "{change}:\n{printed}");
            if change == BUG {
                assert!(printed.contains("Ran 12 tests") && printed.contains("FAILED (errors=1)"), "{printed}");
            }
        }
    }

    #[test]
    fn one_test_of_postage_fails_and_the_right_fix_mends_it() {
        let postage = &PROJECTS[1];
        let bug = "round_up(STEP, parcel.counted_grams())";
        let dir = with(postage, "src/price.rs", bug, "round_up(parcel.counted_grams(), STEP)");
        let (passes, printed) = test(postage, dir.path());
        assert!(passes, "{printed}");
        write(postage, dir.path()).expect("written");
        // Cargo compares modification times, and both were written just now.
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
        let source = std::fs::File::options().write(true).open(dir.path().join("src/price.rs")).expect("opened");
        source.set_modified(later).expect("touched");
        let (passes, printed) = test(postage, dir.path());
        assert!(!passes);
        assert_eq!(printed.matches("... FAILED").count(), 1, "{printed}");
        assert!(printed.contains("left: 1200") && printed.contains("right: 1500"), "{printed}");
        let lock = postage.files.iter().find(|(path, _)| *path == "Cargo.lock").expect("a lock").1;
        assert_eq!(std::fs::read_to_string(dir.path().join("Cargo.lock")).expect("a lock"), lock);
    }

    #[test]
    fn every_file_of_a_fixture_is_in_the_table() {
        for (project, folder) in PROJECTS.iter().zip(["python", "rust"]) {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo").join(folder);
            let mut folders = vec![root];
            let mut count = 0;
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).expect("a folder") {
                    let path = entry.expect("an entry").path();
                    if path.is_dir() { folders.push(path) } else { count += 1 }
                }
            }
            assert_eq!(count, project.files.len(), "{}", project.name);
        }
    }

    #[test]
    fn the_words_name_the_project_and_its_command() {
        let dir = Path::new("/tmp/heal-demo/agenda");
        assert!(intro(PROJECTS).contains("2 small projects"));
        let before = before(&PROJECTS[0], 1, 2, dir);
        assert!(before.contains("1 of 2: agenda") && before.contains("-- python3 -m unittest"), "{before}");
        assert!(after(&PROJECTS[0], true).contains("healed") && after(&PROJECTS[0], false).contains("doctor"));
        assert!(skipped(&PROJECTS[1], "cargo").contains("cargo") && outro(Some(dir)).contains("heal-demo"));
    }
}
