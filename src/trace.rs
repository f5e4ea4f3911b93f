//! Stack traces and logs that come without a runner's machine format.
//!
//! Reads text; never runs anything.

pub mod framing;
pub mod places;
pub mod python;
pub mod rust;
