//! The sub-commands.

mod audit;
mod doctor;
mod dummy;
pub(crate) mod figures;
pub(crate) mod quality;
mod query;
mod run;
mod signed;
mod synth;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::programs::Program;
use crate::{demo, portal};

pub(crate) use query::{Ask, Format, shown};
pub(crate) use synth::{Synth, write as write_synthetic};

/// A Visiting environment for linked, pseudonymized public health databases.
#[derive(Parser)]
#[command(name = "misu", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the whole main job: invented deliveries in, protected answers out, the portal left running.
    Demo(demo::Demo),
    /// Writes deliveries of an invented population, with the truth beside them.
    Synth(Synth),
    /// Makes an environment: rooms, keys, metadata database, catalogue, record.
    Init {
        /// The directory, empty or absent.
        env: PathBuf,
        /// Makes a demo, whose keys are derived from this seed and protect nothing.
        #[arg(long)]
        demo_seed: Option<u64>,
        /// Buckets that persons are spread over.
        #[arg(long, default_value_t = 16)]
        buckets: u32,
        /// The library of a hardware module (PKCS#11) that wraps the keys; its PIN is the passphrase.
        #[arg(long, requires = "pkcs11_token", conflicts_with = "demo_seed")]
        pkcs11_library: Option<PathBuf>,
        /// The label of the token.
        #[arg(long, requires = "pkcs11_library")]
        pkcs11_token: Option<String>,
        /// The metadata database on a PostgreSQL server, instead of a file of the environment.
        #[arg(long)]
        database_url: Option<String>,
    },
    /// Takes a delivery in, or every delivery of a folder; the same delivery twice changes nothing.
    Ingest {
        /// The delivery's folder.
        delivery: PathBuf,
        /// Reads a delivery that is held again, after its layouts were mended in the environment's catalogue.
        #[arg(long)]
        replay_quarantine: bool,
        /// Keys every identity under the former intake key as well, so that persons stay who they were.
        #[arg(long, conflicts_with = "replay_quarantine")]
        overlap: bool,
        #[command(flatten)]
        env: Env,
    },
    /// Reads official code masters into the environment's catalogue.
    Masters {
        #[command(subcommand)]
        command: Masters,
    },
    /// Links every identity by person.
    Link {
        #[command(flatten)]
        env: Env,
    },
    /// Publishes a snapshot and prints its id.
    Publish {
        #[command(flatten)]
        env: Env,
    },
    /// Reports on deliveries, quarantine and linkage.
    Quality {
        #[command(flatten)]
        env: Env,
        /// The snapshot, where not the latest.
        #[arg(long)]
        snapshot: Option<String>,
        /// The truth of invented deliveries (`misu synth` leaves it in truth/), to hold the linkage against.
        #[arg(long)]
        truth: Option<PathBuf>,
        /// Writes the report as a page.
        #[arg(long)]
        html: Option<PathBuf>,
        /// Keeps the report, sealed, for operators and data officers to read in the portal.
        #[arg(long)]
        keep: bool,
    },
    /// Seals a delivery or an opt-out list at the data holder (`seal DELIVERY --holder DIR --out SEALED`): no name leaves
    /// it.
    #[command(disable_help_flag = true)]
    Seal(Passed),
    /// A data holder's folder (`init`, `accept`).
    #[command(disable_help_flag = true)]
    Holder(Passed),
    /// Keys: `status`, `rotate`, `destroy`, `export`, `officer`.
    #[command(disable_help_flag = true)]
    Keys(Passed),
    /// Leaves the persons of listed identities out of every query (`add FILE`, `add SEALED`).
    #[command(disable_help_flag = true)]
    Optout(Passed),
    /// Lists what is in quarantine: places and kinds, never a byte of a line.
    #[command(disable_help_flag = true)]
    Quarantine(Passed),
    /// Runs pipelines (`run FILE.toml`) and shows what they did (`history`).
    #[command(disable_help_flag = true)]
    Pipeline(Passed),
    /// Shows deliveries (`list`), takes them back (`recall`), corrects their month (`move`), erases a dataset's year
    /// (`erase`), deletes raw files (`forget`).
    #[command(disable_help_flag = true)]
    Delivery(Passed),
    /// Shows snapshots (`list`) and removes those that no permit needs (`prune`).
    #[command(disable_help_flag = true)]
    Snapshots(Passed),
    /// Adds layouts and tables to the environment's catalogue (`add FOLDER`).
    #[command(disable_help_flag = true)]
    Catalog(Passed),
    /// Links the records of a registry's files, outside every environment.
    #[command(disable_help_flag = true)]
    LinkFiles(Passed),
    /// Brings an environment of an earlier version to the present one.
    #[command(disable_help_flag = true)]
    Upgrade(Passed),
    /// Says whether a query would run, without running it.
    Vet {
        #[command(flatten)]
        ask: Ask,
        /// Prints the verdict as JSON.
        #[arg(long)]
        json: bool,
        /// Says as well what the query would read, how many cells it has, and how many are hidden at least.
        #[arg(long, conflicts_with = "catalog")]
        budget: bool,
        /// Vets without an environment: the folder of catalogue files.
        #[arg(long, requires = "permit", conflicts_with = "env")]
        catalog: Option<PathBuf>,
        /// Vets without an environment: the approved application.
        #[arg(long, requires = "catalog")]
        permit: Option<PathBuf>,
    },
    /// Runs a query and prints its protected table.
    Query {
        #[command(flatten)]
        ask: Ask,
        /// The form of the table.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// An approved template instead of a text.
        #[arg(long, conflicts_with_all = ["sql", "file"])]
        template: Option<String>,
        /// A value for a parameter of the template, as NAME=VALUE.
        #[arg(long = "param", requires = "template", value_parser = query::parameter)]
        parameters: Vec<(String, String)>,
        /// Writes the release's certificate into this file.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// Runs an analysis file, step after step, and packs its outputs with their certificates.
    Run(run::Run),
    /// Makes tables that look like a project's and are about nobody, to write code against.
    Dummy(dummy::Dummy),
    /// Asks for the catalogue's figures, and puts what is released beside the columns.
    Figures(figures::Figures),
    /// Lists of codes of a project (`add FILE --system icd10 --name NAME`, `list`).
    Codes {
        #[command(subcommand)]
        command: workspace::Codes,
    },
    /// Registers tables of a project as cohorts for review (`register ws.NAME`).
    Cohort {
        #[command(subcommand)]
        command: workspace::Cohort,
    },
    /// Approves a query template for its project (the review board's act).
    ApproveTemplate {
        /// The template.
        file: PathBuf,
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// Who decided.
        #[arg(long)]
        by: String,
        /// A user of the project, under whose permit the examples are vetted.
        #[arg(long)]
        user: String,
    },
    /// Enters people with roles and training (`set`), lists them (`list`).
    #[command(disable_help_flag = true)]
    People(Passed),
    /// How people get in: `invite`, `disable`, `list`, and `link` (a demo's one-time sign-in).
    #[command(disable_help_flag = true)]
    Account(Passed),
    /// API tokens: `issue`, `list`, `revoke`.
    #[command(disable_help_flag = true)]
    Token(Passed),
    /// One-stop applications: `write`, `move submit`, `accept`, `review`, `approve`, `list`, `show`.
    #[command(disable_help_flag = true)]
    Application(Passed),
    /// Output review: `list`, `show`, `describe`, `attach`, `submit`, `review`, `approve`, `release`, `revoke`, `open`.
    #[command(disable_help_flag = true)]
    Output(Passed),
    /// Incidents and near misses: `enter`, `note`, `grade`, `discharge`, `declare`, `close`, `list`, `show`.
    #[command(disable_help_flag = true)]
    Incident(Passed),
    /// What was asked: list it (auditors), compare its verdicts under other rules, audit an answer that waits for it, forget
    /// it.
    #[command(disable_help_flag = true)]
    Questions(Passed),
    /// Lets anonymized rows of a project leave, by its pseudonyms (`provide ws.NAME… --project P --out DIR --keys FILE`).
    #[command(disable_help_flag = true)]
    Provide(Passed),
    /// Stops a project or all at once (`--project P | --all`, `--reason`).
    #[command(disable_help_flag = true)]
    Halt(Passed),
    /// Lets a project or all go on (`--project P | --all`, `--reason`).
    #[command(disable_help_flag = true)]
    Resume(Passed),
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
    /// Verifies and shows the record.
    Audit {
        #[command(subcommand)]
        command: audit::Audit,
    },
    /// Starts the guard and the portal.
    Serve(portal::Serve),
    /// Keeps keys, ledger, record, metadata and policies in one signed file (`--env ENV --out FILE`).
    #[command(disable_help_flag = true)]
    Backup(Passed),
    /// Makes an environment of a backup (`FILE --env NEW`).
    #[command(disable_help_flag = true)]
    Restore(Passed),
    /// Reports for the board: `period`, `project`, `release`, `usage`.
    #[command(disable_help_flag = true)]
    Report(Passed),
    /// Scores the environment against the checklist of trusted environments.
    #[command(disable_help_flag = true)]
    Checklist(Passed),
    /// Says what is wrong with an environment and what to do.
    Doctor {
        #[command(flatten)]
        env: Env,
        /// Measures how long it takes from a request to the first plan, instead of looking.
        #[arg(long)]
        pool: bool,
    },
}

