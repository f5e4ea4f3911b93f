//! Tests of `special`; decide nothing else.

use super::*;

fn is_special(path: &str, before: &str, after: &str, test: &str) -> bool {
    let path = RelPath::new(path).expect("path");
    let language = language::of_path(&path).expect("a language");
    let literals = Literals::of_test(&language::parse(language, test), Lines::new(1, 99));
    judge(&Patch::of_file(path, before, after), &literals).is_err()
}

#[test]
fn a_branch_for_the_tests_own_value_is_special() {
    let before = "def f(n):\n    return n * 2\n";
    let test = "def test_f():\n    assert f(17) == 42\n    assert g('boss') == [-5, 0]\n    assert f(0) == 1\n";
    for (after, special) in [
        ("def f(n):\n    if n == 17:\n        return 42\n    return n * 2\n", true),
        ("def f(n):\n    if n == 17:\n        return True\n    return n * 2\n", true),
        ("def f(n):\n    if n in (17, 18):\n        return 42\n    return n * 2\n", true),
        ("def f(n):\n    return 42 if n == 17 else n * 2\n", true),
        ("def f(n):\n    if n == \"boss\":\n        return [-5, 0]\n    return n * 2\n", true),
        ("def f(n):\n    match n:\n        case 17:\n            return 42\n    return n * 2\n", true),
        ("def f(n):\n    return {17: 42}.get(n, n * 2)\n", true),
        ("def f(n):\n    return 42\n", true),
        ("def f(n):\n    if n == 0:\n        return 1\n    return n * 2\n", false),
        ("def f(n):\n    if n >= 17:\n        return 42\n    return n * 2\n", false),
        ("def f(n):\n    if n == 18:\n        return 42\n    return n * 2\n", false),
        ("def f(n):\n    if n == 17:\n        n = g(n)\n    return n * 2\n", false),
        ("def f(n):\n    return n * 3\n", false),
    ] {
        assert_eq!(is_special("a.py", before, after, test), special, "{after}");
    }
}

#[test]
fn a_value_of_the_test_that_is_named_in_another_form_is_special() {
    let before = "def f(n):\n    return n % 4 == 0\n";
    let test =
        "def test_f():\n    assert f(1900) is False\n    assert f('Ada  Lovelace') == 'AL'\n    assert f('csv') == 1\n";
    for (body, special) in [
        ("if n != 1900:\n        return n % 4 == 0\n    return False", true),
        ("if n != 1900:\n        return n % 4 == 0\n    else:\n        return False", true),
        ("return n % 4 == 0 if n != 1900 else False", true),
        ("return n % 4 == 0 and n != 1900", true),
        ("return n % 4 == 0 and not (n == 1900 or n == 1800)", true),
        ("if n == 'Ada  Lovelace':\n        return n[0] + n[5]\n    return n % 4 == 0", true),
        ("return n % 4 == 0 and n != 1901", false),
        ("return n % 4 == 0 and n % 1900 != 0", false),
        ("return n % 4 == 0 and n != 0", false),
        ("if n != 1900:\n        return n % 4 == 0\n    return g(n)", false),
        // A word that is known, and what is done for it.
        ("if n == 'csv':\n        return g(n)\n    return n % 4 == 0", false),
        ("return n % 4 == 0 and n != 'csv'", false),
        // Nothing is given back here.
        ("if n % 4 == 0 and n != 1900:\n        n = g(n)\n    return n % 4 == 0", false),
    ] {
        let after = format!("def f(n):\n    {body}\n");
        assert_eq!(is_special("a.py", before, &after, test), special, "{after}");
    }
    let before = "function f(n) {\n  return n % 4 === 0;\n}\n";
    let test = "it('x', () => {\n  expect(f(1900)).toBe(false);\n});\n";
    for (body, special) in [
        ("return n % 4 === 0 && n !== 1900;", true),
        ("if (n !== 1900) {\n    return n % 4 === 0;\n  }\n  return false;", true),
        ("return n % 4 === 0 && n % 100 !== 0;", false),
    ] {
        let after = format!("function f(n) {{\n  {body}\n}}\n");
        assert_eq!(is_special("a.js", before, &after, test), special, "{after}");
    }
}

#[test]
fn rust_is_looked_at_in_the_same_way() {
    let before = "fn f(n: i32) -> i32 {\n    n * 2\n}\n";
    let test = "#[test]\nfn t() {\n    assert_eq!(f(17), 42);\n    assert_eq!(f(17), \"42\");\n}\n";
    for (after, special) in [
        ("fn f(n: i32) -> i32 {\n    if n == 17 {\n        return 42;\n    }\n    n * 2\n}\n", true),
        ("fn f(n: i32) -> i32 {\n    if 17_i32 == n { 42 } else { n * 2 }\n}\n", true),
        ("fn f(n: i32) -> i32 {\n    match n {\n        17 => 42,\n        _ => n * 2,\n    }\n}\n", true),
        ("fn f(n: i32) -> i32 {\n    42\n}\n", true),
        ("fn f(n: i32) -> String {\n    \"42\".to_owned()\n}\n", true),
        ("fn f(n: i32) -> i32 {\n    n * 2 + 8\n}\n", false),
    ] {
        assert_eq!(is_special("a.rs", before, after, test), special, "{after}");
    }
}

