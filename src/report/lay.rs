//! Lines of text for a terminal: cleaned, measured, wrapped, cut, coloured.
//!
//! What tests and models wrote is hostile until it went through [`clean`]:
//! no escape sequence of theirs ever reaches a terminal.

use console::Style;
use console::measure_text_width;

/// Lines of at most `width` columns, coloured or not.
#[derive(Debug)]
pub(super) struct Page {
    width: usize,
    colour: bool,
    lines: Vec<String>,
}

/// How a piece of text looks where there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Place,
}

impl Page {
    /// An empty page. `width`: columns, kept between 40 and 120, so that a
    /// very narrow or very wide terminal still reads.
    pub(super) fn new(width: usize, colour: bool) -> Page {
        Page { width: width.clamp(40, 120), colour, lines: Vec::new() }
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// One line, cut at the width.
    pub(super) fn line(&mut self, indent: usize, ink: Ink, text: &str) {
        self.pair(indent, (Ink::Plain, ""), (ink, text));
    }

    /// One line of two pieces, the second cut at the width.
    pub(super) fn pair(&mut self, indent: usize, first: (Ink, &str), second: (Ink, &str)) {
        let room = self.width.saturating_sub(indent);
        let lead = fit(&clean(first.1), room);
        let rest = fit(&clean(second.1), room.saturating_sub(measure_text_width(&lead)));
        let line = format!("{:indent$}{}{}", "", self.paint(first.0, &lead), self.paint(second.0, &rest));
        self.lines.push(line.trim_end().to_owned());
    }

    /// A label and words wrapped beside it, at most `most` lines.
    pub(super) fn note(&mut self, indent: usize, label: &str, ink: Ink, text: &str, most: usize) {
        let room = self.width.saturating_sub(indent + label.len()).max(10);
        let mut lines = wrap(&clean(text), room);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = fit(&format!("{last} …"), room);
                if !last.ends_with('…') {
                    last.push('…');
                }
            }
        }
        for (number, line) in lines.iter().enumerate() {
            let lead = if number == 0 { self.paint(Ink::Dim, label) } else { " ".repeat(label.len()) };
            self.lines.push(format!("{:indent$}{lead}{}", "", self.paint(ink, line)).trim_end().to_owned());
        }
    }

    /// A unified diff, at most `most` lines, the last of which says how many
    /// more there are and where to find them.
    pub(super) fn diff(&mut self, indent: usize, diff: &str, most: usize, whole: &str) {
        // git's own headers say nothing that the file names do not.
        let lines: Vec<&str> =
            diff.lines().filter(|line| !line.starts_with("diff --git ") && !line.starts_with("index ")).collect();
        let shown = if lines.len() > most { most.saturating_sub(1) } else { lines.len() };
        for line in &lines[..shown] {
            self.line(indent, ink_of(line), line);
        }
        if lines.len() > shown {
            let more = lines.len() - shown;
            let plural = if more == 1 { "" } else { "s" };
            self.line(indent, Ink::Dim, &format!("… {more} more line{plural}: {whole}"));
        }
    }

    /// Adds another page's lines after a blank one.
    pub(super) fn append(&mut self, other: Page) {
        if other.lines.is_empty() {
            return;
        }
        self.blank();
        self.extend(other);
    }

    /// Adds another page's lines.
    pub(super) fn extend(&mut self, other: Page) {
        self.lines.extend(other.lines);
    }

    /// The page as text, each line ended.
    pub(super) fn text(self) -> String {
        let mut text = self.lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        let style = Style::new().force_styling(self.colour);
        let style = match ink {
            Ink::Plain => return text.to_owned(),
            _ if text.is_empty() => return String::new(),
            Ink::Bold => style.bold(),
            Ink::Dim => style.dim(),
            Ink::Good => style.green(),
            Ink::Bad => style.red(),
            Ink::Warn => style.yellow(),
            Ink::Place => style.cyan(),
        };
        style.apply_to(text).to_string()
    }
}

