//! Whether a patch silences the error that failed the test: to the condition
//! under which the code raises that error on purpose it adds a clause, or it
//! moves a number in it: `n > 2` for `n > 1`, or `n - 1 > 1`.
//!
//! Compares texts and their trees. The condition may well be wrong; but a rule
//! cannot know, and in real code it is the state that the condition reads which
//! is wrong more often.

use tree_sitter::Node;

use crate::failure::Frame;
use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::mutation::syntax::Syntax;
use crate::patch::Patch;

/// How statements begin that raise an error on purpose.
const RAISING: &[&str] = &["raise ", "throw ", "panic!", "panic(", "return Err("];

/// Whether the condition of the error that was raised in the first of `frames`
/// got one more clause, or another number.
pub(super) fn is_silenced(patch: &Patch, frames: &[Frame]) -> bool {
    let Some((path, line)) = frames.first().and_then(|frame| Some((frame.path.as_ref()?, frame.line?))) else {
        return false;
    };
    let change = patch.changes().iter().find(|change| &change.path == path);
    let Some((before, after)) = change.and_then(|change| Some((change.before.as_ref()?, change.after.as_ref()?)))
    else {
        return false;
    };
    let Some(language) = language::of_path(path) else { return false };
    let Some(syntax) = syntax::of(language) else { return false };
    let parsed = language::parse(language, before);
    let Some(condition) = condition_of_raise(&parsed, syntax, line) else { return false };
    let touched = patch.touched_before();
    let is_touched = touched.iter().filter(|(touched, _)| *touched == path).flat_map(|(_, spans)| spans);
    if !is_touched.into_iter().any(|span| span.overlaps(&language::lines_of(condition))) {
        return false;
    }
    let old = parsed.text_of(condition);
    let head = &before[..condition.start_byte()];
    let tail = &before[condition.end_byte()..];
    let new = after.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    let is_another_number = |new: &str| new != old && without_numbers(new) == without_numbers(old);
    new.is_some_and(|new| (new.len() > old.len() && new.contains(old)) || is_another_number(new))
}

/// The words and signs of a condition without its numbers, what is added or
/// taken away with them, and parentheses: alike where only numbers differ.
fn without_numbers(text: &str) -> Vec<String> {
    let is_of_word = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '.';
    let mut kept: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match is_of_word(first) {
            true => rest.find(|sign| !is_of_word(sign)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(end);
        rest = behind;
        if first.is_ascii_digit() {
            kept.pop_if(|sign| sign == "+" || sign == "-");
        } else if !first.is_whitespace() && !matches!(first, '(' | ')') {
            kept.push(token.to_owned());
        }
    }
    kept
}

/// The condition around the raising statement that begins at `line`.
fn condition_of_raise<'t>(parsed: &'t Parsed, syntax: &Syntax, line: u32) -> Option<Node<'t>> {
    let text = parsed.text.lines().nth(line as usize - 1)?;
    let code = text.trim_start();
    if !RAISING.iter().any(|word| code.starts_with(word)) {
        return None;
    }
    let column = text.len() - code.len();
    let at = parsed.text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>() + column;
    let mut node = parsed.tree.root_node().descendant_for_byte_range(at, at + 1)?;
    loop {
        node = node.parent()?;
        if syntax.is_function(node) {
            return None;
        }
        let condition = syntax.condition_of(node);
        if condition.is_some() {
            return condition;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn one_more_clause_or_another_number_on_the_way_to_the_error_silences_it() {
        let python = "def f(items, seen):\n    if items and not seen:\n        log(items)\n        raise ValueError('no root')\n    return seen\n";
        let rust = "fn f(n: u8) -> u8 {\n    if n > 3 {\n        panic!(\"large\");\n    }\n    n\n}\n";
        for (path, text, line, old, new, silenced) in [
            ("a.py", python, 4, "items and not seen", "items and not seen and not items", true),
            ("a.py", python, 4, "items and not seen", "(items and not seen) or items", true),
            ("a.py", python, 4, "items and not seen", "items and seen", false),
            ("a.py", python, 4, "items and not seen", "items", false),
            ("a.py", python, 4, "log(items)", "log(items, seen)", false),
            ("a.py", python, 4, "raise ValueError", "raise TypeError", false),
            ("a.py", python, 3, "items and not seen", "items and not seen and not items", false),
            ("a.py", python, 5, "items and not seen", "items and not seen and not items", false),
            ("a.rs", rust, 3, "n > 3", "n > 3 && n < 9", true),
            ("a.rs", rust, 3, "n > 3", "n > 4", true),
            ("a.rs", rust, 3, "n > 3", "n - 1 > 3", true),
            ("a.rs", rust, 3, "n > 3", "n > (3 + 1)", true),
            ("a.rs", rust, 3, "n > 3", "n >= 3", false),
            ("a.rs", rust, 3, "n > 3", "n < 3", false),
            ("a.rs", rust, 3, "n > 3", "n2 > 3", false),
        ] {
            let path = RelPath::new(path).expect("path");
            let frame = |line: u32| Frame {
                path: Some(path.clone()),
                written: path.to_string(),
                line: Some(line),
                symbol: None,
            };
            let patch = Patch::of_file(path.clone(), text, text.replace(old, new));
            assert_eq!(is_silenced(&patch, &[frame(line), frame(1)]), silenced, "{old} -> {new} at {line}");
            assert!(!is_silenced(&patch, &[frame(1), frame(line)]), "only the innermost frame counts");
        }
        assert!(!is_silenced(&Patch::default(), &[]));
    }
}
