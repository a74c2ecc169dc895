//! What differs between two configurations, in values, in an operator's words, and as JSON.

/// The differences between two configurations; see `diff`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    lines: Vec<String>,
}

impl Changes {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// One line a change, such as `monitor 7 "api": interval 60 → 30`; never a secret.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }

    /// The changes as JSON; never a secret.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "changes": self.lines })
    }
}
