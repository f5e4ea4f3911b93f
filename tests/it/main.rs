//! heal's integration tests: the real binary on small real repositories.

mod support;

mod architecture;
mod bench;
mod cargo;
mod cheats;
mod connection;
#[cfg(feature = "ecosystem")]
mod ecosystem;
mod errors;
mod explain;
mod faults;
mod fix_python;
mod fix_rust;
mod gates;
#[cfg(feature = "ecosystem")]
mod go;
mod injection;
#[cfg(feature = "ecosystem")]
mod javascript;
mod ledger;
mod model;
mod probe;
mod process;
#[cfg(feature = "ecosystem")]
mod pytest;
mod resume;
mod revert;
#[cfg(target_os = "linux")]
mod sandbox;
mod secrets;
#[cfg(feature = "ecosystem")]
mod sieve;
mod streaming;
mod trace;
mod untouched;
mod wrapped;
