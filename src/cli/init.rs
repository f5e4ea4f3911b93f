//! `heal init`: a configuration to begin with, and workflows for a pipeline.
//!
//! Writes new files alone; what is there already is left and named.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::pipeline::PipelineError;
use heal::propose::provider::ModelName;

use super::output;
use super::output::Failed;
use super::setup;

/// The arguments of `heal init`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Write a workflow for this system too
    #[arg(long, value_name = "SYSTEM", requires = "install")]
    pub ci: Option<System>,
    /// The command by which a job gets heal
    #[arg(long, value_name = "COMMAND", requires = "ci")]
    pub install: Option<String>,
    /// The model that the workflow asks
    #[arg(long, value_name = "PROVIDER/NAME", requires = "ci")]
    pub model: Option<String>,
    /// The repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// The test command; found out where it is not given
    #[arg(last = true, value_name = "TEST_COMMAND")]
    pub command: Vec<String>,
}

/// Whose workflows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
    /// Forgejo or Gitea Actions
    Forgejo,
}

/// One file of a system: where it goes, what is in it, and whether it is for
/// models alone.
struct Template {
    system: System,
    path: &'static str,
    text: &'static str,
    needs_model: bool,
}

const TEMPLATES: &[Template] = &[
    Template {
        system: System::Github,
        path: ".github/workflows/heal.yml",
        text: include_str!("init/github.yml"),
        needs_model: false,
    },
    Template {
        system: System::Github,
        path: ".github/workflows/heal-reproduce.yml",
        text: include_str!("init/github-reproduce.yml"),
        needs_model: true,
    },
    Template {
        system: System::Github,
        path: ".github/workflows/heal-untrusted.yml",
        text: include_str!("init/github-untrusted.yml"),
        needs_model: true,
    },
    Template {
        system: System::Gitlab,
        path: ".gitlab/heal.yml",
        text: include_str!("init/gitlab.yml"),
        needs_model: false,
    },
    Template {
        system: System::Gitlab,
        path: ".gitlab/heal-untrusted.yml",
        text: include_str!("init/gitlab-untrusted.yml"),
        needs_model: true,
    },
    Template {
        system: System::Forgejo,
        path: ".forgejo/workflows/heal.yml",
        text: include_str!("init/forgejo.yml"),
        needs_model: false,
    },
    Template {
        system: System::Forgejo,
        path: ".forgejo/workflows/heal-untrusted.yml",
        text: include_str!("init/forgejo-untrusted.yml"),
        needs_model: true,
    },
];

/// The configuration to begin with.
const CONFIGURATION: &str = "# How heal works in this repository; what is left out is found out.\n\
    # Where code is sent, and what that may cost, is each user's own to say\n\
    # (~/.config/heal/config.toml) and never stands here.\n\
    @COMMAND@\n\
    # deny = [\"src/generated/**\"]   # no patch may touch these\n\
    # timeout = \"20m\"               # for a whole run\n\
    # [policy]                      # how far heal may go by itself in a pipeline\n\
    # level = \"request\"             # explain, diff, branch or request\n";

/// Runs `heal init`; returns the exit code.
pub fn run(arguments: &Arguments) -> Result<i32, Failed> {
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(&arguments.repo, &launcher).map_err(PipelineError::from)?;
    let files = files(arguments)?;
    let there: Vec<&str> =
        files.iter().map(|(path, _)| *path).filter(|path| repository.root().join(path).exists()).collect();
    let new: Vec<_> = files.iter().filter(|(path, _)| !there.contains(path)).collect();
    if new.is_empty() {
        return Err(Failed::usage(format!(
            "there is already {}\n  Move it away to have it written anew",
            there.join(", ")
        )));
    }
    for (path, text) in new {
        write(&repository.root().join(path), text)?;
        output::message(&format!("wrote {path}"));
    }
    for path in there {
        output::message(&format!("left {path} as it is"));
    }
    if arguments.ci.is_some() && arguments.model.is_none() {
        output::message("requests of strangers are healed with a model alone: heal init --ci … --model PROVIDER/NAME");
    }
    Ok(0)
}

/// What is to be written, and where.
fn files(arguments: &Arguments) -> Result<Vec<(&'static str, String)>, Failed> {
    let words: Vec<String> = arguments.command.iter().map(|word| format!("{word:?}")).collect();
    let command = match words.is_empty() {
        true => "# command = [\"pytest\", \"-q\"]     # the test command, as words".to_owned(),
        false => format!("command = [{}]", words.join(", ")),
    };
    let mut files = vec![("heal.toml", CONFIGURATION.replace("@COMMAND@", &command))];
    let Some(system) = arguments.ci else { return Ok(files) };
    let model = arguments.model.as_deref().map(ModelName::parse).transpose();
    let model = model.map_err(|error| Failed::usage(format!("{error}\n  {}", error.hint())))?;
    let key = model.as_ref().and_then(ModelName::key_variable);
    let key = key.map(|name| format!("\n          {name}: ${{{{ secrets.{name} }}}}")).unwrap_or_default();
    let named = model.as_ref().map(|model| format!(" --model {model}")).unwrap_or_default();
    let install = arguments.install.as_deref().unwrap_or_default();
    for text in [install, &named] {
        if text.is_empty() && text.as_ptr() == install.as_ptr() || text.contains(['\n', '\r']) || text.contains("${{") {
            return Err(Failed::usage(format!(
                "`{text}` cannot stand in a workflow\n  Write a command in one line, without expressions of the workflow"
            )));
        }
    }
    let fitting = TEMPLATES.iter().filter(|template| template.system == system);
    for template in fitting.filter(|template| model.is_some() || !template.needs_model) {
        // The command is in heal.toml, which is read there.
        let text = template.text.replace("@COMMAND@", "").replace("@MODEL@", &named).replace("@KEY@", &key);
        files.push((template.path, text.replace("@INSTALL@", &quoted(install))));
    }
    Ok(files)
}

