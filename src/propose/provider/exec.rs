//! A program of the user's as the model: JSON on its standard input, JSON on
//! its standard output.
//!
//! ```text
//! in:  {"schema": "heal.exec/1", "system": …, "user": …, "answer": <JSON schema>, "max_output_tokens": …}
//! out: {"text": …, "stop": "done" | "length" | "refusal", "usage": {"input": …, "output": …}, "model": …}
//! ```
//!
//! Only `text` is needed; what is no such object is itself the text. Composes
//! and reads; whoever calls starts the program, which must be named by the
//! user, never by a repository.

use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::ProviderError;
use super::Reply;
use super::StopReason;
use super::Usage;
use crate::process::Exit;

/// Composes what the program reads.
pub fn request(ask: &Ask<'_>) -> Vec<u8> {
    let value = json!({
        "schema": "heal.exec/1",
        "system": ask.system,
        "user": ask.user,
        "answer": ask.schema,
        "max_output_tokens": ask.max_output_tokens,
    });
    let mut text = value.to_string().into_bytes();
    text.push(b'\n');
    text
}

/// Reads what the program wrote; `dropped` bytes of it were too many.
///
/// # Errors
/// It failed, ran out of time, or wrote more than is read.
pub fn answer(program: &str, exit: Exit, stdout: &[u8], stderr: &[u8], dropped: u64) -> Result<Reply, ProviderError> {
    if exit != Exit::Code(0) {
        let how = match exit {
            Exit::Code(code) => format!("it ended with exit code {code}"),
            Exit::Signal(signal) => format!("signal {signal} ended it"),
            Exit::TimedOut => "it did not answer in time".to_owned(),
            Exit::Interrupted => "it was interrupted".to_owned(),
        };
        let said = String::from_utf8_lossy(stderr);
        let said = said.trim().lines().last().unwrap_or_default();
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        let detail = if said.is_empty() { how } else { format!("{how}: {said}") };
        return Err(ProviderError::Program { program: program.to_owned(), detail });
    }
    if dropped > 0 {
        let detail = format!("it wrote {dropped} bytes more than are read");
        return Err(ProviderError::Program { program: program.to_owned(), detail });
    }
    let text = String::from_utf8_lossy(stdout);
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}').trim()).unwrap_or_default();
    let Some(said) = value["text"].as_str() else {
        return Ok(Reply { text: text.into_owned(), stop: StopReason::Done, usage: None, model: program.to_owned() });
    };
    let stop = match value["stop"].as_str() {
        Some("length") => StopReason::Length,
        Some("refusal") => StopReason::Refusal,
        Some("filtered") => StopReason::Filtered,
        _ => StopReason::Done,
    };
    let usage = value["usage"]["input"].as_u64().map(|input| Usage {
        input,
        output: value["usage"]["output"].as_u64().unwrap_or(0),
        ..Usage::default()
    });
    let model = value["model"].as_str().unwrap_or(program).to_owned();
    Ok(Reply { text: said.to_owned(), stop, usage, model })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_answers_in_json_or_in_words() {
        let read = |out: &str| answer("p", Exit::Code(0), out.as_bytes(), b"", 0).expect("an answer");
        let whole = r#"{"text": "t", "stop": "length", "usage": {"input": 3, "output": 4}, "model": "m"}"#;
        assert_eq!(
            read(whole),
            Reply {
                text: "t".into(),
                stop: StopReason::Length,
                usage: Some(Usage { input: 3, output: 4, ..Usage::default() }),
                model: "m".into()
            }
        );
        for text in ["plain words", r#"{"patches": []}"#, "\u{feff}x", ""] {
            assert_eq!(read(text).text, text);
        }
    }

    #[test]
    fn a_program_that_fails_is_told_in_its_own_last_words() {
        for (exit, stderr, dropped, wanted) in [
            (Exit::Code(3), "a\nno \u{1b}[31mkey\n", 0, "`p` gave no answer: it ended with exit code 3: no [31mkey"),
            (Exit::Signal(9), "", 0, "`p` gave no answer: signal 9 ended it"),
            (Exit::TimedOut, "", 0, "`p` gave no answer: it did not answer in time"),
            (Exit::Code(0), "", 7, "`p` gave no answer: it wrote 7 bytes more than are read"),
        ] {
            let error = answer("p", exit, b"x", stderr.as_bytes(), dropped).expect_err("fails");
            assert_eq!(error.to_string(), wanted);
        }
    }
}
