//! Tests of `http`; decide nothing else.

mod tls;

use std::time::Instant;

use serde_json::json;
use wiremock::Mock;
use wiremock::MockServer;
use wiremock::ResponseTemplate;
use wiremock::matchers::body_json;
use wiremock::matchers::header;
use wiremock::matchers::method;
use wiremock::matchers::path;

use super::*;
use crate::interrupt::Stop;

fn client(change: impl FnOnce(&mut Config)) -> Client {
    let mut config = Config { timeout: Duration::from_secs(5), ..Config::default() };
    change(&mut config);
    Client::new(config).expect("client")
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(template).mount(&server).await;
    server
}

#[tokio::test]
async fn a_post_carries_json_headers_and_the_user_agent() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1"))
        .and(header("x-api-key", "k"))
        .and(header("user-agent", concat!("heal/", env!("CARGO_PKG_VERSION"))))
        .and(body_json(json!({"a": 1})))
        .respond_with(ResponseTemplate::new(200).insert_header("X-Id", "7").set_body_string("yes"))
        .expect(1)
        .mount(&server)
        .await;
    let headers = vec![("x-api-key".to_owned(), Secret::new("k\n").into())];
    let response =
        client(|_| {}).post(&format!("{}/v1", server.uri()), headers, &json!({"a": 1})).await.expect("answer");
    assert_eq!((response.status, response.body.as_slice(), response.header("x-id")), (200, &b"yes"[..], Some("7")));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_at_most_twice() {
    let server = answering(ResponseTemplate::new(429).insert_header("retry-after-ms", "1")).await;
    let response = client(|_| {}).post(&server.uri(), vec![], &json!({})).await.expect("answer");
    assert_eq!((response.status, server.received_requests().await.expect("recorded").len()), (429, 3));
}

#[tokio::test]
async fn a_wait_beyond_the_limit_is_no_wait() {
    let server = answering(ResponseTemplate::new(503).insert_header("retry-after", "61")).await;
    let response = client(|_| {}).post(&server.uri(), vec![], &json!({})).await.expect("answer");
    assert_eq!((response.status, server.received_requests().await.expect("recorded").len()), (503, 1));
}

#[tokio::test]
async fn an_interrupt_ends_a_wait_and_a_hang() {
    for template in [
        ResponseTemplate::new(429).insert_header("retry-after", "30"),
        ResponseTemplate::new(200).set_delay(Duration::from_secs(30)),
    ] {
        let server = answering(template).await;
        let interrupt = Interrupt::new();
        let client = client(|config| config.interrupt = interrupt.clone());
        let started = Instant::now();
        let url = server.uri();
        let body = json!({});
        let post = client.post(&url, vec![], &body);
        let raise = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            interrupt.raise(Stop::Asked);
        };
        let (answer, ()) = tokio::join!(post, raise);
        assert!(matches!(answer, Err(HttpError::Interrupted(Stop::Asked))));
        assert!(started.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn a_hang_is_a_timeout_and_a_huge_answer_is_cut_off() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let client_of = |limit: u64| client(move |config| config.timeout = Duration::from_millis(limit));
    let error = client_of(200).post(&server.uri(), vec![], &json!({})).await.expect_err("hangs");
    assert!(matches!(error, HttpError::Timeout { .. }) && error.was_sent(), "{error}");
    let server = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 300_000])).await;
    let small = client(|config| config.max_response_bytes = 200_000);
    let error = small.post(&server.uri(), vec![], &json!({})).await.expect_err("too large");
    assert!(matches!(error, HttpError::TooLarge { limit: 200_000, .. }), "{error}");
}

#[tokio::test]
async fn redirects_stay_on_the_server() {
    let other = answering(ResponseTemplate::new(200)).await;
    let away = ResponseTemplate::new(307).insert_header("location", other.uri());
    let server = answering(away).await;
    let error = client(|_| {}).post(&server.uri(), vec![], &json!({})).await.expect_err("refused");
    assert!(matches!(error, HttpError::Redirected { .. }), "{error}");
    assert!(other.received_requests().await.expect("recorded").is_empty());

    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(308).insert_header("location", "/b");
    Mock::given(path("/a")).respond_with(moved).mount(&server).await;
    Mock::given(path("/b"))
        .and(body_json(json!({"q": 1})))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let response = client(|_| {}).post(&format!("{}/a", server.uri()), vec![], &json!({"q": 1})).await;
    assert_eq!(response.expect("answer").status, 200);
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    for (url, wanted) in [
        (
            "http://example.invalid/v1",
            "`example.invalid` would be spoken to over plain HTTP, which shows code and keys to the network; use https",
        ),
        (
            "http://127.0.0.1.example.invalid/",
            "`127.0.0.1.example.invalid` would be spoken to over plain HTTP, which shows code and keys to the network; use https",
        ),
        ("ftp://a/", "`ftp://a/` is no address of an HTTP server"),
        ("https//me:pass@x", "`x` is no address of an HTTP server"),
    ] {
        let error = client(|_| {}).post(url, vec![], &json!({})).await.expect_err("refused");
        assert_eq!(error.to_string(), wanted);
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_was_not_billed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let url = format!("http://{}/", listener.local_addr().expect("address"));
    drop(listener);
    let error = client(|config| config.retries = 0).post(&url, vec![], &json!({})).await.expect_err("closed");
    assert!(matches!(error, HttpError::Unreachable { .. }) && !error.was_sent(), "{error}");
}

#[tokio::test]
async fn secrets_show_in_no_error() {
    let key = Secret::new("sk-123");
    let header = HeaderText::from(key.clone());
    assert_eq!(format!("{key} {key:?} {header} {header:?}"), "*** *** *** Secret(***)");
    let headers = vec![("x-api-key".to_owned(), Secret::new("sk-\n123").into())];
    let error = client(|_| {}).post("http://localhost:1/", headers, &json!({})).await.expect_err("bad header");
    assert_eq!(error.to_string(), "the header `x-api-key` holds a character that no header may hold");
}
