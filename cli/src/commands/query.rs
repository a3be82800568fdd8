//! `misu vet` and `misu query`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalog_store::Environment;
use clap::{Parser, ValueEnum};
use engine_protocol::{
    Budget, ClientReply, ClientRequest, Governed, Question, ReleasedTable, TemplateQuestion, Verdict,
    VerdictKind,
};

use crate::ask::Guard;
use crate::failure::{DENIED, Failure, REFUSED, WITHHELD, io};
use crate::programs::Program;
use crate::screen;

/// The user of a demo environment who asks where nobody is named.
const DEMO_USER: &str = "demo-researcher";
const DEMO_PROJECT: &str = "demo";

/// Who asks for which project, and where.
#[derive(Parser)]
pub(crate) struct Whose {
    /// The environment.
    #[arg(long)]
    env: Option<PathBuf>,
    /// The project.
    #[arg(long, default_value = DEMO_PROJECT)]
    project: String,
    /// The user; the operating system's where it is left out, `demo-researcher` in a demo.
    #[arg(long)]
    user: Option<String>,
}

/// Who asks what, and where.
#[derive(Parser)]
pub(crate) struct Ask {
    #[command(flatten)]
    whose: Whose,
    /// The query; standard input where neither it nor a file is given.
    sql: Option<String>,
    /// The file with the query.
    #[arg(short, long, conflicts_with = "sql")]
    file: Option<PathBuf>,
}

/// The form of a released table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text.
    Table,
    /// Comma-separated values.
    Csv,
    /// JSON.
    Json,
    /// An Arrow IPC file.
    Arrow,
    /// An Excel workbook.
    Xlsx,
}

impl Ask {
    /// Prints the verdict.
    pub(crate) fn vet(&self, json: bool) -> Result<ExitCode, Failure> {
        let (mut guard, question) = self.question()?;
        match guard.ask(&ClientRequest::Vet(question.clone()))? {
            ClientReply::Verdict(verdict) => show_verdict(&verdict, &question.sql, json),
            other => unexpected(other),
        }
    }

    /// Prints the verdict under a catalogue folder and a permit file.
    pub(crate) fn vet_offline(&self, catalog: &Path, permit: &Path, json: bool) -> Result<ExitCode, Failure> {
        let sql = self.sql()?;
        let arguments = [
            "vet".to_owned(),
            "--catalog".to_owned(),
            catalog.display().to_string(),
            "--permit".to_owned(),
            permit.display().to_string(),
            sql.clone(),
        ];
        let printed = Program::Guard.output(&arguments)?;
        let verdict: Verdict = serde_json::from_slice(&printed)
            .map_err(|_| Failure::Form { program: Program::Guard.name(), what: "a verdict" })?;
        show_verdict(&verdict, &sql, json)
    }

    /// Prints the verdict and what the query would cost.
    pub(crate) fn estimate(&self, json: bool) -> Result<ExitCode, Failure> {
        let (mut guard, question) = self.question()?;
        match guard.ask(&ClientRequest::Estimate(question.clone()))? {
            ClientReply::Estimate { verdict, budget } => {
                let code = show_verdict(&verdict, &question.sql, json)?;
                if let Some(budget) = budget {
                    screen::say(&budget_text(&budget, json)?);
                }
                Ok(code)
            }
            other => unexpected(other),
        }
    }

    /// Prints the protected table, or why there is none.
    pub(crate) fn query(&self, format: Format, certificate: Option<&Path>) -> Result<ExitCode, Failure> {
        let (mut guard, question) = self.question()?;
        let reply = guard.ask(&ClientRequest::Query(question.clone()))?;
        show_answer(reply, &question.sql, (format, certificate))
    }

    /// Prints the protected table of an approved template, or why there is none.
    pub(crate) fn template(
        &self,
        template: String,
        parameters: Vec<(String, String)>,
        shown: (Format, Option<&Path>),
    ) -> Result<ExitCode, Failure> {
        let (mut guard, user) = self.whose.guard()?;
        let parameters = parameters.into_iter().collect();
        let asked = TemplateQuestion { user, project: self.whose.project.clone(), template, parameters };
        show_answer(guard.ask(&ClientRequest::Template(asked))?, "", shown)
    }

    fn question(&self) -> Result<(Guard, Question), Failure> {
        let (guard, user) = self.whose.guard()?;
        Ok((guard, Question { user, project: self.whose.project.clone(), sql: self.sql()? }))
    }

