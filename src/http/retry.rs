//! Whether to ask again, and when: the server's word first.
//!
//! The rules of the vendors' own clients (anthropic 2.12.0 and openai 2.54.0,
//! `_base_client.py`): `x-should-retry` decides; else 408, 409, 429 and 5xx are
//! tried again, after `retry-after-ms`, `retry-after` (seconds or an HTTP
//! date) or Gemini's `retryDelay`, or half a second that doubles up to eight, less up to a quarter.
//! Beyond them: a quota that is spent does not come back by waiting, and an
//! attempt that timed out or broke off midway is not repeated, since it may
//! have been billed.
//! Decides; never waits.

use std::hash::BuildHasher;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::HttpError;
use super::Response;

/// How long to wait before attempt `attempt + 2`; `None` for never.
pub(super) fn after_answer(response: &Response, attempt: usize, now: Timestamp) -> Option<Duration> {
    let asked = match response.header("x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(response.status, 408 | 409 | 429 | 500..=599) && !quota_is_spent(&response.body),
    };
    let is_error = response.status >= 400;
    (asked && is_error).then(|| told(response, now).unwrap_or_else(|| backoff(attempt)))
}

/// As [`after_answer`], where there was none.
pub(super) fn after_error(error: &HttpError, attempt: usize) -> Option<Duration> {
    matches!(error, HttpError::Unreachable { .. } | HttpError::Broken { midway: false, .. }).then(|| backoff(attempt))
}

/// The wait the server asks for.
fn told(response: &Response, now: Timestamp) -> Option<Duration> {
    let seconds = |text: &str, scale: f64| {
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
        Duration::try_from_secs_f64(number * scale).ok()
    };
    if let Some(wait) = response.header("retry-after-ms").and_then(|text| seconds(text, 0.001)) {
        return Some(wait);
    }
    let Some(text) = response.header("retry-after") else { return told_in_body(&response.body) };
    seconds(text, 1.0).or_else(|| {
        // HTTP dates are those of mail with the zone `GMT` (RFC 9110, 5.6.7).
        let then = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
        Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
    })
}

fn backoff(attempt: usize) -> Duration {
    let full = Duration::from_millis(500 * (1 << attempt.min(4)));
    // The hasher of the standard library is seeded at random.
    let random = std::hash::RandomState::new().hash_one(attempt) as f64 / u64::MAX as f64;
    full.min(Duration::from_secs(8)).mul_f64(1.0 - 0.25 * random)
}

/// Whether the body says that there is no money or quota left rather than too
/// much at once; both come as 429. Gemini names the quota that was passed
/// (`…PerDay…`), or a limit of 0.
pub fn quota_is_spent(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let error = &body["error"];
    let spent = |name: &str| matches!(error[name].as_str(), Some("insufficient_quota" | "billing_error"));
    let violations = details(error).flat_map(|detail| detail["violations"].as_array().into_iter().flatten());
    let daily = |violation: &Value| violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay"));
    let none_at_all =
        error["message"].as_str().is_some_and(|text| text.ends_with("limit: 0") || text.contains("limit: 0,"));
    spent("code") || spent("type") || none_at_all || violations.into_iter().any(daily)
}

/// Gemini's further words on an error (google.rpc.Status).
fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error["details"].as_array().into_iter().flatten()
}

/// The wait that Gemini asks for in the body, as `46s` or `1.5s`.
fn told_in_body(body: &[u8]) -> Option<Duration> {
    let body = serde_json::from_slice::<Value>(body).ok()?;
    let told = details(&body["error"]).find_map(|detail| detail["retryDelay"].as_str())?;
    let seconds = told.trim().strip_suffix('s')?.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Response { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_servers_word_decides_whether_and_when() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().expect("time");
        let quota = r#"{"error":{"code":"insufficient_quota"}}"#;
        for (status, headers, body, wanted) in [
            (429, vec![("retry-after", "3")], "", Some(3000)),
            (429, vec![("retry-after", "3"), ("retry-after-ms", "250")], "", Some(250)),
            (429, vec![("retry-after", "Tue, 24 Nov 2026 10:00:07 GMT")], "", Some(7000)),
            (429, vec![("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT")], "", Some(0)),
            (503, vec![("retry-after", "7200")], "", Some(7_200_000)),
            (400, vec![("x-should-retry", "true"), ("retry-after", "1")], "", Some(1000)),
            (429, vec![("x-should-retry", "false"), ("retry-after", "1")], "", None),
            (429, vec![("retry-after", "1")], quota, None),
            (429, vec![], r#"{"error":{"details":[{"@type":"x"},{"retryDelay":"4.5s"}]}}"#, Some(4500)),
            (429, vec![], r#"{"error":{"details":[{"retryDelay":"36000s"}]}}"#, Some(36_000_000)),
            (429, vec![("retry-after", "1")], r#"{"error":{"details":[{"retryDelay":"4s"}]}}"#, Some(1000)),
            (429, vec![], r#"{"error":{"details":[{"violations":[{"quotaId":"RequestsPerDayPerModel"}]}]}}"#, None),
            (429, vec![], r#"{"error":{"message":"quota exceeded, limit: 0"}}"#, None),
            (401, vec![("retry-after", "1")], "", None),
            (200, vec![("x-should-retry", "true")], "", None),
        ] {
            let wait = after_answer(&response(status, &headers, body), 0, now);
            assert_eq!(wait.map(|wait| wait.as_millis()), wanted, "{status} {headers:?}");
        }
    }

    #[test]
    fn without_a_word_the_wait_doubles_up_to_eight_seconds() {
        let now = Timestamp::UNIX_EPOCH;
        for (attempt, most) in [(0, 500), (1, 1000), (2, 2000), (9, 8000)] {
            for value in ["", "soon", "-1", "NaN", "1e400"] {
                let wait = after_answer(&response(529, &[("retry-after", value)], ""), attempt, now).expect("again");
                assert!(wait.as_millis() <= most && wait.as_millis() >= most * 3 / 4, "{attempt}: {wait:?}");
            }
        }
    }

    #[test]
    fn what_may_have_been_billed_is_not_asked_again() {
        let timeout = HttpError::Timeout { host: "h".into(), after: Duration::from_secs(1) };
        assert_eq!(after_error(&timeout, 0), None);
        let broken = |midway| HttpError::Broken { host: "h".into(), reason: "r".into(), midway };
        assert_eq!((after_error(&broken(true), 0), after_error(&broken(false), 0).is_some()), (None, true));
        assert!(after_error(&HttpError::Unreachable { host: "h".into(), reason: "r".into() }, 0).is_some());
    }
}
