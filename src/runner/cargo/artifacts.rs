//! cargo's messages: what was built, and what the compiler says.
//!
//! One JSON object a line, told by `reason`: `compiler-artifact`,
//! `compiler-message`, `build-finished`. Source: the cargo book, "External
//! tools", and output of 1.95. Lines that are no message are kept as text.

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use super::identity::Target;
use crate::runner::Suggestion;
use crate::source::RelPath;
use crate::trace::places::Places;
use crate::trace::rust::compiler::Diagnostic;

/// What the messages of one command told.
#[derive(Clone, Debug, Default)]
pub struct Messages<'t> {
    /// Test programs and libraries of the workspace and its dependencies.
    pub artifacts: Vec<Artifact>,
    /// The compiler's errors.
    pub errors: Vec<CompilerError>,
    /// Whether the build succeeded; `None` where cargo did not get so far.
    pub built: Option<bool>,
    /// Every other line.
    pub text: Vec<&'t str>,
}

/// Something cargo built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The package's name.
    pub package: String,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// Which of its targets.
    pub target: Target,
    /// The program, where it is one.
    pub executable: Option<PathBuf>,
    /// Whether it was built as a test.
    pub test: bool,
}

/// An error, with its package's folder.
#[derive(Clone, Debug)]
pub struct CompilerError {
    folder: PathBuf,
    message: Message,
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerArtifact {
        package_id: String,
        manifest_path: PathBuf,
        target: TargetOf,
        profile: Profile,
        executable: Option<PathBuf>,
    },
    CompilerMessage {
        manifest_path: PathBuf,
        message: Message,
    },
    BuildFinished {
        success: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct TargetOf {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Message {
    message: String,
    level: String,
    rendered: Option<String>,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Message>,
}

#[derive(Clone, Debug, Deserialize)]
struct Code {
    code: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Span {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    line_start: u32,
    is_primary: bool,
    label: Option<String>,
    suggested_replacement: Option<String>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Expansion {
    span: Span,
}

/// Reads cargo's standard output.
pub fn read(stdout: &str) -> Messages<'_> {
    let mut messages = Messages::default();
    for line in stdout.lines() {
        let parsed = if line.starts_with("{\"reason\":") { serde_json::from_str(line).ok() } else { None };
        match parsed {
            Some(Line::CompilerArtifact { package_id, manifest_path, target, profile, executable }) => {
                let kind = target.kind.first().map_or("lib", String::as_str);
                messages.artifacts.push(Artifact {
                    package: package_name(&package_id),
                    folder: manifest_path.parent().map(Path::to_path_buf).unwrap_or_default(),
                    target: Target::of_message(kind, &target.name),
                    executable,
                    test: profile.test,
                });
            }
            Some(Line::CompilerMessage { manifest_path, message }) if is_error(&message) => {
                let folder = manifest_path.parent().map(Path::to_path_buf).unwrap_or_default();
                messages.errors.push(CompilerError { folder, message });
            }
            Some(Line::BuildFinished { success }) => messages.built = Some(success),
            Some(_) => {}
            None => messages.text.push(line),
        }
    }
    messages
}

/// An error that says something: the last ones only count the others.
fn is_error(message: &Message) -> bool {
    let counts = message.message.starts_with("aborting due to ") || message.message.starts_with("could not compile ");
    message.level.starts_with("error") && !counts
}

/// `path+file:///home/a/shop#cart@0.1.0`, `…/shop#0.1.0` (the folder's name is
/// the package's), and before 1.77 `cart 0.1.0 (path+file:///home/a/shop)`.
fn package_name(id: &str) -> String {
    let Some((url, fragment)) = id.rsplit_once('#') else {
        return id.split(' ').next().unwrap_or(id).to_owned();
    };
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None if fragment.starts_with(|c: char| c.is_ascii_digit()) => {
            decoded(url.trim_end_matches('/').rsplit('/').next().unwrap_or(url).split('?').next().unwrap_or_default())
        }
        None => fragment.to_owned(),
    }
}

/// A URL's path with its `%20` read.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl CompilerError {
    /// The error in the terms of `trace`; its place is in the repository where
    /// any step of a macro's expansion is. `base` gives the folder that rustc's
    /// paths start from.
    pub fn diagnostic(&self, places: &Places, base: &dyn Fn(&Path) -> RelPath) -> Diagnostic {
        let message = &self.message;
        let base = base(&self.folder);
        let code = message.code.as_ref().map(|code| code.code.clone());
        let primary = message.spans.iter().find(|span| span.is_primary).or(message.spans.first());
        let mut text = match &code {
            // Lints have names, not numbers.
            Some(code) if code.starts_with('E') => format!("error[{code}]: {}", message.message),
            _ => format!("error: {}", message.message),
        };
        let label = primary.and_then(|span| span.label.clone());
        if let Some(label) = &label {
            text = format!("{text}: {label}");
        }
        let place = primary.map(|span| {
            let steps = std::iter::successors(Some(span), |span| span.expansion.as_ref().map(|step| &step.span));
            let own = steps.into_iter().find(|span| places.locate(&span.file_name, &base).is_some()).unwrap_or(span);
            (own.file_name.clone(), own.line_start)
        });
        let rendered = message.rendered.clone().unwrap_or_else(|| text.clone());
        let code = code.filter(|code| code.starts_with('E'));
        Diagnostic { code, message: text, label, place, rendered }
    }

    /// What the compiler would change, whatever it thinks of its chances.
    /// Parts of one change are joined, by the file's text in `tree`;
    /// alternatives stay apart.
    pub fn suggestions(&self, places: &Places, base: &dyn Fn(&Path) -> RelPath, tree: &Path) -> Vec<Suggestion> {
        let base = base(&self.folder);
        let mut suggestions = Vec::new();
        let mut pending: Vec<&Message> = vec![&self.message];
        while let Some(message) = pending.pop() {
            pending.extend(message.children.iter().rev());
            let mut parts: Vec<Suggestion> = message
                .spans
                .iter()
                .filter_map(|span| {
                    let replacement = span.suggested_replacement.clone()?;
                    let path = places.locate(&span.file_name, &base)?;
                    let message = message.message.clone();
                    Some(Suggestion { path, bytes: span.byte_start..span.byte_end, replacement, message })
                })
                .collect();
            parts.sort_by(|a, b| (&a.path, a.bytes.start).cmp(&(&b.path, b.bytes.start)));
            match joined(&parts, tree) {
                Some(whole) => suggestions.push(whole),
                None => suggestions.extend(parts),
            }
        }
        suggestions
    }
}

/// The parts as one change; `None` where they are alternatives (they overlap or
/// begin at one place), lie in several files, or the text is not at hand.
fn joined(parts: &[Suggestion], tree: &Path) -> Option<Suggestion> {
    let (first, last) = (parts.first()?, parts.last()?);
    let apart = parts.windows(2).all(|pair| {
        pair[0].path == pair[1].path
            && pair[0].bytes.end <= pair[1].bytes.start
            && pair[0].bytes.start != pair[1].bytes.start
    });
    if parts.len() < 2 || !apart {
        return None;
    }
    let text = std::fs::read_to_string(first.path.under(tree)).ok()?;
    let mut replacement = String::new();
    let mut at = first.bytes.start;
    for part in parts {
        replacement.push_str(text.get(at..part.bytes.start)?);
        replacement.push_str(&part.replacement);
        at = part.bytes.end;
    }
    let bytes = first.bytes.start..last.bytes.end;
    Some(Suggestion { path: first.path.clone(), bytes, replacement, message: first.message.clone() })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_package_id_of_any_age_tells_the_name() {
        for (id, wanted) in [
            ("path+file:///home/a/shop#cart@0.1.0", "cart"),
            ("path+file:///home/a/shop#0.1.0", "shop"),
            ("path+file:///home/a/my%20dir/sh%C3%B6p#0.1.0", "shöp"),
            ("registry+https://github.com/rust-lang/crates.io-index#serde@1.0.0", "serde"),
            ("git+https://a.b/c?branch=x#0.1.0", "c"),
            ("cart 0.1.0 (path+file:///home/a/shop)", "cart"),
        ] {
            assert_eq!(package_name(id), wanted, "{id}");
        }
    }

    #[test]
    fn messages_are_told_from_text() {
        let messages = read(include_str!("../../../fixtures/logs/cargo-test/message_format_json.jsonl"));
        assert_eq!(messages.built, Some(true));
        assert_eq!((messages.artifacts[0].package.as_str(), &messages.artifacts[0].target), ("shop", &Target::Lib));
        assert!(messages.text.contains(&"running 14 tests"));
    }

    #[test]
    fn errors_carry_their_place_and_what_the_compiler_would_change() {
        let messages = read(include_str!("../../../fixtures/logs/rustc/check_json.jsonl"));
        let places = Places::new(vec!["/home/dev/shop".into()], RelPath::new("src/lib.rs"));
        let base = |_: &Path| RelPath::root();
        let short: Vec<_> = messages
            .errors
            .iter()
            .map(|error| {
                let diagnostic = error.diagnostic(&places, &base);
                (diagnostic.code.unwrap_or_default(), diagnostic.place.map_or(0, |(_, line)| line))
            })
            .collect();
        let wanted = [("E0432", 1), ("E0308", 6), ("E0425", 10), ("E0502", 15)];
        assert_eq!(short, wanted.map(|(code, line)| (code.to_owned(), line)));
        let suggestions = messages.errors[0].suggestions(&places, &base, Path::new("/nowhere"));
        assert_eq!((suggestions[0].bytes.clone(), suggestions[0].replacement.as_str()), (22..30, "HashMap"));
    }

    #[test]
    fn parts_of_one_change_are_joined_and_alternatives_are_not() {
        let tree = tempfile::tempdir().expect("a directory");
        std::fs::write(tree.path().join("a.rs"), "f(a b)").expect("write");
        let part = |bytes: std::ops::Range<usize>, replacement: &str| Suggestion {
            path: RelPath::new("a.rs").expect("path"),
            bytes,
            replacement: replacement.to_owned(),
            message: "m".to_owned(),
        };
        let whole = joined(&[part(2..2, "&"), part(3..3, ","), part(5..5, "?")], tree.path()).expect("one change");
        assert_eq!((whole.bytes, whole.replacement.as_str()), (2..5, "&a, b?"));
        assert_eq!(joined(&[part(2..2, "&"), part(2..2, "*")], tree.path()), None);
        assert_eq!(joined(&[part(0..3, "&"), part(2..4, "*")], tree.path()), None);
    }
}
