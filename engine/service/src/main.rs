//! `misu-guard`: answers questions about one environment, on a socket or on its standard streams.

mod board;
mod governing;

use std::io::{Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use audit::{Event, Kind, Log};
use catalog_store::{Environment, Passphrase};
use clap::{Parser, Subcommand};
use engine_service::{
    CheckHow, GovernError, Guard, Offline, OrderError, ProvisionError, WorkerProgram, approve_template,
    check_file, compiled, register, serve, serve_once,
};
use governance::Role;
use policies::{DEMO_APPLICATION, Form};
use time::OffsetDateTime;

use governing::House;

type Failure = Box<dyn std::error::Error>;

/// The guard of an environment: permits, vetting, release and the record. It speaks no HTTP.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers on a Unix socket until it is ended.
    Serve {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// The socket.
        #[arg(long)]
        socket: PathBuf,
        /// Ends when the program that started it does.
        #[arg(long)]
        end_with_parent: bool,
    },
    /// Answers on standard input and output until the input ends.
    Ask {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
    },
    /// Records an approval: the application becomes a permit on the latest snapshot.
    Approve {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// The application; the demo project's where it is left out.
        #[arg(long)]
        application: Option<PathBuf>,
        /// Days for which the permit holds.
        #[arg(long, default_value_t = 365)]
        days: u16,
        /// Who decided.
        #[arg(long)]
        by: String,
    },
    /// Who there is, in which roles.
    People {
        #[command(subcommand)]
        command: governing::people::People,
    },
    /// How people get in.
    Account {
        #[command(subcommand)]
        command: governing::account::Accounts,
    },
    /// API tokens.
    Token {
        #[command(subcommand)]
        command: governing::account::Tokens,
    },
    /// One-stop applications: write, submit, review, decide, stop, end.
    Application {
        #[command(subcommand)]
        command: governing::application::Applications,
    },
    /// Keeps all but the data in one signed file.
    Backup(board::backup::Backup),
    /// Makes an environment of a backup.
    Restore(board::backup::Restore),
    /// Reports for the board.
    Report {
        #[command(subcommand)]
        command: board::report::Report,
    },
    /// Keeps the quality report that comes on standard input, for operators and data officers to read in the portal.
    KeepQuality {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
    },
    /// Scores the environment against the checklist of trusted environments.
    Checklist(board::report::Checklist),
    /// Output review: list, show, describe, attach, submit, review, decide, release, revoke.
    Output {
        #[command(subcommand)]
        command: governing::output::Outputs,
    },
    /// Incidents and near misses: enter, note, grade, discharge duties, close.
    Incident {
        #[command(subcommand)]
        command: governing::incident::Incidents,
    },
    /// What was asked: list, compare, audit, forget.
    Questions {
        #[command(subcommand)]
        command: governing::questions::Questions,
    },
    /// Lets anonymized rows of a project leave, by its pseudonyms; takes two officers, each calling once.
    Provide(governing::provide::Provide),
    /// Stops a project, or all, at once.
    Halt(governing::halt::Stop),
    /// Lets a project, or all, go on.
    Resume(governing::halt::Stop),
    /// Signs a checkpoint over the record.
    Checkpoint {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
    },
    /// Approves a query template: pins its text, its domains and its plan.
    ApproveTemplate {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// The template.
        file: PathBuf,
        /// Who decided.
        #[arg(long)]
        by: String,
        /// A user of the project, under whose permit the examples are vetted.
        #[arg(long)]
        user: String,
    },
    /// Vets a query without an environment, with a folder of catalogue files and an approved application.
    Vet {
        /// The folder of catalogue files.
        #[arg(long)]
        catalog: PathBuf,
        /// The approved application.
        #[arg(long)]
        permit: PathBuf,
        /// The query; standard input where it is left out.
        sql: Option<String>,
    },
    /// Measures how long it takes from a request to the first plan, with workers that stand ready and without.
    Latency {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// Requests of each kind.
        #[arg(long, default_value_t = 100)]
        requests: usize,
    },
    /// Checks a table made elsewhere: which cells must be hidden, and what a reader can derive of them.
    CheckTable {
        /// The table, as JSON.
        file: PathBuf,
        /// Judges the pattern of the file instead of making one.
        #[arg(long)]
        audit_only: bool,
        /// Prints the answer as JSON.
        #[arg(long)]
        json: bool,
        /// The environment with whose ledger cells that name their persons are compared.
        #[arg(long, requires = "user")]
        env: Option<PathBuf>,
        /// The data officer who asks the ledger; it is recorded.
        #[arg(long = "as", value_name = "USER", requires = "env")]
        user: Option<String>,
    },
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    if let Command::CheckTable { file, audit_only, json, env, user } = &command {
        let house = match env.as_deref().zip(user.as_deref()).map(|(env, user)| officer(env, user)) {
            Some(Ok(Some(house))) => Some(house),
            None => None,
            Some(Ok(None)) => {
                let _ = writeln!(std::io::stderr(), "misu-guard: only a data officer asks the ledger");
                return ExitCode::from(4);
            }
            Some(Err(error)) => return failed(error.as_ref()),
        };
        let beside = house.as_ref().map(|house| (&house.environment, &house.log));
        return check(file, CheckHow { audit_only: *audit_only, json: *json, beside });
    }
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.as_ref()),
    }
}

