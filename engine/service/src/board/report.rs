//! `misu-guard report`: a report as a page, a PDF, a workbook or its figures, bound to the record.

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use audit::Log;
use clap::{Args, Subcommand, ValueEnum};
use engine_service::{Desk, Span, dossier, evidence, passed, pdf, period, proven, scored, seal, usage};
use reports::Language;
use reports::board::{Document, Seal, checklist, page, xlsx};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use crate::Failure;

/// Which report.
#[derive(Subcommand)]
pub(crate) enum Report {
    /// A period: projects, questions, refusals, releases, what was hidden, keys, deliveries, the checklist.
    Period {
        #[command(flatten)]
        shared: Shared,
    },
    /// One project: its permit, decisions, questions, columns.
    Project {
        /// The project.
        project: String,
        #[command(flatten)]
        shared: Shared,
    },
    /// One release: what it rests on, what was hidden, what was given out.
    Release {
        /// The query's id.
        query: String,
        #[command(flatten)]
        shared: Shared,
    },
    /// Granted columns beside those that queries read.
    Usage {
        /// The project, where not all.
        #[arg(long)]
        project: Option<String>,
        #[command(flatten)]
        shared: Shared,
    },
}

/// What every report takes.
#[derive(Args)]
pub(crate) struct Shared {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// The first day, as 2026-11-01; the first of the month where it is left out.
    #[arg(long)]
    from: Option<String>,
    /// The last day; today where it is left out.
    #[arg(long)]
    to: Option<String>,
    /// The file; its ending says the form: .html, .pdf, .xlsx, .json. Figures are printed where it is left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The language.
    #[arg(long, value_enum, default_value_t = Tongue::Ja)]
    lang: Tongue,
    /// Who makes the report.
    #[arg(long = "as", default_value = "operator")]
    user: String,
}

/// A language.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// Japanese.
    Ja,
    /// English.
    En,
}

impl From<Tongue> for Language {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::Ja => Self::Japanese,
            Tongue::En => Self::English,
        }
    }
}

/// Scores the environment against the checklist.
#[derive(Args)]
pub(crate) struct Checklist {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// What `cargo test` printed: only tests that passed there count as evidence.
    #[arg(long)]
    tests: Option<PathBuf>,
    /// Prints the lines as JSON.
    #[arg(long)]
    json: bool,
    /// The language.
    #[arg(long, value_enum, default_value_t = Tongue::Ja)]
    lang: Tongue,
}

impl Report {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Period { shared } => {
                let (desk, span) = shared.open()?;
                let figures = period(&desk, &span)?;
                shared.write(&desk, "period", &figures, |language| figures.document(language))
            }
            Self::Project { project, shared } => {
                let (desk, span) = shared.open()?;
                let figures = dossier(&desk, &span, &project)?;
                let name = format!("project {project}");
                shared.write(&desk, &name, &figures, |language| figures.document(language))
            }
            Self::Release { query, shared } => {
                let (desk, _) = shared.open()?;
                let figures = evidence(&desk, &query)?;
                let name = format!("release {query}");
                // The proof is of the checkpoint that is signed on the way, so it is not among the figures.
                let worded = |language| match proven(&desk, figures.clone()) {
                    Ok(proven) => proven.document(language),
                    Err(_) => figures.document(language),
                };
                shared.write(&desk, &name, &figures, worded)
            }
            Self::Usage { project, shared } => {
                let (desk, span) = shared.open()?;
                let figures = usage(&desk, &span, project.as_deref());
                shared.write(&desk, "usage", &figures, |language| figures.document(language))
            }
        }
    }
}

impl Shared {
    fn open(&self) -> Result<(Desk, Span), Failure> {
        let now = OffsetDateTime::now_utc();
        let span = Span::parse(self.from.as_deref(), self.to.as_deref(), now)?;
        Ok((open(&self.env, now)?, span))
    }

    /// Binds the figures to the record and writes them in the form that the file's name asks for.
    fn write<T: Serialize>(
        &self,
        desk: &Desk,
        name: &str,
        figures: &T,
        worded: impl FnOnce(Language) -> Document,
    ) -> Result<(), Failure> {
        let form =
            self.out.as_deref().and_then(Path::extension).map(|form| form.to_string_lossy().into_owned());
        let form = form.as_deref().unwrap_or("json");
        if !["html", "pdf", "xlsx", "json"].contains(&form) {
            return Err("a report ends in .html, .pdf, .xlsx or .json".into());
        }
        let language = Language::from(self.lang);
        let text = serde_json::to_string(figures)?;
        let seal = seal(desk, &self.user, name, text.as_bytes())?;
        let bytes = match form {
            "json" => whole(&text, &seal)?.into_bytes(),
            form => {
                let document = Document { seal: Some(seal.worded(language)), ..worded(language) };
                match form {
                    "html" => page(&document)?.into_bytes(),
                    "xlsx" => xlsx(&document)?,
                    _ => pdf(&document)?,
                }
            }
        };
        match &self.out {
            Some(out) => std::fs::write(out, bytes)
                .map_err(|error| format!("cannot write {}: {error}", out.display()).into()),
            None => Ok(stdout().write_all(&bytes)?),
        }
    }
}

/// The figures exactly as their digest was made, with the seal behind them.
fn whole(figures: &str, seal: &Seal) -> Result<String, Failure> {
    Ok(format!("{{\"figures\":{figures},\n\"seal\":{}}}\n", serde_json::to_string(seal)?))
}

fn open(env: &Path, now: OffsetDateTime) -> Result<Desk, Failure> {
    let environment = super::environment(env)?;
    let log = Log::open(&environment.room("audit"), OffsetDateTime::now_utc)?;
    Ok(Desk::open(environment, log, now)?)
}

impl Checklist {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let desk = open(&self.env, OffsetDateTime::now_utc())?;
        let report = self.tests.as_deref().map(std::fs::read_to_string).transpose()?;
        let passed = report.as_deref().map(passed);
        let lines = scored(&desk, passed.as_ref())?;
        let sum = checklist::roll_up(&lines);
        let mut out = stdout();
        if self.json {
            let figures = json!({ "points": sum.points, "most": sum.most, "met": sum.met, "lines": sum.lines,
                "mandatory_unmet": sum.mandatory_unmet, "checklist": lines });
            return Ok(writeln!(out, "{figures}")?);
        }
        for line in &lines {
            let score = line.score.map_or_else(|| "-".to_owned(), |score| score.to_string());
            let (words, why) = match self.lang {
                Tongue::Ja => (&line.ja, &line.why_ja),
                Tongue::En => (&line.en, &line.why_en),
            };
            writeln!(out, "{:<4} {} {score}  {words}\n         {why}", line.id, line.level)?;
        }
        let (points, met, unmet) = match self.lang {
            Tongue::Ja => ("得点", "達成", "必須で未達"),
            Tongue::En => ("points", "met", "mandatory lines not met"),
        };
        writeln!(
            out,
            "{points} {} / {}, {met} {} / {}, {unmet} {}",
            sum.points, sum.most, sum.met, sum.lines, sum.mandatory_unmet
        )?;
        Ok(())
    }
}
