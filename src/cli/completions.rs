//! `heal completions SHELL`: what a shell needs to complete heal's commands.
//!
//! Returns the script; installs nothing.

use clap_complete::Shell;

/// The completion script of `command` for `shell`.
pub fn render(command: &clap::Command, shell: Shell) -> String {
    let mut bytes = Vec::new();
    let mut command = command.clone();
    clap_complete::generate(shell, &mut command, "heal", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_the_subcommands() {
        let command = clap::Command::new("heal")
            .subcommand(clap::Command::new("fix").arg(clap::arg!(--"offline" "Open no socket")));
        for shell in Shell::value_variants() {
            let script = render(&command, *shell);
            assert!(script.contains("fix") && script.contains("offline"), "{shell}: {script}");
        }
    }
}
