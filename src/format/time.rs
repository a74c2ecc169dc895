//! Times as Go's `time.Time` stands in JSON: RFC 3339 with nanoseconds, in the offset of whoever wrote them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// An instant and the offset from UTC it is told in.
///
/// Always in the years 0 to 9999 of its own offset, as Go's JSON requires. Ordered by instant. Two times are equal if
/// they are written alike: the same instant in another offset is [the same instant](Time::is_same_instant), but not
/// equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    unix_seconds: i64,
    nanoseconds: u32,
    offset_seconds: i32,
}

/// A text that Go does not take for a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time as in RFC 3339")]
pub struct ParseTimeError {
    text: String,
}

impl Time {
    /// What Go has where no time was set: the beginning of year 1, UTC.
    pub const ZERO: Time = Time { unix_seconds: -62_135_596_800, nanoseconds: 0, offset_seconds: 0 };

    /// The time `nanoseconds` after `unix_seconds` since 1970, told in an offset in seconds east of UTC.
    ///
    /// Years before 0 and after 9999 become the same day and time in those years, as restic does with file times
    /// (internal/data/node.go, FixTime). Nanoseconds of a second and more, and offsets of a day and more, are cut off.
    #[must_use]
    pub fn from_unix(unix_seconds: i64, nanoseconds: u32, offset_seconds: i32) -> Time {
        let nanoseconds = nanoseconds.min(NANOSECONDS_PER_SECOND - 1);
        let offset_seconds = offset_seconds.clamp(-86_399, 86_399);
        let local_seconds = unix_seconds.saturating_add(offset_seconds.into());
        let (year, month, day) = date_of(local_seconds.div_euclid(SECONDS_PER_DAY));
        let local_seconds = match year {
            0..=9999 => local_seconds,
            _ => days_of(year.clamp(0, 9999), month, day) * SECONDS_PER_DAY + local_seconds.rem_euclid(SECONDS_PER_DAY),
        };
        Time { unix_seconds: local_seconds - i64::from(offset_seconds), nanoseconds, offset_seconds }
    }

