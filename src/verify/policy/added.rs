//! New files among the tests: what a person may add, so that it is a test and
//! nothing that the code relies on.
//!
//! Looks at names and texts; decides nothing of files that were there.

use crate::language;
use crate::patch::Patch;
use crate::source::RelPath;

/// Whether a new file is loaded whichever tests are run, and says something.
pub(super) fn is_loaded_unasked(path: &RelPath, text: &str) -> bool {
    let says = || text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let is_mock = path.as_str().split('/').any(|part| part == "__mocks__");
    is_mock || path.file_name() == "__init__.py" && says()
}

/// Why a patch is refused whose sources name a test file that it adds: then that
/// is no test, and nothing of what is asked of sources was asked of it.
pub(super) fn used_by_sources(patch: &Patch) -> Option<String> {
    let added = patch.changes().iter().filter(|change| change.before.is_none() && language::is_test_file(&change.path));
    for test in added {
        let stem = test.path.file_name().split('.').next().unwrap_or_default();
        let count =
            |text: &Option<String>| words(text.as_deref().unwrap_or_default()).filter(|word| *word == stem).count();
        let sources = patch.changes().iter().filter(|change| !language::is_test_file(&change.path));
        if let Some(source) = sources.into_iter().find(|change| count(&change.after) > count(&change.before)) {
            return Some(format!("`{}` names `{}`, which would be a test file", source.path, test.path));
        }
    }
    None
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::FileChange;

    #[test]
    fn a_test_file_that_the_sources_name_is_none() {
        for (test, source, after, refused) in [
            ("shop/test_rates.py", "shop/discount.py", "from shop.test_rates import rate\n", true),
            ("tests/border.rs", "src/lib.rs", "#[path = \"../tests/border.rs\"]\nmod border;\n", true),
            ("test/rates.test.js", "shop/discount.js", "module.exports = require('../test/rates.test.js');\n", true),
            ("tests/test_rates.py", "shop/discount.py", "rates = 1\n", false),
            ("tests/test_rates.py", "tests/test_more.py", "import test_rates\n", false),
        ] {
            let change = |path: &str, before: Option<&str>, after: &str| FileChange {
                path: RelPath::new(path).expect("path"),
                before: before.map(str::to_owned),
                after: Some(after.to_owned()),
            };
            let patch = Patch::new(vec![change(test, None, "x\n"), change(source, Some("y\n"), after)]);
            assert_eq!(used_by_sources(&patch).is_some(), refused, "{test} {source}");
        }
    }

    #[test]
    fn a_package_of_tests_may_be_made_and_not_filled() {
        let path = RelPath::new("tests/__init__.py").expect("path");
        for (text, is_loaded) in [("", false), ("# Tests.\n\n", false), ("import shop\n", true)] {
            assert_eq!(is_loaded_unasked(&path, text), is_loaded, "{text}");
        }
        let mock = RelPath::new("__mocks__/chai.js").expect("path");
        assert!(is_loaded_unasked(&mock, "module.exports = {};\n"));
    }
}
