//! Tests of `reply`; decide nothing else.

use std::fmt::Write as _;
use std::time::Duration;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// What was read, for the snapshot.
fn shown(said: &Said) -> String {
    let mut out = String::new();
    for patch in &said.patches {
        writeln!(out, "patch: {}", patch.root_cause).expect("text");
        match &patch.change {
            SaidChange::Edits(edits) => {
                for edit in edits {
                    writeln!(out, "  {}: {:?} -> {:?}", edit.path, edit.search, edit.replace).expect("text");
                }
            }
            SaidChange::Diff(diff) => writeln!(out, "  diff: {diff:?}").expect("text"),
        }
    }
    for (cause, why) in &said.unreadable {
        writeln!(out, "unreadable: {cause} ({why})").expect("text");
    }
    if !said.wanted.is_empty() {
        writeln!(out, "to see: {}", said.wanted.join(", ")).expect("text");
    }
    if let Some(why) = &said.no_fix {
        writeln!(out, "no fix: {why}").expect("text");
    }
    out
}

#[test]
fn replies_are_read_however_they_are_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/replies");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("fixtures")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("utf-8"))
        .filter(|name| name.ends_with(".txt"))
        .collect();
    names.sort();
    assert!(names.len() >= 14, "{names:?}");
    let read_one = |name: &String| {
        let said = read(&std::fs::read_to_string(folder.join(name)).expect("fixture"));
        format!("## {name}\n{}", shown(&said))
    };
    insta::assert_snapshot!(names.iter().map(read_one).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_schema_is_of_the_subset_all_vendors_take() {
    fn check(value: &Value) {
        if let Value::Object(map) = value {
            if map.get("type") == Some(&json!("object")) {
                let properties: Vec<&String> = map["properties"].as_object().expect("properties").keys().collect();
                let required: Vec<&str> =
                    map["required"].as_array().expect("required").iter().filter_map(Value::as_str).collect();
                assert_eq!(properties, required);
                assert_eq!(map["additionalProperties"], json!(false));
            }
            map.values().for_each(check);
        }
    }
    check(&schema());
    insta::assert_snapshot!(schema(), @r#"{"type":"object","required":["patches","see","no_fix"],"additionalProperties":false,"properties":{"patches":{"type":"array","items":{"type":"object","required":["root_cause","edits"],"additionalProperties":false,"properties":{"root_cause":{"type":"string"},"edits":{"type":"array","items":{"type":"object","required":["path","search","replace"],"additionalProperties":false,"properties":{"path":{"type":"string"},"search":{"type":"string"},"replace":{"type":"string"}}}}}}},"see":{"type":"array","items":{"type":"string"}},"no_fix":{"type":["string","null"]}}}"#);
}

#[test]
fn ten_megabytes_are_read_in_linear_time() {
    let size = 10 << 20;
    let of = |unit: &str| unit.repeat(size / unit.len());
    let whole = r#"{"patches":[{"root_cause":"x","edits":[{"path":"a","search":"s","replace":"r"}]}]}"#;
    for (why, text) in [
        ("open objects", of(r#"{"patches":"#)),
        ("open lists", format!("{}{}", r#"{"patches":"#, of("["))),
        ("open strings", of(r#"{"a":""#)),
        ("broken objects", of(r#"{"a":?"#)),
        ("one long string", format!(r#"{{"patches":["{}"#, of("x"))),
        ("escapes", format!(r#"{{"patches":["{}"#, of("\\u12"))),
        ("many replies", of(whole)),
        ("fences", of("```\n")),
        ("white space", of(" \n")),
        ("half starts", of("{ \"")),
        ("quotes", of("{'a':'")),
    ] {
        let started = Instant::now();
        let said = read(&text);
        assert!(said.patches.len() <= MOST_PATCHES && said.unreadable.len() <= MOST_PATCHES + 1, "{why}");
        assert!(started.elapsed() < Duration::from_secs(20), "{why} took {:?}", started.elapsed());
    }
}

#[test]
fn a_reply_that_is_cut_off_anywhere_keeps_its_whole_patches() {
    let edit = r#"{"path":"a.py","search":"x\n\u00e9","replace":"y"}"#;
    let patch = |cause: &str| format!(r#"{{"root_cause":"{cause}","edits":[{edit},{edit}]}}"#);
    let text = format!(r#"{{"patches":[{},{}],"no_fix":null}}"#, patch("one"), patch("two"));
    let first_ends = r#"{"patches":["#.len() + patch("one").len();
    let second_ends = first_ends + 1 + patch("two").len();
    for at in 0..=text.len() {
        let wanted = usize::from(at >= first_ends) + usize::from(at >= second_ends);
        assert_eq!(read(&text[..at]).patches.len(), wanted, "{}", &text[..at]);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        read(&text);
    }

    #[test]
    fn anything_like_json_is_read_without_a_panic(
        text in r#"(\{"patches":|\[|\]|\{|\}|"edits":|"path":|"|'|`|,|:|\\|\\u|d83d|null|//|x|é|```|\n|--- a/x|\+\+\+ b/x|"no_fix":"){0,60}"#
    ) {
        read(&text);
    }

    #[test]
    fn strict_json_means_the_same_amid_prose(search in "\\PC{0,20}", replace in "\\PC{0,20}") {
        let text = json!({"patches": [{"root_cause": "c", "edits": [{"path": "a", "search": search, "replace": replace}]}]}).to_string();
        prop_assert_eq!(read(&format!("So:\n{text}\nDone.")).patches, read(&text).patches);
    }
}
