//! The binary: parses, builds the tools, prints, exits.

#[allow(dead_code, reason = "the commands are wired up with the options")]
mod cli;

fn main() {}
