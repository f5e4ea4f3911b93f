//! `go test`: the real one on a small module.

use crate::support::Project;

const FILES: &[(&str, &str)] = &[
    ("go.mod", "module example.test/shop\n\ngo 1.19\n"),
    (
        "cart/cart.go",
        "package cart\n\n// Item is sold.\ntype Item struct{ Price, Qty int }\n\n// Total sums up.\nfunc Total(items []Item) int {\n\tsum := 0\n\tfor _, item := range items {\n\t\tsum += item.Price\n\t}\n\treturn sum\n}\n\n// Count counts.\nfunc Count(items []Item) int { return len(items) }\n",
    ),
    (
        "cart/cart_test.go",
        "package cart\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) {\n\tfor _, test := range []struct {\n\t\tname  string\n\t\tqty   int\n\t\twant  int\n\t}{{\"one item\", 1, 5}, {\"two items\", 2, 10}} {\n\t\tt.Run(test.name, func(t *testing.T) {\n\t\t\tif got := Total([]Item{{5, test.qty}}); got != test.want {\n\t\t\t\tt.Errorf(\"Total() = %d, want %d\", got, test.want)\n\t\t\t}\n\t\t})\n\t}\n}\n\nfunc TestCount(t *testing.T) {\n\tif Count([]Item{{}, {}}) != 2 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
    ),
];

const RIGHT: &str = "--- a/cart/cart.go\n+++ b/cart/cart.go\n@@ -10,1 +10,1 @@\n-\t\tsum += item.Price\n+\t\tsum += item.Price * item.Qty\n";

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs go: --features ecosystem")]
fn go_test_is_asked_and_heard() {
    let project = Project::new(FILES);
    let patch = project.root.parent().expect("a parent").join("right.patch");
    std::fs::write(&patch, RIGHT).expect("written");
    let patch = patch.display().to_string();
    let json = project.heal(&["verify", &patch, "--test", "TestTotal/two_items", "--json"]).code(0).json();
    assert_eq!(json["runner"], "go");
    let failure = &json["failures"][0];
    assert_eq!(failure["id"], "example.test/shop/cart TestTotal/two_items");
    assert_eq!(failure["message"], "Total() = 5, want 10");
    assert_eq!(failure["location"]["path"], "cart/cart_test.go");
    let evidence = &failure["proposals"][0]["evidence"];
    assert_eq!((&evidence["suite"]["passed"], &evidence["suite"]["failed"]), (&4.into(), &0.into()));
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs go: --features ecosystem")]
fn a_go_module_that_does_not_build_is_told_with_its_place() {
    let project = Project::new(FILES);
    project.write(&[("cart/cart.go", "package cart\n\nfunc Total() int { return \"s\" }\n")]);
    let ran = project.heal(&["explain", "--json"]);
    assert!(ran.stdout.contains("error[build] in cart/cart.go"), "{}\n{}", ran.stdout, ran.stderr);
}

/// The failing row of a table runs `bulk`, and no passing one does.
const TABLE: &[(&str, &str)] = &[
    ("go.mod", "module example.test/shop // the shop\n\ngo 1.19\n"),
    (
        "cart/cart.go",
        "package cart\n\n// Total sums up.\nfunc Total(price, qty int) int {\n\tif qty >= 10 {\n\t\treturn bulk(price, qty)\n\t}\n\treturn plain(price, qty)\n}\n\nfunc bulk(price, qty int) int {\n\tif qty > 100 {\n\t\treturn price * qty / 2\n\t}\n\treturn plain(price, qty) - qty\n}\n\nfunc plain(price, qty int) int {\n\treturn price * qty\n}\n",
    ),
    (
        "cart/cart_test.go",
        "package cart\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) {\n\tfor _, test := range []struct {\n\t\tname             string\n\t\tprice, qty, want int\n\t}{{\"one item\", 5, 1, 5}, {\"a+b\", 5, 2, 10}, {\"ten items\", 5, 10, 50}} {\n\t\tt.Run(test.name, func(t *testing.T) {\n\t\t\tif got := Total(test.price, test.qty); got != test.want {\n\t\t\t\tt.Errorf(\"Total() = %d, want %d\", got, test.want)\n\t\t\t}\n\t\t})\n\t}\n}\n\nfunc TestPlain(t *testing.T) {\n\tif plain(2, 3) != 6 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
    ),
];

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs go: --features ecosystem")]
fn the_rows_of_a_go_table_test_tell_by_their_lines_which_function_is_at_fault() {
    let project = Project::new(TABLE);
    let before = project.state();
    let json = project.heal(&["explain", "--json"]).code(0).json();
    // The test that holds the row fails for it alone, and is told by it.
    let failures = json["failures"].as_array().expect("failures");
    let ids: Vec<&str> = failures.iter().filter_map(|failure| failure["id"].as_str()).collect();
    assert_eq!(ids, ["example.test/shop/cart TestTotal/ten_items"]);
    let suspect = &failures[0]["suspects"][0];
    assert_eq!(suspect["symbol"], "bulk", "{suspect:#}");
    let reasons = suspect["reasons"].to_string();
    assert!(reasons.contains("run by 1 of 1 failing and 0 of 3 passing tests"), "{reasons}");
    assert_eq!(project.state().differences(&before), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs go: --features ecosystem")]
fn what_go_built_for_one_run_is_there_for_the_next() {
    let project = Project::new(TABLE);
    let built = || {
        let mut found = Vec::new();
        outputs(&project.cache(), &mut found);
        found.sort();
        found
    };
    project.heal(&["explain", "--json"]).code(0);
    let first = built();
    assert!(first.len() > 10, "{first:?}");
    project.heal(&["explain", "--json"]).code(0);
    assert_eq!(built(), first);
}

/// What Go's build cache holds, at any depth below `folder`.
fn outputs(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if entry.file_type().expect("a type").is_dir() {
            outputs(&path, found);
        } else if path.to_string_lossy().contains("/go-build/") && path.to_string_lossy().ends_with("-d") {
            found.push(path);
        }
    }
}
