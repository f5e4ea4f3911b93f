//! Wrappers: the words of a command that stand before the test runner.
//!
//! Looks at words alone; runs nothing. What is not recognised is opaque, and
//! opaque commands are run exactly as given.

use super::RunnerKind;

/// A command seen through its wrappers. Indices into its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The runner at its core.
    pub kind: RunnerKind,
    /// The word that is the runner: `pytest`, the `-m` of `python -m pytest`,
    /// `cargo`.
    pub at: usize,
    /// The word that is the Python interpreter, where there is one.
    pub interpreter: Option<usize>,
    /// The first word of the runner's own arguments.
    pub arguments: usize,
    /// What it was seen through (`uv run`), or empty.
    pub through: String,
    /// The innermost `env`, where there is one.
    pub env: Option<Env>,
}

/// An `env` that stands before the runner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// Its assignments, in order.
    pub assigned: Vec<(String, String)>,
    /// Whether it starts from an empty environment.
    pub clears: bool,
    /// The first word after its assignments, an index.
    pub end: usize,
}

impl Env {
    /// The value it gives `name`: the last one.
    pub fn value(&self, name: &str) -> Option<String> {
        self.assigned.iter().rev().find(|(assigned, _)| assigned == name).map(|(_, value)| value.clone())
    }
}

/// Wrappers of one word and a verb, with those of their options that take a
/// value (from their own `--help`, November 2026).
const RUN_WRAPPERS: &[(&str, &str, &[&str])] = &[
    (
        "uv",
        "run",
        &[
            "-p",
            "--python",
            "--with",
            "--extra",
            "--group",
            "--env-file",
            "--project",
            "--directory",
            "--package",
            "--with-requirements",
            "--with-editable",
            "--index",
            "--config-setting",
        ],
    ),
    ("poetry", "run", &["-C", "--directory", "-P", "--project"]),
    ("pdm", "run", &["-p", "--project"]),
    ("hatch", "run", &["-e", "--env"]),
    ("pipenv", "run", &[]),
    ("rye", "run", &["-p", "--pyproject"]),
];

/// Options of the interpreter that take a value (`python --help`).
const PYTHON_VALUES: &[&str] = &["-X", "-W", "-Q"];

/// Sees a command through its wrappers; `None` for an opaque one.
pub fn see(command: &[String]) -> Option<Seen> {
    let mut env = None;
    let mut seen = unwrap(command, &mut env)?;
    seen.env = env;
    Some(seen)
}

fn unwrap(command: &[String], env: &mut Option<Env>) -> Option<Seen> {
    let mut at = 0;
    let mut through = Vec::new();
    loop {
        let word = command.get(at)?;
        let name = program(word);
        if matches!(name, "env" | "cross-env") {
            let read = read_env(command, at + 1)?;
            at = read.end;
            *env = Some(read);
            through.push("env".to_owned());
            continue;
        }
        if let Some((wrapper, verb, values)) = RUN_WRAPPERS.iter().find(|(wrapper, ..)| *wrapper == name) {
            let verb_at = skip_options(command, at + 1, values);
            if command.get(verb_at).map(String::as_str) != Some(*verb) {
                return None;
            }
            at = skip_options(command, verb_at + 1, values);
            if command.get(at).is_some_and(|word| word == "--") {
                at += 1;
            }
            through.push(format!("{wrapper} {verb}"));
            continue;
        }
        if matches!(name, "npx" | "pnpx" | "bunx" | "c8" | "nyc") {
            at = skip_options(command, at + 1, &["-p", "--package", "-c", "--call"]);
            through.push(name.to_owned());
            continue;
        }
        if matches!(name, "pnpm" | "yarn") {
            let verb = command.get(at + 1).map(String::as_str)?;
            let next = if matches!(verb, "exec" | "run" | "dlx") { at + 2 } else { at + 1 };
            // Any other word is a script of package.json.
            let program = command.get(next).map(|word| program(word))?;
            if !matches!(program, "jest" | "vitest" | "mocha" | "node") {
                return None;
            }
            through.push(name.to_owned());
            at = next;
            continue;
        }
        if name == "coverage" && command.get(at + 1).is_some_and(|word| word == "run") {
            let module = (at + 2..command.len()).find(|index| command[*index] == "-m")?;
            through.push("coverage run".to_owned());
            return module_at(command, module, None, through);
        }
        let through_text = through.join(", ");
        return match name {
            "pytest" | "py.test" => Some(Seen {
                kind: RunnerKind::Pytest,
                at,
                interpreter: None,
                arguments: at + 1,
                through: through_text,
                env: None,
            }),
            "cargo" => cargo(command, at, through_text),
            "jest" | "jest.js" => script(RunnerKind::Jest, at, at + 1, through_text),
            "vitest" | "vitest.mjs" => script(RunnerKind::Vitest, at, at + 1, through_text),
            "mocha" | "mocha.js" | "_mocha" => script(RunnerKind::Mocha, at, at + 1, through_text),
            "node" | "nodejs" => node(command, at, through_text),
            "go" if command.get(at + 1).is_some_and(|word| word == "test") => {
                script(RunnerKind::Go, at, at + 2, through_text)
            }
            _ if is_python(name) => python(command, at, through),
            _ => None,
        };
    }
}

