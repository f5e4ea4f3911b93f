//! Moments in the past as people write them: `90d`, `12w`, `1y`, or a day.
//!
//! Reads a text and reckons from the moment it is given; asks no clock.

use jiff::Span;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The moment that was `text` before `now`: `36h`, `90d`, `12w`, `6mo`, `1y`.
///
/// # Errors
/// A sentence that names the value and shows what is understood.
pub fn ago(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is no age; write for example 36h, 90d, 12w or 1y");
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    if span.is_negative() || span.is_zero() {
        return Err(wrong());
    }
    // By the calendar: a month is as long as it is.
    let then = now.to_zoned_datetime(TimeZone::UTC).checked_sub(span).map_err(|_| wrong())?;
    Ok(then.timestamp())
}

/// As [`ago`]; also a day (`2026-11-01`, its beginning in UTC) or a moment
/// (RFC 3339).
///
/// # Errors
/// As for [`ago`].
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(day) = text.parse::<Date>() {
        let start = day.to_zoned_datetime(TimeZone::UTC).map(|start| start.timestamp());
        return start.map_err(|error| format!("`{text}` is out of range: {error}"));
    }
    ago(text, now).map_err(|_| format!("`{text}` is no time; write an age as in 30d, or a day as in 2026-11-01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-31T12:00:00Z".parse().expect("a moment");
        for (text, wanted) in [
            ("36h", Some("2026-03-30T00:00:00Z")),
            ("90d", Some("2025-12-31T12:00:00Z")),
            ("2w", Some("2026-03-17T12:00:00Z")),
            ("1mo", Some("2026-02-28T12:00:00Z")),
            ("1y", Some("2025-03-31T12:00:00Z")),
            ("2026-01-02", Some("2026-01-02T00:00:00Z")),
            ("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05Z")),
            ("0d", None),
            ("-3d", None),
            ("90000y", None),
            ("long ago", None),
            ("", None),
        ] {
            let wanted: Option<Timestamp> = wanted.map(|text| text.parse().expect("a moment"));
            assert_eq!(since(text, now).ok(), wanted, "{text}");
        }
        assert!(ago("2026-01-02", now).expect_err("a day").contains("is no age"));
    }
}
