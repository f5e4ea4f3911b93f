//! Tests of `edit`; decide nothing else.

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

fn edit(search: &str, replace: &str) -> Edit {
    Edit { path: path("a.py"), search: search.into(), replace: replace.into() }
}

fn resolved(text: &str, edits: &[Edit], shown: &[Lines]) -> Result<String, EditError> {
    let patch = resolve(edits, &|_| Some(text.to_owned()), &|_| shown.to_vec())?;
    Ok(patch.changes()[0].after.clone().expect("the file stays"))
}

#[test]
fn an_edit_matches_in_the_documented_steps() {
    let file = "def f(a):\n    if a:\n        return 1  \n    return 2\n";
    for (why, search, replace, wanted) in [
        ("exact, part of a line", "return 2", "return 3", "def f(a):\n    if a:\n        return 1  \n    return 3\n"),
        (
            "exact, whole lines",
            "    return 2\n",
            "    return 3\n",
            "def f(a):\n    if a:\n        return 1  \n    return 3\n",
        ),
        (
            "a last line end only in the search",
            "    if a:\n",
            "    if not a:",
            "def f(a):\n    if not a:\n        return 1  \n    return 2\n",
        ),
        (
            "a last line end only in the replacement",
            "    if a:",
            "    if not a:\n",
            "def f(a):\n    if not a:\n        return 1  \n    return 2\n",
        ),
        (
            "trailing white space",
            "        return 1\n    return 2",
            "        return 7\n    return 8",
            "def f(a):\n    if a:\n        return 7\n    return 8\n",
        ),
        (
            "indentation, deeper lines added",
            "if a:\n    return 1\nreturn 2",
            "if a:\n    if a > 1:\n        return 1\nreturn 5",
            "def f(a):\n    if a:\n        if a > 1:\n            return 1\n    return 5\n",
        ),
        (
            "too much indentation",
            "            if a:\n                return 1",
            "            if a:\n                return 9",
            "def f(a):\n    if a:\n        return 9\n    return 2\n",
        ),
        (
            "blank lines around",
            "\n\n    return 2\n\n",
            "\n    return 4\n\n",
            "def f(a):\n    if a:\n        return 1  \n    return 4\n",
        ),
        ("lines deleted", "    return 2", "", "def f(a):\n    if a:\n        return 1  \n"),
        ("lines deleted by indentation", "if a:\n    return 1", "", "def f(a):\n    return 2\n"),
    ] {
        assert_eq!(resolved(file, &[edit(search, replace)], &[]).as_deref(), Ok(wanted), "{why}");
    }
}

#[test]
fn a_fuzzy_match_needs_a_span_that_was_shown() {
    let file =
        "def total(items):\n    result = 0\n    for item in items:\n        result += item.price\n    return result\n";
    let stale =
        edit("    for item in item:\n        result += item.price", "    for item in items:\n        result += 1");
    assert!(matches!(resolved(file, std::slice::from_ref(&stale), &[]), Err(EditError::DoesNotApply { .. })));
    let wanted = "def total(items):\n    result = 0\n    for item in items:\n        result += 1\n    return result\n";
    assert_eq!(resolved(file, std::slice::from_ref(&stale), &[Lines::new(1, 5)]).as_deref(), Ok(wanted));
    assert!(matches!(resolved(file, &[stale], &[Lines::new(4, 5)]), Err(EditError::DoesNotApply { .. })));
}

#[test]
fn a_search_that_is_there_twice_needs_a_span_that_was_shown() {
    let file = "x = 1\ny = 2\n\nx = 1\n";
    let twice = [edit("x = 1", "x = 3")];
    assert_eq!(
        resolved(file, &twice, &[]),
        Err(EditError::Ambiguous { path: path("a.py"), edit: 1, lines: vec![1, 4] })
    );
    assert!(matches!(resolved(file, &twice, &[Lines::new(1, 4)]), Err(EditError::Ambiguous { .. })));
    assert_eq!(resolved(file, &twice, &[Lines::new(3, 4)]).as_deref(), Ok("x = 1\ny = 2\n\nx = 3\n"));
}

