//! The whole way: a primary publishes, a replica follows.

mod cycle;
mod refused;
mod requests;
