//! A person as the model: the prompt is written to a file, and the answer is
//! read from another, once someone has put it there.
//!
//! Writes and reads in one folder, which the caller chooses; the files carry
//! the prompt's digest, so that an answer is never taken for another prompt's
//! and one that is there already is used at once.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::ProviderError;
use crate::interrupt::Interrupt;

/// How often the answer is looked for, and how long it must not change.
const PAUSE: Duration = Duration::from_millis(200);
/// A larger answer is none.
const MOST_BYTES: u64 = 16 << 20;

/// The two files of one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Holds the prompt.
    pub prompt: PathBuf,
    /// Is to hold the answer.
    pub answer: PathBuf,
}

impl Files {
    /// The files of the prompt with this digest.
    pub fn of(folder: &Path, digest: &str) -> Files {
        let short = digest.get(..12).unwrap_or(digest);
        let file = |kind: &str| folder.join(format!("{short}.{kind}"));
        Files { prompt: file("prompt.md"), answer: file("answer.txt") }
    }
}

/// Writes the prompt, all of it or nothing.
///
/// # Errors
/// The folder cannot be made or written.
pub fn write_prompt(files: &Files, text: &str) -> Result<(), ProviderError> {
    let fails = |source| ProviderError::File { doing: "write", path: files.prompt.clone(), source };
    if let Some(folder) = files.prompt.parent() {
        std::fs::create_dir_all(folder).map_err(fails)?;
    }
    let half = files.prompt.with_extension("part");
    std::fs::write(&half, text).and_then(|()| std::fs::rename(&half, &files.prompt)).map_err(fails)
}

/// Waits until the answer is there, not empty, and no longer growing.
///
/// # Errors
/// The limit is over, the run is interrupted, or the file cannot be read.
pub async fn wait_for_answer(files: &Files, limit: Duration, interrupt: &Interrupt) -> Result<String, ProviderError> {
    let started = tokio::time::Instant::now();
    let mut last = None;
    loop {
        let seen = std::fs::metadata(&files.answer).ok().filter(std::fs::Metadata::is_file);
        let seen = seen.filter(|meta| meta.len() > 0).map(|meta| (meta.len(), meta.modified().ok()));
        if seen.is_some() && seen == last {
            return read_answer(files);
        }
        last = seen;
        if started.elapsed() > limit {
            return Err(ProviderError::NoAnswer { path: files.answer.clone(), seconds: limit.as_secs() });
        }
        tokio::select! {
            stop = interrupt.wait() => return Err(ProviderError::Interrupted(stop)),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn read_answer(files: &Files) -> Result<String, ProviderError> {
    let fails = |source| ProviderError::File { doing: "read", path: files.answer.clone(), source };
    let size = std::fs::metadata(&files.answer).map_err(fails)?.len();
    if size > MOST_BYTES {
        return Err(ProviderError::Malformed { detail: format!("the answer has {size} bytes, which is no patch") });
    }
    Ok(String::from_utf8_lossy(&std::fs::read(&files.answer).map_err(fails)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Stop;

    #[tokio::test]
    async fn an_answer_is_taken_once_it_no_longer_grows() {
        let dir = tempfile::tempdir().expect("tempdir");
        let files = Files::of(&dir.path().join("new"), "0123456789abcdef");
        write_prompt(&files, "a prompt").expect("writes");
        assert_eq!(std::fs::read_to_string(&files.prompt).expect("prompt"), "a prompt");
        let answer = files.answer.clone();
        let writer = async move {
            std::fs::write(&answer, "").expect("write");
            tokio::time::sleep(PAUSE / 2).await;
            std::fs::write(&answer, "half").expect("write");
            tokio::time::sleep(PAUSE).await;
            std::fs::write(&answer, "half and half").expect("write");
        };
        let interrupt = Interrupt::new();
        let (text, ()) = tokio::join!(wait_for_answer(&files, Duration::from_secs(20), &interrupt), writer);
        assert_eq!(text.expect("answer"), "half and half");
    }

    #[tokio::test]
    async fn waiting_ends_at_the_limit_and_at_an_interrupt() {
        let dir = tempfile::tempdir().expect("tempdir");
        let files = Files::of(dir.path(), "ab");
        let over = wait_for_answer(&files, Duration::ZERO, &Interrupt::new()).await;
        assert!(matches!(over, Err(ProviderError::NoAnswer { .. })));
        let interrupt = Interrupt::new();
        interrupt.raise(Stop::Asked);
        let stopped = wait_for_answer(&files, Duration::from_secs(9), &interrupt).await;
        assert!(matches!(stopped, Err(ProviderError::Interrupted(Stop::Asked))));
    }
}
