//! Programs that get the terminal or heal's own place: the user's editor, heal
//! itself in a demo, the compiler behind a wrapper.
//!
//! Waits for the program; bounds nothing, since a person is at it.

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use super::ProcessError;

/// Runs a program with heal's own input and output; returns its exit code, or
/// 128 and the signal that ended it.
///
/// # Errors
/// It cannot be started.
pub fn foreground<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    cwd: &Path,
    environment: &[(&str, PathBuf)],
) -> Result<i32, ProcessError> {
    let mut command = std::process::Command::new(program);
    command.args(arguments).current_dir(cwd).envs(environment.iter().map(|(name, value)| (name, value)));
    let status = command
        .status()
        .map_err(|source| ProcessError::CannotStart { program: program.display().to_string(), source })?;
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ok(128 + signal);
    }
    Ok(status.code().unwrap_or(1))
}

/// Goes on as `program`, in the place of heal's own; returns only where that
/// cannot be started.
pub fn become_program<A: AsRef<OsStr>>(program: &OsStr, arguments: &[A]) -> ProcessError {
    let source = std::os::unix::process::CommandExt::exec(std::process::Command::new(program).args(arguments));
    ProcessError::CannotStart { program: program.to_string_lossy().into_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_programs_own() {
        let here = Path::new(".");
        assert_eq!(foreground(Path::new("sh"), &["-c", "exit 7"], here, &[]).expect("started"), 7);
        let with = [("HEAL_WORD", PathBuf::from("9"))];
        assert_eq!(foreground(Path::new("sh"), &["-c", "exit $HEAL_WORD"], here, &with).expect("started"), 9);
        assert!(foreground(Path::new("/no/such/program"), &["x"], here, &[]).is_err());
    }
}
