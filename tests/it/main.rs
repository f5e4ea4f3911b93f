//! heal's integration tests: the real binary on small real repositories.

mod support;

#[cfg(feature = "ecosystem")]
mod ecosystem;
mod errors;
mod fix_python;
mod fix_rust;
mod gates;
mod model;
mod untouched;
mod process;
