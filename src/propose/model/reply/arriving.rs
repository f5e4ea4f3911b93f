//! Patches of a reply that is still arriving, each as soon as it is whole.
//!
//! Understood is the form that was asked for, in a code fence or not, and
//! nothing else:
//!
//! ```text
//! reply = [fence] "{" { key ":" value } "patches" ":" "[" { patch [","] } …
//! ```
//!
//! Whatever is written in another way waits for the reply's end, when
//! [`super::read`] reads all of it; what is found here is found there again.
//! Linear in the text; reads no byte twice but those of a whole patch.

use serde_json::Value;

use super::CAUSE;
use super::MOST_PATCHES;
use super::PATCHES;
use super::SaidPatch;
use super::change;
use super::text_field;

/// What may stand before the reply's object.
const FENCES: [&str; 3] = ["", "```", "```json"];

/// Where the reading of a growing text stands.
#[derive(Debug, Default)]
pub struct Arriving {
    /// Bytes that were read.
    at: usize,
    /// Open brackets.
    open: Vec<u8>,
    /// Where the open string began, and whether its next byte is escaped.
    string: Option<(usize, bool)>,
    /// The last string directly in the reply's object.
    key: String,
    /// Whether the list that is open is the one of the patches.
    is_list: bool,
    /// Where the open patch began.
    patch: Option<usize>,
    found: usize,
    /// Whether the text has another form.
    is_other: bool,
}

impl Arriving {
    /// The patches that have become whole; `text` is all that has come.
    pub fn more(&mut self, text: &str) -> Vec<SaidPatch> {
        let mut patches = Vec::new();
        for (index, byte) in text.bytes().enumerate().skip(self.at) {
            if self.is_other || self.found == MOST_PATCHES {
                break;
            }
            let Some(start) = self.take(index, byte, text) else { continue };
            let value = text.get(start..=index).and_then(|text| serde_json::from_str::<Value>(text).ok());
            let Some(value) = value else {
                self.is_other = true;
                break;
            };
            self.found += 1;
            let cause = value.as_object().and_then(|map| text_field(map, CAUSE)).unwrap_or_default().trim().to_owned();
            patches.extend(change(&value).ok().map(|change| SaidPatch { root_cause: cause, change }));
        }
        self.at = text.len();
        patches
    }

    /// Takes a byte; returns where the patch began that it ends.
    fn take(&mut self, index: usize, byte: u8, text: &str) -> Option<usize> {
        if let Some((start, is_escaped)) = self.string {
            match byte {
                _ if is_escaped => self.string = Some((start, false)),
                b'\\' => self.string = Some((start, true)),
                b'"' => {
                    self.string = None;
                    if self.open.len() == 1 {
                        self.key = text.get(start + 1..index).unwrap_or_default().to_owned();
                    }
                }
                _ => {}
            }
            return None;
        }
        if self.open.is_empty() {
            match byte {
                b'{' if text.get(..index).is_some_and(|before| FENCES.contains(&before.trim())) => self.open.push(byte),
                b'{' | b'[' | b'"' | b'}' | b']' => self.is_other = true,
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => self.string = Some((index, false)),
            b'{' | b'[' => {
                match self.open.len() {
                    1 => self.is_list = byte == b'[' && PATCHES.contains(&self.key.as_str()),
                    2 if self.is_list && byte == b'{' => self.patch = Some(index),
                    _ => {}
                }
                self.open.push(byte);
            }
            b'}' | b']' => {
                let opened = self.open.pop();
                self.is_other |= opened != Some(if byte == b'}' { b'{' } else { b'[' }) || self.open.is_empty();
                if self.open.len() == 2 && byte == b'}' {
                    return self.patch.take();
                }
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::read;
    use super::*;

    fn patch(name: &str) -> Value {
        json!({"root_cause": format!("\"{name}\" {{[ \\"), "edits": [{"path": "a.py", "search": "]}", "replace": name}]})
    }

    /// How many patches have come after each byte of a text.
    fn counts(text: &str) -> Vec<usize> {
        let mut arriving = Arriving::default();
        let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
        ends.map(|end| arriving.more(&text[..end]).len()).collect()
    }

    #[test]
    fn a_patch_is_told_with_its_last_byte() {
        let text = json!({"no_fix": null, "patches": [patch("é"), patch("y")]}).to_string();
        let mut arriving = Arriving::default();
        let first = text.find("},{\"root_cause\"").expect("the second patch") + 1;
        assert_eq!(arriving.more(&text[..first - 1]), []);
        let said = arriving.more(&text[..first]);
        assert_eq!(said, read(&text).patches[..1]);
        assert_eq!(arriving.more(&text), read(&text).patches[1..]);
        assert_eq!(arriving.more(&text), []);
    }

    #[test]
    fn what_has_another_form_waits_for_the_end() {
        let good = json!({"patches": [patch("x")]}).to_string();
        for (text, wanted) in [
            (good.clone(), 1),
            (format!("\n {good}"), 1),
            (good.replace("patches", "fixes"), 1),
            (format!("Here: {good}"), 0),
            (format!("```json\n{good}\n```"), 1),
            (format!("```\n{good}"), 1),
            (format!("```python\n{good}"), 0),
            (format!("\"{good}"), 0),
            (format!("[{good}]"), 0),
            (good.replace("\"patches\"", "\"other\""), 0),
            (good.replace("\"patches\":[", "\"other\":{\"patches\":[") + "}", 0),
            (good.replace("\"edits\"", "edits"), 0),
            (json!({"patches": [{"root_cause": "no edits", "edits": []}, patch("x")]}).to_string(), 1),
            (json!({"patches": [[patch("x")]]}).to_string(), 0),
            ("}]".to_owned(), 0),
            (String::new(), 0),
            (json!({"patches": vec![patch("x"); 60]}).to_string(), MOST_PATCHES),
        ] {
            assert_eq!(counts(&text).iter().sum::<usize>(), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_has_come_is_in_the_whole_reply(names in prop::collection::vec("[a-z\"\\\\{}\\[\\]é]{0,6}", 0..4), cut in 0_usize..400) {
            let text = json!({"patches": names.iter().map(|name| patch(name)).collect::<Vec<_>>(), "no_fix": null}).to_string();
            let mut end = cut.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let mut arriving = Arriving::default();
            let mut all = arriving.more(&text[..end]);
            // A reply that is cut off here holds them too.
            let of_cut = read(&text[..end]).patches;
            prop_assert!(all.iter().all(|said| of_cut.contains(said)));
            all.extend(arriving.more(&text));
            prop_assert_eq!(all, read(&text).patches);
        }
    }
}
