//! A restic repository: what is stored where, in which order, under which lock.
