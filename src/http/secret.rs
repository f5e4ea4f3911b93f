//! A text that is never shown: keys and tokens.
//!
//! Keeps it out of errors, logs and debug output; does not wipe memory.

use std::fmt;

/// A key or token; shows itself as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`, without white space around it (a key read from a file
    /// often ends with a line end).
    pub fn new(text: impl AsRef<str>) -> Secret {
        Secret(text.as_ref().trim().to_owned())
    }

    /// The text, to be sent and not to be shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    /// Anyone may see it.
    Plain(String),
    /// No one may.
    Secret(Secret),
}

impl HeaderText {
    pub(super) fn text(&self) -> &str {
        match self {
            HeaderText::Plain(text) => text,
            HeaderText::Secret(secret) => secret.reveal(),
        }
    }

    pub(super) fn is_secret(&self) -> bool {
        matches!(self, HeaderText::Secret(_))
    }
}

impl fmt::Display for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderText::Plain(text) => f.write_str(text),
            HeaderText::Secret(secret) => secret.fmt(f),
        }
    }
}

impl From<&str> for HeaderText {
    fn from(text: &str) -> HeaderText {
        HeaderText::Plain(text.to_owned())
    }
}

impl From<String> for HeaderText {
    fn from(text: String) -> HeaderText {
        HeaderText::Plain(text)
    }
}

impl From<Secret> for HeaderText {
    fn from(secret: Secret) -> HeaderText {
        HeaderText::Secret(secret)
    }
}
