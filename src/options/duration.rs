//! Durations as people write them: `90s`, `10m`, `1h30m`, `500ms`, `45`.
//!
//! Reads a text; nothing else.

use std::time::Duration;

/// Reads a duration; a bare number is seconds.
///
/// # Errors
/// A sentence that names the value and shows what is understood.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write for example 90s, 10m or 1h30m");
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return positive(Duration::from_secs(seconds)).ok_or_else(wrong);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match rest[..letters].trim() {
            "ms" => 0.001,
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total += Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())?;
    }
    positive(total).ok_or_else(wrong)
}

fn positive(duration: Duration) -> Option<Duration> {
    // A year is as good as for ever, and sums with it do not overflow.
    (!duration.is_zero()).then(|| duration.min(Duration::from_secs(365 * 24 * 3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("90s", Some(90_000)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("45", Some(45_000)),
            ("1.5s", Some(1_500)),
            ("0", None),
            ("", None),
            ("ten", None),
            ("5x", None),
            ("-3s", None),
        ] {
            assert_eq!(parse(text).ok().map(|duration| duration.as_millis()), millis, "{text}");
        }
    }
}
