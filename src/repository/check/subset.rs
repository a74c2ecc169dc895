//! `--read-data-subset`: which packs to read whole.

use std::fmt;
use std::str::FromStr;

use crate::format::PackId;
use crate::repository::RepositoryError;

/// Which packs a check reads whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ReadData {
    /// None: sizes, index, trees and snapshots only.
    #[default]
    None,
    /// All.
    All,
    /// Those of one group: the first byte of their name modulo `of`; numbers count from 1.
    Group {
        /// The group's number.
        number: u8,
        /// How many groups there are.
        of: u16,
    },
    /// A random choice of so many in a hundred, at least one.
    Percent(f64),
    /// A random choice that is about so big.
    Bytes(u64),
}

/// A text that is no `--read-data-subset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadDataError {
    /// None of the three forms.
    #[error("expected n/t (1/10), a percentage (2.5%) or a size (50G)")]
    Form,
    /// `n/t` out of range.
    #[error("n/t must be positive integers with n <= t <= 256")]
    Group,
    /// A percentage out of range.
    #[error("the percentage must be above 0% and at most 100%")]
    Percent,
    /// A size out of range.
    #[error("the size must be above 0")]
    Size,
}

impl FromStr for ReadData {
    type Err = ReadDataError;

    fn from_str(text: &str) -> Result<ReadData, ReadDataError> {
        if let Some((number, of)) = text.split_once('/') {
            return parse_group(number, of);
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.parse().map_err(|_| ReadDataError::Form)?;
            let valid = percent > 0.0 && percent <= 100.0;
            return if valid { Ok(ReadData::Percent(percent)) } else { Err(ReadDataError::Percent) };
        }
        match parse_size(text).ok_or(ReadDataError::Form)? {
            0 => Err(ReadDataError::Size),
            bytes => Ok(ReadData::Bytes(bytes)),
        }
    }
}

fn parse_group(number: &str, of: &str) -> Result<ReadData, ReadDataError> {
    let parse = |text: &str| text.parse::<u64>().map_err(|_| ReadDataError::Form);
    let (number, of) = (parse(number)?, parse(of)?);
    if number == 0 || number > of || of > 256 {
        return Err(ReadDataError::Group);
    }
    let number = u8::try_from(number - 1).map_err(|_| ReadDataError::Group)?;
    let of = u16::try_from(of).map_err(|_| ReadDataError::Group)?;
    Ok(ReadData::Group { number, of })
}

/// A number of bytes with one of restic's suffixes: k, m, g, t, of either case, in powers of 1024.
fn parse_size(text: &str) -> Option<u64> {
    let shift = match text.bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        b'b' | b'0'..=b'9' => 0,
        _ => return None,
    };
    let digits = text.trim_end_matches(|end: char| end.is_ascii_alphabetic());
    let suffix_length = text.len() - digits.len();
    if suffix_length > 1 {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl fmt::Display for ReadData {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadData::None => out.write_str("none"),
            ReadData::All => out.write_str("all"),
            ReadData::Group { number, of } => write!(out, "group {} of {of}", u16::from(*number) + 1),
            ReadData::Percent(percent) => write!(out, "{percent}%"),
            ReadData::Bytes(bytes) => write!(out, "{bytes} bytes"),
        }
    }
}

impl ReadData {
    /// The packs to read, of all packs with their sizes in bytes.
    pub(super) fn choose(&self, packs: Vec<(PackId, u64)>) -> Result<Vec<(PackId, u64)>, RepositoryError> {
        match *self {
            ReadData::None => Ok(Vec::new()),
            ReadData::All => Ok(packs),
            ReadData::Group { number, of } => {
                let in_group = |pack: &PackId| u16::from(pack.as_bytes()[0]) % of == u16::from(number);
                Ok(packs.into_iter().filter(|(pack, _)| in_group(pack)).collect())
            }
            ReadData::Percent(percent) => choose_randomly(packs, percent / 100.0),
            ReadData::Bytes(bytes) => {
                let total: u64 = packs.iter().map(|(_, size)| size).sum();
                #[expect(clippy::cast_precision_loss, reason = "a share of a size needs no more than 52 bits")]
                let share = if total == 0 { 1.0 } else { (bytes as f64 / total as f64).min(1.0) };
                choose_randomly(packs, share)
            }
        }
    }
}

/// A random `share` of the packs, at least one.
fn choose_randomly(mut packs: Vec<(PackId, u64)>, share: f64) -> Result<Vec<(PackId, u64)>, RepositoryError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 <= share <= 1, so that this is at most their number"
    )]
    let wanted = ((packs.len() as f64 * share) as usize).clamp(1, packs.len().max(1)).min(packs.len());
    for place in 0..wanted {
        let left = (packs.len() - place) as u64;
        let random = getrandom::u64().map_err(|error| RepositoryError::Option(format!("no randomness: {error}")))?;
        let step = usize::try_from(random % left).unwrap_or_default();
        packs.swap(place, place + step);
    }
    packs.truncate(wanted);
    Ok(packs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(count: u8) -> Vec<(PackId, u64)> {
        (0..count).map(|byte| (PackId::from_bytes([byte; 32]), 10)).collect()
    }

    #[test]
    fn a_subset_is_a_group_a_percentage_or_a_size() {
        assert_eq!("1/2".parse(), Ok(ReadData::Group { number: 0, of: 2 }));
        assert_eq!("256/256".parse(), Ok(ReadData::Group { number: 255, of: 256 }));
        assert_eq!("2.5%".parse(), Ok(ReadData::Percent(2.5)));
        assert_eq!("3k".parse(), Ok(ReadData::Bytes(3072)));
        assert_eq!("50M".parse(), Ok(ReadData::Bytes(50 << 20)));
        assert_eq!("7".parse(), Ok(ReadData::Bytes(7)));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (text, error) in [
            ("", ReadDataError::Form),
            ("x", ReadDataError::Form),
            ("1/2/3", ReadDataError::Form),
            ("0/5", ReadDataError::Group),
            ("6/5", ReadDataError::Group),
            ("1/257", ReadDataError::Group),
            ("0%", ReadDataError::Percent),
            ("100.1%", ReadDataError::Percent),
            ("NaN%", ReadDataError::Percent),
            ("0", ReadDataError::Size),
            ("-1", ReadDataError::Form),
            ("99999999999T", ReadDataError::Form),
        ] {
            assert_eq!(text.parse::<ReadData>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn all_groups_together_are_all_packs_and_none_twice() {
        let mut chosen = Vec::new();
        for number in 0..7 {
            chosen.extend(ReadData::Group { number, of: 7 }.choose(packs(100)).unwrap());
        }
        chosen.sort_unstable();
        assert_eq!(chosen, packs(100));
    }

    #[test]
    fn a_random_choice_has_at_least_one_pack_and_none_twice() {
        for (read, expected) in [
            (ReadData::Percent(0.001), 1),
            (ReadData::Percent(50.0), 50),
            (ReadData::Percent(100.0), 100),
            (ReadData::Bytes(200), 20),
            (ReadData::Bytes(u64::MAX), 100),
        ] {
            let mut chosen = read.choose(packs(100)).unwrap();
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen.len(), expected, "{read}");
        }
        assert_eq!(ReadData::Percent(50.0).choose(Vec::new()).unwrap(), []);
    }
}
