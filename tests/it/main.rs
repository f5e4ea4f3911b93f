//! (filled in its own commit)
mod process;
