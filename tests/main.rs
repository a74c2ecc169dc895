//! One test binary: every file of tests/ is a module here.
