//! heal proposes verified fixes for failing code, or abstains and says why.
//!
//! The modules, in layers; a module imports its own folder and lower layers
//! only (`tests/it/architecture.rs` checks it):
//!
//! | layer | modules |
//! |---|---|
//! | 7 | `main`, `cli`: parse, build the tools, print, exit |
//! | 6 | [`options`], [`pipeline`], [`report`], [`progress`] |
//! | 5 | [`deliver`]: the only stage that writes where the user can see it |
//! | 4 | [`verify`]: one file a gate |
//! | 3 | [`propose`]: evidence in, candidates out |
//! | 2 | [`detect`], [`diagnose`] |
//! | 1 | [`language`], [`runner`], [`trace`], [`mutation`], [`scratch`], [`ledger`] |
//! | 0 | [`cores`], [`failure`], [`outcome`], [`patch`], [`source`], [`event`], [`process`], [`git`], [`http`], [`interrupt`] |
//!
//! Doors to the outside are few and named: subprocesses start in [`process`],
//! libgit2 is named in [`git`], HTTP in [`http`], SQLite in [`ledger`], the
//! terminal in `cli` and [`progress`], the environment in `cli` and
//! [`options`].

// A file that tells how its private parts share the work may name them.
#![allow(rustdoc::private_intra_doc_links)]

pub mod cores;
pub mod event;
pub mod failure;
pub mod git;
pub mod http;
pub mod interrupt;
pub mod outcome;
pub mod patch;
pub mod process;
pub mod source;

pub mod language;
pub mod ledger;
pub mod mutation;
pub mod runner;
pub mod scratch;
pub mod trace;

pub mod detect;
pub mod diagnose;

pub mod propose;

pub mod verify;

pub mod deliver;

pub mod options;
pub mod pipeline;
pub mod progress;
pub mod report;
