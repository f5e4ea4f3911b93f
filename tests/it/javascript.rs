//! jest, vitest, mocha and node:test: the real runners on small projects. The
//! packages are installed once, below `target`.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::Project;
use crate::support::Ran;

/// A folder with jest, vitest and mocha in its `node_modules`.
fn packages() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| installed("javascript", r#"{"jest": "30", "vitest": "4", "mocha": "12"}"#))
}

/// A folder with these packages in its `node_modules`; kept for the next run.
pub(crate) fn installed(name: &str, dependencies: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let json = format!(r#"{{"private": true, "dependencies": {dependencies}}}"#);
    let installed = folder.join("installed.json");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == json) {
        return folder;
    }
    std::fs::write(folder.join("package.json"), &json).expect("written");
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(&folder)
        .output()
        .expect("npm is needed: install Node 20 or newer");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(installed, json).expect("written");
    folder
}

const CART: &str = "class Cart {\n  constructor(items) { this.items = items; }\n  total() { return this.items.reduce((sum, item) => sum + item.price, 0); }\n  count() { return this.items.length; }\n}\nmodule.exports = { Cart };\n";

const RIGHT: &str = "--- a/cart.js\n+++ b/cart.js\n@@ -3,1 +3,1 @@\n-  total() { return this.items.reduce((sum, item) => sum + item.price, 0); }\n+  total() { return this.items.reduce((sum, item) => sum + item.price * item.qty, 0); }\n";

/// Mends the total and breaks the count.
const BREAKS: &str = "--- a/cart.js\n+++ b/cart.js\n@@ -3,2 +3,2 @@\n-  total() { return this.items.reduce((sum, item) => sum + item.price, 0); }\n-  count() { return this.items.length; }\n+  total() { return this.items.reduce((sum, item) => sum + item.price * item.qty, 0); }\n+  count() { return this.items.length + 1; }\n";

/// The tests, in the words that jest, vitest and mocha share.
fn tests(head: &str) -> String {
    format!(
        "{head}\nconst assert = require('node:assert');\nconst {{ Cart }} = require('./cart');\ndescribe('Cart', () => {{\n  it('counts (all) items', () => {{ assert.strictEqual(new Cart([{{}}, {{}}]).count(), 2); }});\n  it('totals by quantity', () => {{ assert.strictEqual(new Cart([{{ price: 5, qty: 2 }}]).total(), 10); }});\n  it.skip('is skipped', () => {{}});\n}});\n"
    )
}

fn project(package: &str, file: &str, text: &str) -> Project {
    project_with(packages(), package, file, text)
}

fn project_with(packages: &Path, package: &str, file: &str, text: &str) -> Project {
    let project =
        Project::new(&[("package.json", package), ("cart.js", CART), (file, text), (".gitignore", "node_modules\n")]);
    std::os::unix::fs::symlink(packages.join("node_modules"), project.root.join("node_modules")).expect("a link");
    for (name, text) in [("right.patch", RIGHT), ("breaks.patch", BREAKS)] {
        std::fs::write(project.root.parent().expect("a parent").join(name), text).expect("written");
    }
    project
}

fn verify(project: &Project, patch: &str, id: &str, command: &[&str]) -> Ran {
    let patch = project.root.parent().expect("a parent").join(patch).display().to_string();
    let mut arguments = vec!["verify", &patch, "--test", id, "--json"];
    if !command.is_empty() {
        arguments.push("--");
        arguments.extend(command);
    }
    project.heal(&arguments)
}

