//! `heal ci plan`: the jobs that heal one tree together, in the words of the
//! system that is to start them.
//!
//! Reads the pipeline's own report where one is given; runs nothing.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::options::ci::Ci;
use heal::options::ci::System;
use heal::options::shard;
use heal::options::shard::Shard;
use heal::pipeline::PipelineError;
use heal::propose::provider::ModelName;
use serde_json::json;

use super::Failed;
use super::artifacts;
use super::given::Given;
use super::given::GivenFlags;
use crate::cli::init::quoted;
use crate::cli::output;
use crate::cli::setup;

/// The arguments of `heal ci plan`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// How many jobs at most
    #[arg(long, value_name = "N")]
    pub shards: usize,
    /// Write for github (a matrix, also Forgejo's) or gitlab (a child pipeline) instead of where this runs
    #[arg(long = "for", value_name = "SYSTEM")]
    pub system: Option<Words>,
    /// Start no more jobs than this JUnit report of the pipeline has failures
    #[arg(long, value_name = "FILE")]
    pub junit: Vec<PathBuf>,
    /// The command by which a job of a child pipeline gets heal
    #[arg(long, value_name = "COMMAND")]
    pub install: Option<String>,
    /// The model that the jobs of a child pipeline ask
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub model: Option<String>,
    /// The repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
}

/// Whose words a plan is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Words {
    /// JSON for `strategy.matrix`
    Github,
    /// YAML for `trigger.include`
    Gitlab,
}

/// Runs `heal ci plan`; returns the exit code.
pub fn run(arguments: &Arguments) -> Result<i32, Failed> {
    if !(1..=shard::MOST).contains(&arguments.shards) {
        return Err(Failed::usage(format!(
            "--shards {} is no number of jobs\n  Write one from 1 to {}",
            arguments.shards,
            shard::MOST
        )));
    }
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(&arguments.repo, &launcher).map_err(PipelineError::from)?;
    let given = Given::read(&GivenFlags { junit: arguments.junit.clone(), log: None }, &repository)?;
    let count = given.failing().map_or(arguments.shards, |failing| failing.clamp(1, arguments.shards));
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ci = Ci::of(&variable, &|_| None);
    let gitlab = match arguments.system {
        Some(words) => words == Words::Gitlab,
        None => ci.system == System::GitlabCi,
    };
    if gitlab {
        output::result(&child_pipeline(count, arguments)?);
        return Ok(0);
    }
    let matrix = matrix(count);
    if let Some(file) = std::env::var_os("GITHUB_OUTPUT").filter(|file| !file.is_empty()) {
        artifacts::append(Path::new(&file), &format!("matrix={matrix}\n"))?;
    }
    output::result(&matrix);
    Ok(0)
}

/// `{"shard":["1/2","2/2"]}`, for `matrix: ${{ fromJSON(…) }}`.
fn matrix(count: usize) -> String {
    let shards: Vec<String> = (1..=count).map(|index| Shard { index, of: count }.to_string()).collect();
    json!({ "shard": shards }).to_string()
}

/// A pipeline of one job for each shard and one that merges
/// (<https://docs.gitlab.com/ci/yaml/#parallel>).
fn child_pipeline(count: usize, arguments: &Arguments) -> Result<String, Failed> {
    let model = arguments.model.as_deref().map(ModelName::parse).transpose();
    let model = model.map_err(|error| Failed::usage(format!("{error}\n  {}", error.hint())))?;
    let model = model.map(|model| format!(" --model {model}")).unwrap_or_default();
    let install = arguments.install.as_deref().map(str::trim).filter(|install| !install.is_empty());
    for text in install.into_iter().chain([model.as_str()]) {
        if text.contains(['\n', '\r']) {
            return Err(Failed::usage(format!("`{text}` cannot stand in a job\n  Write a command in one line")));
        }
    }
    let script = |command: &str| {
        let lines: Vec<String> =
            install.into_iter().chain([command]).map(|line| format!("    - {}\n", quoted(line))).collect();
        lines.concat()
    };
    // One job is no parallel one, and has no number.
    let (parallel, number) = match count {
        1 => (String::new(), "1/1".to_owned()),
        count => (format!("  parallel: {count}\n"), "$CI_NODE_INDEX/$CI_NODE_TOTAL".to_owned()),
    };
    Ok(format!(
        "# Written by heal ci plan.\nheal-shard:\n  stage: test\n{parallel}  script:\n{}  artifacts:\n    when: always\n    \
         paths:\n      - heal-artifacts/shard-*.json\n\nheal-merge:\n  stage: deploy\n  needs: [heal-shard]\n  when: always\n  \
         script:\n{}  artifacts:\n    when: always\n    paths:\n      - heal-artifacts\n    reports:\n      junit: \
         heal-artifacts/junit.xml\n",
        script(&format!("heal ci --shard \"{number}\"{model}")),
        script("heal ci merge heal-artifacts"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(install: Option<&str>) -> Arguments {
        let model = Some("openai/gpt".to_owned());
        let install = install.map(str::to_owned);
        Arguments { shards: 3, system: None, junit: Vec::new(), install, model, repo: ".".into() }
    }

    #[test]
    fn a_matrix_names_every_shard() {
        assert_eq!(matrix(3), r#"{"shard":["1/3","2/3","3/3"]}"#);
    }

    #[test]
    fn a_child_pipeline_has_a_job_for_each_shard_and_one_that_merges() {
        insta::assert_snapshot!(child_pipeline(3, &arguments(Some("cargo install heal: it's"))).expect("a pipeline"));
        let one = child_pipeline(1, &arguments(None)).expect("a pipeline");
        assert!(!one.contains("parallel") && one.contains("heal ci --shard \"1/1\" --model openai/gpt"), "{one}");
        assert!(child_pipeline(1, &arguments(Some("a\nb"))).is_err());
    }
}
