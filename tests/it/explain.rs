//! `heal explain` on small real repositories.

use pretty_assertions::assert_eq;

use crate::support::Project;

/// Where the fault is: `total` adds the tax twice.
const TILL: &str = "def tax(cents):\n    return cents // 5\n\n\ndef total(cents):\n    return cents + tax(cents) * 2\n";

#[test]
fn a_save_during_the_run_changes_no_diagnosis() {
    let project = Project::bare_folder("project");
    project.git(&["init", "-q", "-b", "main"]);
    let (root, signal) = (project.root.display(), project.root.with_extension("save"));
    let test = format!(
        "import os\nimport unittest\n\nimport till\n\n\ndef save(name):\n    with open(os.path.join({root:?}, name), 'w') as file:\n        \
         file.write('# saved\\n' * 40 + 'def other():\\n    pass\\n')\n\n\nclass TillTest(unittest.TestCase):\n    \
         def test_total(self):\n        if os.path.exists({signal:?}):\n            save('till.py')\n            save('test_till.py')\n            \
         save('new.py')\n        self.assertEqual(till.total(500), 600)\n",
        root = root.to_string(),
        signal = signal.display().to_string(),
    );
    project.write(&[("till.py", &TILL.replace(" * 2", "")), ("test_till.py", &test)]);
    project.commit("right");
    project.write(&[("till.py", TILL)]);
    // In the sandbox no test can write there at all.
    let undisturbed = project.heal(&["explain", "--json", "--sandbox", "off"]).code(0).json();
    let first = &undisturbed["failures"][0]["suspects"][0];
    assert_eq!((&first["symbol"], &first["line"]), (&"total".into(), &5.into()), "{undisturbed:#}");
    assert!(first["reasons"].to_string().contains("changed recently"), "{first:#}");
    std::fs::write(&signal, "").expect("the signal is given");
    let disturbed = project.heal(&["explain", "--json", "--sandbox", "off"]).code(0).json();
    assert!(project.read("till.py").starts_with("# saved"), "the test saved nothing");
    assert_eq!(disturbed, undisturbed);
}

#[test]
fn what_whoever_comes_first_does_for_all_is_not_taken_for_the_failing_tests_own() {
    let rates = "RATES = {}\n\n\ndef fill():\n    for country in ('AT', 'DE', 'FR'):\n        key = country.lower()\n        RATES[key] = 20\n\n\n\
                 def rate(country):\n    if not RATES:\n        fill()\n    return RATES[country.lower()]\n\n\n\
                 def net(cents, country):\n    return cents * 100 // (100 + rate(country))\n\n\n\
                 def gross(cents, country):\n    return cents * (100 + rate(country)) // 99\n";
    let test = "import unittest\n\nimport rates\n\n\nclass RatesTest(unittest.TestCase):\n    \
                def test_a_gross(self):\n        self.assertEqual(rates.gross(100, 'DE'), 120)\n\n    \
                def test_b_rate(self):\n        self.assertEqual(rates.rate('DE'), 20)\n\n    \
                def test_c_net(self):\n        self.assertEqual(rates.net(120, 'DE'), 100)\n\n    \
                def test_d_gross_of_nothing(self):\n        self.assertEqual(rates.gross(0, 'DE'), 0)\n";
    let project = Project::new(&[("rates.py", rates), ("test_rates.py", test)]);
    let json = project.heal(&["explain", "--json"]).code(0).json();
    let suspects = json["failures"][0]["suspects"].as_array().expect("suspects");
    assert_eq!(suspects[0]["symbol"], "gross", "{json:#}");
    let fill = suspects.iter().find(|suspect| suspect["symbol"] == "fill");
    let reasons = fill.map(|fill| fill["reasons"].to_string()).unwrap_or_default();
    assert!(reasons.contains("3 of 3 passing"), "{json:#}");
}

