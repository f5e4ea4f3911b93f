//! Who reviews what: a repository's CODEOWNERS file, by the rules of its forge.
//!
//! Works in memory; asks no server whether an owner is there.
//!
//! ```text
//! GitHub    pattern owner…             last match counts          gitignore's patterns
//! GitLab    pattern owner…             last match of each section [Section][2] owner…, !pattern
//! Forgejo   expression owner…          every match counts         !expression: what does not match
//! ```
//!
//! <https://docs.github.com/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners>,
//! <https://docs.gitlab.com/user/project/codeowners/reference/>,
//! <https://docs.gitea.com/usage/repository/code-owners>.

use globset::Glob;
use globset::GlobBuilder;
use globset::GlobMatcher;
use regex::Regex;
use regex::RegexBuilder;

use super::request::ForgeKind;
use crate::source::RelPath;

/// Where a forge looks for the file; the first that is there counts.
pub fn places(kind: ForgeKind) -> &'static [&'static str] {
    match kind {
        ForgeKind::Github => &[".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
        ForgeKind::Gitlab => &["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
        ForgeKind::Forgejo => &["CODEOWNERS", "docs/CODEOWNERS", ".forgejo/CODEOWNERS", ".gitea/CODEOWNERS"],
    }
}

/// A compiled expression takes at most so many bytes: the file may hold any.
const MOST_EXPRESSION: usize = 1 << 20;

/// What was read of a file. A line that cannot be read counts for nothing, as
/// on the forges themselves.
#[derive(Debug, Default)]
pub struct Owners {
    /// Whether every rule that matches counts, and not the last of a section.
    all: bool,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// Of which section; 0 before the first.
    section: usize,
    pattern: Pattern,
    owners: Vec<String>,
}

#[derive(Debug)]
enum Pattern {
    Globs(Vec<GlobMatcher>),
    Expression { expression: Regex, negative: bool },
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Pattern::Globs(globs) => globs.iter().any(|glob| glob.is_match(path)),
            Pattern::Expression { expression, negative } => expression.is_match(path) != *negative,
        }
    }
}

impl Owners {
    /// Reads the file of a forge.
    pub fn read(text: &str, kind: ForgeKind) -> Owners {
        let mut owners = Owners { all: kind == ForgeKind::Forgejo, rules: Vec::new() };
        let mut sections: Vec<(String, Vec<String>)> = vec![(String::new(), Vec::new())];
        let mut section = 0;
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if kind == ForgeKind::Gitlab
                && let Some((name, default)) = heading(line)
            {
                // Sections of one name are one, the case of letters apart.
                let name = name.to_lowercase();
                section = sections.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    sections.push((name, Vec::new()));
                    sections.len() - 1
                });
                if !default.is_empty() {
                    sections[section].1 = default;
                }
                continue;
            }
            let mut words = words(line, kind);
            if words.is_empty() {
                continue;
            }
            let written = words.remove(0);
            let excludes = kind == ForgeKind::Gitlab && written.starts_with('!');
            let Some(pattern) = pattern(written.strip_prefix('!').filter(|_| excludes).unwrap_or(&written), kind)
            else {
                continue;
            };
            let mut named: Vec<String> = words.iter().filter_map(|word| owner(word)).collect();
            if named.is_empty() && !excludes {
                named.clone_from(&sections[section].1);
            }
            owners.rules.push(Rule { section, pattern, owners: if excludes { Vec::new() } else { named } });
        }
        owners
    }

    /// The owners of all these files, each once, in the order of the file;
    /// names without `@`, teams with their organisation.
    pub fn of(&self, paths: &[RelPath]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for path in paths {
            for owner in self.of_file(path.as_str()) {
                if !found.contains(owner) {
                    found.push(owner.clone());
                }
            }
        }
        found
    }

    fn of_file(&self, path: &str) -> Vec<&String> {
        let matching = self.rules.iter().filter(|rule| rule.pattern.matches(path));
        if self.all {
            return matching.flat_map(|rule| &rule.owners).collect();
        }
        let mut last: Vec<&Rule> = Vec::new();
        for rule in matching {
            last.retain(|other| other.section != rule.section);
            last.push(rule);
        }
        last.into_iter().flat_map(|rule| &rule.owners).collect()
    }
}

/// `[Name]`, `^[Name]`, `[Name][2]`, each with default owners behind it.
fn heading(line: &str) -> Option<(String, Vec<String>)> {
    let rest = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?;
    let (name, rest) = rest.split_once(']')?;
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((count, rest)) if count.trim().parse::<u32>().is_ok() => rest,
        _ => rest,
    };
    Some((name.trim().to_owned(), rest.split_whitespace().filter_map(owner).collect()))
}