/// `cargo nextest`, which heal runs by its exit code.
pub fn is_nextest(command: &[String]) -> bool {
    let cargo = command.iter().position(|word| program(word) == "cargo");
    cargo.is_some_and(|at| {
        command[at + 1..].iter().find(|word| !word.starts_with('+')).is_some_and(|verb| verb == "nextest")
    })
}

/// The file name of a program, without a version or `.exe`.
pub fn program(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// `python`, `python3`, `python3.11`, `pypy3`.
pub fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// `env`'s own options and assignments, from the word at `at` on.
fn read_env(command: &[String], mut at: usize) -> Option<Env> {
    let mut env = Env::default();
    while let Some(word) = command.get(at) {
        let assignment = word.split_once('=').filter(|(name, _)| !name.is_empty() && !name.starts_with('-'));
        match word.as_str() {
            "-u" | "--unset" | "-C" | "--chdir" => at += 2,
            "-i" | "-" | "--ignore-environment" => {
                env.clears = true;
                at += 1;
            }
            "--" => at += 1,
            _ if word.starts_with("--unset=") || word.starts_with("--chdir=") => at += 1,
            _ if word.starts_with('-') => return None,
            _ => match assignment {
                Some((name, value)) => {
                    env.assigned.push((name.to_owned(), value.to_owned()));
                    at += 1;
                }
                None => {
                    env.end = at;
                    return Some(env);
                }
            },
        }
    }
    None
}

fn skip_options(command: &[String], mut at: usize, values: &[&str]) -> usize {
    while let Some(word) = command.get(at).filter(|word| word.starts_with('-') && word.as_str() != "--") {
        at += if values.contains(&word.as_str()) { 2 } else { 1 };
    }
    at
}

fn cargo(command: &[String], at: usize, through: String) -> Option<Seen> {
    let verb = (at + 1..command.len()).find(|index| !command[*index].starts_with('+'))?;
    matches!(command[verb].as_str(), "test" | "t").then_some(Seen {
        kind: RunnerKind::Cargo,
        at,
        interpreter: None,
        arguments: verb + 1,
        through,
        env: None,
    })
}

fn script(kind: RunnerKind, at: usize, arguments: usize, through: String) -> Option<Seen> {
    Some(Seen { kind, at, interpreter: None, arguments, through, env: None })
}

/// Options of node that take a value as a word of their own (`node --help`).
const NODE_VALUES: &[&str] =
    &["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"];

/// `node --test …`, or node with one of the runners' own programs.
fn node(command: &[String], at: usize, through: String) -> Option<Seen> {
    let mut index = at + 1;
    while let Some(word) = command.get(index) {
        match word.as_str() {
            "--test" => return script(RunnerKind::Node, at, index + 1, through),
            _ if NODE_VALUES.contains(&word.as_str()) => index += 2,
            _ if word.starts_with('-') => index += 1,
            _ => break,
        }
    }
    let kind = match program(command.get(index)?) {
        "jest" | "jest.js" => RunnerKind::Jest,
        "vitest" | "vitest.mjs" => RunnerKind::Vitest,
        "mocha" | "mocha.js" | "_mocha" => RunnerKind::Mocha,
        _ => return None,
    };
    script(kind, index, index + 1, through)
}

fn python(command: &[String], at: usize, through: Vec<String>) -> Option<Seen> {
    let mut index = at + 1;
    while let Some(word) = command.get(index) {
        match word.as_str() {
            "-m" => return module_at(command, index, Some(at), through),
            _ if PYTHON_VALUES.contains(&word.as_str()) => index += 2,
            _ if word.starts_with('-') && word.len() > 1 && word != "-c" => index += 1,
            _ => return None,
        }
    }
    None
}

/// `-m MODULE` at `index`; `-m coverage run -m pytest` is seen through.
fn module_at(command: &[String], index: usize, interpreter: Option<usize>, mut through: Vec<String>) -> Option<Seen> {
    let arguments = index + 2;
    let kind = match command.get(index + 1)?.as_str() {
        "pytest" => RunnerKind::Pytest,
        "unittest" => RunnerKind::Unittest,
        "coverage" if command.get(arguments).is_some_and(|word| word == "run") => {
            let inner = (arguments + 1..command.len()).find(|index| command[*index] == "-m")?;
            through.push("coverage run".to_owned());
            return module_at(command, inner, interpreter, through);
        }
        _ => return None,
    };
    Some(Seen { kind, at: index, interpreter, arguments, through: through.join(", "), env: None })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn commands_are_seen_through_their_wrappers() {
        use RunnerKind::*;
        for (text, wanted) in [
            ("pytest -q tests", Some((Pytest, 0, None, 1))),
            ("/opt/v/bin/pytest", Some((Pytest, 0, None, 1))),
            ("python3.11 -X dev -m pytest -q", Some((Pytest, 3, Some(0), 5))),
            (".venv/bin/python -m unittest discover -s tests", Some((Unittest, 1, Some(0), 3))),
            ("uv run --python 3.12 pytest", Some((Pytest, 4, None, 5))),
            ("uv run -- python -m pytest", Some((Pytest, 4, Some(3), 6))),
            ("poetry run pytest -k a", Some((Pytest, 2, None, 3))),
            ("env A=b -u C pytest", Some((Pytest, 4, None, 5))),
            ("coverage run -m pytest x", Some((Pytest, 2, None, 4))),
            ("python -m coverage run --branch -m pytest x", Some((Pytest, 5, Some(0), 7))),
            ("cargo test -p core", Some((Cargo, 0, None, 2))),
            ("cargo +1.90 t", Some((Cargo, 0, None, 3))),
            ("env RUST_LOG=x cargo test", Some((Cargo, 2, None, 4))),
            ("npx --no-install jest --ci", Some((Jest, 2, None, 3))),
            ("pnpm exec vitest run", Some((Vitest, 2, None, 3))),
            ("yarn mocha", Some((Mocha, 1, None, 2))),
            ("yarn test", None),
            ("npm test", None),
            ("node --import tsx --test test/", Some((Node, 0, None, 4))),
            ("node --experimental-vm-modules node_modules/jest/bin/jest.js", Some((Jest, 2, None, 3))),
            ("cross-env A=b node_modules/.bin/mocha", Some((Mocha, 2, None, 3))),
            ("node server.js", None),
            ("go test ./...", Some((Go, 0, None, 2))),
            ("go build ./...", None),
            ("cargo nextest run", None),
            ("cargo build", None),
            ("make test", None),
            ("python run_tests.py", None),
            ("python -c pass", None),
            ("uv sync", None),
            ("sh -c pytest", None),
            ("env", None),
        ] {
            let seen = see(&words(text)).map(|seen| (seen.kind, seen.at, seen.interpreter, seen.arguments));
            assert_eq!(seen, wanted, "{text}");
        }
    }

    #[test]
    fn what_env_sets_and_clears_is_known() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (text, wanted) in [
            ("pytest", None),
            (
                "env A=1 PYTHONPATH=src A=2 pytest",
                Some((vec![pair("A", "1"), pair("PYTHONPATH", "src"), pair("A", "2")], false, 4)),
            ),
            ("env -i PATH=/bin pytest", Some((vec![pair("PATH", "/bin")], true, 3))),
            ("env --unset=A -u B python -m pytest", Some((vec![], false, 4))),
            ("uv run env X=y pytest", Some((vec![pair("X", "y")], false, 4))),
        ] {
            let env = see(&words(text)).expect("pytest").env;
            assert_eq!(env.clone().map(|env| (env.assigned, env.clears, env.end)), wanted, "{text}");
            if let Some(value) = env.and_then(|env| env.value("A")) {
                assert_eq!(value, "2", "the last assignment holds");
            }
        }
    }
}
