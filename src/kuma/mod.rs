//! Uptime Kuma's databases: schema, dump, encode, decode, diff, apply. Synchronous, and without a word of repositories.

mod changes;
mod database;
mod datadir;
mod decode;
mod dump;
mod encode;
mod error;
mod facts;
mod files;
mod literal;
mod manifest;
mod running;
mod sandbox;
pub mod schema;
mod selection;
mod statements;
mod value;

pub use changes::Changes;
pub use database::Database;
pub use datadir::DataDir;
pub use decode::{Decoded, decode};
pub use dump::{ConfigDigest, Dump, Row, Table};
pub use encode::{SnapshotFile, encode};
pub use error::KumaError;
pub use facts::{Column, Facts, SchemaVersion};
pub use manifest::{FORMAT_VERSION, Manifest, ManifestFile, ManifestTable};
pub use running::Holder;
pub use selection::{Selection, SelectionError};
pub use value::Value;