/// Says what failed, with its causes.
fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let causes = std::iter::successors(error.source(), |error| error.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let _ = writeln!(std::io::stderr(), "misu-guard: {text}");
    code(error)
}

/// The house, where a data officer asks; that the ledger is asked stands in the record first.
fn officer(env: &Path, user: &str) -> Result<Option<House>, Failure> {
    let house = House::open(env)?;
    if !house.actor(user)?.is(Role::DataOfficer) {
        return Ok(None);
    }
    house.log.record(Event::new(Kind::View, user).subject("check-table"))?;
    Ok(Some(house))
}

/// 5 where an answer stays withheld, 4 where governance or a permit does not allow it, 2 where what was given is not of
/// the form, 1 where it is our fault.
fn code(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    if let Some(error) = error.downcast_ref::<OrderError>() {
        return ExitCode::from(match error {
            OrderError::NotWaiting(_) | OrderError::Forgotten(_) => 2,
            OrderError::NotAllowed { .. } => 4,
            OrderError::Withheld { .. } => 5,
            OrderError::NotComputed { .. } | OrderError::Guard(_) => 1,
        });
    }
    if error.downcast_ref::<ProvisionError>().is_some_and(ProvisionError::is_denied) {
        return ExitCode::from(4);
    }
    match error.downcast_ref::<GovernError>().and_then(GovernError::rule) {
        Some("field" | "form" | "no-move") => ExitCode::from(2),
        Some(_) => ExitCode::from(4),
        None => ExitCode::FAILURE,
    }
}

