//! A file handle becomes an object: backends, their URL forms and credentials.
