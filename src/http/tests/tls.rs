//! Certificates and proxies, with an authority of the tests' own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An HTTPS server that calls itself `name` and answers `yes`: where it
/// listens, and the PEM of the authority that signs for it.
async fn https(name: &str) -> (SocketAddr, String) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let own = own.signed_by(&key, &authority).expect("a certificate");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key.serialize_der().try_into().expect("a key"))
        .expect("a server");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that refuses the certificate hangs up.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut stream = BufReader::new(stream);
                let head = head(&mut stream).await;
                let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
                stream.read_exact(&mut body).await.expect("a body");
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nyes";
                stream.write_all(answer.as_bytes()).await.expect("written");
                stream.shutdown().await.ok();
            });
        }
    });
    (address, authority.pem())
}

/// A proxy that leads every connection to `server`, and what it was asked.
async fn proxy(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let head = head(&mut stream).await;
                heard.lock().expect("lock").extend(head);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("written");
                let mut onward = TcpStream::connect(server).await.expect("connected");
                tokio::io::copy_bidirectional(&mut stream, &mut onward).await.ok();
            });
        }
    });
    (address, asked)
}

/// The lines of a request's head.
async fn head(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a line");
        match line.trim_end() {
            "" => return lines,
            line => lines.push(line.to_owned()),
        }
    }
}

fn trusting(pem: &str) -> Client {
    client(|config| config.authorities = Authorities::read(pem.as_bytes()).expect("an authority"))
}

#[tokio::test]
async fn a_server_of_an_authority_of_the_users_is_reached_with_its_file_and_refused_without() {
    let (address, pem) = https("localhost").await;
    let url = format!("https://localhost:{}/v1", address.port());
    let answer = trusting(&pem).post(&url, vec![], &json!({"a": 1})).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"yes"[..]));
    let (_, another) = https("localhost").await;
    // The tests' authorities have one name, and each its own key.
    for (stranger, why) in [
        (client(|_| {}), "heal does not know who signed it"),
        (trusting(&another), "the authority of that name which heal knows did not sign it"),
    ] {
        let error = stranger.post(&url, vec![], &json!({})).await.expect_err("refused");
        let wanted = format!("the certificate of `localhost` is not trusted: {why}");
        assert_eq!((error.to_string(), error.was_sent()), (wanted, false));
    }
    // Two authorities in one file are both trusted.
    let both = trusting(&format!("# of the house\n{another}\n{pem}"));
    assert_eq!(both.post(&url, vec![], &json!({})).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (address, pem) = https("another.example").await;
    let url = format!("https://localhost:{}/v1", address.port());
    let error = trusting(&pem).post(&url, vec![], &json!({})).await.expect_err("refused");
    assert!(matches!(&error, HttpError::Certificate { reason, .. } if reason.contains("another.example")), "{error}");
}

#[tokio::test]
async fn a_proxy_is_used_for_other_machines_and_never_for_this_one() {
    let (server, pem) = https("model.invalid").await;
    let (address, asked) = proxy(server).await;
    let client = client(|config| {
        config.authorities = Authorities::read(pem.as_bytes()).expect("an authority");
        config.proxy = Proxy::parse(&format!("http://ana:s3cret@{address}")).expect("a proxy");
        config.retries = 0;
    });
    let answer = client.post("https://model.invalid/v1", vec![], &json!({})).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"yes"[..]));
    let told = std::mem::take(&mut *asked.lock().expect("lock"));
    assert_eq!(told[0], "CONNECT model.invalid:443 HTTP/1.1");
    let user = told.iter().find(|line| line.to_lowercase().starts_with("proxy-authorization: basic "));
    assert!(user.is_some(), "{told:?}");
    let here = format!("https://localhost:{}/v1", server.port());
    client.post(&here, vec![], &json!({})).await.expect_err("its certificate is for another name");
    assert!(asked.lock().expect("lock").is_empty());
}
