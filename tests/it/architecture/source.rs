//! A source file of heal as the architecture test sees it: the paths it
//! names, tests left out.

use std::path::Path;

/// A line number, 1-based.
pub type Line = usize;

/// One file below `src/`.
pub struct Source {
    /// Its path from the package's root, with forward slashes.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Lines before its tests; none where it is a test whole.
    pub code_lines: usize,
    tokens: Vec<(Line, String)>,
    /// Files of modules that it declares for its tests alone.
    tests: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let code = without_tests(text);
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code_lines: code.lines().count(),
            tokens: tokens(&blanked(code)),
            tests: test_modules(text).map(|name| format!("{}/{name}.rs", path.trim_end_matches(".rs"))).collect(),
        }
    }

    /// Leaves out the code of files that another declares for its tests.
    pub fn forget_tests(sources: &mut [Source]) {
        let tests: Vec<String> = sources.iter().flat_map(|source| source.tests.clone()).collect();
        for source in sources {
            let within = |test: &String| source.path.starts_with(&format!("{}/", test.trim_end_matches(".rs")));
            if tests.contains(&source.path) || tests.iter().any(within) {
                source.code_lines = 0;
                source.tokens.clear();
            }
        }
    }

    /// Every Rust file below `src`, sorted.
    pub fn read_all(src: &Path) -> Vec<Source> {
        let mut files = Vec::new();
        let mut folders = vec![src.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    files.push(path);
                }
            }
        }
        files.sort();
        let read = |file: &std::path::PathBuf| {
            let inner = file.strip_prefix(src).expect("below src");
            let path = inner.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
            Source::new(&format!("src/{path}"), &std::fs::read_to_string(file).expect("a source file"))
        };
        let mut sources: Vec<Source> = files.iter().map(read).collect();
        Source::forget_tests(&mut sources);
        sources
    }

    /// The top module it belongs to; `lib` and `main` for the roots.
    pub fn module(&self) -> &str {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inner.split('/').next().expect("a path has a first part")
    }

    /// The top module that `path` means, where it is one of heal's.
    pub fn target(&self, path: &str) -> Option<String> {
        let mut parts: Vec<&str> = path.split("::").collect();
        // `super` of a file: `src/a/b.rs` is the module `a::b`, two deep.
        let depth = self.path.trim_start_matches("src/").split('/').count();
        let climbed = parts.iter().take_while(|part| **part == "super").count();
        match parts[0] {
            "crate" | "heal" => {
                parts.remove(0);
            }
            "super" if climbed == depth => {
                parts.drain(..climbed);
            }
            _ => return None,
        }
        parts.first().map(|name| (*name).to_owned())
    }

    /// Every path (`use` trees spread out) and macro it names, in order.
    pub fn paths(&self) -> impl Iterator<Item = (Line, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let (line, token) = &self.tokens[at];
            if token == "use" && self.tokens.get(at + 1).is_some_and(|(_, next)| next != "<") {
                at = self.tree(at + 1, "", &mut found) + 1;
            } else if is_name(token) {
                let mut path = token.clone();
                at += 1;
                while self.is(at, "::") && self.tokens.get(at + 1).is_some_and(|(_, next)| is_name(next)) {
                    path = format!("{path}::{}", self.tokens[at + 1].1);
                    at += 2;
                }
                if self.is(at, "!") && !self.is(at + 1, "=") {
                    found.push((*line, format!("{path}!")));
                } else if path.contains("::") {
                    found.push((*line, path));
                }
            } else {
                at += 1;
            }
        }
        found.into_iter()
    }

    fn is(&self, at: usize, wanted: &str) -> bool {
        self.tokens.get(at).is_some_and(|(_, token)| token == wanted)
    }

    /// Reads a `use` tree from `at`; returns where it ends.
    ///
    /// ```text
    /// tree = name ("::" name)* ["as" name] | prefix "::" ("*" | "{" tree,* "}")
    /// ```
    fn tree(&self, mut at: usize, prefix: &str, found: &mut Vec<(Line, String)>) -> usize {
        let mut path = prefix.to_owned();
        let line = self.tokens.get(at).map_or(0, |(line, _)| *line);
        loop {
            match self.tokens.get(at).map(|(_, token)| token.as_str()) {
                Some("::") => at += 1,
                Some("{") => {
                    at += 1;
                    while !self.is(at, "}") && at < self.tokens.len() {
                        at = self.tree(at, &path, found);
                        at += usize::from(self.is(at, ","));
                    }
                    return at + 1;
                }
                Some("as") => at += 2,
                Some("self") if !path.is_empty() => at += 1,
                Some("*") => at += 1,
                Some(name) if is_name(name) => {
                    path = if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") };
                    at += 1;
                }
                _ => {
                    found.push((line, path));
                    return at;
                }
            }
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names of the modules declared as `#[cfg(test)] mod name;`.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let item = rest.split(['{', ';']).next().unwrap_or_default();
        let name = item.split_whitespace().last()?;
        (item.split_whitespace().any(|word| word == "mod") && rest[item.len()..].starts_with(';')).then_some(name)
    })
}

/// What stands before the module of tests.
fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(found) = text[from..].find("#[cfg(test)]") {
        let at = from + found;
        let rest = text[at + "#[cfg(test)]".len()..].trim_start();
        let item = rest.split(['{', ';']).next().unwrap_or_default();
        if item.split_whitespace().any(|word| word == "mod") && rest[item.len()..].starts_with('{') {
            return &text[..at];
        }
        from = at + 1;
    }
    text
}

/// `code` with comments, strings and character literals blanked, line ends
/// kept.
fn blanked(code: &str) -> String {
    let chars: Vec<char> = code.chars().collect();
    let mut out = String::with_capacity(code.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => (at..chars.len()).find(|n| chars[*n] == '\n').unwrap_or(chars.len()),
            ('/', Some('*')) => end_of_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at),
            ('r', Some('"' | '#')) if at == 0 || !is_word(chars[at - 1]) || chars[at - 1] == 'b' => {
                end_of_raw(&chars, at).unwrap_or(at)
            }
            ('\'', Some('\\')) => (at + 3..chars.len()).find(|n| chars[*n] == '\'').map_or(chars.len(), |n| n + 1),
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a raw string that begins at the `r`; `None` where none does
/// (`r#type`).
fn end_of_raw(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| chars[at] == '"' && (1..=hashes).all(|n| chars.get(at + n) == Some(&'#'));
    let end = (start + 2 + hashes..chars.len()).find(|at| closes(*at));
    Some(end.map_or(chars.len(), |end| end + 1 + hashes))
}

/// Names, `::` and single characters, each with its line.
fn tokens(code: &str) -> Vec<(Line, String)> {
    let mut tokens = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let mut rest = line.trim_start();
        while let Some(c) = rest.chars().next() {
            let length = match c {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            tokens.push((number, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}
