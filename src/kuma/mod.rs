//! Uptime Kuma's databases: schema, dump, encode, decode, diff, apply.
