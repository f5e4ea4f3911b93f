//! A body as lines, while it arrives.
//!
//! Splits at line feeds, drops a carriage return before one, and refuses a
//! line beyond the limit; keeps nothing but the line that has not ended yet.

/// What a listener wants after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The rest.
    More,
    /// Nothing further: the connection is closed.
    Enough,
}

/// Hears the lines.
pub(super) type Listen<'a> = dyn FnMut(&[u8]) -> Wish + Send + 'a;

/// A line that is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Splits a body.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// Tells `listen` every line that `chunk` ends.
    pub(super) fn push(&mut self, chunk: &[u8], most_bytes: usize, listen: &mut Listen<'_>) -> Result<Wish, TooLong> {
        let mut rest = chunk;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..at], most_bytes)?;
            rest = &rest[at + 1..];
            let line = std::mem::take(&mut self.open);
            if listen(line.strip_suffix(b"\r").unwrap_or(&line)) == Wish::Enough {
                return Ok(Wish::Enough);
            }
        }
        self.extend(rest, most_bytes)?;
        Ok(Wish::More)
    }

    fn extend(&mut self, bytes: &[u8], most_bytes: usize) -> Result<(), TooLong> {
        if self.open.len() + bytes.len() > most_bytes {
            return Err(TooLong);
        }
        self.open.extend_from_slice(bytes);
        Ok(())
    }

    /// Tells the last line, where no line feed ended it.
    pub(super) fn end(self, listen: &mut Listen<'_>) {
        if !self.open.is_empty() {
            listen(self.open.strip_suffix(b"\r").unwrap_or(&self.open));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]], most_bytes: usize) -> Result<Vec<String>, TooLong> {
        let mut found = Vec::new();
        let mut listen = |line: &[u8]| {
            found.push(String::from_utf8_lossy(line).into_owned());
            if line == b"stop" { Wish::Enough } else { Wish::More }
        };
        let mut lines = Lines::default();
        for chunk in chunks {
            if lines.push(chunk, most_bytes, &mut listen)? == Wish::Enough {
                return Ok(found);
            }
        }
        lines.end(&mut listen);
        Ok(found)
    }

    #[test]
    fn lines_are_told_whole_and_no_more_than_wanted() {
        assert_eq!(split(&[b"a\r", b"\nbc", b"d\n\ne"], 9), Ok(["a", "bcd", "", "e"].map(str::to_owned).to_vec()));
        assert_eq!(split(&[b"a\nstop\nb\n"], 9), Ok(["a", "stop"].map(str::to_owned).to_vec()));
        assert_eq!(split(&[b"12345", b"67890\n"], 9), Err(TooLong));
        assert_eq!(split(&[b"123456789\n123456789"], 9).map(|lines| lines.len()), Ok(2));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_body_is_cut(body in "[ab\r\n]{0,40}", at in 0_usize..40) {
            let at = at.min(body.len());
            let (head, tail) = body.as_bytes().split_at(at);
            prop_assert_eq!(split(&[head, tail], 99), split(&[body.as_bytes()], 99));
        }
    }
}
