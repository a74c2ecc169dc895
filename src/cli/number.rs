//! Numbers in JSON as Go writes them.

use serde::{Serialize, Serializer};

/// A floating point number; a whole one has no fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GoFloat(pub(crate) f64);

impl GoFloat {
    /// `part` of `whole`; 0 if there is no whole.
    pub(crate) fn ratio(part: u64, whole: u64) -> GoFloat {
        #[expect(clippy::cast_precision_loss, reason = "it is for people")]
        let ratio = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        GoFloat(ratio)
    }
}

impl Serialize for GoFloat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0.fract() == 0.0 && self.0.abs() < 9e15;
        if whole {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

/// Whether a number is left out, as Go's `omitempty` does.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_fraction() {
        let json = |number| serde_json::to_string(&GoFloat(number)).unwrap();
        assert_eq!((json(0.0).as_str(), json(1.0).as_str(), json(0.693_209_095).as_str()), ("0", "1", "0.693209095"));
        assert_eq!(GoFloat::ratio(1, 4), GoFloat(0.25));
        assert_eq!(GoFloat::ratio(1, 0), GoFloat(0.0));
    }
}
