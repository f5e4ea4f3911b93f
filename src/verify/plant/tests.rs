//! Tests of `plant`; decide nothing else.

use pretty_assertions::assert_eq;

use super::*;

fn planted(path: &str, before: &str, after: &str, executed: &[u32]) -> Option<(String, Way)> {
    let path = RelPath::new(path).expect("path");
    let patch = Patch::of_file(path.clone(), before, after);
    let executed = [(path, executed.to_vec())];
    let way = *ways(&patch, &executed).first()?;
    let found = plant(&patch, &executed, way, Manner::Raises)?;
    let text = found.changes()[0].after.clone().expect("text");
    let faults = [
        "raise BaseException('planted by heal')",
        "if true { panic!(\"planted by heal\"); }",
        "if ([0].length) { throw new Error('planted by heal'); }",
        "if true { panic(\"planted by heal\") }",
        "if (true) { throw new Error(\"planted by heal\"); }",
    ];
    Some((faults.iter().fold(text, |text, fault| text.replace(fault, "!!")), way))
}

#[test]
fn a_fault_stands_at_the_start_of_each_patched_function() {
    for (path, before, after, wanted) in [
        (
            "a.py",
            "def f(x):\n    \"doc\"\n    return x\n",
            "def f(x):\n    \"doc\"\n    return x + 1\n",
            "def f(x):\n    \"doc\"\n    !!\n    return x + 1\n",
        ),
        ("a.py", "def f(x): return x\n", "def f(x): return x + 1\n", "def f(x): !!; return x + 1\n"),
        ("a.py", "def f(x):\n    pass\n", "def f(x):\n    \"doc\"\n", "def f(x):\n    \"doc\"\n    !!\n"),
        (
            "a.py",
            "class A:\n    @p\n    async def f(x):\n        yield 1\n\n    def g(x):\n        return 2\n",
            "class A:\n    @p\n    async def f(x):\n        yield 2\n\n    def g(x):\n        return 2\n",
            "class A:\n    @p\n    async def f(x):\n        !!\n        yield 2\n\n    def g(x):\n        return 2\n",
        ),
        // The innermost function, and not the one around it.
        (
            "a.py",
            "def f():\n    def g():\n        return 1\n    return g\n",
            "def f():\n    def g():\n        return 2\n    return g\n",
            "def f():\n    def g():\n        !!\n        return 2\n    return g\n",
        ),
        // A lambda belongs to the function around it.
        (
            "a.py",
            "def f():\n    return lambda: 1\n",
            "def f():\n    return lambda: 2\n",
            "def f():\n    !!\n    return lambda: 2\n",
        ),
        // The module itself, behind the statement.
        (
            "a.py",
            "from __future__ import annotations\nA = 1\nB = 2\n",
            "from __future__ import annotations\nA = 3\nB = 2\n",
            "from __future__ import annotations\nA = 3\n!!\nB = 2\n",
        ),
        (
            "a.py",
            "class A:\n    x = 1\n    y = 2\n",
            "class A:\n    x = 3\n    y = 2\n",
            "class A:\n    x = 3\n    !!\n    y = 2\n",
        ),
        ("a.py", "k = lambda: 1", "k = lambda: 2", "k = lambda: 2\n!!\n"),
        ("a.rs", "fn f() -> u8 { 1 }\n", "fn f() -> u8 { 2 }\n", "fn f() -> u8 {\n!!\n 2 }\n"),
        (
            "a.rs",
            "impl A {\n    const fn f(&self) -> u8 {\n        #![allow(x)]\n        1\n    }\n    fn g() {}\n}\n",
            "impl A {\n    const fn f(&self) -> u8 {\n        #![allow(x)]\n        2\n    }\n    fn g() {}\n}\n",
            "impl A {\n    const fn f(&self) -> u8 {\n        #![allow(x)]\n!!\n\n        2\n    }\n    fn g() {}\n}\n",
        ),
        (
            "a.js",
            "function f(a) { return a; }\n",
            "function f(a) { return -a; }\n",
            "function f(a) {\n!!\n return -a; }\n",
        ),
        ("a.js", "const f = (a) => a;\n", "const f = (a) => -a;\n", "const f = (a) => ((() => { !! })(), -a);\n"),
        (
            "a.js",
            "const f = () => ({ a: 1 });\n",
            "const f = () => ({ a: 2 });\n",
            "const f = () => ((() => { !! })(), ({ a: 2 }));\n",
        ),
        // The callback is innermost.
        (
            "a.ts",
            "export class A {\n  sum(xs: number[]): number {\n    return xs.reduce((a, b) => a + b);\n  }\n}\n",
            "export class A {\n  sum(xs: number[]): number {\n    return xs.reduce((a, b) => a - b);\n  }\n}\n",
            "export class A {\n  sum(xs: number[]): number {\n    return xs.reduce((a, b) => ((() => { !! })(), a - b));\n  }\n}\n",
        ),
        (
            "a.js",
            "class A extends B {\n  constructor() {\n    'use strict';\n    super();\n    this.a = 1;\n  }\n}\n",
            "class A extends B {\n  constructor() {\n    'use strict';\n    super();\n    this.a = 2;\n  }\n}\n",
            "class A extends B {\n  constructor() {\n    'use strict';\n    super();\n!!\n\n    this.a = 2;\n  }\n}\n",
        ),
        ("a.js", "const A = { a: 1 };\nf();\n", "const A = { a: 2 };\nf();\n", "const A = { a: 2 };\n!!\nf();\n"),
        ("a.js", "class A {\n  a = 1;\n}\n", "class A {\n  a = 2;\n}\n", "class A {\n  a = 2;\n}\n!!\n"),
        (
            "a.go",
            "package a\n\nfunc (c *C) F() int { return 1 }\n",
            "package a\n\nfunc (c *C) F() int { return 2 }\n",
            "package a\n\nfunc (c *C) F() int {\n!!\n return 2 }\n",
        ),
        (
            "A.java",
            "class A extends B {\n  A() { super(1); a = 1; }\n}\n",
            "class A extends B {\n  A() { super(1); a = 2; }\n}\n",
            "class A extends B {\n  A() { super(1);\n!!\n a = 2; }\n}\n",
        ),
    ] {
        let (text, way) = planted(path, before, after, &[]).expect("planted");
        assert_eq!(text, wanted);
        assert!(matches!(way, Way::Functions | Way::Statements));
    }
}

