//! Gate `scan`: code that hides failures instead of mending them, found by its
//! syntax.
//!
//! Counts patterns in the patched text against the unpatched one; runs
//! nothing. What stood there before is none of the patch's business.

use tree_sitter::Node;

use super::Gate;
use super::Miss;
use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::patch::Patch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "scan",
    missed_when: "it hides failures: swallows them, switches code off, silences a checker",
    runs_tests: false,
};

/// A pattern: the language, its name in words, and whether a node is one.
struct Pattern {
    family: &'static str,
    what: &'static str,
    is: fn(&Parsed, Node<'_>) -> bool,
    /// Whether its text is all that there is to it, so that another text is
    /// another one.
    is_short: bool,
}

/// Patterns of several languages; each looks at kinds of its own.
static PATTERNS: &[Pattern] = &[
    Pattern { family: "python", what: "swallows every exception", is: swallows, is_short: false },
    Pattern { family: "javascript", what: "swallows every exception", is: catches_all, is_short: false },
    Pattern { family: "java", what: "swallows every exception", is: catches_all, is_short: false },
    Pattern { family: "go", what: "throws an error away", is: throws_away, is_short: false },
    Pattern { family: "python", what: "says that everything is equal", is: always_equal, is_short: false },
    Pattern { family: "rust", what: "says that everything is equal", is: always_equal, is_short: false },
    Pattern { family: "javascript", what: "says that everything is equal", is: always_equal, is_short: false },
    Pattern { family: "go", what: "says that everything is equal", is: always_equal, is_short: false },
    Pattern { family: "java", what: "says that everything is equal", is: always_equal, is_short: false },
    Pattern {
        family: "python",
        what: "leaves code behind it that can never run",
        is: leaves_dead_code,
        is_short: false,
    },
    Pattern { family: "rust", what: "leaves code behind it that can never run", is: leaves_dead_code, is_short: false },
    Pattern {
        family: "javascript",
        what: "leaves code behind it that can never run",
        is: leaves_dead_code,
        is_short: false,
    },
    Pattern { family: "go", what: "leaves code behind it that can never run", is: leaves_dead_code, is_short: false },
    Pattern { family: "java", what: "leaves code behind it that can never run", is: leaves_dead_code, is_short: false },
    Pattern { family: "python", what: "switches a condition off", is: constant_condition, is_short: true },
    Pattern { family: "rust", what: "switches a condition off", is: constant_condition, is_short: true },
    Pattern { family: "javascript", what: "switches a condition off", is: constant_condition, is_short: true },
    Pattern { family: "go", what: "switches a condition off", is: constant_condition, is_short: true },
    Pattern { family: "java", what: "switches a condition off", is: constant_condition, is_short: true },
    Pattern { family: "python", what: "silences a checker", is: silences, is_short: false },
    Pattern { family: "rust", what: "silences a checker", is: silences, is_short: false },
    Pattern { family: "javascript", what: "silences a checker", is: silences, is_short: false },
    Pattern { family: "go", what: "silences a checker", is: silences, is_short: false },
    Pattern { family: "java", what: "silences a checker", is: silences, is_short: false },
];

/// Judges a patch.
pub fn judge(patch: &Patch) -> Result<(), Miss> {
    for change in patch.changes() {
        let (Some(language), Some(after)) = (language::of_path(&change.path), &change.after) else { continue };
        let before = language::parse(language, change.before.as_deref().unwrap_or_default());
        let after = language::parse(language, after);
        let (ours, theirs) = language::differing(&before, &after);
        for pattern in PATTERNS.iter().filter(|pattern| pattern.family == language.family) {
            let (old, new) = (found(&before, &ours, pattern), found(&after, &theirs, pattern));
            // `if False` that becomes `if True` is one more of the latter.
            let times = |all: &[(usize, &str)], text: &str| all.iter().filter(|(_, other)| *other == text).count();
            let turned = pattern.is_short && new.iter().any(|(_, text)| times(&new, text) > times(&old, text));
            if new.len() > old.len() || turned {
                let fresh = new.iter().find(|(_, text)| old.iter().all(|(_, other)| other != text)).or(new.last());
                let line = fresh.map_or(0, |(line, _)| *line);
                return Err(Miss::new(&GATE, format!("`{}` line {line}: it {}", change.path, pattern.what)));
            }
        }
    }
    Ok(())
}

fn found<'p>(parsed: &'p Parsed, items: &[Node<'p>], pattern: &Pattern) -> Vec<(usize, &'p str)> {
    let mut found = Vec::new();
    for item in items {
        language::walk(*item, &mut |node| {
            if (pattern.is)(parsed, node) {
                found.push((node.start_position().row + 1, parsed.text_of(node)));
            }
            node.child_count() > 0
        });
    }
    found
}

/// `except Exception: pass`, also with a constant given back, and
/// `contextlib.suppress(Exception)`.
fn swallows(parsed: &Parsed, node: Node<'_>) -> bool {
    let broad = |text: &str| matches!(text, "Exception" | "BaseException");
    if node.kind() == "call" {
        let callee = node.child_by_field_name("function").map(|callee| parsed.text_of(callee)).unwrap_or_default();
        let arguments = node.child_by_field_name("arguments").map(syntax::parts).unwrap_or_default();
        return callee.ends_with("suppress") && arguments.iter().any(|argument| broad(parsed.text_of(*argument)));
    }
    if node.kind() != "except_clause" {
        return false;
    }
    let parts = syntax::parts(node);
    let Some((block, kinds)) = parts.split_last() else { return false };
    let all = kinds.first().is_none_or(|kind| {
        let names = parsed.text_of(*kind);
        names.split(|c: char| !c.is_alphanumeric() && c != '_').any(broad)
    });
    all && syntax::parts(*block).iter().all(|statement| is_idle(*statement))
}

/// `catch (e) {}`, also with a constant given back; in Java of `Exception`,
/// `Throwable` and their like.
fn catches_all(parsed: &Parsed, node: Node<'_>) -> bool {
    if node.kind() != "catch_clause" {
        return false;
    }
    let caught = parts_of_kind(node, "catch_formal_parameter").map_or("Exception", |caught| parsed.text_of(caught));
    let broad = ["Exception", "Throwable", "Error"];
    let all = caught.split(|c: char| !c.is_alphanumeric()).any(|word| broad.contains(&word));
    let Some(body) = node.child_by_field_name("body") else { return false };
    all && syntax::parts(body).iter().all(|statement| is_idle(*statement))
}

fn parts_of_kind<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    syntax::parts(node).into_iter().find(|part| part.kind() == kind)
}