fn ink_of(line: &str) -> Ink {
    match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Ink::Bold,
        [b'@', b'@', ..] => Ink::Place,
        [b'+', ..] => Ink::Good,
        [b'-', ..] => Ink::Bad,
        _ => Ink::Plain,
    }
}

/// A line as text of XML and HTML, also inside an attribute's double quotes,
/// and [`clean`]: no character comes through that XML 1.0 (2.2, `Char`) forbids.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// `text` without anything that a terminal would obey: escape sequences are
/// taken out; other control characters, and those that turn the direction of
/// text (CVE-2021-42574), become `�`. Line ends become spaces, tabs four.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.peek() == Some(&'[') => {
                // A control sequence: parameters, then one final byte
                // (ECMA-48, 5.4). One that is cut ends with its parameters.
                rest.next();
                while rest.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
                rest.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
            '\t' => out.push_str("    "),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' => out.push(' '),
            c if c.is_control() || turns_direction(c) || is_no_character(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Code points that are never a character (Unicode 17, 23.7): no XML or HTML
/// document may hold them.
fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` cut so that it takes at most `width` columns, with `…` where it was.
pub fn fit(text: &str, width: usize) -> String {
    if text.len() <= width || measure_text_width(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let wide = width_of(c);
        if taken + wide + 1 > width {
            break;
        }
        taken += wide;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Columns of `c`, never too few: a variation selector makes the character
/// before it wide (UTS #51, emoji presentation).
fn width_of(c: char) -> usize {
    match c {
        '\u{fe0f}' => 1,
        c if c.is_ascii() => 1,
        c => measure_text_width(c.encode_utf8(&mut [0; 4])),
    }
}

/// `text` broken at spaces into lines of at most `width` columns; a longer
/// word is broken where it must be. Never empty.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut taken) = (String::new(), 0);
    for word in text.split_whitespace() {
        let wide = measure_text_width(word);
        if taken > 0 && taken + 1 + wide > width {
            lines.push(std::mem::take(&mut line));
            taken = 0;
        }
        if taken > 0 {
            line.push(' ');
            taken += 1;
        }
        for c in word.chars() {
            let wide = width_of(c);
            if taken + wide > width {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            line.push(c);
            taken += wide;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn nothing_a_terminal_would_obey_is_left() {
        for (hostile, wanted) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "\u{fffd}]0;title\u{fffd}x"),
            ("\u{1b}]8;;http://e\u{1b}\\", "\u{fffd}]8;;http://e\u{fffd}\\"),
            ("\u{1b}[2", ""),
            ("\u{1b}[\u{1b}[31m", ""),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\rb\u{8}\u{7f}\0", "a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}"),
            ("a\r\nb\tc", "a b    c"),
            ("x\u{202e}y\u{2066}", "x\u{fffd}y\u{fffd}"),
            ("é 漢字 🦀", "é 漢字 🦀"),
        ] {
            assert_eq!(clean(hostile), wanted, "{hostile:?}");
        }
    }

    #[test]
    fn text_is_cut_by_columns_not_by_characters() {
        for (text, width, wanted) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("漢字漢字", 8, "漢字漢字"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
            ("🦀🦀", 3, "🦀…"),
            ("❤️❤️", 3, "❤️…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(fit(text, width), wanted, "{text} in {width}");
        }
    }

    #[test]
    fn words_are_wrapped_and_long_ones_broken() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("漢字漢字", 3), ["漢", "字", "漢", "字"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn any_text_fits_and_is_clean() {
        proptest::proptest!(|(text in "\\PC*|.*|[\u{0}-\u{ff}]*", width in 2_usize..60)| {
            let text = clean(&text);
            proptest::prop_assert!(!text.chars().any(char::is_control));
            proptest::prop_assert!(measure_text_width(&fit(&text, width)) <= width);
            for line in wrap(&text, width) {
                proptest::prop_assert!(measure_text_width(&line) <= width);
            }
        });
    }
}