fn run(command: Command) -> Result<(), Failure> {
    // Keys are in this process's memory: no image of it is written, and no other process of its user reads it.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    match command {
        Command::Serve { env, socket, end_with_parent } => {
            if end_with_parent {
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
            }
            let guard = open(&env)?;
            // A service whose workers cannot be locked in does not start.
            guard.prepare()?;
            let listens = || writeln!(stdout(), "listening on {}", socket.display());
            Ok(serve(&Arc::new(guard), &socket, listens)?)
        }
        Command::Ask { env } => Ok(serve_once(&open(&env)?, stdin().lock(), stdout().lock())?),
        Command::Approve { env, application, days, by } => approve(&env, application.as_deref(), days, &by),
        Command::People { command } => command.run(),
        Command::Account { command } => command.run(),
        Command::Token { command } => command.run(),
        Command::Application { command } => command.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Report { command } => command.run(),
        Command::KeepQuality { env } => board::keep_quality(&env),
        Command::Checklist(checklist) => checklist.run(),
        Command::Output { command } => command.run(),
        Command::Incident { command } => command.run(),
        Command::Questions { command } => command.run(),
        Command::Provide(provide) => provide.run(),
        Command::Halt(stop) => stop.halt(),
        Command::Resume(stop) => stop.resume(),
        Command::Checkpoint { env } => governing::checkpoint::run(&env),
        Command::ApproveTemplate { env, file, by, user } => {
            let text = std::fs::read_to_string(&file)?;
            let template = approve_template(&open(&env)?, &text, &user, &by)?;
            Ok(writeln!(
                stdout(),
                "template {} approved for project {}",
                template.template,
                template.project
            )?)
        }
        Command::Vet { catalog, permit, sql } => vet(&catalog, &permit, sql),
        Command::Latency { env, requests } => latency(&open(&env)?, requests),
        Command::CheckTable { .. } => Ok(()),
    }
}

/// 0 where the table can go out as answered, 5 where it must not, 2 where the file is no table.
fn check(file: &Path, how: CheckHow<'_>) -> ExitCode {
    match check_file(file, how) {
        Ok(checked) => {
            let _ = writeln!(stdout(), "{}", checked.text);
            if checked.is_open { ExitCode::SUCCESS } else { ExitCode::from(5) }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "misu-guard: {error}");
            ExitCode::from(2)
        }
    }
}

/// The upper ends of the bars, in milliseconds.
const BARS: [u64; 10] = [5, 10, 15, 20, 25, 35, 50, 75, 100, 150];

fn latency(guard: &Guard, requests: usize) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for latency in guard.latency(requests.max(1))? {
        let at = |percent| latency.percentile(percent).as_secs_f64() * 1_000.0;
        writeln!(out, "worker {}: p50 {:.1} ms, p99 {:.1} ms", latency.way, at(50), at(99))?;
        let counts = latency.histogram(&BARS);
        let over = latency.times.len() - counts.iter().sum::<usize>();
        for (bound, count) in BARS.iter().zip(&counts).filter(|(_, count)| **count > 0) {
            writeln!(out, "  up to {bound:>4} ms {count:>5} {}", bar(*count, latency.times.len()))?;
        }
        if over > 0 {
            writeln!(out, "  longer       {over:>5} {}", bar(over, latency.times.len()))?;
        }
    }
    Ok(())
}

/// A bar of up to forty signs.
fn bar(count: usize, all: usize) -> String {
    "#".repeat((count * 40).div_ceil(all.max(1)))
}

fn open(env: &Path) -> Result<Guard, Failure> {
    let worker = WorkerProgram::beside(&std::env::current_exe()?)?;
    let passphrase = Passphrase::find(&|name| std::env::var_os(name))?;
    Ok(Guard::open(env, worker, OffsetDateTime::now_utc)?.unlocked_by(passphrase))
}

fn approve(env: &Path, application: Option<&Path>, days: u16, by: &str) -> Result<(), Failure> {
    let environment = Environment::open(env)?;
    let form = match application {
        Some(path) => Form::parse(&path.display().to_string(), &std::fs::read_to_string(path)?)?,
        None => Form::parse(DEMO_APPLICATION.0, DEMO_APPLICATION.1)?,
    };
    let permit = compiled(&environment, form, OffsetDateTime::now_utc(), days)?;
    let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
    Ok(register(&environment, &log, &permit, by, days)?)
}

fn vet(catalog: &Path, permit: &Path, sql: Option<String>) -> Result<(), Failure> {
    let offline = Offline::open(catalog, permit)?;
    let sql = match sql {
        Some(sql) => sql,
        None => std::io::read_to_string(stdin())?,
    };
    writeln!(stdout(), "{}", serde_json::to_string(&offline.verdict(&sql))?)?;
    Ok(())
}
