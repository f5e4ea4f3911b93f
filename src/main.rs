//! The `heal` program.

fn main() {
    // The parts of heal that other programs start, before anything else.
    let mut words = std::env::args_os().skip(1);
    let code = match words.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some(heal::runner::cargo::WORD) => Some(heal::runner::cargo::target_runner_main(words)),
        _ => None,
    };
    if let Some(code) = code {
        std::process::exit(code);
    }
}