#[test]
fn lines_of_rust_tests_tell_the_fault_from_what_passing_tests_run_too() {
    // The program under test is a process of its own.
    let lib = "pub fn parse(text: &str) -> Vec<i64> {\n    text.split(',').filter_map(|word| word.trim().parse().ok()).collect()\n}\n\n\
               pub fn mean(numbers: &[i64]) -> i64 {\n    let sum: i64 = numbers.iter().sum();\n    sum / numbers.len() as i64\n}\n\n\
               pub fn largest(numbers: &[i64]) -> i64 {\n    let mut most = 0;\n    for number in numbers {\n        if *number > most {\n            \
               most = *number;\n        }\n    }\n    most\n}\n\n\
               pub fn run(verb: &str, text: &str) -> i64 {\n    let numbers = parse(text);\n    match verb {\n        \"mean\" => mean(&numbers),\n        \
               _ => largest(&numbers),\n    }\n}\n";
    let main = "fn main() {\n    let words: Vec<String> = std::env::args().collect();\n    println!(\"{}\", stats::run(&words[1], &words[2]));\n}\n";
    let test = "use std::process::Command;\n\nfn said(verb: &str, text: &str) -> String {\n    let output = \
                Command::new(env!(\"CARGO_BIN_EXE_stats\")).args([verb, text]).output().unwrap();\n    String::from_utf8(output.stdout).unwrap()\n}\n\n\
                #[test]\nfn a_mean() {\n    assert_eq!(said(\"mean\", \"1, 3\"), \"2\\n\");\n}\n\n\
                #[test]\nfn a_mean_of_one() {\n    assert_eq!(said(\"mean\", \"5\"), \"5\\n\");\n}\n\n\
                #[test]\nfn the_largest_of_negative_numbers() {\n    assert_eq!(said(\"largest\", \"-5,-2\"), \"-2\\n\");\n}\n";
    let manifest = "[package]\nname = \"stats\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let files = [
        ("Cargo.toml", manifest),
        ("src/lib.rs", lib),
        ("src/main.rs", main),
        ("tests/program.rs", test),
        (".gitignore", "/target\n"),
    ];
    let project = Project::new(&files);
    let json = project.heal(&["explain", "--json"]).code(0).json();
    let suspects = json["failures"][0]["suspects"].as_array().expect("suspects");
    assert_eq!(suspects[0]["symbol"], "largest", "{json:#}");
    let reasons = |symbol: &str| {
        let suspect = suspects.iter().find(|suspect| suspect["symbol"] == symbol);
        suspect.map(|suspect| suspect["reasons"].to_string()).unwrap_or_default()
    };
    assert!(reasons("largest").contains("0 of 2 passing"), "{json:#}");
    assert!(reasons("parse").contains("2 of 2 passing"), "{json:#}");
    assert_eq!(reasons("mean"), "", "no failing test runs it: {json:#}");
}

#[test]
fn what_a_failing_doc_test_documents_is_suspect() {
    let lib = "//! Numbers.\n\nfn scale() -> i32 {\n    3\n}\n\n/// Doubles.\n///\n/// ```\n/// use numbers::double;\n///\n/// assert_eq!(double(2), 4);\n/// ```\n\
               pub fn double(n: i32) -> i32 {\n    n * scale()\n}\n";
    let manifest =
        |edition: &str| format!("[package]\nname = \"numbers\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n");
    let project = Project::new(&[("Cargo.toml", &manifest("2021")), ("src/lib.rs", lib), (".gitignore", "/target\n")]);
    for edition in ["2021", "2024"] {
        project.write(&[("Cargo.toml", &manifest(edition))]);
        let json = project.heal(&["explain", "--json"]).code(0).json();
        let suspects = json["failures"][0]["suspects"].as_array().expect("suspects");
        let symbols: Vec<&str> = suspects.iter().filter_map(|suspect| suspect["symbol"].as_str()).collect();
        assert_eq!(symbols, ["double", "scale"], "{edition}: {json:#}");
    }
}

#[test]
fn what_the_failing_line_of_a_script_calls_is_suspect() {
    let cart = "def tax(cents):\n    return cents // 5\n\n\ndef total(cents):\n    return cents + tax(cents) * 2\n\n\ndef receipt(cents):\n    return str(cents)\n";
    let check = "from cart import receipt, total\n\nwords = receipt(3)\nsum_of_all = total(500)\nassert sum_of_all == 600, sum_of_all\n";
    let project = Project::new(&[("cart.py", cart), ("check.py", check)]);
    let json = project.heal(&["explain", "--json", "--", "python3", "check.py"]).code(0).json();
    let suspects = json["failures"][0]["suspects"].as_array().expect("suspects");
    let rank = |symbol: &str| suspects.iter().position(|suspect| suspect["symbol"] == symbol);
    let (total, receipt) = (rank("total").expect("a suspect"), rank("receipt"));
    assert!(receipt.is_none_or(|receipt| total < receipt), "{json:#}");
    assert!(rank("tax").is_some(), "{json:#}");
}
