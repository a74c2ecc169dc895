//! Uptime Kuma's databases: schema, dump, encode, decode, diff, apply. Synchronous, and without a word of repositories.

mod database;
mod datadir;
mod dump;
mod error;
mod facts;
mod running;
pub mod schema;
mod selection;
mod value;

pub use database::Database;
pub use datadir::DataDir;
pub use dump::{ConfigDigest, Dump, Row, Table};
pub use error::KumaError;
pub use facts::{Column, Facts, SchemaVersion};
pub use running::Holder;
pub use selection::{Selection, SelectionError};
pub use value::Value;
