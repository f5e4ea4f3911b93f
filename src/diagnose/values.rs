//! What a failure's message names: values, attributes, functions, modules.
//!
//! Reads messages; opens no file.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;

/// Longest message that is read: the start says what is wrong.
const MAX_MESSAGE: usize = 4000;
/// Shorter texts are everywhere.
const MIN_FRAGMENT: usize = 5;

/// What a message names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Quoted values and distinctive numbers (`colour`, `1024`).
    pub(crate) values: Vec<String>,
    /// Names of attributes, variables and functions that the error is about.
    pub(crate) names: Vec<String>,
    /// The message with expected and actual, to look for fragments of literals.
    pub(crate) text: String,
}

static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"'([^'\n]{2,80})'|"([^"\n]{2,80})"|`([^`\n]{2,80})`"#).expect("the pattern is valid")
});
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-?\b(\d{2,}(?:\.\d+)?|\d+\.\d+)\b").expect("the pattern is valid"));
/// What interpreters and compilers write before or after the name they mean.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        has\ no\ attribute\ '(\w+)'
      | name\ '(\w+)'\ is\ not\ defined
      | cannot\ import\ name\ '(\w+)'
      | local\ variable\ '(\w+)'
      | ^TypeError:\ (?:\w+\.)*(\w+)\(\)\ (?:missing|takes|got)
      | no\ (?:method|field|function|variant)[^`]*`(\w+)`
      | cannot\ find\ \w+\ `(\w+)`",
    )
    .expect("the pattern is valid")
});
static CLASSES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"'(\w+)' object has no attribute").expect("the pattern is valid"));

/// Reads what the failure's message, expected and actual name.
pub(crate) fn read(failure: &Failure) -> Named {
    let mut text = clipped(&failure.message, MAX_MESSAGE).to_owned();
    for value in [&failure.expected, &failure.actual].into_iter().flatten() {
        text.push('\n');
        text.push_str(clipped(value, 500));
    }
    let mut named = Named::default();
    let groups = |regex: &Regex, out: &mut Vec<String>| {
        for found in regex.captures_iter(&text).take(40) {
            out.extend(found.iter().skip(1).flatten().map(|group| group.as_str().to_owned()));
        }
    };
    groups(&NAMES, &mut named.names);
    groups(&CLASSES, &mut named.names);
    groups(&QUOTED, &mut named.values);
    groups(&NUMBER, &mut named.values);
    for list in [&mut named.names, &mut named.values] {
        list.sort();
        list.dedup();
    }
    // What is a name of the code is no value.
    named.values.retain(|value| !named.names.contains(value) && !value.trim().is_empty());
    named.text = text;
    named
}

fn clipped(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Named {
    /// Whether the literal `content` (of a string what is between the quotes)
    /// is one that the message speaks of.
    pub(crate) fn mentions(&self, content: &str, number: bool) -> bool {
        if number {
            return self.values.iter().any(|value| value == content);
        }
        if self.values.iter().any(|value| value == content) {
            return true;
        }
        // Texts with holes (`price {x} is bad`) are known by what is between.
        content.split(['{', '}']).step_by(2).map(str::trim).any(|piece| {
            piece.len() >= MIN_FRAGMENT && piece.contains(char::is_alphabetic) && self.text.contains(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;
    use pretty_assertions::assert_eq;

    fn named(message: &str) -> Named {
        read(&Failure {
            id: String::new(),
            kind: Kind::Exception,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: Vec::new(),
            output: String::new(),
        })
    }

    #[test]
    fn messages_name_values_and_names() {
        for (message, values, names) in [
            ("KeyError: 'colour'", vec!["colour"], vec![]),
            ("AttributeError: 'Cart' object has no attribute 'totl'", vec![], vec!["Cart", "totl"]),
            ("NameError: name 'x1' is not defined", vec![], vec!["x1"]),
            ("TypeError: Cart.add() missing 1 required positional argument: 'price'", vec!["price"], vec!["add"]),
            ("ImportError: cannot import name 'gcd' from 'euclid' (/a/euclid.py)", vec!["euclid"], vec!["gcd"]),
            ("assert 119 == 120", vec!["119", "120"], vec![]),
        ] {
            let found = named(message);
            assert_eq!(
                (found.values, found.names),
                (values.into_iter().map(String::from).collect(), names.into_iter().map(String::from).collect()),
                "{message}"
            );
        }
    }

    #[test]
    fn literals_of_the_message_are_known_also_with_holes() {
        let named = named("ValueError: price of 'tea' must be positive, not -3");
        for (content, number, wanted) in [
            ("price of {name} must be positive, not {n}", false, true),
            ("tea", false, true),
            ("a", false, false),
            ("other text", false, false),
            ("3", true, false),
        ] {
            assert_eq!(named.mentions(content, number), wanted, "{content}");
        }
    }
}