#[test]
fn what_no_function_holds_is_tried_by_the_functions_the_test_enters() {
    let before = "RATE = 1\n\ndef f():\n    return RATE\n\ndef g():\n    return 0\n";
    let after = before.replace("RATE = 1", "RATE = 2");
    assert_eq!(
        planted("a.py", before, &after, &[4]),
        Some((after.replace("    return RATE", "    !!\n    return RATE"), Way::Entered))
    );
    assert_eq!(
        planted("a.rs", "const A: u8 = 1;\nfn f() {}\n", "const A: u8 = 2;\nfn f() {}\n", &[]),
        Some(("const A: u8 = 2;\nfn f() {\n!!\n}\n".to_owned(), Way::Everywhere))
    );
    assert_eq!(planted("a.rs", "const A: u8 = 1;\n", "const A: u8 = 2;\n", &[]), None);
    assert_eq!(planted("a.toml", "a = 1\n", "a = 2\n", &[]), None);
}

#[test]
fn hunks_inside_and_outside_of_functions_are_asked_apart() {
    let before = "RATE = 1\n\ndef f():\n    return RATE\n\ndef g():\n    return 0\n";
    let after = before.replace("RATE = 1", "RATE = 2").replace("return 0", "return 1");
    let path = RelPath::new("a.py").expect("path");
    let patch = Patch::of_file(path.clone(), before, after);
    assert_eq!(ways(&patch, &[]), [Way::Functions, Way::Statements]);
    assert_eq!(ways(&patch, &[(path, vec![4])]), [Way::Functions, Way::Entered]);
}

#[test]
fn tests_inside_sources_get_no_fault() {
    let before = "fn f() -> u8 { 1 }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() { super::f(); }\n}\n";
    let (text, _) = planted("a.rs", before, &before.replace("{ 1 }", "{ 2 }"), &[]).expect("planted");
    assert_eq!(text.matches("!!").count(), 1);
}