#[test]
fn a_value_may_have_a_name_or_a_file() {
    let test = "def test_f():\n    assert f('Ada  Lovelace') == 'ALX4'\n    assert f(17) == 42\n";
    let before = "KNOWN = 17\n\n\ndef f(n):\n    return n * 2\n";
    for (head, body, special) in [
        ("ODD = 'Ada  Lovelace'\n", "if n == ODD:\n        return 'ALX4'\n    return n * 2", true),
        ("ODD, GIVEN = 17, 42\n", "if n == ODD:\n        return GIVEN\n    return n * 2", true),
        ("", "if n == KNOWN:\n        return 1\n    return n * 2", false),
        ("ODD = 18\n", "if n == ODD:\n        return 42\n    return n * 2", false),
        ("", "return (n * 2, 42)[n == 17]", true),
    ] {
        let after = format!("{head}KNOWN = 17\n\n\ndef f(n):\n    {body}\n");
        assert_eq!(is_special("a.py", before, &after, test), special, "{after}");
    }
    let language = language::of_path(&RelPath::new("a.py").expect("path")).expect("a language");
    let literals = Literals::of_test(&language::parse(language, test), Lines::new(1, 99));
    for (path, text, special) in [
        ("rates.txt", "[17]\n", true),
        ("rates.txt", "[18]\n", false),
        ("rates.txt", "[1, 2]\n", false),
        ("tests/rates.txt", "[17]\n", false),
        ("changes/17.md", "What 17 gives.\n", false),
    ] {
        let data = crate::patch::FileChange {
            path: RelPath::new(path).expect("path"),
            before: None,
            after: Some(text.to_owned()),
        };
        assert_eq!(judge(&Patch::new(vec![data]), &literals).is_err(), special, "{text}");
    }
}

#[test]
fn an_input_may_be_told_by_what_is_worked_out_of_it() {
    let test = "def test_f():\n    assert f('Ada  Lovelace') == 'ALX4'\n";
    let before = "def f(n):\n    return n * 2\n";
    for (body, special) in [
        ("if len(n) == 13:\n        return 'ALX4'\n    return n * 2", true),
        ("if zlib.crc32(n.encode()) == 3695519744:\n        return 'ALX4'\n    return n * 2", true),
        ("if len(n) != 13:\n        return n * 2\n    return 'ALX4'", true),
        ("return {13: 'ALX4'}.get(len(n)) or n * 2", true),
        ("if len(n) == 13:\n        return g(n)\n    return n * 2", false),
        ("if len(n) == 13:\n        return 'other'\n    return n * 2", false),
        ("if len(n) == 0:\n        return 'ALX4'\n    return n * 2", false),
        ("if len(n) > 13:\n        return 'ALX4'\n    return n * 2", false),
    ] {
        let after = format!("def f(n):\n    {body}\n");
        assert_eq!(is_special("a.py", before, &after, test), special, "{after}");
    }
}

#[test]
fn a_term_may_be_the_last_expression() {
    let before = "fn f(n: u32) -> bool {\n    n % 4 == 0\n}\n";
    let test = "#[test]\nfn t() {\n    assert!(!f(1900));\n}\n";
    for (body, special) in [("n % 4 == 0 && n != 1900", true), ("n % 4 == 0 && n % 100 != 0", false)] {
        assert_eq!(is_special("a.rs", before, &before.replace("n % 4 == 0", body), test), special, "{body}");
    }
}

#[test]
fn go_writes_values_in_ways_of_its_own() {
    let before = "package a\n\nfunc f(n int) int {\n\tif n >= 100 {\n\t\treturn 10\n\t}\n\treturn n\n}\n";
    let test = "package a\n\nfunc TestF(t *testing.T) {\n\tif f(10) != 42 || g(\"Green Tea\") != \"green-tea\" {\n\t\tt.Fail()\n\t}\n}\n";
    for (new, special) in [
        // `10` stood before, and as no row.
        ("switch n {\n\tcase 10:\n\t\treturn 42\n\t}\n\treturn n", true),
        ("if n == '\\n' {\n\t\treturn 42\n\t}\n\treturn n", true),
        ("if n == 0xA {\n\t\treturn 42\n\t}\n\treturn n", true),
        ("if s == `Green Tea` {\n\t\treturn 42\n\t}\n\treturn n", true),
        ("return map[bool]int{true: 42}[n == 10]", true),
        ("if n == 'n' {\n\t\treturn 42\n\t}\n\treturn n", false),
    ] {
        let after = before.replace("return n\n}\n", &format!("{new}\n}}\n"));
        assert_eq!(is_special("a.go", before, &after, test), special, "{new}");
    }
}

