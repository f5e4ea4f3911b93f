//! (filled in its own commit)
