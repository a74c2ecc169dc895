//! restic's design document as pure functions: bytes in, values out.
