//! (filled in its own commit)
fn main() {
    if std::env::args_os().nth(1).is_some_and(|first| first == heal::process::HELPER) {
        std::process::exit(heal::process::helper_main());
    }
}