/// `_ = f()` and `value, _ := f()` of Go, and `if err != nil {}`.
fn throws_away(parsed: &Parsed, node: Node<'_>) -> bool {
    match node.kind() {
        "assignment_statement" | "short_var_declaration" => {
            let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
            else {
                return false;
            };
            let last = left.named_child(u32::try_from(left.named_child_count()).unwrap_or(1).saturating_sub(1));
            let calls = right.named_child(0).is_some_and(|value| value.kind() == "call_expression");
            calls && last.is_some_and(|last| parsed.text_of(last) == "_")
        }
        "if_statement" => {
            let errs = node
                .child_by_field_name("condition")
                .is_some_and(|condition| parsed.text_of(condition).contains("err != nil"));
            let body = node.child_by_field_name("consequence");
            errs && body.is_some_and(|body| syntax::parts(body).is_empty())
        }
        _ => false,
    }
}

/// A statement that only gives up: `pass`, `continue`, a constant.
fn is_idle(statement: Node<'_>) -> bool {
    let constant = |node: Node<'_>| {
        matches!(
            node.kind(),
            "none"
                | "true"
                | "false"
                | "integer"
                | "float"
                | "string"
                | "ellipsis"
                | "identifier"
                | "null"
                | "undefined"
                | "number"
                | "null_literal"
                | "decimal_integer_literal"
                | "string_literal"
        ) || matches!(node.kind(), "list" | "dictionary" | "tuple" | "array" | "object")
            && node.named_child_count() == 0
    };
    match statement.kind() {
        "pass_statement" | "continue_statement" | "break_statement" | "comment" | "empty_statement" => true,
        "return_statement" | "expression_statement" => statement.named_child(0).is_none_or(constant),
        _ => false,
    }
}

/// `def __eq__(self, other): return True`, as a lambda too, and its Rust
/// sister.
fn always_equal(parsed: &Parsed, node: Node<'_>) -> bool {
    if node.kind() == "assignment" {
        let text: String = parsed.text_of(node).chars().filter(|c| !c.is_whitespace()).collect();
        return text.starts_with("__eq__=lambda") && text.ends_with(":True");
    }
    let Some(row) = syntax::of(parsed.language).filter(|row| row.is_function(node)) else { return false };
    let name = row.name_of(node).map(|name| parsed.text_of(name)).unwrap_or_default();
    let Some(body) = node.child_by_field_name("body") else { return false };
    let text: String = parsed.text_of(body).chars().filter(|c| !c.is_whitespace() && !"{};".contains(*c)).collect();
    match name {
        "__eq__" | "__contains__" | "__instancecheck__" | "__bool__" | "eq" | "equals" | "Equal" | "Equals"
        | "isEqual" | "compareTo" => {
            matches!(text.as_str(), "returnTrue" | "returntrue" | "true" | "return0")
        }
        "__ne__" | "ne" => matches!(text.as_str(), "returnFalse" | "returnfalse" | "false"),
        _ => false,
    }
}

