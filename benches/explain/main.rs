//! Measures `heal explain --trace` in a large repository, against programs that
//! look at the same tree.
//!
//! ```text
//! cargo bench --bench explain -- [--files N] [--runs N]
//! ```
//!
//! Makes the repository in a temporary directory. Each program is run in turn,
//! so that a busy machine is as busy for one as for the other; what counts is
//! the ratio. `rg` is left out where it is not installed.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::bail;
use clap::Parser;

#[derive(Parser)]
struct Arguments {
    /// Files in the repository
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Runs of each program
    #[arg(long, default_value_t = 9)]
    runs: usize,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What pytest says of the test that fails there.
const LOG: &str = "\
=================================== FAILURES ===================================
__________________________________ test_total __________________________________

    def test_total():
        cart = Cart()
        cart.add(3)
>       assert cart.total() == 300
E       assert 30 == 300

tests/test_cart.py:7: AssertionError
=========================== short test summary info ============================
FAILED tests/test_cart.py::test_total - assert 30 == 300
";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::Builder::new().prefix("heal-explain-").tempdir()?;
    let tree = folder.path().join("tree");
    plant(&tree, arguments.files)?;
    let log = folder.path().join("log.txt");
    std::fs::write(&log, LOG)?;
    let log = log.display().to_string();
    let heal = env!("CARGO_BIN_EXE_heal");
    let mut programs: Vec<(&str, Vec<&str>)> =
        vec![("heal explain --trace", vec![heal, "explain", "--trace", &log]), ("git status", vec!["git", "status"])];
    if Command::new("rg").arg("--version").stdout(Stdio::null()).status().is_ok() {
        programs.push(("rg --files", vec!["rg", "--files"]));
    }
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); programs.len()];
    for _ in 0..=arguments.runs {
        for ((_, program), times) in programs.iter().zip(&mut times) {
            times.push(timed(program, &tree)?);
        }
    }
    println!("{} files, {} runs each, after one that does not count\n", arguments.files, arguments.runs);
    println!("| program | least | median | median of heal's by its own |\n|---|---|---|---|");
    for times in &mut times {
        times.remove(0);
        times.sort();
    }
    let median = |times: &[Duration]| times[times.len() / 2].as_secs_f64();
    for ((name, _), own) in programs.iter().zip(&times) {
        let ratio = median(&times[0]) / median(own);
        println!("| {name} | {:.0} ms | {:.0} ms | {ratio:.1} |", own[0].as_secs_f64() * 1e3, median(own) * 1e3);
    }
    Ok(())
}

fn timed(program: &[&str], tree: &Path) -> Result<Duration> {
    let began = Instant::now();
    let output = Command::new(program[0]).args(&program[1..]).current_dir(tree).output()?;
    let took = began.elapsed();
    if !output.status.success() {
        bail!("`{}` failed: {}", program.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}

/// A small shop with a fault, among files that have nothing to do with it.
fn plant(tree: &Path, files: usize) -> Result<()> {
    let write = |path: &str, text: &str| -> Result<()> {
        let path = tree.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(tree))?;
        Ok(std::fs::write(path, text)?)
    };
    write("shop/__init__.py", "")?;
    write("shop/money.py", "def cents(amount):\n    return amount * 10\n")?;
    write(
        "shop/cart.py",
        "from shop.money import cents\n\n\nclass Cart:\n    def __init__(self):\n        self.lines = []\n\n    \
         def add(self, price):\n        self.lines.append(price)\n\n    def total(self):\n        return cents(sum(self.lines))\n",
    )?;
    write(
        "tests/test_cart.py",
        "from shop.cart import Cart\n\n\ndef test_total():\n    cart = Cart()\n    cart.add(3)\n    assert cart.total() == 300\n",
    )?;
    let endings = ["py", "py", "rs", "js", "java", "go"];
    let text = "// A line that is not looked at.\n".repeat(60);
    for number in 4..files {
        let ending = endings[number % endings.len()];
        write(&format!("part_{:04}/group_{}/file_{number}.{ending}", number / 100, number / 10 % 10), &text)?;
    }
    for command in [
        &["init", "-q"][..],
        &["add", "-A"],
        &["-c", "user.name=heal", "-c", "user.email=heal@localhost", "commit", "-q", "-m", "all"],
    ] {
        let status = Command::new("git").args(command).current_dir(tree).status()?;
        if !status.success() {
            bail!("`git {}` failed", command.join(" "));
        }
    }
    Ok(())
}
