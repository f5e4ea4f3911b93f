//! heal from the outside: one binary of tests, a module each.

mod architecture;
mod ledger;
