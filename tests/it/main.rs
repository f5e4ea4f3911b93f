//! heal's integration tests: the real binary on small real repositories.

mod support;

mod architecture;
mod audit;
mod bench;
mod cargo;
mod cheats;
mod ci;
mod connection;
mod ecosystem;
mod errors;
mod explain;
mod faults;
mod fix_python;
mod fix_rust;
mod gates;
mod go;
mod init;
mod injection;
mod javascript;
mod ledger;
mod model;
#[cfg(target_os = "linux")]
mod overlay;
mod probe;
mod process;
mod pytest;
mod reports;
mod resume;
mod revert;
#[cfg(target_os = "linux")]
mod sandbox;
mod secrets;
mod sieve;
mod stats;
mod streaming;
mod trace;
#[cfg(feature = "opentelemetry")]
mod traces;
mod untouched;
mod wrapped;
