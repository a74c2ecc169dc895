//! One test binary: every file of tests/ is a module here (`architecture` holds that none is forgotten).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on says so by panicking"
)]

mod support;

mod architecture;
mod archiver;
mod backend;
mod bare;
mod cli_basics;
mod cli_kuma;
mod cli_like_restic;
mod corpus;
mod daemon;
mod damage;
mod engine;
mod faults;
mod fixtures;
mod hostile;
mod interop;
mod kuma;
mod locks;
mod peers;
mod replicate;
mod rest;
mod restorer;
mod tls;