    /// Whole seconds since 1970, UTC.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        self.unix_seconds
    }

    /// Nanoseconds since the last whole second.
    #[must_use]
    pub fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    /// Seconds east of UTC.
    #[must_use]
    pub fn offset_seconds(&self) -> i32 {
        self.offset_seconds
    }

    /// Whether `other` is the same instant, told in whatever offset.
    #[must_use]
    pub fn is_same_instant(&self, other: &Time) -> bool {
        (self.unix_seconds, self.nanoseconds) == (other.unix_seconds, other.nanoseconds)
    }

    /// As a timestamp for calculations; the last day of year 9999, which jiff does not have, becomes the day before.
    #[must_use]
    pub fn timestamp(&self) -> jiff::Timestamp {
        let nanoseconds = i32::try_from(self.nanoseconds).unwrap_or_default();
        jiff::Timestamp::new(self.unix_seconds, nanoseconds).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl Default for Time {
    fn default() -> Time {
        Time::ZERO
    }
}

impl From<&jiff::Zoned> for Time {
    fn from(zoned: &jiff::Zoned) -> Time {
        Time::from_timestamp(zoned.timestamp(), zoned.offset().seconds())
    }
}

impl Time {
    /// A timestamp, told in an offset in seconds east of UTC.
    #[must_use]
    pub fn from_timestamp(timestamp: jiff::Timestamp, offset_seconds: i32) -> Time {
        // jiff's fraction has the sign of the whole; ours always counts upwards.
        let second = timestamp.as_second();
        let nanosecond = timestamp.subsec_nanosecond();
        match u32::try_from(nanosecond) {
            Ok(nanoseconds) => Time::from_unix(second, nanoseconds, offset_seconds),
            Err(_) => Time::from_unix(second - 1, NANOSECONDS_PER_SECOND - nanosecond.unsigned_abs(), offset_seconds),
        }
    }
}

impl fmt::Display for Time {
    /// As Go's `RFC3339Nano`; seconds of an offset, as some places had a century ago, are left out as Go does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local_seconds = self.unix_seconds + i64::from(self.offset_seconds);
        let (year, month, day) = date_of(local_seconds.div_euclid(SECONDS_PER_DAY));
        let second = local_seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanoseconds != 0 {
            let digits = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if self.offset_seconds == 0 {
            return f.write_str("Z");
        }
        // Go divides with truncation before it looks at the sign: an offset of less than a minute west is +00:00.
        let offset_minutes = self.offset_seconds / 60;
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let offset_minutes = offset_minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", offset_minutes / 60, offset_minutes % 60)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = ParseTimeError;

    /// As strictly as Go: upper-case `T` and `Z`, no leap second; digits after the ninth are dropped.
    fn from_str(text: &str) -> Result<Time, ParseTimeError> {
        parse(text.as_bytes()).ok_or_else(|| ParseTimeError { text: text.chars().take(80).collect() })
    }
}

fn parse(text: &[u8]) -> Option<Time> {
    let (date_and_time, rest) = text.split_at_checked("2006-01-02T15:04:05".len())?;
    let fits = |at: usize, separator: u8| date_and_time.get(at) == Some(&separator);
    if !(fits(4, b'-') && fits(7, b'-') && fits(10, b'T') && fits(13, b':') && fits(16, b':')) {
        return None;
    }
    let number = |from: usize, to: usize, max: i64| digits(date_and_time.get(from..to)?).filter(|&n| n <= max);
    let (year, month, day) = (number(0, 4, 9999)?, number(5, 7, 12)?, number(8, 10, 31)?);
    let (hour, minute, second) = (number(11, 13, 23)?, number(14, 16, 59)?, number(17, 19, 59)?);
    let days = days_of(year, month, day);
    // A day that the month does not have comes back as one of the next month.
    if date_of(days) != (year, month, day) {
        return None;
    }
    let (nanoseconds, rest) = parse_fraction(rest)?;
    let offset_seconds = parse_offset(rest)?;
    let local_seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(Time { unix_seconds: local_seconds - i64::from(offset_seconds), nanoseconds, offset_seconds })
}

fn parse_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(fraction) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = fraction.split_at_checked(count)?;
    let nanoseconds = fraction.iter().chain([b'0'; 9].iter()).take(9);
    let nanoseconds = nanoseconds.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    (count > 0).then_some((nanoseconds, rest))
}

fn parse_offset(text: &[u8]) -> Option<i32> {
    let (sign, [hour_1, hour_2, b':', minute_1, minute_2]) = (match text {
        b"Z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    }) else {
        return None;
    };
    let hours = digits(&[*hour_1, *hour_2]).filter(|&hours| hours <= 23)?;
    let minutes = digits(&[*minute_1, *minute_2]).filter(|&minutes| minutes <= 59)?;
    i32::try_from((hours * 60 + minutes) * 60 * sign).ok()
}

fn digits(text: &[u8]) -> Option<i64> {
    let all_digits = text.iter().all(u8::is_ascii_digit);
    all_digits.then(|| text.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the day that comes and goes is the last of its year; 146097 days are 400
/// years.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01: the inverse of [`days_of`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    /// `null` leaves the zero time, as in Go.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map_or(Ok(Time::ZERO), |text| text.parse().map_err(serde::de::Error::custom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_go_writes_them() {
        for text in [
            "0001-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59-23:59",
            "2024-02-29T12:34:56.1Z",
            "2026-11-23T07:30:58.200209352-03:30",
            "2024-01-01T00:00:00+23:59",
            "1969-12-31T23:59:59.000000001+05:45",
        ] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_go_reads_and_writes_differently_is_so_here() {
        for (text, written) in [
            ("2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00.500Z", "2024-01-01T00:00:00.5Z"),
            ("2024-01-01T00:00:00.123456789999Z", "2024-01-01T00:00:00.123456789Z"),
        ] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "2024-01-01",
            "2024-01-01t00:00:00Z",
            "2024-01-01T00:00:00z",
            "2024-01-01 00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-00-10T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00Zx",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00+01:60",
            "12024-01-01T00:00:00Z",
            "-024-01-01T00:00:00Z",
            "2024-01-01T00:00:00é",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_zero_time_is_go_s() {
        assert_eq!(Time::ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(serde_json::from_str::<Time>("null").unwrap(), Time::ZERO);
    }

    #[test]
    fn years_that_json_cannot_have_are_moved_into_the_nearest_that_it_can() {
        // restic's TestFixTime, and the first and last second there are.
        let year = |year| Time::from_unix(days_of(year, 3, 4) * SECONDS_PER_DAY + 5, 6, 3600).to_string();
        assert_eq!(year(12_345), "9999-03-04T01:00:05.000000006+01:00");
        assert_eq!(year(-2), "0000-03-04T01:00:05.000000006+01:00");
        assert_eq!(Time::from_unix(i64::MAX, u32::MAX, i32::MAX).to_string().get(..4), Some("9999"));
        assert_eq!(Time::from_unix(i64::MIN, 0, i32::MIN).to_string().get(..4), Some("0000"));
    }

    #[test]
    fn seconds_of_an_offset_are_left_out() {
        // Amsterdam until 1937: the clock is told with them, the offset without.
        assert_eq!(Time::from_unix(-1_200_000_000, 0, 1172).to_string(), "1931-12-23T02:59:32+00:19");
        assert_eq!(Time::from_unix(0, 0, -30).to_string(), "1969-12-31T23:59:30+00:00");
    }

    #[test]
    fn times_are_ordered_by_instant() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        let (noon, same, later) =
            (time("2024-01-01T12:00:00Z"), time("2024-01-01T13:00:00+01:00"), time("2024-01-01T12:00:01+02:00"));
        assert!(noon.is_same_instant(&same) && noon != same);
        assert!(time("2024-01-01T12:00:01-02:00") > later);
        assert!(time("2024-01-01T14:00:00.1+02:00") > noon);
    }

    #[test]
    fn timestamps_of_jiff_come_and_go() {
        for (seconds, nanoseconds) in [(0, 0), (-1, 999_999_999), (1_700_000_000, 1), (-62_135_596_800, 5)] {
            let time = Time::from_unix(seconds, nanoseconds, 7200);
            assert_eq!(Time::from_timestamp(time.timestamp(), 7200), time);
        }
        assert_eq!("9999-12-31T23:59:59Z".parse::<Time>().unwrap().timestamp(), jiff::Timestamp::MAX);
    }
}