/// A command as a YAML scalar (YAML 1.2, 7.3.2: in single quotes only these
/// are doubled).
pub fn quoted(command: &str) -> String {
    format!("'{}'", command.replace('\'', "''"))
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let cannot = |error: std::io::Error| Failed::own(format!("cannot write `{}`: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    std::fs::write(path, text).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(system: System, model: Option<&str>) -> Vec<(&'static str, String)> {
        files(&Arguments {
            ci: Some(system),
            install: Some("cargo install --locked heal: it's".into()),
            model: model.map(str::to_owned),
            repo: ".".into(),
            command: vec!["pytest".into(), "-k".into(), "a \"b\"".into()],
        })
        .expect("files")
    }

    #[test]
    fn no_placeholder_is_left_and_the_configuration_is_read_back() {
        for system in [System::Github, System::Gitlab, System::Forgejo] {
            for model in [None, Some("anthropic/claude-x"), Some("ollama/x")] {
                for (path, text) in written(system, model) {
                    assert!(
                        !["@INSTALL@", "@MODEL@", "@KEY@", "@COMMAND@"].iter().any(|left| text.contains(left)),
                        "{path}: {text}"
                    );
                }
            }
        }
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("heal.toml");
        std::fs::write(&file, &written(System::Github, None)[0].1).expect("written");
        let read = heal::options::files::File::read_repository(&file).expect("read");
        assert_eq!(read.command, Some(vec!["pytest".into(), "-k".into(), "a \"b\"".into()]));
    }

    #[test]
    fn actions_are_pinned_and_permissions_named_by_the_job() {
        let pinned = regex::Regex::new(r"@[0-9a-f]{40} # v\d").expect("a pattern");
        for (path, text) in written(System::Github, Some("anthropic/claude-x")) {
            for line in text.lines().filter(|line| line.contains("uses:")) {
                assert!(pinned.is_match(line), "{path}: {line}");
            }
            if path.ends_with(".yml") {
                assert!(text.contains("\npermissions: {}\n"), "{path}");
                assert_eq!(
                    text.matches("persist-credentials: false").count(),
                    text.matches("actions/checkout@").count()
                );
            }
            // No expression of the workflow stands in a script.
            let mut script = false;
            for line in text.lines() {
                let indent = line.len() - line.trim_start().len();
                script = line.trim_start().starts_with("run: |") || (script && indent >= 10);
                assert!(!(script || line.trim_start().starts_with("run:")) || !line.contains("${{"), "{path}: {line}");
            }
        }
    }

    #[test]
    fn on_gitlab_and_forgejo_too_no_job_holds_a_secret_and_runs_strangers_code() {
        for (system, secrets) in [
            (System::Forgejo, &["secrets.", "github.token"][..]),
            (System::Gitlab, &["environment:", "HEAL_TOKEN", "API_KEY"]),
        ] {
            let all = written(system, Some("anthropic/claude-x"));
            let (_, text) = all.iter().find(|(path, _)| path.contains("untrusted")).expect("a workflow");
            // Comments name secrets, jobs hold them.
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
            let starts = |line: &str| {
                let job = line.trim().strip_suffix(':').filter(|name| !name.contains(' '));
                job.map(|name| name.trim_start_matches("heal-").to_owned())
                    .filter(|name| ["request", "reproduce", "ask", "verify", "publish"].contains(&name.as_str()))
            };
            let mut job = String::new();
            let mut seen = std::collections::BTreeSet::new();
            for line in lines {
                if let Some(name) = starts(line).filter(|_| line.len() - line.trim_start().len() <= 2) {
                    seen.insert(name.clone());
                    job = name;
                }
                let holds = secrets.iter().any(|secret| line.contains(secret));
                assert!(!holds || matches!(job.as_str(), "ask" | "publish"), "{job}: {line}");
                let script = line.trim_start().starts_with("heal ci") || line.trim_start().starts_with("- heal ci");
                assert!(!script || !line.contains("${{"), "{line}");
            }
            assert_eq!(seen.len(), 5, "{text}");
            assert!(!text.contains("pull_request_target"), "{text}");
        }
    }

    #[test]
    fn a_key_is_given_to_the_job_that_asks_alone() {
        let all = written(System::Github, Some("anthropic/claude-x"));
        let text = |name: &str| &all.iter().find(|(path, _)| path.ends_with(name)).expect(name).1;
        assert!(!text("heal-reproduce.yml").contains("secrets."));
        let untrusted = text("heal-untrusted.yml");
        let jobs: Vec<&str> = untrusted.split("\n  ask:\n").collect();
        let (ask, rest) = jobs[1].split_once("\n  verify:\n").expect("jobs");
        let (verify, publish) = rest.split_once("\n  publish:\n").expect("jobs");
        assert!(ask.contains("ANTHROPIC_API_KEY: ${{ secrets.ANTHROPIC_API_KEY }}"));
        for job in [verify, publish] {
            assert!(!job.contains("secrets."), "{job}");
        }
        assert!(!verify.contains("github.token") && publish.contains("github.token"));
    }
}
