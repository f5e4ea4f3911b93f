//! Detect: run the suite on the snapshot, find what fails, and make sure that
//! it fails again.
//!
//! Runs the user's own command in a scratch, never in the user's tree; judges
//! no patch.

pub mod baseline;
pub mod bench;
pub mod reproduce;
pub mod spectrum;

pub use baseline::Baseline;
pub use bench::Bench;
pub use bench::BenchError;
pub use reproduce::Outcome;
pub use reproduce::Reproduction;
pub use spectrum::Spectrum;
