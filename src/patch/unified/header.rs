//! File names in the headers of diffs.
//!
//! Reads text; never looks whether a file exists.

use super::Name;
use super::UnifiedError;
use crate::source::RelPath;

/// The name on a `---` or `+++` line (without the marker); `None` for
/// `/dev/null`.
pub(super) fn of_file_line(rest: &str, line: usize) -> Result<Option<Name>, UnifiedError> {
    let rest = rest.trim_end_matches(['\r', '\n']);
    let text = if rest.starts_with('"') {
        unquoted(rest, line)?.0
    } else {
        // A tab starts a time stamp (`diff -u`), or ends a name with spaces (git).
        rest.split('\t').next().unwrap_or_default().trim_end().to_owned()
    };
    if text == "/dev/null" { Ok(None) } else { name(&text, true, line).map(Some) }
}

/// The two names of a `diff --git` line (without the marker); `None` where
/// they cannot be told apart.
pub(super) fn of_git_line(rest: &str, line: usize) -> Result<Option<(Name, Name)>, UnifiedError> {
    let rest = rest.trim_end_matches(['\r', '\n']);
    if rest.starts_with('"') {
        let (old, after) = unquoted(rest, line)?;
        let after = after.trim_start();
        let new = if after.starts_with('"') { unquoted(after, line)?.0 } else { after.to_owned() };
        return Ok(Some((name(&old, true, line)?, name(&new, true, line)?)));
    }
    if let Some(at) = rest.find(" \"") {
        let new = unquoted(&rest[at + 1..], line)?.0;
        return Ok(Some((name(&rest[..at], true, line)?, name(&new, true, line)?)));
    }
    // Without quotes the names are equal but for the prefix, so the space
    // between them is in the middle (names may hold spaces themselves).
    let middle = rest.len() / 2;
    if rest.as_bytes().get(middle) == Some(&b' ') {
        let (old, new) = (name(&rest[..middle], true, line)?, name(&rest[middle + 1..], true, line)?);
        if old.path == new.path {
            return Ok(Some((old, new)));
        }
    }
    match rest.split_once(' ') {
        Some((old, new)) if !new.contains(' ') => Ok(Some((name(old, true, line)?, name(new, true, line)?))),
        _ => Ok(None),
    }
}

/// The name on a `rename from`, `rename to`, `copy from` or `copy to` line:
/// these have no prefix.
pub(super) fn of_move_line(rest: &str, line: usize) -> Result<Name, UnifiedError> {
    let rest = rest.trim_end_matches(['\r', '\n']);
    let text = if rest.starts_with('"') { unquoted(rest, line)?.0 } else { rest.to_owned() };
    name(&text, false, line)
}

fn name(text: &str, prefixed: bool, line: usize) -> Result<Name, UnifiedError> {
    // The reason is for a terminal, and the name is anyone's.
    let bad = |reason: String| UnifiedError::BadPath { line, reason: reason.replace(char::is_control, "\u{fffd}") };
    let written = RelPath::new(text).map_err(|error| bad(error.to_string()))?;
    // git's own prefixes: a/ b/, and with `diff.mnemonicPrefix` i/ w/ c/ o/.
    let stripped = text.split_once('/').filter(|(first, _)| {
        prefixed && matches!(*first, "a" | "b" | "i" | "w" | "c" | "o") && !text.starts_with("./")
    });
    let path = match stripped {
        Some((_, rest)) => RelPath::new(rest).map_err(|error| bad(error.to_string()))?,
        None => written.clone(),
    };
    if path.is_root() {
        return Err(bad(format!("`{text}` names no file")));
    }
    Ok(Name { written: (path != written).then_some(written), path })
}

/// A C-style quoted name (`git help config`, core.quotePath) and what follows
/// it.
fn unquoted(text: &str, line: usize) -> Result<(String, &str), UnifiedError> {
    let bad = |reason: &str| UnifiedError::BadPath { line, reason: reason.to_owned() };
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        match bytes.get(at) {
            None => return Err(bad("a quoted name has no end")),
            Some(b'"') => break,
            Some(b'\\') => {
                let escape = *bytes.get(at + 1).ok_or_else(|| bad("a quoted name has no end"))?;
                at += 2;
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'"' | b'\\' => escape,
                    b'0'..=b'3' => {
                        let digits = bytes.get(at - 1..at + 2).and_then(|three| std::str::from_utf8(three).ok());
                        at += 2;
                        let value = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
                        value.ok_or_else(|| bad("a quoted name holds a broken escape"))?
                    }
                    _ => return Err(bad("a quoted name holds a broken escape")),
                });
            }
            Some(byte) => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    let name = String::from_utf8(out).map_err(|_| bad("a name is not UTF-8"))?;
    Ok((name, &text[at + 1..]))
}
