//! What the suites share: the programs we are compared with, servers on loopback, fixtures, and
//! what a folder holds.

pub(crate) mod child;
pub(crate) mod client;
pub(crate) mod daemon;
pub(crate) mod fixtures;
pub(crate) mod folder;
pub(crate) mod kuma;
pub(crate) mod loopback;
pub(crate) mod manifest;
pub(crate) mod pair;
pub(crate) mod peers;
pub(crate) mod proxy;
pub(crate) mod rest;
pub(crate) mod s3;
pub(crate) mod sample;
pub(crate) mod source;
pub(crate) mod tls;

pub(crate) use client::{Client, Repo, Run};
