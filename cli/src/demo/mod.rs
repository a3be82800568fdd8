//! `misu demo`: the whole main job, on an invented population.

mod questions;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use catalog_model::Month;
use catalog_store::Environment;
use clap::Parser;
use engine_protocol::{ClientReply, ClientRequest, Question};
use synthetic::Options;

use crate::ask::Guard;
use crate::commands::figures::{Askers, Came, figures};
use crate::commands::{Format, quality, shown};
use crate::failure::{Failure, io};
use crate::portal::{self, DEMO_PEOPLE, Doors, Running, Streams};
use crate::programs::{self, Program};
use crate::screen;
use questions::{QUESTIONS, REFUSED_QUESTION};
use summary::Summary;

const USER: &str = "demo-researcher";
const PROJECT: &str = "demo";
const OFFICER: &str = "demo-officer";
/// Tables whose figures a demo with a portal shows.
const FIGURES: [&str; 2] = ["person", "ndb_receipt"];
/// Training in a demo does not run out while somebody looks at it.
const TRAINED_UNTIL: &str = "2099-03-31";
/// Rows of an answer that are printed.
const ROWS: usize = 24;
/// The share of lines that get a planted fault, so that quarantine has something to show.
const FAULT_RATE: f64 = 0.0002;

/// Shows the whole main job.
#[derive(Parser)]
pub(crate) struct Demo {
    /// Persons of the invented population.
    #[arg(long, default_value_t = 20_000)]
    persons: u32,
    /// Months of deliveries.
    #[arg(long, default_value_t = 24)]
    months: u32,
    /// The seed of population and keys: same seed, same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for deliveries/, truth/ and env/.
    #[arg(long, default_value = "misu-demo")]
    dir: PathBuf,
    /// The address of the portal.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Does not start the portal.
    #[arg(long)]
    no_serve: bool,
}