#[test]
fn a_search_never_cuts_a_word_in_two() {
    assert!(matches!(resolved("max = 10\n", &[edit("x = 1", "x = 2")], &[]), Err(EditError::DoesNotApply { .. })));
    assert_eq!(resolved("max = 10\nx = 1\n", &[edit("x = 1", "x = 2")], &[]).as_deref(), Ok("max = 10\nx = 2\n"));
}

#[test]
fn edits_of_one_file_apply_in_order_and_never_overlap() {
    let file = "a = 1\nb = 2\nc = 3\n";
    let both = [edit("c = 3", "a = 1"), edit("a = 1", "c = 3")];
    assert_eq!(resolved(file, &both, &[]).as_deref(), Ok("c = 3\nb = 2\na = 1\n"));
    let over = [edit("a = 1\nb = 2", "x = 1\ny = 2"), edit("y = 2\nc = 3", "z = 3")];
    assert_eq!(resolved(file, &over, &[]), Err(EditError::Overlaps { path: path("a.py"), edit: 2 }));
    let same = [edit("a = 1", "a = 2"), edit("a = 1", "a = 2")];
    assert_eq!(resolved(file, &same, &[]).as_deref(), Ok("a = 2\nb = 2\nc = 3\n"));
    // The spans that were shown move with the edits before them.
    let file = "a = 1\nx = 1\n\nx = 1\n";
    let moved = [edit("a = 1", "a = 1\nq = 0\nq = 0"), edit("x = 1", "x = 2")];
    assert_eq!(resolved(file, &moved, &[Lines::new(4, 4)]).as_deref(), Ok("a = 1\nq = 0\nq = 0\nx = 1\n\nx = 2\n"));
}

#[test]
fn line_ends_and_the_byte_order_mark_are_kept() {
    let file = "\u{feff}a = 1\r\nb = 2\r\n";
    let edits = [edit("a = 1\nb = 2", "a = 2\nb = 3\nc = 4")];
    assert_eq!(resolved(file, &edits, &[]).as_deref(), Ok("\u{feff}a = 2\r\nb = 3\r\nc = 4\r\n"));
    assert_eq!(resolved("a\nb\n", &[edit("a\r\nb", "c\r\nd")], &[]).as_deref(), Ok("c\nd\n"));
    let indented = "if x:\r\n    y = 1\r\n    z = 2\r\n";
    let edits = [edit("y = 1\nz = 2", "y = 3\nz = 4")];
    assert_eq!(resolved(indented, &edits, &[]).as_deref(), Ok("if x:\r\n    y = 3\r\n    z = 4\r\n"));
    assert_eq!(resolved("x = 1", &[edit("x = 1\n", "x = 2\n")], &[]).as_deref(), Ok("x = 2"));
}

#[test]
fn an_empty_search_is_for_a_new_or_empty_file() {
    let create = [edit("", "x = 1\n")];
    let patch = resolve(&create, &|_| None, &|_| Vec::new()).expect("patch");
    assert_eq!(patch.changes()[0], FileChange { path: path("a.py"), before: None, after: Some("x = 1\n".into()) });
    assert_eq!(resolved("", &create, &[]).as_deref(), Ok("x = 1\n"));
    assert_eq!(resolved("y\n", &create, &[]), Err(EditError::NotEmpty { path: path("a.py"), edit: 1 }));
    let missing = resolve(&[edit("x", "y")], &|_| None, &|_| Vec::new());
    assert_eq!(missing, Err(EditError::NoFile { path: path("a.py"), edit: 1 }));
}