/// The failure is reproduced and named, the right patch verifies, and one that
/// breaks another test does not.
fn goes_all_the_way(project: &Project, runner: &str, id: &str, command: &[&str]) {
    let json = verify(project, "right.patch", id, command).code(0).json();
    assert_eq!(json["runner"], runner);
    let failure = &json["failures"][0];
    assert_eq!((&failure["id"], &failure["kind"]), (&Value::from(id), &Value::from("assertion")), "{failure}");
    let evidence = &failure["proposals"][0]["evidence"];
    let suite = &evidence["suite"];
    assert_eq!((&suite["passed"], &suite["newly_skipped"]), (&2.into(), &0.into()), "{evidence}");
    assert_eq!(evidence["cause"], "fails-passes-fails");
    let json = verify(project, "breaks.patch", id, command).code(1).json();
    let lead = &json["failures"][0]["leads"][0];
    assert_eq!(lead["missed"], "suite", "{lead}");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn jest_is_asked_and_heard() {
    let project = project(r#"{"scripts": {"test": "jest"}}"#, "cart.test.js", &tests(""));
    goes_all_the_way(&project, "jest", "cart.test.js > Cart > totals by quantity", &[]);
    goes_all_the_way(&project, "jest", "cart.test.js > Cart > totals by quantity", &["npm", "test"]);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn vitest_is_asked_and_heard() {
    let head = "import { describe, it } from 'vitest';\nimport assert from 'node:assert';\nimport cart from './cart.js';\nconst { Cart } = cart;";
    let text = tests(head)
        .lines()
        .filter(|line| !line.contains("require("))
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    let project = project(r#"{"devDependencies": {"vitest": "4"}}"#, "cart.test.mjs", &text);
    goes_all_the_way(&project, "vitest", "cart.test.mjs > Cart > totals by quantity", &[]);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn mocha_is_asked_and_heard() {
    let project =
        project(r#"{"scripts": {"test": "mocha test"}}"#, "test/cart.js", &tests("").replace("./cart", "../cart"));
    goes_all_the_way(&project, "mocha", "test/cart.js > Cart totals by quantity", &[]);
}

/// One whose own JSON goes to the tests' output, beside a reporter of the
/// project's choice.
#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn an_old_mocha_is_heard_too() {
    let package = r#"{"scripts": {"test": "mocha --reporter dot test"}}"#;
    let text = tests("console.log('{');").replace("./cart", "../cart");
    let project = project_with(&installed("mocha-5", r#"{"mocha": "5"}"#), package, "test/cart.js", &text);
    let json = verify(&project, "right.patch", "test/cart.js > Cart totals by quantity", &[]).code(0).json();
    let failure = &json["failures"][0];
    assert_eq!((&failure["kind"], &json["runner"]), (&"assertion".into(), &"mocha".into()), "{failure}");
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains("5") && message.contains("10"), "{message}");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn node_test_is_asked_and_heard() {
    let text = tests("const { describe, it } = require('node:test');");
    let project = project("{}", "cart.test.js", &text);
    goes_all_the_way(&project, "node", "cart.test.js > Cart > totals by quantity", &[]);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn a_failing_project_without_a_proposal_is_an_abstention() {
    let project = project(r#"{"scripts": {"test": "jest"}}"#, "cart.test.js", &tests(""));
    let json = project.heal(&["fix", "--offline", "--json"]).code(1).json();
    let failure = &json["failures"][0];
    assert_eq!(failure["location"]["path"], "cart.js", "{failure}");
    assert_eq!(failure["location"]["symbol"], "Cart.total", "{failure}");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn a_hook_that_fails_is_a_problem_and_no_test() {
    let text = "const assert = require('node:assert');\nconst { Cart } = require('../cart');\ndescribe('Cart', () => {\n  before(() => { assert.strictEqual(new Cart([{ price: 5, qty: 2 }]).total(), 10); });\n  it('counts', () => {});\n});\n";
    let project = project(r#"{"scripts": {"test": "mocha test"}}"#, "test/cart.js", text);
    let id = "test/cart.js > Cart \"before all\" hook for \"counts\"";
    let json = verify(&project, "right.patch", id, &[]).code(0).json();
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["suite"]["newly_skipped"], 0);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn a_file_that_does_not_load_is_told() {
    let project = project(r#"{"scripts": {"test": "jest"}}"#, "cart.test.js", "require('./nope');\n");
    let ran = project.heal(&["explain", "--json"]);
    assert!(ran.stdout.contains("Cannot find module './nope'"), "{}\n{}", ran.stdout, ran.stderr);
}

/// `bulk` is at fault, and no passing test runs it.
const TOTAL: &str = "function total(price, qty) {\n  if (qty >= 10) {\n    return bulk(price, qty);\n  }\n  return plain(price, qty);\n}\n\nfunction bulk(price, qty) {\n  if (qty > 100) {\n    return (price * qty) / 2;\n  }\n  return plain(price, qty) - qty;\n}\n\nfunction plain(price, qty) {\n  return price * qty;\n}\n";

fn tests_of_total(head: &str) -> String {
    format!(
        "{head}\ndescribe('total', () => {{\n  it('takes one', () => {{ assert.strictEqual(total(5, 1), 5); }});\n  it('takes two (2)', async () => {{ await null; assert.strictEqual(total(5, 2), 10); }});\n  describe('in bulk', () => {{\n    it('takes ten', () => {{ assert.strictEqual(total(5, 10), 50); }});\n  }});\n}});\nit('is plain', () => {{ assert.strictEqual(plain(2, 3), 6); }});\n"
    )
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn the_lines_of_each_runners_tests_tell_which_function_is_at_fault() {
    let script = format!("{TOTAL}\nmodule.exports = {{ total, plain }};\n");
    let typed = TOTAL.replace("(price, qty) {", "(price: number, qty: number): number {");
    let typed = format!("interface Unused {{\n  a: string;\n}}\n\n{typed}\nexport {{ total, plain }};\n");
    let requires = "const assert = require('node:assert');\nconst { total, plain } = require('./shop');";
    let node = format!("const {{ describe, it }} = require('node:test');\n{requires}");
    let vitest = "import assert from 'node:assert';\nimport { describe, it } from 'vitest';\nimport { total, plain } from './shop';";
    for (package, file, head, shop, text) in [
        (r#"{"scripts": {"test": "jest"}}"#, "shop.test.js", requires, "shop.js", &script),
        (r#"{"scripts": {"test": "mocha shop.test.js"}}"#, "shop.test.js", requires, "shop.js", &script),
        ("{}", "shop.test.js", &node, "shop.js", &script),
        (r#"{"scripts": {"test": "vitest run"}}"#, "shop.test.ts", vitest, "shop.ts", &typed),
    ] {
        let project = Project::new(&[
            ("package.json", package),
            (shop, text),
            (file, &tests_of_total(head)),
            (".gitignore", "node_modules\n"),
        ]);
        std::os::unix::fs::symlink(packages().join("node_modules"), project.root.join("node_modules")).expect("a link");
        let before = project.state();
        let ran = project.heal(&["explain", "--json"]).code(0);
        let json = ran.json();
        let suspect = &json["failures"][0]["suspects"][0];
        assert_eq!((&suspect["symbol"], &suspect["path"]), (&"bulk".into(), &shop.into()), "{package}: {json:#}");
        let reasons = suspect["reasons"].to_string();
        assert!(reasons.contains("run by 1 of 1 failing and 0 of 3 passing tests"), "{package}: {reasons}");
        assert_eq!(project.state().differences(&before), Vec::<String>::new(), "{package}");
    }
}