impl Demo {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let env = self.dir.join("env");
        clear(&self.dir, &env)?;
        let mut summary = Summary::new();
        self.deliver(&mut summary)?;
        self.build(&env, &mut summary)?;
        let answers = Instant::now();
        ask_questions(&env)?;
        summary.took("five questions", answers);
        summary.print(&self.dir, &env)?;
        where_next(&env);
        if !self.no_serve {
            put_figures(&env)?;
            let running = Running::start(&env, &self.listen, &Doors::default(), Streams::Files)?;
            running.announce();
            running.leave(&env)?;
            let misu = programs::called();
            screen::say(&format!("  it goes on; end it with: {misu} serve --stop --env {}", env.display()));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn deliver(&self, summary: &mut Summary) -> Result<(), Failure> {
        heading("1. Deliveries of an invented population, in the official formats");
        let begun = Instant::now();
        let first_month =
            Month::new(2023, 4).ok_or_else(|| Failure::Fault("2023-04 is a month".to_owned()))?;
        let options = Options {
            persons: self.persons,
            months: self.months,
            first_month,
            seed: self.seed,
            fault_rate: FAULT_RATE,
        };
        let written = crate::commands::write_synthetic(&options, &self.dir)?;
        summary.took("writing deliveries", begun);
        screen::say(&format!(
            "{} persons, {} deliveries, {} files, {} lines, {} MB; {} faults planted on purpose",
            written.persons,
            written.deliveries,
            written.files,
            written.records,
            written.bytes / 1_000_000,
            written.faults,
        ));
        Ok(())
    }

    fn build(&self, env: &Path, summary: &mut Summary) -> Result<(), Failure> {
        let text = |path: &Path| path.display().to_string();
        let env_arguments = ["--env".to_owned(), text(env), "--json".to_owned()];
        heading("2. Read, pseudonymize and link them, publish a snapshot");
        let seed = self.seed.to_string();
        Program::Ingest.run(&["init".to_owned(), text(env), "--demo-seed".to_owned(), seed])?;
        let begun = Instant::now();
        let arguments =
            [vec!["ingest".to_owned(), text(&self.dir.join("deliveries"))], env_arguments.to_vec()].concat();
        Program::Ingest.output(&arguments)?;
        summary.took("reading and keying", begun);
        let begun = Instant::now();
        Program::Ingest.output(&[vec!["link".to_owned()], env_arguments.to_vec()].concat())?;
        summary.took("linking", begun);
        let begun = Instant::now();
        Program::Ingest.output(&[vec!["publish".to_owned()], env_arguments.to_vec()].concat())?;
        summary.took("publishing", begun);
        let environment = Environment::open(env)?;
        let snapshots = environment.snapshots()?;
        let head = snapshots.head().map_err(|error| Failure::Fault(error.to_string()))?;
        if let Some((_, manifest)) = head {
            screen::say(&format!("snapshot {} with {} linked persons", manifest.id, manifest.body.persons));
        }
        enter_people(&text(env))?;
        let arguments = ["approve", "--env", &text(env), "--by", "demo-board"].map(str::to_owned);
        Program::Guard.run(&arguments)?;
        screen::say(&format!("project {PROJECT}: approved for {USER} on this snapshot"));
        let begun = Instant::now();
        let report = quality::report(env, None, None)?;
        quality::keep(env, &report)?;
        summary.took("quality report", begun);
        let begun = Instant::now();
        let truth = text(&self.dir.join("truth"));
        let evaluation = Program::Ingest
            .output(&["evaluate", "--truth", &truth, "--env", &text(env)].map(str::to_owned))?;
        summary.took("comparing with the truth", begun);
        summary.figures(report, &evaluation)
    }
}

/// Enters the people of the demo; the operator enters themselves first.
fn enter_people(env: &str) -> Result<(), Failure> {
    let [(operator, ..), ..] = DEMO_PEOPLE;
    for (user, role, _) in DEMO_PEOPLE {
        let arguments = ["people", "set", "--env", env, "--as", operator, user, "--role", role];
        let training = ["--trained-until", TRAINED_UNTIL, "--organisation", "架空の組織"];
        Program::Guard.run(
            &[arguments.as_slice(), &training].concat().into_iter().map(str::to_owned).collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

/// Removes an earlier demo; anything else in the way is left alone.
fn clear(dir: &Path, env: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        return std::fs::create_dir_all(dir).map_err(io("create", dir));
    }
    let is_empty = std::fs::read_dir(dir).map_err(io("read", dir))?.next().is_none();
    let is_demo = Environment::open(env).is_ok_and(|env| env.config().demo_seed.is_some());
    // A demo that was ended before it had an environment.
    let has_begun = dir.join("deliveries").exists() && !env.join("misu.toml").exists();
    if !is_empty && !is_demo && !has_begun {
        let text = format!("{} is not empty and not an earlier demo; choose another --dir", dir.display());
        return Err(Failure::Call(text));
    }
    portal::stop(env)?;
    for part in ["deliveries", "truth", "env"] {
        let path = dir.join(part);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(())
}

fn ask_questions(env: &Path) -> Result<(), Failure> {
    heading("3. Ask linked questions; rows stay inside, protected tables come out");
    let mut guard = Guard::of(env)?;
    let question =
        |sql: &str| Question { user: USER.to_owned(), project: PROJECT.to_owned(), sql: sql.to_owned() };
    for (number, asked) in QUESTIONS.iter().enumerate() {
        screen::say(&format!("\n({}) {}\n    {}\n", number + 1, asked.ja, asked.en));
        screen::say(&indent(asked.sql));
        match guard.ask(&ClientRequest::Query(question(asked.sql)))? {
            ClientReply::Released(mut table) => {
                let rows = table.rows.len();
                table.rows.truncate(ROWS);
                screen::write(&shown(&table, Format::Table)?);
                if rows > ROWS {
                    screen::say(&format!("… and {} more rows", rows - ROWS));
                }
            }
            other => {
                return Err(Failure::Fault(format!("question {} was not answered: {other:?}", number + 1)));
            }
        }
    }
    screen::say(&format!("\n(6) {}\n    {}\n", REFUSED_QUESTION.ja, REFUSED_QUESTION.en));
    match guard.ask(&ClientRequest::Query(question(REFUSED_QUESTION.sql)))? {
        ClientReply::Verdict(verdict) => {
            screen::say(&reports::verdict::text(&verdict, REFUSED_QUESTION.sql, screen::language()));
            Ok(())
        }
        other => Err(Failure::Fault(format!("a forbidden question was answered: {other:?}"))),
    }
}

/// Asks for the figures of some tables, so that the portal's catalogue has something to show.
fn put_figures(env: &Path) -> Result<(), Failure> {
    let askers = Askers { user: USER, project: PROJECT, officer: OFFICER };
    let came = figures(&mut Guard::of(env)?, askers, &FIGURES.map(str::to_owned))?;
    let shown = came.iter().filter(|(_, came)| *came == Came::Shown).count();
    screen::say(&format!("\n{shown} released figures stand in the portal's catalogue"));
    Ok(())
}

fn where_next(env: &Path) {
    let (env, misu) = (env.display(), programs::called());
    heading("Where to look next");
    screen::say(&format!(
        "  {misu} query --env {env} \"SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex\"\n  \
         {misu} quality --env {env}            what became of every delivered line\n  \
         {misu} audit verify --env {env}       the record of what was asked\n  \
         {misu} doctor --env {env}"
    ));
}

fn heading(text: &str) {
    screen::say(&format!("\n== {text}"));
}

fn indent(sql: &str) -> String {
    sql.lines().map(|line| format!("    {line}\n")).collect()
}
