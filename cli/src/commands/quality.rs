//! `misu quality`: what became of every line, and what the rows are like, put together from two programs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reports::quality::Quality;
use serde::de::DeserializeOwned;

use super::Env;
use crate::failure::{Failure, io};
use crate::programs::Program;
use crate::screen;

/// Where the report goes besides the terminal.
pub(super) struct To {
    /// A page.
    pub(super) html: Option<PathBuf>,
    /// The environment, sealed, for the portal.
    pub(super) keep: bool,
}

/// Shows the report as text, as JSON or as a page.
pub(super) fn run(
    env: &Env,
    (snapshot, truth): (Option<&str>, Option<&Path>),
    to: To,
) -> Result<ExitCode, Failure> {
    let report = report(&env.env, snapshot, truth)?;
    if to.keep {
        keep(&env.env, &report)?;
    }
    if let Some(path) = to.html {
        let page = reports::quality::page(&report)
            .map_err(|error| Failure::Fault(format!("the page cannot be made: {error}")))?;
        std::fs::write(&path, page).map_err(io("write", &path))?;
        screen::note(&format!("{}", path.display()));
    } else if env.json {
        screen::say(&json(&report, serde_json::to_string_pretty)?);
    } else {
        screen::say(&reports::quality::text(&report, screen::language()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The report, put together from what two programs print.
pub(crate) fn report(env: &Path, snapshot: Option<&str>, truth: Option<&Path>) -> Result<Quality, Failure> {
    let mut options = vec!["--env".to_owned(), env.display().to_string()];
    options.extend(snapshot.into_iter().flat_map(|id| ["--snapshot".to_owned(), id.to_owned()]));
    let mut arguments = [vec!["quality".to_owned()], options.clone()].concat();
    arguments.extend(truth.into_iter().flat_map(|path| ["--truth".to_owned(), path.display().to_string()]));
    let mut report: Quality = figures(Program::Ingest, &arguments)?;
    report.profile = Some(figures(Program::Quality, &options)?);
    Ok(report)
}

/// Has the guard keep it.
pub(crate) fn keep(env: &Path, report: &Quality) -> Result<(), Failure> {
    let arguments = ["keep-quality".to_owned(), "--env".to_owned(), env.display().to_string()];
    Program::Guard.take(&arguments, json(report, serde_json::to_string)?.as_bytes())
}

fn json(
    report: &Quality,
    write: impl FnOnce(&Quality) -> serde_json::Result<String>,
) -> Result<String, Failure> {
    write(report).map_err(|error| Failure::Fault(format!("the figures cannot be written: {error}")))
}

fn figures<T: DeserializeOwned>(program: Program, arguments: &[String]) -> Result<T, Failure> {
    let printed = program.output(arguments)?;
    let form = |_| Failure::Form { program: program.name(), what: "a quality report" };
    serde_json::from_slice(&printed).map_err(form)
}
