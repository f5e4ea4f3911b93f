//! Functions that a failing test ran to tell of its failure: what an assertion
//! prints of its values runs in no test that passes, so that a spectrum takes
//! it for the fault itself.
//!
//! Knows how values are printed in the languages where every line that ran is
//! known (in Python the recording itself leaves such lines out). Judges by names
//! and by the test's text; drops nothing.

use super::file::SourceFile;
use super::target::Target;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::Definition;

/// How a language prints values.
struct Printing {
    language: &'static str,
    /// What such a function is called.
    functions: &'static [&'static str],
    /// What a test writes whose matter printing is.
    asked: &'static [&'static str],
}

/// `core::fmt`: `Debug`, `Display` and their kin; package `fmt`: `Stringer`,
/// `GoStringer`, `Formatter`, and `error`.
const PRINTING: &[Printing] = &[
    Printing {
        language: "rust",
        functions: &["fmt"],
        asked: &["to_string", "format!", "write!", "print!", "println!", "snapshot"],
    },
    Printing {
        language: "go",
        functions: &["String", "GoString", "Format", "Error"],
        asked: &["String()", "GoString()", "Error()", "Sprint", "Fprint", "Format("],
    },
];

/// Lines of a statement that are looked at.
const LONGEST: usize = 12;

/// Whether `definition` in `file`, which ran in failing tests alone, probably
/// did so to print the failure.
pub(super) fn is_telling(
    file: &SourceFile,
    definition: &Definition,
    failure: &Failure,
    target: Option<&Target>,
) -> bool {
    let language = file.language().name;
    let Some(printing) = PRINTING.iter().find(|printing| printing.language == language) else { return false };
    if definition.qualified == definition.name || !printing.functions.contains(&definition.name.as_str()) {
        return false;
    }
    let is_text = |value: &Option<String>| value.as_deref().is_some_and(|value| value.trim_start().starts_with('"'));
    let checks = matches!(failure.kind, Kind::Assertion | Kind::Exception);
    if !checks || is_text(&failure.actual) || is_text(&failure.expected) {
        return false;
    }
    let asks = |text: &str| printing.asked.iter().any(|word| text.contains(word));
    !target.is_some_and(|test| asks(&failing_part(test)))
}

/// The statement at which the test failed, as far as its lines tell; the whole
/// test where that is not known. What was printed before it was right.
fn failing_part(test: &Target) -> String {
    let text = test.file.text();
    match (test.line, test.function) {
        (Some(line), _) => {
            let mut part = String::new();
            for line in text.lines().skip(line.saturating_sub(1) as usize).take(LONGEST) {
                part.push_str(line);
                part.push('\n');
                if line.trim_end().ends_with([';', '{', '}']) {
                    break;
                }
            }
            part
        }
        (None, Some(function)) => text[test.file.definition(function).bytes.clone()].to_owned(),
        (None, None) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::language;
    use crate::source::RelPath;

    fn file(path: &str, text: &str) -> SourceFile {
        let path = RelPath::new(path).expect("a path");
        let language = language::of_path(&path).expect("a language");
        SourceFile::new(0, path, language, text)
    }

    #[test]
    fn what_prints_the_values_of_a_failure_is_told_from_what_the_test_prints() {
        let code = file(
            "src/v.rs",
            "impl Debug for V {\n    fn fmt(&self, f: &mut Formatter) -> Result {\n        f.write_str(\"V\")\n    }\n}\n\nfn fmt() {}\n",
        );
        let test = file(
            "tests/v.rs",
            "#[test]\nfn parses() {\n    assert_eq!(V(1).to_string(), \"1\");\n    assert_eq!(\n        parse(\"2\"),\n        V(2)\n    );\n}\n",
        );
        let test = Rc::new(test);
        let method =
            code.outline.definitions.iter().find(|it| it.qualified.contains("::fmt")).expect("a method").clone();
        let function = code.outline.definitions.iter().find(|it| it.qualified == "fmt").expect("a function").clone();
        let target = |line| Target { file: Rc::clone(&test), function: Some(0), line };
        let failure = |kind, actual: &str| Failure {
            actual: Some(actual.to_owned()),
            ..crate::trace::ground::bare("v parses".into(), kind, String::new())
        };
        let assertion = |actual| failure(Kind::Assertion, actual);
        for (definition, failure, line, wanted) in [
            (&method, assertion("V(1)"), Some(4), true),
            // The statement that fails prints, or nobody knows which one fails.
            (&method, assertion("V(1)"), Some(3), false),
            (&method, assertion("V(1)"), None, false),
            (&method, assertion("\"V\""), Some(4), false),
            (&method, failure(Kind::Timeout, "V(1)"), Some(4), false),
            (&function, assertion("V(1)"), Some(4), false),
        ] {
            let told = is_telling(&code, definition, &failure, Some(&target(line)));
            assert_eq!(told, wanted, "{} {line:?} {:?}", definition.qualified, failure.actual);
        }
    }
}
