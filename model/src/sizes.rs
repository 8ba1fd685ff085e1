//! Numbers as people write and read them: sizes in bytes, durations, shares.

/// Reads `64MiB`, `1.5GB`, `512k` or plain bytes. `k`, `M`, `G`, `T` with or without `iB` count by 1024, with `B` by 1000.
///
/// # Errors
/// When the text is none; says how to write it.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write it like 64MiB, 1.5GiB or 1048576");
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "ki" | "kib" => 1024.0,
        "m" | "mi" | "mib" => 1024.0 * 1024.0,
        "g" | "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "ti" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(wrong()),
    };
    let bytes = number * factor;
    if bytes.is_finite() && bytes < 9e18 { Ok(bytes.round() as u64) } else { Err(wrong()) }
}

/// Bytes for people: `17 B`, `1.5 KiB`, `64 MiB`.
#[must_use]
pub fn human_bytes(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1024.0 {
            return format!("{} {unit}", three_digits(value));
        }
        value /= 1024.0;
    }
    format!("{} TiB", three_digits(value))
}

/// A duration in nanoseconds for people: `350ns`, `1.2ms`, `2.5s`, `3m20s`.
#[must_use]
pub fn human_duration(nanoseconds: f64) -> String {
    let size = nanoseconds.abs();
    if size < 1e3 {
        format!("{}ns", three_digits(nanoseconds))
    } else if size < 1e6 {
        format!("{}µs", three_digits(nanoseconds / 1e3))
    } else if size < 1e9 {
        format!("{}ms", three_digits(nanoseconds / 1e6))
    } else if size < 60e9 {
        format!("{}s", three_digits(nanoseconds / 1e9))
    } else {
        let seconds = (nanoseconds / 1e9).round() as i64;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours == 0 { format!("{minutes}m{seconds:02}s") } else { format!("{hours}h{minutes:02}m") }
    }
}

/// At most one decimal, and none where it says nothing.
fn three_digits(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("1.5k", 1536),
            ("1MB", 1_000_000),
            ("1048576", 1_048_576),
            ("0", 0),
            ("2g", 2 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "12 parsecs", "-1", "1..2k", "99999999999T"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_sizes_read_well() {
        assert_eq!(human_duration(350.0), "350ns");
        assert_eq!(human_duration(1_234_567.0), "1.2ms");
        assert_eq!(human_duration(2.5e9), "2.5s");
        assert_eq!(human_duration(200e9), "3m20s");
        assert_eq!(human_bytes(17.0), "17 B");
        assert_eq!(human_bytes(1536.0), "1.5 KiB");
        assert_eq!(human_bytes(64.0 * 1024.0 * 1024.0), "64 MiB");
    }
}