/// A `return` or `raise` with statements after it in the same block.
fn leaves_dead_code(parsed: &Parsed, node: Node<'_>) -> bool {
    let inner = if node.kind() == "expression_statement" { node.named_child(0) } else { None }.unwrap_or(node);
    let ends = matches!(
        inner.kind(),
        "return_statement"
            | "raise_statement"
            | "continue_statement"
            | "break_statement"
            | "return_expression"
            | "continue_expression"
            | "break_expression"
            | "throw_statement"
    );
    let lists = syntax::of(parsed.language).map(|row| row.lists).unwrap_or_default();
    if !ends || node.parent().is_none_or(|parent| !lists.contains(&parent.kind())) {
        return false;
    }
    let mut next = node.next_named_sibling();
    while let Some(sibling) = next.filter(|sibling| parsed.language.comments.contains(&sibling.kind())) {
        next = sibling.next_named_sibling();
    }
    // A `yield` that is never reached makes a generator: an idiom.
    next.is_some_and(|next| {
        let declares = next.kind().ends_with("_item") || next.kind() == "function_declaration";
        // In a `case` the next label is no part of what went before.
        !parsed.text_of(next).starts_with("yield") && !declares && !next.kind().starts_with("switch_")
    })
}

/// `if False`, `x or True`, `x && false`. `while True` is a loop, and `if
/// TYPE_CHECKING` is none.
fn constant_condition(parsed: &Parsed, node: Node<'_>) -> bool {
    if !matches!(parsed.text_of(node), "True" | "False" | "true" | "false" | "0" | "1") {
        return false;
    }
    let whole = node.parent().filter(|parent| parent.kind() == "parenthesized_expression").unwrap_or(node);
    let Some(around) = whole.parent() else { return false };
    match around.kind() {
        "if_statement" | "elif_clause" | "if_expression" | "ternary_expression" => {
            around.child_by_field_name("condition") == Some(whole)
        }
        "boolean_operator" => true,
        "binary_expression" => {
            let operator = around.child_by_field_name("operator").map(|operator| parsed.text_of(operator));
            matches!(operator, Some("&&" | "||"))
        }
        _ => false,
    }
}

/// Words in comments that switch a checker or a coverage report off.
const SILENCING: &[&str] = &[
    "noqa",
    "type: ignore",
    "pragma: no cover",
    "nosec",
    "pylint: disable",
    "eslint-disable",
    "@ts-ignore",
    "@ts-expect-error",
    "@ts-nocheck",
    "istanbul ignore",
    "c8 ignore",
    "v8 ignore",
    "nolint",
    "NOSONAR",
    "go:linkname",
];

