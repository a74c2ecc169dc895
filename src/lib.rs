//! Replicator Kuma: a native client of the restic repository format, and on it the replication of
//! Uptime Kuma's configuration. This page is the project's one architecture page.
//!
//! # The map
//!
//! ```text
//! main → cli → replicate → repository → backend → format        (+ blocking, a leaf)
//!                   └────→ kuma
//! ```
//!
//! `tests/architecture.rs` reads the table below and holds every `crate::…` path against it: a module may
//! name itself, and what stands under "may use".
//!
//! | module | holds | may use |
//! |---|---|---|
//! | `cli` | arguments, environment, printing, hints, exit codes; one file per command | `replicate` `kuma` `repository` `backend` `format` `blocking` |
//! | `replicate` | the only place that knows both Kuma and the repository: publish, plan, apply | `kuma` `repository` `backend` `format` `blocking` |
//! | `kuma` | Uptime Kuma's databases: schema, dump, encode, decode, diff, apply; synchronous | |
//! | `repository` | a restic repository: what is stored where, in which order, under which lock | `backend` `format` `blocking` |
//! | `backend` | a file handle becomes an object; URL forms and credentials | `format` |
//! | `format` | restic's design document as pure functions: bytes in, values out | |
//! | `blocking` | the one helper that moves batches of CPU work off the async threads | |
//!
//! # Who alone may use which crate
//!
//! | crate | only in |
//! |---|---|
//! | `opendal` `reqwest` `rustls` `hickory_resolver` `backon` | `backend` |
//! | `rusqlite` | `kuma` |
//! | `aes` `ctr` `poly1305` `scrypt` `zstd` | `format` |
//! | `clap` `indicatif` `unicode_width` `zip` | `cli` |
//!
//! # Invariants
//!
//! - **`format` does no I/O**, reads no clock and no environment; randomness only for nonces and new keys.
//! - **`kuma` never speaks of repositories**, and `repository` never of Kuma.
//! - **Only `cli` reads the environment, prints, and knows exit codes.**
//! - **A listing is whole or an error**: a short listing taken for a whole one loses data.
//! - **What we sealed is opened again and compared before it leaves.**
//! - **Secrets have no `Debug`, `Default` or `Copy`**, and are zeroized on drop.

pub mod backend;
pub mod blocking;
pub mod cli;
pub mod format;
pub mod kuma;
pub mod replicate;
pub mod repository;