    fn sql(&self) -> Result<String, Failure> {
        match (&self.sql, &self.file) {
            (Some(sql), _) => Ok(sql.clone()),
            (None, Some(file)) => std::fs::read_to_string(file).map_err(io("read", file)),
            (None, None) => std::io::read_to_string(std::io::stdin()).map_err(io("read", "standard input")),
        }
    }
}

impl Whose {
    /// The project.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// The guard, and who asks.
    pub(crate) fn guard(&self) -> Result<(Guard, String), Failure> {
        let env = self.env.as_deref().ok_or_else(|| Failure::Call("--env is missing".to_owned()))?;
        let environment = Environment::open(env)?;
        let is_demo = environment.config().demo_seed.is_some();
        let user = self.user.clone().or_else(|| is_demo.then(|| DEMO_USER.to_owned()));
        let user = user.or_else(|| std::env::var("USER").ok()).unwrap_or_default();
        Ok((Guard::of(env)?, user))
    }
}

/// A parameter written as NAME=VALUE.
pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a parameter is written as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn show_answer(
    reply: ClientReply,
    sql: &str,
    (format, certificate): (Format, Option<&Path>),
) -> Result<ExitCode, Failure> {
    match reply {
        ClientReply::Released(table) => {
            match (certificate, &table.certificate) {
                (Some(path), Some(note)) => std::fs::write(path, note).map_err(io("write", path))?,
                (Some(_), None) => screen::note("what may be asked is no release: it has no certificate"),
                (None, _) => {}
            }
            screen::write(&shown(&table, format)?);
            Ok(ExitCode::SUCCESS)
        }
        ClientReply::Verdict(verdict) => show_verdict(&verdict, sql, false),
        ClientReply::Withheld => {
            screen::note("withheld: nothing can be released for this question");
            Ok(ExitCode::from(WITHHELD))
        }
        ClientReply::Stopped => {
            screen::note("stopped: whoever asked had the question stopped");
            Ok(ExitCode::from(WITHHELD))
        }
        ClientReply::Governed(Governed::Held { output }) => {
            screen::note(&format!(
                "held: people look at this output before it goes out; describe and submit it as {output}"
            ));
            Ok(ExitCode::from(WITHHELD))
        }
        other => unexpected(other),
    }
}

fn budget_text(budget: &Budget, json: bool) -> Result<String, Failure> {
    if json {
        let form = |_| Failure::Form { program: Program::Guard.name(), what: "a budget" };
        return serde_json::to_string(budget).map_err(form);
    }
    let hidden =
        budget.hidden_percent.map_or_else(String::new, |percent| format!(", at least {percent} % hidden"));
    let within = if budget.is_within { "" } else { "; more cells than one answer may have" };
    let Budget { rows, bytes, cells, .. } = budget;
    Ok(format!("reads about {rows} rows ({bytes} bytes), {cells} cells{hidden}{within}"))
}

/// The table in the form that was asked for.
pub(crate) fn shown(table: &ReleasedTable, format: Format) -> Result<Vec<u8>, Failure> {
    Ok(match format {
        Format::Table => reports::table::text(table, screen::language()).into_bytes(),
        Format::Csv => reports::table::csv(table).into_bytes(),
        Format::Json => reports::table::json(table)?.into_bytes(),
        Format::Arrow => reports::table::arrow(table)?,
        Format::Xlsx => reports::table::xlsx(table)?,
    })
}

pub(crate) fn show_verdict(verdict: &Verdict, sql: &str, json: bool) -> Result<ExitCode, Failure> {
    if json {
        let form = |_| Failure::Form { program: Program::Guard.name(), what: "a verdict" };
        screen::say(&serde_json::to_string(verdict).map_err(form)?);
    } else {
        screen::say(&reports::verdict::text(verdict, sql, screen::language()));
    }
    Ok(match verdict.verdict {
        VerdictKind::Vetted => ExitCode::SUCCESS,
        VerdictKind::Refused => ExitCode::from(REFUSED),
        VerdictKind::Denied => ExitCode::from(DENIED),
    })
}

pub(crate) fn unexpected(reply: ClientReply) -> Result<ExitCode, Failure> {
    match reply {
        ClientReply::Fault { message } => Err(Failure::Fault(message)),
        ClientReply::NotKnown => {
            screen::note("denied: the token does not serve, or not for this project");
            Ok(ExitCode::from(DENIED))
        }
        _ => Err(Failure::Form { program: Program::Guard.name(), what: "an answer to this question" }),
    }
}
