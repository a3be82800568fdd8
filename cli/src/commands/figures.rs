//! `misu figures`: asks the question of each column of the catalogue, and puts what is released beside the column.
//!
//! The questions are a project's own, under its permit, its quota and every rule; what is withheld, refused or held for
//! people has no figure.

use std::process::ExitCode;

use clap::Parser;
use engine_protocol::{
    CatalogueTable, ClientReply, ClientRequest, FigureReply, FigureWish, Question, ReleasedTable, VerdictKind,
};

use super::query::Whose;
use crate::ask::Guard;
use crate::failure::{DENIED, Failure};
use crate::screen;

/// Asks for the catalogue's figures.
#[derive(Parser)]
pub(crate) struct Figures {
    #[command(flatten)]
    whose: Whose,
    /// The data officer who puts them into the catalogue.
    #[arg(long = "as")]
    officer: String,
    /// A table of the catalogue; more than one where it is given again.
    #[arg(long = "table", required = true)]
    tables: Vec<String>,
}

/// Who asks the questions, for which project, and who puts the answers into the catalogue.
#[derive(Clone, Copy)]
pub(crate) struct Askers<'a> {
    pub(crate) user: &'a str,
    pub(crate) project: &'a str,
    pub(crate) officer: &'a str,
}

/// What became of the figure of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// The catalogue shows it.
    Shown,
    /// The officer is no data officer.
    NotAllowed,
    /// The catalogue shows nothing, and why.
    Nothing(&'static str),
}

impl Figures {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let (mut guard, user) = self.whose.guard()?;
        let askers = Askers { user: &user, project: self.whose.project(), officer: &self.officer };
        for (name, came) in figures(&mut guard, askers, &self.tables)? {
            match came {
                Came::Shown => screen::say(&format!("{name}: shown")),
                Came::Nothing(why) => screen::say(&format!("{name}: not shown, {why}")),
                Came::NotAllowed => {
                    screen::note(&format!("denied: {} is no data officer", self.officer));
                    return Ok(ExitCode::from(DENIED));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks for the figures of these tables and says what became of each column's.
pub(crate) fn figures(
    guard: &mut Guard,
    askers: Askers<'_>,
    tables: &[String],
) -> Result<Vec<(String, Came)>, Failure> {
    let ClientReply::Catalogue(view) = guard.ask(&ClientRequest::Catalogue)? else {
        return Err(Failure::Fault("the guard shows no catalogue".to_owned()));
    };
    if let Some(unknown) = tables.iter().find(|name| view.tables.iter().all(|table| table.name != **name)) {
        return Err(Failure::Call(format!("the catalogue has no table {unknown}")));
    }
    let is_wanted = |table: &&CatalogueTable| tables.contains(&table.name);
    let mut came = Vec::new();
    for table in view.tables.iter().filter(is_wanted) {
        for column in &table.columns {
            let Some(sql) = table.figure(&column.name) else { continue };
            let of = (table.name.as_str(), column.name.as_str());
            let figure = ask(guard, askers, of, sql)?;
            came.push((format!("{}.{}", of.0, of.1), figure));
            if figure == Came::NotAllowed {
                return Ok(came);
            }
        }
    }
    Ok(came)
}

/// Asks the question of one column.
fn ask(guard: &mut Guard, askers: Askers<'_>, of: (&str, &str), sql: String) -> Result<Came, Failure> {
    let (user, project) = (askers.user.to_owned(), askers.project.to_owned());
    let question = Question { user, project, sql };
    // What the permit does not cover is not asked: the record is no place for questions that nobody has.
    match guard.ask(&ClientRequest::Vet(question.clone()))? {
        ClientReply::Verdict(verdict) if verdict.verdict == VerdictKind::Vetted => {}
        ClientReply::Fault { message } => return Err(Failure::Fault(message)),
        _ => return Ok(Came::Nothing("the permit or a rule does not let it be asked")),
    }
    Ok(match guard.ask(&ClientRequest::Query(question))? {
        ClientReply::Released(released) => show(guard, askers, of, released)?,
        ClientReply::Verdict(_) => Came::Nothing("the permit or a rule does not let it be asked"),
        ClientReply::Withheld => Came::Nothing("nothing can be released"),
        ClientReply::Governed(_) => Came::Nothing("people look at it first"),
        ClientReply::Fault { message } => return Err(Failure::Fault(message)),
        _ => Came::Nothing("no answer"),
    })
}

/// Puts a released table beside its column.
fn show(
    guard: &mut Guard,
    askers: Askers<'_>,
    (table, column): (&str, &str),
    released: ReleasedTable,
) -> Result<Came, Failure> {
    let wish = FigureWish {
        user: askers.officer.to_owned(),
        project: askers.project.to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
        released,
    };
    Ok(match guard.ask(&ClientRequest::Figure(wish))? {
        ClientReply::Figure { reply: FigureReply::Shown } => Came::Shown,
        ClientReply::Figure { reply: FigureReply::NotAllowed } => Came::NotAllowed,
        ClientReply::Figure { reply: FigureReply::NotReleased } => {
            Came::Nothing("the release was called back")
        }
        ClientReply::Figure { reply: FigureReply::OtherQuestion } => {
            Came::Nothing("the catalogue changed meanwhile")
        }
        ClientReply::Fault { message } => return Err(Failure::Fault(message)),
        _ => Came::Nothing("no answer"),
    })
}