/// The words of a line up to a comment; a backslash takes from a space or a
/// `#` its meaning. On GitHub and GitLab other backslashes are the pattern's.
fn words(line: &str, kind: ForgeKind) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(next @ (' ' | '#')) => word.push(next),
                Some('\\') if kind == ForgeKind::Forgejo => word.push('\\'),
                Some(next) => word.extend(['\\', next]),
                None => {}
            },
            '#' if word.is_empty() => break,
            c if c.is_whitespace() => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn pattern(written: &str, kind: ForgeKind) -> Option<Pattern> {
    if kind == ForgeKind::Forgejo {
        let (negative, text) = written.strip_prefix('!').map_or((false, written), |rest| (true, rest));
        let expression = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(MOST_EXPRESSION).build().ok()?;
        return Some(Pattern::Expression { expression, negative });
    }
    // What gitignore knows and CODEOWNERS does not.
    if kind == ForgeKind::Github && (written.starts_with('!') || written.contains('[')) {
        return None;
    }
    let anchored = written.trim_end_matches('/').contains('/');
    let inner = written.trim_start_matches('/').trim_end_matches('/');
    let inner = if anchored { inner.to_owned() } else { format!("**/{inner}") };
    let build = |text: &str| -> Option<Glob> { GlobBuilder::new(text).literal_separator(true).build().ok() };
    let mut globs = Vec::new();
    if inner.is_empty() {
        return None;
    }
    if !written.ends_with('/') {
        globs.push(build(&inner)?.compile_matcher());
    }
    // A folder stands for all in it; `docs/*` for files right there alone.
    if !inner.ends_with("/*") || inner == "**/*" {
        globs.push(build(&format!("{inner}/**"))?.compile_matcher());
    }
    Some(Pattern::Globs(globs))
}

/// A user or a team without its `@`. An address or a role is nobody that a
/// forge could be asked for.
fn owner(word: &str) -> Option<String> {
    let name = word.strip_prefix('@')?;
    let part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split('/').all(part).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn are(owners: &Owners, rows: &[(&str, &[&str])]) {
        for (path, wanted) in rows {
            let found = owners.of(&[RelPath::new(path).expect("path")]);
            assert_eq!(found, *wanted, "{path}");
        }
    }

    #[test]
    fn on_github_the_last_match_counts() {
        let text = "# all\n*       @ana @org/core\n*.js    @jo # the web\n/build/logs/ @log\ndocs/*  docs@example.com @doc\n\
                    apps/ @app\n/apps/github\n!x @nobody\n[a-z].py @nobody\n**/deep @dee\nspace\\ d/ @spa\n";
        are(
            &Owners::read(text, ForgeKind::Github),
            &[
                ("a.py", &["ana", "org/core"]),
                ("web/x.js", &["jo"]),
                ("build/logs/a/b.txt", &["log"]),
                ("x/build/logs/b.txt", &["ana", "org/core"]),
                ("docs/a.md", &["doc"]),
                ("docs/more/a.md", &["ana", "org/core"]),
                ("x/apps/a.py", &["app"]),
                ("apps/github/a.py", &[]),
                ("x/deep/a.py", &["dee"]),
                ("space d/a.py", &["spa"]),
            ],
        );
        let all = Owners::read(text, ForgeKind::Github);
        let paths = ["web/x.js", "a.py", "web/y.js"].map(|path| RelPath::new(path).expect("path"));
        assert_eq!(all.of(&paths), ["jo", "ana", "org/core"]);
    }

    #[test]
    fn on_gitlab_every_section_has_its_own() {
        let text = "* @all\n[Docs][2] @doc\ndocs/\nREADME.md @read\n!docs/made/\n^[Data base] @dba\nmodel/db/\n\
                    model/db/x.sql @sql @@maintainer x@y.z\n[DOCS]\n*.md @md\n\\#odd @odd\n";
        are(
            &Owners::read(text, ForgeKind::Gitlab),
            &[
                ("a.py", &["all"]),
                ("docs/a.txt", &["all", "doc"]),
                ("docs/made/a.txt", &["all"]),
                ("README.md", &["all", "md"]),
                ("model/db/a.sql", &["all", "dba"]),
                ("model/db/x.sql", &["all", "sql"]),
                ("#odd", &["all", "odd"]),
            ],
        );
    }

    #[test]
    fn on_forgejo_every_expression_that_matches_counts() {
        let text = ".*\\\\.go @ana @org/team # go\n!frontend/.* @back\nfrontend/(a|b)/[^/]*\\\\.js @jo\n(((( @broken\n\
                    path\\ s @spa\n";
        are(
            &Owners::read(text, ForgeKind::Forgejo),
            &[
                ("x/main.go", &["ana", "org/team", "back"]),
                ("frontend/a/x.js", &["jo"]),
                ("frontend/c/x.js", &[]),
                ("maingo", &["back"]),
                ("path s", &["back", "spa"]),
            ],
        );
        let huge = format!("{} @x\n.* @ana\n", "(a{900}){900}".repeat(3));
        are(&Owners::read(&huge, ForgeKind::Forgejo), &[("a", &["ana"])]);
    }
}