/// `# type: ignore`, `// eslint-disable`, `#[allow(…)]`, `as any`.
fn silences(parsed: &Parsed, node: Node<'_>) -> bool {
    let text = parsed.text_of(node);
    match node.kind() {
        "comment" | "line_comment" | "block_comment" => SILENCING.iter().any(|word| text.contains(word)),
        "as_expression" => text.split_whitespace().collect::<Vec<_>>().ends_with(&["as", "any"]),
        "annotation" => text.starts_with("@SuppressWarnings"),
        "attribute_item" | "inner_attribute_item" => {
            let inner: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            inner.contains("[allow(") || inner.contains("[expect(")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn what_hides_failures_is_found_by_its_syntax() {
        let rust = |body: &str| format!("fn f(a: i32) -> i32 {{\n    {body}\n}}\n");
        for (path, after, held) in [
            ("a.py", "def f():\n    try:\n        g()\n    except Exception:\n        pass\n".to_owned(), false),
            ("a.py", "def f():\n    try:\n        g()\n    except:\n        return None\n".to_owned(), false),
            (
                "a.py",
                "def f():\n    try:\n        g()\n    except (ValueError, Exception) as e:\n        return []\n"
                    .to_owned(),
                false,
            ),
            ("a.py", "def f():\n    try:\n        g()\n    except KeyError:\n        return None\n".to_owned(), true),
            (
                "a.py",
                "def f():\n    try:\n        g()\n    except Exception as e:\n        raise Bad() from e\n".to_owned(),
                true,
            ),
            ("a.py", "with contextlib.suppress(Exception):\n    g()\n".to_owned(), false),
            ("a.py", "class A:\n    def __eq__(self, other):\n        return True\n".to_owned(), false),
            ("a.py", "class A:\n    def __eq__(self, other):\n        return self.a == other.a\n".to_owned(), true),
            ("a.py", "def f():\n    return 1\n    g()\n".to_owned(), false),
            ("a.py", "def f():\n    if a:\n        return 1\n    g()\n".to_owned(), true),
            ("a.py", "def f():\n    return\n    yield\n".to_owned(), true),
            ("a.py", "if False:\n    g()\n".to_owned(), false),
            ("a.py", "def f(a):\n    return a or True\n".to_owned(), false),
            ("a.py", "while True:\n    g()\n".to_owned(), true),
            ("a.py", "x = g()  # type: ignore\n".to_owned(), false),
            ("a.rs", rust("return 1;\n    a"), false),
            ("a.rs", rust("if a > 1 { return 1; }\n    a"), true),
            ("a.rs", rust("if a > 1 || true { 1 } else { 2 }"), false),
            ("a.rs", "#[allow(dead_code)]\nfn g() {}\n".to_owned(), false),
            (
                "a.rs",
                "impl PartialEq for A {\n    fn eq(&self, _: &A) -> bool {\n        true\n    }\n}\n".to_owned(),
                false,
            ),
            ("a.js", "try { f(); } catch (e) {}\n".to_owned(), false),
            ("a.js", "function f() { try { g(); } catch { return null; } }\n".to_owned(), false),
            ("a.js", "try { f(); } catch (e) { throw new Bad(e); }\n".to_owned(), true),
            ("a.js", "class A { equals(other) { return true; } }\n".to_owned(), false),
            ("a.js", "function f() { return 1; g(); }\n".to_owned(), false),
            ("a.js", "function f(a) { if (a) return 1; g(); }\n".to_owned(), true),
            ("a.js", "function f() { return g(); function g() {} }\n".to_owned(), true),
            ("a.js", "switch (a) { case 1: return 1; default: g(); }\n".to_owned(), true),
            ("a.js", "if (true) { f(); }\n".to_owned(), false),
            ("a.js", "const a = b || true;\n".to_owned(), false),
            ("a.js", "while (true) { f(); }\n".to_owned(), true),
            ("a.ts", "// @ts-ignore\nf();\n".to_owned(), false),
            ("a.ts", "const a = f() as any;\n".to_owned(), false),
            ("a.ts", "const a = f() as Cart;\n".to_owned(), true),
            ("a.go", "package a\n\nfunc f() {\n\t_ = g()\n}\n".to_owned(), false),
            ("a.go", "package a\n\nfunc f() {\n\tx, _ := g()\n\tuse(x)\n}\n".to_owned(), false),
            ("a.go", "package a\n\nfunc f() {\n\tfor _, x := range g() {\n\t\tuse(x)\n\t}\n}\n".to_owned(), true),
            ("a.go", "package a\n\nfunc f() {\n\tif err := g(); err != nil {\n\t}\n}\n".to_owned(), false),
            ("a.go", "package a\n\nfunc f() int {\n\treturn 1\n\tg()\n}\n".to_owned(), false),
            ("a.go", "package a\n\nfunc (a A) Equal(b A) bool { return true }\n".to_owned(), false),
            ("a.go", "package a\n\nfunc f() {\n\tif false {\n\t\tg()\n\t}\n}\n".to_owned(), false),
            ("A.java", "class A { void f() { try { g(); } catch (Exception e) {} } }\n".to_owned(), false),
            ("A.java", "class A { void f() { try { g(); } catch (IOException e) {} } }\n".to_owned(), true),
            ("A.java", "class A { public boolean equals(Object o) { return true; } }\n".to_owned(), false),
            ("A.java", "@SuppressWarnings(\"x\") class A {}\n".to_owned(), false),
            ("a.toml", "a = 1\n".to_owned(), true),
        ] {
            let path = RelPath::new(path).expect("path");
            assert_eq!(judge(&Patch::of_file(path.clone(), "", after.clone())).is_ok(), held, "{after}");
            // What was there before stays there.
            let patch = Patch::of_file(path, after.clone(), format!("{after}\n\n"));
            assert!(judge(&patch).is_ok(), "{after}");
        }
    }

    #[test]
    fn a_condition_that_is_switched_over_is_switched_off_as_well() {
        for (before, after, held) in [
            ("if False:\n    g()\n", "if True:\n    g()\n", false),
            ("if False:\n    g()\n", "if False:\n    g(1)\n", true),
            ("if False:\n    g()\n", "if a:\n    g()\n", true),
            ("b = a or False\n", "b = a or True\n", false),
            ("b = a or False\n", "b = c or False\n", true),
        ] {
            let patch = Patch::of_file(RelPath::new("a.py").expect("path"), before, after);
            assert_eq!(judge(&patch).is_ok(), held, "{after}");
        }
    }
}