#[test]
fn elision_markers_never_match_loosely() {
    let file = "def f():\n    a = 1\n    b = 2\n    return a\n";
    for marker in ["...", "# ...", "# unchanged", "# ... rest of the function ...", "// ... existing code ...", "…"] {
        let search = format!("def f():\n    {marker}\n    return a");
        let wanted = Err(EditError::Elided { path: path("a.py"), edit: 1, marker: marker.into() });
        assert_eq!(resolved(file, &[edit(&search, "def f():\n    return b")], &[Lines::new(1, 4)]), wanted, "{marker}");
    }
    let stub = "def f():\n    ...\n";
    assert_eq!(resolved(stub, &[edit("    ...", "    return 1")], &[]).as_deref(), Ok("def f():\n    return 1\n"));
    let lost = [edit("    a = 1\n    b = 2", "    a = 2\n    # ... existing code ...")];
    assert!(matches!(resolved(file, &lost, &[]), Err(EditError::Elided { .. })));
    let comment = "# rest of the day\nx = 1\n";
    assert_eq!(resolved(comment, &[edit("x = 1", "x = 2")], &[]).as_deref(), Ok("# rest of the day\nx = 2\n"));
}

#[test]
fn the_marker_of_what_was_not_shown_is_never_part_of_an_edit() {
    let marker = marker(Lines::new(2, 3));
    // Not even where the file holds it, word for word.
    let file = format!("def f():\n    {marker}\n    return a\n");
    for (search, replace) in [
        (format!("def f():\n    {marker}\n    return a"), "def f():\n    return b".to_owned()),
        (format!("    {marker}"), String::new()),
        ("    return a".to_owned(), format!("    {marker}\n    return b")),
    ] {
        let wanted = EditError::Hidden { path: path("a.py"), edit: 1, marker: marker.clone() };
        assert_eq!(resolved(&file, &[edit(&search, &replace)], &[Lines::new(1, 3)]), Err(wanted), "{search}");
    }
    let error = resolved(&file, &[edit(&marker, "")], &[]).expect_err("refused");
    insta::assert_snapshot!(error, @"edit 1: `⟦… lines 2-3 are not shown …⟧` stands for lines of `a.py` and is not in the file; search only for lines that were shown");
}

#[test]
fn what_does_not_apply_names_the_nearest_line() {
    let file = "def gcd(a, b):\n    if b == 0:\n        return a\n    return gcd(a % b, b)\n";
    let error = resolved(file, &[edit("    return gcd(b % a, a)", "x")], &[]).expect_err("no match");
    insta::assert_snapshot!(error, @"edit 1: its search text is not in `a.py`; the nearest is line 4: `    return gcd(a % b, b)`");
}

#[test]
fn edits_without_effect_are_no_patch() {
    assert_eq!(resolved("x\n", &[edit("x", "x")], &[]), Err(EditError::Nothing));
    assert_eq!(resolved("x\n", &[], &[]).expect_err("nothing"), EditError::Nothing);
    let many: Vec<Edit> = (0..101).map(|n| edit("x", &n.to_string())).collect();
    assert_eq!(resolved("x\n", &many, &[]), Err(EditError::TooMany { count: 101 }));
}

#[test]
fn a_large_file_of_equal_lines_is_searched_in_linear_time() {
    let file = "    x += 1\n".repeat(200_000);
    let search = "x += 1\n".repeat(2_000) + "x += 2\n";
    let started = std::time::Instant::now();
    assert!(resolved(&file, &[edit(&search, "y")], &[Lines::new(1, 100)]).is_err());
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn any_edit_gives_a_patch_or_an_error(text in "[ab \\n\\r\\t.é]{0,60}", search in "[ab \\n\\r\\t.é]{0,12}", replace in "[ab \\n.]{0,12}", line in 1u32..9) {
        let _ = resolved(&text, &[edit(&search, &replace), edit("a", "b")], &[Lines::new(line, line + 2)]);
    }

    #[test]
    fn lines_that_were_not_searched_stay(before in "[a-c \\n]{0,30}", after in "[a-c \\n]{0,30}") {
        let file = format!("{before}\nneedle here\n{after}");
        let wanted = format!("{before}\nfound it\n{after}");
        prop_assert_eq!(resolved(&file, &[edit("needle here", "found it")], &[]), Ok(wanted));
    }
}
