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
