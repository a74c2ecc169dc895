//! Times as people read them, in their own zone.

use jiff::tz::TimeZone;

use crate::backend::Environment;
use crate::format::Time;

/// The zone that times are shown in, and its name.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// What `TZ` names, or else this system's zone.
    pub(crate) fn of_this_system(environment: &Environment) -> Zone {
        let zone = TimeZone::system();
        let name = match environment.get("TZ").map(|name| name.trim_start_matches(':')) {
            _ if zone.is_unknown() => "UTC",
            None => "local time",
            Some("" | "UTC") => "UTC",
            Some(name) => name,
        };
        let name = name.to_owned();
        Zone { zone, name }
    }

    /// UTC.
    #[cfg(test)]
    pub(crate) fn utc() -> Zone {
        Zone { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// A zone by its offset from UTC.
    #[cfg(test)]
    pub(crate) fn fixed(hours: i8) -> Zone {
        Zone { zone: TimeZone::fixed(jiff::tz::offset(hours)), name: "here".to_owned() }
    }

    /// Its name for a footer.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The time in this zone, to the second.
    pub(crate) fn format(&self, time: &Time) -> String {
        time.timestamp().to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The time in this zone by its parts: year, month, day, hour, minute, second.
    pub(crate) fn civil(&self, time: &Time) -> [i16; 6] {
        let time = time.timestamp().to_zoned(self.zone.clone());
        let parts = [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(i16::from);
        let [month, day, hour, minute, second] = parts;
        [time.year(), month, day, hour, minute, second]
    }

    /// The time in the offset it was written with, as restic's messages have it: with that offset and its name.
    pub(crate) fn format_long(&self, time: &Time) -> String {
        let rfc3339 = time.to_string();
        let clock = rfc3339.get(..19).unwrap_or(&rfc3339).replace('T', " ");
        let fraction: String = match time.nanoseconds() {
            0 => String::new(),
            nanoseconds => format!(".{nanoseconds:09}").trim_end_matches('0').to_owned(),
        };
        let offset_minutes = time.offset_seconds() / 60;
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let offset_minutes = offset_minutes.unsigned_abs();
        let offset = format!("{sign}{:02}{:02}", offset_minutes / 60, offset_minutes % 60);
        let here = self.zone.to_offset_info(time.timestamp());
        let name = match time.offset_seconds() {
            0 => "UTC".to_owned(),
            seconds if here.offset().seconds() == seconds => here.abbreviation().to_owned(),
            _ => offset.clone(),
        };
        format!("{clock}{fraction} {offset} {name}")
    }

    /// Reads a time as `2012-11-01 22:08:41` in this zone.
    pub(crate) fn parse(&self, text: &str) -> Result<Time, jiff::Error> {
        let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text)?;
        Ok(Time::from(&civil.to_zoned(self.zone.clone())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_shown_in_the_readers_zone() {
        let time = time("2026-11-23T23:52:47.661209911+01:00");
        assert_eq!(Zone::utc().format(&time), "2026-11-23 22:52:47");
        assert_eq!(Zone::fixed(3).format(&time), "2026-11-24 01:52:47");
    }

    #[test]
    fn a_message_has_the_time_as_it_was_written() {
        assert_eq!(
            Zone::fixed(3).format_long(&time("2026-11-23T12:52:47.66120991Z")),
            "2026-11-23 12:52:47.66120991 +0000 UTC"
        );
        assert_eq!(Zone::utc().format_long(&time("2026-11-23T12:52:47-03:30")), "2026-11-23 12:52:47 -0330 -0330");
    }

    #[test]
    fn a_time_is_read_in_the_readers_zone() {
        assert_eq!(Zone::fixed(2).parse("2012-11-01 22:08:41").unwrap(), time("2012-11-01T22:08:41+02:00"));
        for text in ["", "2012-11-01", "2012-13-01 00:00:00", "2012-11-01 22:08:41 Z"] {
            assert!(Zone::utc().parse(text).is_err(), "{text}");
        }
    }
}
