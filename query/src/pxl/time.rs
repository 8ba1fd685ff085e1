//! Times and durations as scripts write them.

use chrono::{DateTime, NaiveDateTime};

use super::value::Time;

/// Nanoseconds of the units that durations have.
const UNITS: [(&str, i64); 5] = [
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// `-5m`, or a date, time and zone such as `2024-03-01 12:00:00 +0000`.
pub(super) fn parse(text: &str) -> Result<Time, String> {
    if let Ok(date) = DateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S %z") {
        return date.timestamp_nanos_opt().map(Time::At).ok_or_else(|| format!("`{text}` is out of range"));
    }
    let problem = || format!("`{text}` is no time; write it like '-5m' or '2024-03-01 12:00:00 +0000'");
    duration(text).map(Time::Now).ok_or_else(problem)
}

/// The first duration in a text, in nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let mut from = 0;
    while let Some(found) = text[from..].find(|c: char| c.is_ascii_digit()) {
        let start = from + found;
        let digits = text[start..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| start + end);
        let unit = UNITS.iter().find(|(unit, _)| text[digits..].starts_with(unit));
        if let Some((_, nanoseconds)) = unit {
            let amount: i32 = text[start..digits].parse().ok()?;
            let sign = if text[..start].ends_with('-') { -1 } else { 1 };
            return (i64::from(amount) * sign).checked_mul(*nanoseconds);
        }
        from = digits;
    }
    None
}

/// A duration in the largest unit that divides it.
pub(super) fn format_duration(nanoseconds: i64) -> String {
    let mut units = UNITS;
    units.sort_by_key(|(_, size)| -size);
    match units.iter().find(|(_, size)| nanoseconds != 0 && nanoseconds % size == 0) {
        Some((unit, size)) => format!("{}{unit}", nanoseconds / size),
        None if nanoseconds == 0 => "0s".into(),
        None => format!("{nanoseconds}ns"),
    }
}

/// A text by a format of `strptime`; without a zone it is UTC.
pub(super) fn strptime(text: &str, format: &str) -> Option<i64> {
    let zoned = DateTime::parse_from_str(text, format).ok().and_then(|date| date.timestamp_nanos_opt());
    let utc = || NaiveDateTime::parse_from_str(text, format).ok()?.and_utc().timestamp_nanos_opt();
    let midnight = || {
        let date = chrono::NaiveDate::parse_from_str(text, format).ok()?;
        date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
    };
    zoned.or_else(utc).or_else(midnight)
}
