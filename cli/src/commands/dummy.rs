//! `misu dummy`: tables that look like a project's and are about nobody, with what vets a question against them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalog_store::Environment;
use clap::Parser;
use engine_protocol::{CatalogueView, ClientReply, ClientRequest, Question, ReleasedTable};
use synthetic_dummy::{Arranged, Plan, arrange, parquet};

use crate::ask::Guard;
use crate::failure::{DENIED, Failure, io};
use crate::programs::Program;
use crate::screen;

/// Makes dummy data for a project: Parquet files with the granted columns, about nobody.
#[derive(Parser)]
pub(crate) struct Dummy {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// The project.
    #[arg(long, default_value = "demo")]
    project: String,
    /// The user, whose permit says which columns there are; `demo-researcher` in a demo.
    #[arg(long)]
    user: Option<String>,
    /// Where to write; the folder is made.
    #[arg(long)]
    out: PathBuf,
    /// How many persons.
    #[arg(long, default_value_t = 1_000)]
    persons: u32,
    /// Other figures for another seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A question, as a file: each branch of its conditions holds for some of the persons.
    #[arg(long = "for", value_name = "FILE")]
    questions: Vec<PathBuf>,
    /// For how many persons each branch holds.
    #[arg(long, default_value_t = 12, requires = "questions")]
    each: u32,
}

impl Dummy {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let environment = Environment::open(&self.env)?;
        let is_demo = environment.config().demo_seed.is_some();
        let user = self.user.clone().or_else(|| is_demo.then(|| "demo-researcher".to_owned()));
        let user = user.ok_or_else(|| Failure::Call("--user is missing".to_owned()))?;
        let Some((columns, catalogue)) = self.known(user)? else { return Ok(ExitCode::from(DENIED)) };
        let wrong = |error: &dyn std::error::Error| Failure::Call(error.to_string());
        let mut plan =
            Plan::new(&columns, &catalogue, self.persons, self.seed).map_err(|error| wrong(&error))?;
        for file in &self.questions {
            let sql = std::fs::read_to_string(file).map_err(io("read", file))?;
            for branch in arrange(&mut plan, &sql, self.each).map_err(|error| wrong(&error))? {
                screen::say(&told(file, &branch));
            }
        }
        std::fs::create_dir_all(&self.out).map_err(io("create", &self.out))?;
        let tables = plan.make().map_err(|error| wrong(&error))?;
        for table in &tables {
            let bytes = parquet(table).map_err(|error| wrong(&error))?;
            write(&self.out.join(format!("{}.parquet", table.name)), &bytes)?;
        }
        self.judging(&environment)?;
        screen::say(&format!("{} tables in {}, about nobody", tables.len(), self.out.display()));
        Ok(ExitCode::SUCCESS)
    }

    /// What anybody with the permit may know: the granted columns, and the catalogue. Nothing where the permit
    /// denies it.
    fn known(&self, user: String) -> Result<Option<(ReleasedTable, CatalogueView)>, Failure> {
        let mut guard = Guard::of(&self.env)?;
        let sql = "SELECT * FROM misu.columns".to_owned();
        let question = Question { user, project: self.project.clone(), sql };
        let form = |what| Failure::Form { program: Program::Guard.name(), what };
        let columns = match guard.ask(&ClientRequest::Query(question))? {
            ClientReply::Released(columns) => columns,
            ClientReply::Verdict(verdict) => {
                screen::note(verdict.message.as_deref().unwrap_or("denied"));
                return Ok(None);
            }
            ClientReply::NotKnown => return Ok(None),
            _ => return Err(form("a table of columns")),
        };
        match guard.ask(&ClientRequest::Catalogue)? {
            ClientReply::Catalogue(catalogue) => Ok(Some((columns, catalogue))),
            _ => Err(form("a catalogue")),
        }
    }

    /// The catalogue and the permit, so that `misu vet --catalog --permit` gives the verdict of the environment.
    fn judging(&self, environment: &Environment) -> Result<(), Failure> {
        for (path, text) in environment.catalogue_files()? {
            write(&self.out.join("catalog").join(path), text.as_bytes())?;
        }
        let permit = environment.room("policies").join(format!("{}.toml", self.project));
        let text = std::fs::read(&permit).map_err(io("read", &permit))?;
        write(&self.out.join("permit.toml"), &text)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    }
    std::fs::write(path, bytes).map_err(io("write", path))
}

/// What became of a branch, in a line for people.
fn told(file: &Path, branch: &Arranged) -> String {
    let mut text =
        format!("{}: {} persons with {}", file.display(), branch.persons, branch.holds.join(" and "));
    if !branch.left.is_empty() {
        text.push_str(&format!("; left to chance: {}", branch.left.join(", ")));
    }
    text
}
