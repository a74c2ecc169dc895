//! Sizes, durations and percentages: as people write them and as people read them.

use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// A size in the largest binary unit it fills, with three decimals; below 1 KiB in bytes.
pub(crate) fn format_bytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        TIB.. => (TIB, "TiB"),
        GIB.. => (GIB, "GiB"),
        MIB.. => (MIB, "MiB"),
        KIB.. => (KIB, "KiB"),
        _ => return format!("{bytes} B"),
    };
    #[expect(clippy::cast_precision_loss, reason = "three decimals are shown")]
    let value = bytes as f64 / unit as f64;
    format!("{value:.3} {name}")
}

/// `done` of `total` in percent with two decimals, never above 100; nothing if there is no total.
pub(crate) fn format_percent(done: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let percent = 100.0 * done as f64 / total as f64;
    format!("{:.2}%", percent.min(100.0))
}

/// Whole seconds as `M:SS`, from an hour on as `H:MM:SS`.
pub(crate) fn format_seconds(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Reads a size in bytes: a whole number, with one of the suffixes b, k, m, g, t for powers of 1024 in either case.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let unit = match text.chars().last().map(|suffix| suffix.to_ascii_lowercase()) {
        None => return Err("a size is expected, like 500, 64k or 1G".to_owned()),
        Some('k') => KIB,
        Some('m') => MIB,
        Some('g') => GIB,
        Some('t') => TIB,
        _ => 1,
    };
    let digits = text.strip_suffix(|suffix: char| "bkmgtBKMGT".contains(suffix)).unwrap_or(text);
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a size: a whole number with a suffix k, m, g or t, or none"))?;
    let limit = i64::MAX.unsigned_abs();
    number.checked_mul(unit).filter(|bytes| *bytes <= limit).ok_or_else(|| format!("{text:?} is too large"))
}

/// Reads a duration as Go writes it: numbers with the units h, m, s, ms, us, ns, one after the other.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let fault = || format!("{text:?} is not a duration: numbers with a unit are expected, like 90s, 5m or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let number_length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fault)?;
        let (number, after) = rest.split_at(number_length);
        let unit_length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_length);
        let unit_seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(fault()),
        };
        let number: f64 = number.parse().map_err(|_| fault())?;
        let part = Duration::try_from_secs_f64(number * unit_seconds).map_err(|_| fault())?;
        total = total.checked_add(part).ok_or_else(fault)?;
        rest = after;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_restic_prints_them() {
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (2003, "1.956 KiB"),
            (1 << 20, "1.000 MiB"),
            (5 * GIB / 2, "2.500 GiB"),
            (TIB, "1.000 TiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(format_bytes(bytes), text);
        }
    }

    #[test]
    fn percentages_and_times_read_as_restic_prints_them() {
        assert_eq!(format_percent(1, 3), "33.33%");
        assert_eq!(format_percent(7, 3), "100.00%");
        assert_eq!(format_percent(1, 0), "");
        assert_eq!(format_seconds(5), "0:05");
        assert_eq!(format_seconds(605), "10:05");
        assert_eq!(format_seconds(3605), "1:00:05");
    }

    #[test]
    fn sizes_are_read_with_and_without_a_suffix() {
        let sizes =
            [("0", 0), ("17", 17), ("17b", 17), ("2k", 2048), ("2K", 2048), ("1M", MIB), ("3g", 3 * GIB), ("1T", TIB)];
        for (text, bytes) in sizes {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1.5G", "12x", "9999999999999T"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let durations =
            [("0", 0), ("5m", 300_000), ("1h30m", 5_400_000), ("1.5h", 5_400_000), ("250ms", 250), ("1m0.5s", 60_500)];
        for (text, milliseconds) in durations {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "m", "5 m", "-5m", "1d", "1.2.3s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