/// Arguments that the program behind defines, with their help.
#[derive(Parser)]
pub(crate) struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Passed {
    fn run(self, command: &str) -> Result<ExitCode, Failure> {
        ingest(&[vec![command.to_owned()], self.arguments].concat())
    }

    fn run_guard(self, command: &str) -> Result<ExitCode, Failure> {
        Program::Guard.run(&[vec![command.to_owned()], self.arguments].concat()).map(|()| ExitCode::SUCCESS)
    }
}

/// What can be done with official code masters.
#[derive(Subcommand)]
enum Masters {
    /// Imports editions of official masters, the older first; the same file twice changes nothing.
    Import {
        /// The files as published: b_*, z_*, s_*, h_*, y_*, t_*, c_*.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        env: Env,
        /// The day from which the edition holds, where the file's name does not say it.
        #[arg(long)]
        edition: Option<String>,
        /// The layout of the files.
        #[arg(long, default_value = "master")]
        layout: String,
    },
}

/// The environment and how figures are printed.
#[derive(Parser)]
pub(crate) struct Env {
    /// The environment.
    #[arg(long)]
    pub(crate) env: PathBuf,
    /// Prints figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Env {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--env".to_owned(), self.env.display().to_string()];
        arguments.extend(self.json.then(|| "--json".to_owned()));
        arguments
    }
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Demo(demo) => demo.run(),
            Command::Synth(synth) => synth.run(),
            Command::Init { env, demo_seed, buckets, pkcs11_library, pkcs11_token, database_url } => {
                let mut arguments = vec!["init".to_owned(), env.display().to_string()];
                arguments.extend(["--buckets".to_owned(), buckets.to_string()]);
                arguments.extend(
                    demo_seed.into_iter().flat_map(|seed| ["--demo-seed".to_owned(), seed.to_string()]),
                );
                let library = pkcs11_library.map(|path| path.display().to_string());
                let values = [
                    ("--pkcs11-library", library),
                    ("--pkcs11-token", pkcs11_token),
                    ("--database-url", database_url),
                ];
                for (flag, value) in values {
                    arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
                }
                ingest(&arguments)
            }
            Command::Keys(passed) => passed.run("keys"),
            Command::Optout(passed) => passed.run("optout"),
            Command::Holder(passed) => passed.run("holder"),
            Command::Seal(passed) => passed.run("seal"),
            Command::Ingest { delivery, replay_quarantine, overlap, env } => {
                let mut arguments = vec!["ingest".to_owned(), delivery.display().to_string()];
                arguments.extend(replay_quarantine.then(|| "--replay-quarantine".to_owned()));
                arguments.extend(overlap.then(|| "--overlap".to_owned()));
                arguments.extend(env.arguments());
                ingest(&arguments)
            }
            Command::Masters { command: Masters::Import { files, env, edition, layout } } => {
                let mut arguments = vec!["masters".to_owned(), "import".to_owned()];
                arguments.extend(files.iter().map(|file| file.display().to_string()));
                arguments.extend(env.arguments());
                arguments.extend(["--layout".to_owned(), layout]);
                arguments.extend(edition.into_iter().flat_map(|day| ["--edition".to_owned(), day]));
                ingest(&arguments)
            }
            Command::Link { env } => ingest(&[vec!["link".to_owned()], env.arguments()].concat()),
            Command::Publish { env } => ingest(&[vec!["publish".to_owned()], env.arguments()].concat()),
            Command::Quarantine(passed) => passed.run("quarantine"),
            Command::Pipeline(passed) => passed.run("pipeline"),
            Command::Delivery(passed) => passed.run("delivery"),
            Command::Snapshots(passed) => passed.run("snapshots"),
            Command::Catalog(passed) => passed.run("catalog"),
            Command::LinkFiles(passed) => passed.run("link-files"),
            Command::Upgrade(passed) => passed.run("upgrade"),
            Command::Quality { env, snapshot, truth, html, keep } => {
                let to = quality::To { html, keep };
                quality::run(&env, (snapshot.as_deref(), truth.as_deref()), to)
            }
            Command::Vet { ask, json, budget: true, .. } => ask.estimate(json),
            Command::Vet { ask, json, catalog, permit, budget: false } => match (catalog, permit) {
                (Some(catalog), Some(permit)) => ask.vet_offline(&catalog, &permit, json),
                _ => ask.vet(json),
            },
            Command::Run(run) => run.run(),
            Command::People(passed) => passed.run_guard("people"),
            Command::Account(passed) => passed.run_guard("account"),
            Command::Token(passed) => passed.run_guard("token"),
            Command::Application(passed) => passed.run_guard("application"),
            Command::Output(passed) => passed.run_guard("output"),
            Command::Incident(passed) => passed.run_guard("incident"),
            Command::Questions(passed) => passed.run_guard("questions"),
            Command::Provide(passed) => passed.run_guard("provide"),
            Command::Halt(passed) => passed.run_guard("halt"),
            Command::Resume(passed) => passed.run_guard("resume"),
            Command::Query { ask, format, template: None, certificate, .. } => {
                ask.query(format, certificate.as_deref())
            }
            Command::Query { ask, format, template: Some(template), parameters, certificate } => {
                ask.template(template, parameters, (format, certificate.as_deref()))
            }
            Command::Dummy(dummy) => dummy.run(),
            Command::Figures(figures) => figures.run(),
            Command::ApproveTemplate { file, env, by, user } => {
                let [file, env] = [file, env].map(|path| path.display().to_string());
                let words = ["approve-template", &file, "--env", &env, "--by", &by, "--user", &user];
                Program::Guard.run(&words.map(str::to_owned)).map(|()| ExitCode::SUCCESS)
            }
            Command::CheckTable { file, audit_only, json, env, user } => {
                let mut arguments = vec!["check-table".to_owned(), file.display().to_string()];
                arguments.extend(audit_only.then(|| "--audit-only".to_owned()));
                arguments.extend(json.then(|| "--json".to_owned()));
                for (name, word) in [("--env", env.map(|env| env.display().to_string())), ("--as", user)] {
                    arguments.extend(word.into_iter().flat_map(|word| [name.to_owned(), word]));
                }
                Program::Guard.code(&arguments)
            }
            Command::Codes { command } => command.run(),
            Command::Cohort { command } => command.run(),
            Command::Audit { command } => command.run(),
            Command::Backup(passed) => passed.run_guard("backup"),
            Command::Restore(passed) => passed.run_guard("restore"),
            Command::Report(passed) => passed.run_guard("report"),
            Command::Checklist(passed) => passed.run_guard("checklist"),
            Command::Serve(serve) => serve.run(),
            Command::Doctor { env, pool: true } => doctor::pool(&env),
            Command::Doctor { env, pool: false } => doctor::run(&env),
        }
    }
}

fn ingest(arguments: &[String]) -> Result<ExitCode, Failure> {
    Program::Ingest.run(arguments).map(|()| ExitCode::SUCCESS)
}
