//! Replies that are kept: so that none is paid for twice, and so that a run
//! can be replayed without a network.
//!
//! The store itself is the caller's.

use super::Reply;
use super::StopReason;

/// Keeps the replies of models, by their prompt.
pub trait ReplyStore: Send + Sync {
    /// The reply kept for a prompt.
    fn find(&self, prompt_digest: &str) -> Option<String>;

    /// Keeps a reply.
    ///
    /// # Errors
    /// Why it could not be kept, in words.
    fn keep(&self, prompt_digest: &str, model: &str, prompt: &str, reply: &str) -> Result<String, String>;
}

/// The form in which a reply is kept.
pub fn to_stored(reply: &Reply) -> String {
    serde_json::to_string(reply).expect("a reply is plain data with string keys")
}

/// Reads a kept reply; a text that is none was written by hand, and is what
/// the model said.
pub fn from_stored(text: &str) -> Reply {
    serde_json::from_str(text).unwrap_or_else(|_| Reply {
        text: text.to_owned(),
        stop: StopReason::Done,
        usage: None,
        model: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Usage;
    use super::*;

    #[test]
    fn a_reply_is_kept_whole() {
        let usage = Some(Usage { input: 1, cached: 2, written: 3, output: 4 });
        let reply = Reply { text: "«x»\n".into(), stop: StopReason::Length, usage, model: "m".into() };
        assert_eq!(from_stored(&to_stored(&reply)), reply);
    }

    #[test]
    fn a_reply_written_by_hand_is_its_text() {
        for text in ["plain", r#"{"patches": []}"#] {
            assert_eq!(from_stored(text).text, text);
        }
    }
}
