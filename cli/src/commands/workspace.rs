//! `misu codes` and `misu cohort`: lists of codes of a project, and its tables registered for review.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use engine_protocol::{ClientReply, ClientRequest, KeptItem, WorkspaceAct, WorkspaceAsk, WorkspaceReply};

use super::query::{Whose, show_verdict, unexpected};
use crate::failure::{Failure, REFUSED, WITHHELD, io};
use crate::screen;

/// Lists of codes, for `column IN (SELECT code FROM lists.NAME)`; `lists.NAME@1` is the first version.
#[derive(Subcommand)]
pub(crate) enum Codes {
    /// Adds a list, or the next version of one: a file with one code in each line.
    Add {
        /// The file.
        file: PathBuf,
        /// The code system, such as icd10.
        #[arg(long)]
        system: String,
        /// The list's name.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Shows what the project keeps: tables, views, and every version of each list.
    List(Whose),
}

/// Tables of the project that the board reviews.
#[derive(Subcommand)]
pub(crate) enum Cohort {
    /// Registers a table as a cohort for review: it is compared with what was released, and from then on with what is
    /// asked.
    Register(Register),
}

/// Which table is registered.
#[derive(Parser)]
pub(crate) struct Register {
    /// The table: ws.NAME.
    table: String,
    #[command(flatten)]
    whose: Whose,
}

impl Codes {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { file, system, name, whose } => {
                let text = std::fs::read_to_string(&file).map_err(io("read", &file))?;
                // A column may have its heading; the guard judges the codes.
                let lines = text.lines().map(|line| line.trim().trim_matches('"'));
                let codes = lines.enumerate().filter(|(at, line)| !(*at == 0 && *line == "code"));
                let codes = codes.map(|(_, line)| line.to_owned()).collect();
                ask(&whose, WorkspaceAct::AddCodes { name, system, codes })
            }
            Self::List(whose) => ask(&whose, WorkspaceAct::List),
        }
    }
}

impl Cohort {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let Self::Register(Register { table, whose }) = self;
        ask(&whose, WorkspaceAct::RegisterCohort { name: table })
    }
}

fn ask(whose: &Whose, act: WorkspaceAct) -> Result<ExitCode, Failure> {
    let (mut guard, user) = whose.guard()?;
    let asked = WorkspaceAsk { user, project: whose.project().to_owned(), act };
    match guard.ask(&ClientRequest::Workspace(asked))? {
        ClientReply::Workspace(WorkspaceReply::Done { message, .. }) => {
            screen::say(&message);
            Ok(ExitCode::SUCCESS)
        }
        ClientReply::Workspace(WorkspaceReply::Refused { message, .. }) => {
            screen::note(&message);
            Ok(ExitCode::from(REFUSED))
        }
        ClientReply::Workspace(WorkspaceReply::Listing { kept }) => {
            kept.iter().for_each(|item| screen::say(&line(item)));
            Ok(ExitCode::SUCCESS)
        }
        ClientReply::Verdict(verdict) => show_verdict(&verdict, "", false),
        ClientReply::Withheld | ClientReply::Stopped => {
            screen::note("not done: nothing can be done for this project now");
            Ok(ExitCode::from(WITHHELD))
        }
        other => unexpected(other),
    }
}

fn line(item: &KeptItem) -> String {
    let until = item.until.as_ref().map_or_else(String::new, |day| format!(", until {day}"));
    let registered = item.registered.as_ref().map_or_else(String::new, |by| format!(", registered by {by}"));
    format!("{} {}: {}{until}{registered}", item.kind, item.name, item.what.replace('\n', " "))
}
