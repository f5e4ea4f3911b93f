//! The `heal` program.

fn main() {
    let mut words = std::env::args_os().skip(1);
    match words.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some(heal::runner::cargo::WORD) => std::process::exit(heal::runner::cargo::target_runner_main(words)),
        _ => {}
    }
}
