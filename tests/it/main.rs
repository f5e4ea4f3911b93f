//! Integration tests: the real binary and real tools on small real trees.

mod cargo;
