//! Whether to ask again, and when: the server's word first.
//!
//! The rules of the vendors' own clients (anthropic 2.12.0 and openai 2.54.0,
//! `_base_client.py`): `x-should-retry` decides; else 408, 409, 429 and 5xx are
//! tried again, after `retry-after-ms`, `retry-after` (seconds or an HTTP
//! date) or Gemini's `retryDelay`, or half a second that doubles up to eight, less up to a quarter.
//! Beyond them: a quota that is spent does not come back by waiting, and an
//! attempt that timed out or broke off midway is not repeated, since it may
//! have been billed.
//!
//! Forges: what was refused for its rate (429, or GitHub's 403 with
//! `retry-after` or `x-ratelimit-remaining: 0`) was not carried out and is sent
//! again at `retry-after`, `x-ratelimit-reset` or `ratelimit-reset` (seconds
//! since 1970), else after a minute
//! (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>,
//! <https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/>).
//! What may have been carried out (5xx, a time-out) is sent again only where
//! doing it twice does nothing new.
//! Decides; never waits.

use std::hash::BuildHasher;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Again;
use super::HttpError;
use super::Response;

/// How long GitHub asks to wait where it names no time.
const MINUTE: Duration = Duration::from_secs(60);

/// How long to wait before attempt `attempt + 2`; `None` for never.
pub(super) fn after_answer(again: Again, response: &Response, attempt: usize, now: Timestamp) -> Option<Duration> {
    match again {
        Again::AsModels => after_models_answer(response, attempt, now),
        _ if is_rate_limit(response) => Some(rate_wait(response, now)),
        Again::Harmless if matches!(response.status, 500..=599) => {
            Some(told(response, now).unwrap_or_else(|| backoff(attempt)))
        }
        Again::Harmless | Again::NotCarriedOut => None,
    }
}

/// Whether a forge refuses because it was asked too often.
pub fn is_rate_limit(response: &Response) -> bool {
    let spent = response.header("x-ratelimit-remaining") == Some("0");
    response.status == 429 || (response.status == 403 && (spent || response.header("retry-after").is_some()))
}

/// How long a forge that was asked too often wants to be left alone.
pub fn rate_wait(response: &Response, now: Timestamp) -> Duration {
    let reset = ["x-ratelimit-reset", "ratelimit-reset"].iter().find_map(|name| response.header(name));
    let reset = reset.and_then(|text| Timestamp::from_second(text.trim().parse().ok()?).ok());
    let left = reset.map(|then| Duration::try_from(then.duration_since(now)).unwrap_or_default());
    told(response, now).or(left).unwrap_or(MINUTE)
}

fn after_models_answer(response: &Response, attempt: usize, now: Timestamp) -> Option<Duration> {
    let asked = match response.header("x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(response.status, 408 | 409 | 429 | 500..=599) && !quota_is_spent(&response.body),
    };
    let is_error = response.status >= 400;
    (asked && is_error).then(|| told(response, now).unwrap_or_else(|| backoff(attempt)))
}

/// As [`after_answer`], where there was none.
pub(super) fn after_error(again: Again, error: &HttpError, attempt: usize) -> Option<Duration> {
    let repeats = match error {
        HttpError::Unreachable { .. } => true,
        HttpError::Broken { midway, .. } => match again {
            Again::AsModels => !midway,
            Again::Harmless => true,
            Again::NotCarriedOut => false,
        },
        HttpError::Timeout { .. } => again == Again::Harmless,
        _ => false,
    };
    repeats.then(|| backoff(attempt))
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
            let wait = after_answer(Again::AsModels, &response(status, &headers, body), 0, now);
            assert_eq!(wait.map(|wait| wait.as_millis()), wanted, "{status} {headers:?}");
        }
    }

    #[test]
    fn without_a_word_the_wait_doubles_up_to_eight_seconds() {
        let now = Timestamp::UNIX_EPOCH;
        for (attempt, most) in [(0, 500), (1, 1000), (2, 2000), (9, 8000)] {
            for value in ["", "soon", "-1", "NaN", "1e400"] {
                let answer = response(529, &[("retry-after", value)], "");
                let wait = after_answer(Again::AsModels, &answer, attempt, now).expect("again");
                assert!(wait.as_millis() <= most && wait.as_millis() >= most * 3 / 4, "{attempt}: {wait:?}");
            }
        }
    }

    #[test]
    fn what_may_have_been_billed_is_not_asked_again() {
        let timeout = HttpError::Timeout { host: "h".into(), after: Duration::from_secs(1) };
        let broken = |midway| HttpError::Broken { host: "h".into(), reason: "r".into(), midway };
        let unreachable = HttpError::Unreachable { host: "h".into(), reason: "r".into() };
        for (again, wanted) in [
            (Again::AsModels, [false, false, true, true]),
            (Again::Harmless, [true, true, true, true]),
            (Again::NotCarriedOut, [false, false, false, true]),
        ] {
            let errors = [&timeout, &broken(true), &broken(false), &unreachable];
            assert_eq!(errors.map(|error| after_error(again, error, 0).is_some()), wanted, "{again:?}");
        }
    }

    #[test]
    fn a_forge_is_asked_again_when_it_says_so_and_nothing_is_done_twice() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().expect("time");
        let reset = (now.as_second() + 9).to_string();
        for (status, headers, harmless, once) in [
            (429, vec![("retry-after", "3")], Some(3000), Some(3000)),
            (403, vec![("retry-after", "3")], Some(3000), Some(3000)),
            (403, vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*reset)], Some(9000), Some(9000)),
            (429, vec![("ratelimit-reset", &*reset)], Some(9000), Some(9000)),
            (429, vec![], Some(60_000), Some(60_000)),
            (403, vec![("x-ratelimit-remaining", "4999")], None, None),
            (503, vec![("retry-after", "2")], Some(2000), None),
            (409, vec![], None, None),
            (422, vec![], None, None),
            (200, vec![], None, None),
        ] {
            let answer = response(status, &headers, "");
            for (again, wanted) in [(Again::Harmless, harmless), (Again::NotCarriedOut, once)] {
                let wait = after_answer(again, &answer, 0, now);
                assert_eq!(wait.map(|wait| wait.as_millis()), wanted, "{status} {headers:?} {again:?}");
            }
        }
    }
}
