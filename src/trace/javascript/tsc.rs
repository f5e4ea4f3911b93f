//! What the TypeScript compiler prints.
//!
//! ```text
//! plain  = file "(" line "," column "): error TS" number ": " text
//! pretty = file ":" line ":" column " - error TS" number ": " text
//!          blank  source  underline                  of pretty, and ts-jest
//! ```
//!
//! Source: typescript's `formatDiagnostic` and
//! `formatDiagnosticsWithColorAndContext`. Reads text; runs nothing.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;
use crate::trace::ground::numbered;

static ERROR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(\S[^()\n]*?\.[cm]?tsx?)(?:\((\d+),\d+\):|:(\d+):\d+ -) error (TS\d+): (.+)$")
        .expect("the pattern is valid")
});

/// Errors told at most: the first of thousands is the one to read.
const LIMIT: usize = 100;

/// The errors in a text.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let mut taken = std::collections::HashMap::new();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(error) = ERROR.captures(line) else { continue };
        let (file, code) = (&error[1], &error[4]);
        let id = numbered(&format!("error[{code}] in {}", ground.shown(file)), &mut taken);
        let mut failure = bare(id, Kind::CompileError, format!("error {code}: {}", &error[5]));
        let line = error.get(2).or(error.get(3)).and_then(|line| line.as_str().parse().ok());
        failure.frames = vec![ground.frame(file, line, None)];
        // What is indented below explains it.
        let more =
            lines[at + 1..].iter().take(6).take_while(|line| !ERROR.is_match(line) && !line.starts_with("Found "));
        let more: Vec<&str> = more.copied().collect();
        failure.output = format!("{line}\n{}", more.join("\n"), line = lines[at]).trim_end().to_owned();
        found.push(failure);
        if found.len() == LIMIT {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;
    use crate::trace::places::Places;
    use pretty_assertions::assert_eq;

    #[test]
    fn errors_are_read_in_both_forms_with_their_places() {
        let text = "src/money.ts(2,3): error TS2322: Type 'string' is not assignable to type 'number'.\n\nsrc/view.tsx:7:12 - error TS2304: Cannot find name 'totl'.\n\n7     return totl;\n             ~~~~\n\nFound 2 errors in 2 files.\n";
        let path = |path: &str| RelPath::new(path).expect("path");
        let places = Places::new(vec![], [path("src/money.ts"), path("src/view.tsx")]);
        let lines: Vec<&str> = text.lines().collect();
        let found = failures(&lines, Ground { places: &places, near: &RelPath::root() });
        let rows: Vec<(&str, &str, Option<u32>)> = found
            .iter()
            .map(|failure| (failure.id.as_str(), failure.message.as_str(), failure.frames[0].line))
            .collect();
        assert_eq!(
            rows,
            [
                (
                    "error[TS2322] in src/money.ts",
                    "error TS2322: Type 'string' is not assignable to type 'number'.",
                    Some(2)
                ),
                ("error[TS2304] in src/view.tsx", "error TS2304: Cannot find name 'totl'.", Some(7)),
            ]
        );
        assert!(found[1].frames[0].path == Some(path("src/view.tsx")) && found[1].output.contains("~~~~"), "{found:?}");
    }
}
