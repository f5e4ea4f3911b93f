//! A request as data: what is asked, and when it may be asked again.
//!
//! Composes nothing and sends nothing.

use serde_json::Value;

use super::HeaderText;

/// One request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// The address, whole.
    pub url: &'a str,
    /// Headers beside those of the body.
    pub headers: Vec<(String, HeaderText)>,
    /// JSON; `None` for no body.
    pub body: Option<&'a Value>,
    /// When it may be sent again.
    pub again: Again,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Make.
    Post,
    /// Write.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// By the rules of the models' vendors.
    AsModels,
    /// Doing it twice does nothing new: also where it may have been done.
    Harmless,
    /// Only where it was certainly not carried out.
    NotCarriedOut,
}

impl Method {
    pub(super) fn name(self) -> reqwest::Method {
        match self {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        }
    }
}
