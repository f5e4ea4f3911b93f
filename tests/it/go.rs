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
