//! `heal man`: manual pages, one for heal and one for each command.

use std::io;
use std::path::Path;

/// A page: its file's name (`heal-fix.1`) and its text in roff.
pub type Page = (String, Vec<u8>);

/// The page of heal itself.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut bytes)?;
    Ok(bytes)
}

/// The pages of heal and of each of its commands, however deep; hidden ones
/// are left out.
///
/// # Errors
/// As for [`page`].
pub fn pages(command: &clap::Command) -> io::Result<Vec<Page>> {
    let mut built = command.clone();
    built.build();
    let mut pages = Vec::new();
    collect(&built, &mut pages)?;
    Ok(pages)
}

fn collect(command: &clap::Command, pages: &mut Vec<Page>) -> io::Result<()> {
    // Once built, a command of a command is displayed as `heal-fix`, which is
    // the name of its page too (man-pages(7)).
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    pages.push((format!("{name}.1"), page(command)?));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        collect(inner, pages)?;
    }
    Ok(())
}

/// Writes all pages into `folder`, which is made; returns their number.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write(command: &clap::Command, folder: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let pages = pages(command)?;
    for (name, text) in &pages {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(pages.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heal() -> clap::Command {
        let ci = clap::Command::new("ci").subcommand(clap::Command::new("ask").about("Ask a model"));
        clap::Command::new("heal")
            .about("Propose verified fixes")
            .subcommand(clap::Command::new("fix").about("Find what fails"))
            .subcommand(clap::Command::new("__helper").hide(true))
            .subcommand(ci)
    }

    #[test]
    fn every_command_has_a_page_and_hidden_ones_have_none() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(write(&heal(), &folder.path().join("man1")).expect("written"), 4);
        let mut names: Vec<String> = std::fs::read_dir(folder.path().join("man1"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["heal-ci-ask.1", "heal-ci.1", "heal-fix.1", "heal.1"]);
        let text = std::fs::read_to_string(folder.path().join("man1/heal-fix.1")).expect("a page");
        assert!(text.contains(".TH heal-fix 1") && text.contains("Find what fails"), "{text}");
    }
}