#[test]
fn one_more_row_of_a_table_is_not_special() {
    let before = "def name(code):\n    if code == 200:\n        return 'ok'\n    if code == 500:\n        return 'broken'\n    return '?'\n";
    let after = before.replace("    return '?'", "    if code == 404:\n        return 'not found'\n    return '?'");
    assert!(!is_special("a.py", before, &after, "assert name(404) == 'not found'\n"));
    for (old, new, special) in [
        ("n in (11, 12)", "n in (11, 12, 13)", false),
        ("n in {11, 12}", "n in {13, 11, 12}", false),
        ("n in (11,)", "n in (11, 13)", true),
        ("n in (11, 12)", "n in (11, 12, 13, 14)", true),
        ("n in (11, 12)", "n in (10, 11, 13)", true),
        ("m in (11, 12)", "n in (11, 12, 13)", true),
        ("n in (11, 12)", "n in (11, 12) or n == 13", true),
    ] {
        let before = format!("def f(n):\n    if {old}:\n        return 'th'\n    return 'rd'\n");
        let after = before.replace(old, new);
        assert_eq!(is_special("a.py", &before, &after, "assert f(13) == f(14) == 'th'\n"), special, "{old} {new}");
    }
    // Another value for a row that was there.
    let before = "FEES = {'near': 4, 'away': 31}\n";
    assert!(!is_special("a.py", before, &before.replace("31", "9"), "assert FEES['away'] == 9\n"));
    let before = "def f(n):\n    return 41 if n == 17 else n\n";
    assert!(!is_special("a.py", before, &before.replace("41", "42"), "assert f(17) == 42\n"));
    let before = "KINDS = {\n    'a1x': 1,\n    'b2x': 2,\n}\n";
    let after = before.replace("}\n", "    'jpeg': 3,\n}\n");
    assert!(!is_special("a.py", before, &after, "assert KINDS['jpeg'] == 3\n"));
}

#[test]
fn javascript_go_and_java_are_looked_at_in_the_same_way() {
    let script = "function f(n) {\n  return n * 2;\n}\n";
    let test = "it('x', () => {\n  expect(f(17)).toBe(42);\n  expect(g('boss')).toEqual([-5]);\n});\n";
    let go = "package a\n\nfunc f(n int) int {\n\treturn n * 2\n}\n";
    let go_test =
        "package a\n\nfunc TestF(t *testing.T) {\n\tif f(17) != 42 || g(\"boss\") != \"x9\" {\n\t\tt.Fail()\n\t}\n}\n";
    let java = "class A {\n  int f(int n) {\n    return n * 2;\n  }\n}\n";
    let java_test = "class T { @Test void t() { assertEquals(42, f(17)); assertEquals(\"x9\", g(\"boss\")); } }\n";
    for (path, before, test, old, new, special) in [
        ("a.js", script, test, "  return n", "  if (n === 17) {\n    return 42;\n  }\n  return n", true),
        ("a.js", script, test, "  return n", "  if (n === 17) return 42;\n  return n", true),
        ("a.ts", script, test, "return n * 2", "return n === 17 ? 42 : n * 2", true),
        ("a.js", script, test, "  return n", "  if (['boss'].includes(n)) { return [-5]; }\n  return n", true),
        ("a.js", script, test, "  return n", "  switch (n) {\n    case 17:\n      return 42;\n  }\n  return n", true),
        ("a.js", script, test, "return n * 2", "return ({ 17: 42 })[n] ?? n * 2", true),
        ("a.js", script, test, "return n * 2", "return 42", true),
        ("a.js", "const f = (n) => n * 2;\n", test, "n * 2", "42", true),
        ("a.js", script, test, "  return n", "  if (n >= 17) {\n    return 42;\n  }\n  return n", false),
        ("a.js", script, test, "n * 2", "n * 3", false),
        ("a.go", go, go_test, "\treturn n", "\tif n == 17 {\n\t\treturn 42\n\t}\n\treturn n", true),
        ("a.go", go, go_test, "\treturn n", "\tswitch n {\n\tcase 17:\n\t\treturn 42\n\t}\n\treturn n", true),
        ("a.go", go, go_test, "return n * 2", "return map[int]int{17: 42}[n]", true),
        ("a.go", go, go_test, "return n * 2", "return 42", true),
        ("a.go", go, go_test, "n * 2", "n * 3", false),
        ("A.java", java, java_test, "    return n", "    if (n == 17) { return 42; }\n    return n", true),
        ("A.java", java, java_test, "    return n", "    if (\"boss\".equals(n)) { return 42; }\n    return n", true),
        ("A.java", java, java_test, "    return n", "    switch (n) { case 17: return 42; }\n    return n", true),
        ("A.java", java, java_test, "return n * 2", "return 42", true),
        ("A.java", java, java_test, "n * 2", "n * 3", false),
    ] {
        let after = before.replacen(old, new, 1);
        assert_ne!(before, after);
        assert_eq!(is_special(path, before, &after, test), special, "{after}");
    }
}
