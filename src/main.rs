//! The `heal` binary: parses the command line, prints, exits.
//!
//! Knows words and exit codes; the work is the library's.

mod cli;

fn main() {
    // The parts of heal that run inside or above a test command must start in
    // no time, so they come before everything else.
    let mut arguments = std::env::args_os();
    let name = arguments.next().map(std::path::PathBuf::from);
    if name.as_deref().and_then(std::path::Path::file_name) == Some(heal::runner::cargo::WRAPPER.as_ref()) {
        std::process::exit(heal::runner::cargo::wrapper_main(arguments));
    }
    let code = match arguments.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("__helper") => heal::process::helper_main(),
        Some(heal::runner::cargo::WORD) => heal::runner::cargo::target_runner_main(arguments),
        Some(heal::runner::go::WORD) => heal::runner::go::stand_in_main(arguments),
        _ => {
            // Keys in its environment are nobody's business, a test's least.
            heal::process::conceal();
            cli::main()
        }
    };
    std::process::exit(code);
}
