//! Kuma's side alone: real databases dumped, restored by stock sqlite3, compared and applied.

mod apply;
mod dump;
mod legacy;
mod reload;
mod restore;
mod words;
