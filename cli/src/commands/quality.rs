//! `misu quality`: what became of every line, and what the rows are like, put together from two programs.

use std::path::PathBuf;
use std::process::ExitCode;

use reports::quality::Quality;
use serde::de::DeserializeOwned;

use super::Env;
use crate::failure::{Failure, io};
use crate::programs::Program;
use crate::screen;

/// Shows the report as text, as JSON or as a page.
pub(super) fn run(env: &Env, snapshot: Option<&str>, html: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let mut options = vec!["--env".to_owned(), env.env.display().to_string()];
    options.extend(snapshot.into_iter().flat_map(|id| ["--snapshot".to_owned(), id.to_owned()]));
    let arguments = [vec!["quality".to_owned()], options.clone()].concat();
    let mut report: Quality = figures(Program::Ingest, &arguments)?;
    report.profile = Some(figures(Program::Quality, &options)?);
    if let Some(path) = html {
        let page = reports::quality::page(&report)
            .map_err(|error| Failure::Fault(format!("the page cannot be made: {error}")))?;
        std::fs::write(&path, page).map_err(io("write", &path))?;
        screen::note(&format!("{}", path.display()));
    } else if !env.json {
        screen::say(&reports::quality::text(&report, screen::language()));
    }
    if env.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::Fault(format!("the figures cannot be written: {error}")))?;
        screen::say(&text);
    }
    Ok(ExitCode::SUCCESS)
}

fn figures<T: DeserializeOwned>(program: Program, arguments: &[String]) -> Result<T, Failure> {
    let printed = program.output(arguments)?;
    let form = |_| Failure::Form { program: program.name(), what: "a quality report" };
    serde_json::from_slice(&printed).map_err(form)
}
