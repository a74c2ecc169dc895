//! Where a repository lies: restic's URL forms.

use std::fmt;
use std::path::PathBuf;

/// A repository's location, as restic writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    pub(super) place: Place,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Local(PathBuf),
}

/// A location that cannot be understood; no part of a URL that may hold a secret is in its text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing was given.
    #[error("the repository location is empty")]
    Empty,
}

impl Location {
    /// Reads a location as restic does.
    pub fn parse(text: &str) -> Result<Location, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        let path = text.strip_prefix("local:").unwrap_or(text);
        Ok(Location { place: Place::Local(PathBuf::from(path)) })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Local(path) => write!(f, "{}", path.display()),
        }
    }
}