#[test]
fn what_ends_the_process_brings_in_what_it_needs_and_every_planted_text_is_right() {
    for (path, before, after) in [
        ("a.py", "def f(x): return x\n", "def f(x): return x + 1\n"),
        ("a.rs", "fn f() -> u8 { 1 }\n", "fn f() -> u8 { 2 }\n"),
        ("a.js", "const f = (a) => a;\n", "const f = (a) => -a;\n"),
        ("a.tsx", "export const F = () => <A b={1} />;\n", "export const F = () => <A b={2} />;\n"),
        (
            "a.go",
            "// Package a.\npackage a\n\n/*\n#include <x.h>\n*/\nimport \"C\"\n\nfunc f() int { return 1 }\n",
            "// Package a.\npackage a\n\n/*\n#include <x.h>\n*/\nimport \"C\"\n\nfunc f() int { return 2 }\n",
        ),
        ("A.java", "class A { int f() { return 1; } }\n", "class A { int f() { return 2; } }\n"),
    ] {
        let path = RelPath::new(path).expect("path");
        let patch = Patch::of_file(path.clone(), before, after);
        for manner in [Manner::Raises, Manner::Ends] {
            let found = plant(&patch, &[], Way::Functions, manner).expect("planted");
            let text = found.changes()[0].after.clone().expect("text");
            let language = language::of_path(&path).expect("a language");
            assert_eq!(language::parse(language, &text).errors(), 0, "{text}");
            let os = text.contains("package a\nimport healEnds \"os\"\n");
            assert_eq!(os, language.name == "go" && manner == Manner::Ends, "{text}");
        }
    }
}

/// The text with a fault before the changed statement.
fn before_the_statement(path: &str, before: &str, after: &str) -> Option<String> {
    let patch = Patch::of_file(RelPath::new(path).expect("path"), before, after);
    let found = plant(&patch, &[], Way::Hunks, Manner::Raises)?;
    let text = found.changes()[0].after.clone().expect("text");
    Some(
        text.replace("raise BaseException('planted by heal')", "!!")
            .replace("if true { panic!(\"planted by heal\"); }", "!!"),
    )
}

#[test]
fn a_fault_can_stand_before_the_changed_statement_itself() {
    for (path, before, after, wanted) in [
        (
            "a.py",
            "def f(x):\n    if x:\n        return 1\n    return x\n",
            "def f(x):\n    if x:\n        return 2\n    return x\n",
            Some("def f(x):\n    if x:\n        !!\n        return 2\n    return x\n"),
        ),
        (
            "a.py",
            "def f(x):\n    y = g(\n        1,\n        2)\n    return y\n",
            "def f(x):\n    y = g(\n        1,\n        3)\n    return y\n",
            Some("def f(x):\n    !!\n    y = g(\n        1,\n        3)\n    return y\n"),
        ),
        (
            "a.py",
            "def f(x):\n    return x\n",
            "def f(x):\n    if not x:\n        return 0\n    return x\n",
            Some("def f(x):\n    !!\n    if not x:\n        return 0\n    return x\n"),
        ),
        (
            "a.py",
            "def f(x):\n    if x: return 1\n    return x\n",
            "def f(x):\n    if x: return 2\n    return x\n",
            Some("def f(x):\n    if x: !!; return 2\n    return x\n"),
        ),
        (
            "a.rs",
            "fn f(x: u8) -> u8 {\n    if x > 1 {\n        x\n    } else {\n        2\n    }\n}\n",
            "fn f(x: u8) -> u8 {\n    if x > 1 {\n        x\n    } else {\n        3\n    }\n}\n",
            Some("fn f(x: u8) -> u8 {\n    if x > 1 {\n        x\n    } else {\n        !!\n        3\n    }\n}\n"),
        ),
        ("a.py", "A = 1\n", "A = 2\n", None),
    ] {
        assert_eq!(before_the_statement(path, before, after).as_deref(), wanted, "{after}");
    }
}
