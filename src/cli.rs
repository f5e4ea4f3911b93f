//! The commands around a run; each turns data into text, `main` prints it.

pub mod completions;
pub mod demo;
pub mod doctor;
pub mod log;
pub mod man;
pub mod show;
