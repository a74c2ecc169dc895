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
//! | `replicate` | the only place that knows both Kuma and the repository: publish, plan, apply, the daemon and Kuma's process | `kuma` `repository` `backend` `format` `blocking` |
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
//! # The walk of one row
//!
//! An operator renames monitor 7 on the primary. `kuma::Database::dump` reads the configuration tables in one read
//! transaction; `kuma::encode` gives `backup.sql`, `manifest.json` and the files the rows refer to, the same bytes for the
//! same content. `Repository::tree_of_files` says which tree that would be, without a request; the newest snapshot's tree
//! says whether anything changed. If so, under a shared lock: `archive_files` chunks, leaves out what the index knows,
//! seals (compresses, encrypts, *opens again and compares*), fills packs; a pack is stored before the index that names it,
//! the index before the snapshot, and the snapshot is the commit. A crash after any step leaves at worst objects that
//! nothing refers to.
//!
//! A replica walks back without a lock and without the right to write: newest snapshot, `read_files`, `kuma::decode` in a
//! sandbox, `kuma::diff` with what is here, and `kuma::apply`: compared, changed and checked in one transaction, or not at
//! all. `kuma::diff` is one pure function with three users: what publish tells, the plan, and the apply.
//!
//! # Verbs
//!
//! Each layer has its own, so that a search for one names the layer: `backend` reads, writes, lists, deletes; `format`
//! encodes and decodes, seals and opens; `repository` loads and saves; `kuma` dumps, diffs, applies; `replicate` publishes
//! and follows. Pure code decides, asynchronous code carries out (`replicate::daemon`: `watch`, `follow`, `guard`).
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
