//! Through which proxy servers are reached.
//!
//! Never used for this machine itself; never shows a proxy's user or password.

use std::fmt;

use reqwest::ClientBuilder;
use reqwest::NoProxy;
use reqwest::Url;

use super::Secret;

/// What a proxy's address may start with.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The way to servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// As the environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY`, in capitals or not.
    #[default]
    System,
    /// None, whatever the environment says.
    Never,
    /// This one, except for the hosts of `NO_PROXY`.
    Through(Address),
}

/// A proxy's address, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Secret);

impl Proxy {
    /// Reads `none` or an address.
    ///
    /// # Errors
    /// What it should look like; never the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Proxy, &'static str> {
        let text = text.trim();
        if text == "none" {
            return Ok(Proxy::Never);
        }
        let is_one = |url: &Url| SCHEMES.contains(&url.scheme()) && url.has_host();
        let url = Url::parse(text).ok().filter(is_one);
        let url = url.ok_or("write http://HOST:PORT, https://…, socks5://… or none")?;
        Ok(Proxy::Through(Address(Secret::new(url.as_str()))))
    }

    pub(super) fn used_by(&self, builder: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        Ok(match self {
            Proxy::System => builder,
            Proxy::Never => builder.no_proxy(),
            Proxy::Through(Address(url)) => {
                builder.proxy(reqwest::Proxy::all(url.reveal())?.no_proxy(NoProxy::from_env()))
            }
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_user(self.0.reveal()))
    }
}

/// An address without the user and the password in it.
pub fn without_user(url: &str) -> String {
    // `ana:pass@proxy` reads as an address with the scheme `ana`.
    let Some(mut url) = Url::parse(url).ok().filter(Url::has_host) else {
        return url.rsplit('@').next().unwrap_or_default().to_owned();
    };
    // Only an address without a host refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_shown_without_its_password() {
        for (text, wanted) in [
            ("none", Ok("Never")),
            ("http://proxy:3128", Ok("http://proxy:3128")),
            (" socks5://ana:s3cret@10.0.0.1:1080 ", Ok("socks5://10.0.0.1:1080")),
            ("https://ana:s3cret@proxy/", Ok("https://proxy")),
            ("proxy:3128", Err(())),
            ("ftp://proxy", Err(())),
            ("", Err(())),
        ] {
            let shown = Proxy::parse(text).map_err(|_| ()).map(|proxy| match proxy {
                Proxy::Through(address) => {
                    assert!(!format!("{address:?}").contains("s3cret"));
                    address.to_string()
                }
                other => format!("{other:?}"),
            });
            assert_eq!(shown, wanted.map(str::to_owned), "{text}");
        }
        assert_eq!(without_user("ana:s3cret@proxy:3128"), "proxy:3128");
    }
}
