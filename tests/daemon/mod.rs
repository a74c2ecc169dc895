//! The daemon, over a repository in memory that counts requests.

mod child;
mod primary;
mod replica;
