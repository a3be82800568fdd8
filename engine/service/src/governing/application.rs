//! `misu-guard application`: the one-stop application from draft to the end of use.

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use audit::{Event, Kind, Log};
use catalog_store::{CaseRecord, Environment};
use clap::{Subcommand, ValueEnum};
use engine_service::Permits;
use governance::application::{Action, Application, Mark, Vote};
use governance::form::FormSchema;
use governance::{Move, Role};
use policies::{Approval, Form, Policies};
use time::{Duration, OffsetDateTime};

use super::{Acting, House};
use crate::Failure;

const KIND: &str = "application";
/// The edition of the form that new applications are written on.
const FORM: &str = policies::APPLICATION_FORM;

/// What to do with an application. Its id is its project's.
#[derive(Subcommand)]
pub(crate) enum Applications {
    /// Begins a draft from a file, or writes a new version of one that is being written.
    Write {
        #[command(flatten)]
        acting: Acting,
        /// The application: TOML with the permit's sections and `[answers]`.
        file: PathBuf,
    },
    /// Makes a move that needs no more than a reason.
    Move {
        #[command(flatten)]
        acting: Acting,
        /// What is done.
        #[arg(value_enum)]
        what: Step,
        /// The project.
        project: String,
        /// Why, or what is to be changed, or what interest there is, or the deletion record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Finds it complete and hands it to reviewers.
    Accept {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// A reviewer; at least two.
        #[arg(long = "reviewer", required = true)]
        reviewers: Vec<String>,
    },
    /// Gives an opinion.
    Review {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// For or against.
        #[arg(long, value_enum)]
        vote: Opinion,
        /// Why.
        #[arg(long)]
        comment: String,
    },
    /// Decides for it; the permit is made on the latest snapshot.
    Approve {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// A condition of the decision.
        #[arg(long = "condition")]
        conditions: Vec<String>,
        /// Days for which the permit holds.
        #[arg(long, default_value_t = 365)]
        days: u16,
    },
    /// Lists applications and where they stand.
    List {
        #[command(flatten)]
        acting: Acting,
    },
    /// Shows an application with its moves.
    Show {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
    },
}

/// A move without content but a reason.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Hands it in.
    Submit,
    /// Takes it back.
    Withdraw,
    /// Sends it back.
    Return,
    /// Declares an interest.
    Declare,
    /// Decides against it.
    Reject,
    /// Appeals.
    Appeal,
    /// Begins an amendment or a renewal.
    Amend,
    /// Stops the use.
    Suspend,
    /// Lets it go on.
    Resume,
    /// Ends the use.
    Close,
    /// Confirms that data and keys are destroyed.
    Finish,
}

/// For or against.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Opinion {
    /// For it.
    For,
    /// For it once something is changed.
    Changes,
    /// Against it.
    Against,
}

impl Step {
    fn action(self, reason: String) -> Action {
        match self {
            Self::Submit => Action::Submit,
            Self::Withdraw => Action::Withdraw,
            Self::Return => Action::Return { reason },
            Self::Declare => Action::Declare { interest: reason },
            Self::Reject => Action::Reject { reason },
            Self::Appeal => Action::Appeal { reason },
            Self::Amend => Action::Amend,
            Self::Suspend => Action::Suspend { reason },
            Self::Resume => Action::Resume,
            Self::Close => Action::Close { reason },
            Self::Finish => Action::Finish { record: reason },
        }
    }
}

impl Applications {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Write { acting, file } => write(&acting, &file),
            Self::Move { acting, what, project, reason } => step(&acting, &project, what.action(reason)),
            Self::Accept { acting, project, reviewers } => {
                step(&acting, &project, Action::Accept { reviewers })
            }
            Self::Review { acting, project, vote, comment } => {
                let vote = match vote {
                    Opinion::For => Vote::For,
                    Opinion::Changes => Vote::Changes,
                    Opinion::Against => Vote::Against,
                };
                step(&acting, &project, Action::Review { vote, comment })
            }
            Self::Approve { acting, project, conditions, days } => {
                approve(&acting, &project, conditions, days)
            }
            Self::List { acting } => list(&acting),
            Self::Show { acting, project } => show(&acting, &project),
        }
    }
}

fn write(acting: &Acting, file: &Path) -> Result<(), Failure> {
    let house = House::open(&acting.env)?;
    let document = std::fs::read_to_string(file)?;
    let form = Form::parse(&file.display().to_string(), &document)?;
    let actor = house.actor(&acting.user)?;
    if house.meta.case(KIND, form.project())?.is_none() {
        let schema = FormSchema::parse(FORM)?;
        Application::begin(form.project(), schema.clone(), &actor)?;
        let case = CaseRecord {
            kind: KIND.to_owned(),
            id: form.project().to_owned(),
            by: acting.user.clone(),
            at: house.moment()?,
            about: schema.edition,
            moves: Vec::new(),
        };
        house.meta.begin_case(&case)?;
    }
    let people = form.people().iter().map(|person| person.user.clone()).collect();
    let action = Action::Write { document, answers: form.answers().clone(), people };
    make(&house, acting, &mut load(&house, form.project())?, action)
}

fn step(acting: &Acting, project: &str, action: Action) -> Result<(), Failure> {
    let house = House::open(&acting.env)?;
    let mut application = load(&house, project)?;
    let was_in_force = application.state().is_in_force();
    let mark = action.mark();
    make(&house, acting, &mut application, action)?;
    let is_in_force = application.state().is_in_force();
    let permits = Permits::new(house.environment.room("policies"));
    if was_in_force && !is_in_force {
        permits.withdraw(project)?;
        let event = Event::new(Kind::PermitWithdrawn, &acting.user).project(project);
        house.log.record(event.with("reason", mark.as_str()))?;
    } else if mark == Mark::Resume {
        permits.reinstate(project)?;
        let event = Event::new(Kind::PermitRegistered, &acting.user).project(project);
        house.log.record(event.with("reason", mark.as_str()))?;
    }
    Ok(())
}

/// The permit is compiled before the decision is stored: what does not compile cannot be approved.
fn approve(acting: &Acting, project: &str, conditions: Vec<String>, days: u16) -> Result<(), Failure> {
    let house = House::open(&acting.env)?;
    let mut application = load(&house, project)?;
    let action = Action::Approve { conditions };
    application.judge(&house.actor(&acting.user)?, &action)?;
    let form = Form::parse(project, application.document())?;
    let permit = compiled(&house.environment, form, house.now, days)?;
    make(&house, acting, &mut application, action)?;
    register(&house.environment, &house.log, &permit, &acting.user, days)
}

/// The permit of a form on the latest snapshot; what does not compile to policies is not approved.
pub(crate) fn compiled(
    environment: &Environment,
    form: Form,
    now: OffsetDateTime,
    days: u16,
) -> Result<policies::Application, Failure> {
    let (_, head) =
        environment.snapshots()?.head()?.ok_or("there is no snapshot yet; run `misu publish` first")?;
    let permit = form.approve(Approval {
        snapshot: head.id.clone(),
        period: head.body.period,
        valid_from: now,
        valid_until: now + Duration::days(i64::from(days)),
    })?;
    let (catalogue, _) = environment.catalogue()?;
    Policies::load([permit.clone()], &catalogue)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok(permit)
}

/// Records that a permit holds from now on, and lets it hold.
pub(crate) fn register(
    environment: &Environment,
    log: &Log,
    permit: &policies::Application,
    by: &str,
    days: u16,
) -> Result<(), Failure> {
    let event = Event::new(Kind::PermitRegistered, by).project(permit.project());
    log.record(event.subject(permit.approval().snapshot.as_str()).with("days", u64::from(days)))?;
    Ok(Permits::new(environment.room("policies")).register(permit)?)
}

fn load(house: &House, project: &str) -> Result<Application, Failure> {
    let case = house.meta.case(KIND, project)?.ok_or_else(|| format!("there is no application {project}"))?;
    let schema = FormSchema::parse(FORM)?;
    let moves = case.moves.iter().map(|text| serde_json::from_str(text));
    let moves = moves.collect::<Result<Vec<Move<Action>>, _>>()?;
    Ok(Application::replay(project, schema, &case.by, moves))
}

/// Makes a move: judged, recorded, stored, in this order, so that no move stands that is not in the record.
fn make(
    house: &House,
    acting: &Acting,
    application: &mut Application,
    action: Action,
) -> Result<(), Failure> {
    let actor = house.actor(&acting.user)?;
    let before = application.state();
    let number = application.moves().len() as u64;
    let made = serde_json::to_string(application.make(&actor, house.now, action)?)?;
    let mark = application.moves().last().map(|made| made.action.mark().as_str()).unwrap_or_default();
    let event = Event::new(Kind::ApplicationMoved, &acting.user).project(application.id());
    let event =
        event.with("action", mark).with("from", before.as_str()).with("to", application.state().as_str());
    house.log.record(event.with("number", number))?;
    if !house.meta.add_move(KIND, application.id(), number, &made)? {
        return Err("the application has moved meanwhile; look at it again".into());
    }
    let state = application.state();
    writeln!(stdout(), "{}: {} ({})", application.id(), state.as_str(), state.ja())?;
    Ok(())
}

fn list(acting: &Acting) -> Result<(), Failure> {
    let house = House::open(&acting.env)?;
    let reader = house.actor(&acting.user)?;
    for case in house.meta.cases(KIND)? {
        let application = load(&house, &case.id)?;
        if may_read(&application, &reader) {
            let people: Vec<&str> = application.people().iter().map(String::as_str).collect();
            writeln!(stdout(), "{:20} {:22} {}", case.id, application.state().as_str(), people.join(","))?;
        }
    }
    Ok(())
}

/// Its people read an application, and everybody who has an office in the house.
fn may_read(application: &Application, reader: &governance::Actor) -> bool {
    application.people().contains(reader.user())
        || [Role::Reviewer, Role::DataOfficer, Role::Operator, Role::Auditor]
            .iter()
            .any(|role| reader.is(*role))
}

fn show(acting: &Acting, project: &str) -> Result<(), Failure> {
    let house = House::open(&acting.env)?;
    let reader = house.actor(&acting.user)?;
    let application = load(&house, project)?;
    if !may_read(&application, &reader) {
        return Err(format!("there is no application {project}").into());
    }
    house.log.record(Event::new(Kind::View, &acting.user).project(project).subject("application"))?;
    let mut out = stdout().lock();
    writeln!(out, "{project}: {} ({})", application.state().as_str(), application.state().ja())?;
    for question in &application.schema().questions {
        if let Some(answer) = application.answers().get(&question.id) {
            writeln!(out, "\n{} / {}\n  {}", question.ja, question.en, answer.text().replace('\n', "\n  "))?;
        }
    }
    for condition in application.conditions() {
        writeln!(out, "\n条件 / condition: {condition}")?;
    }
    writeln!(out)?;
    for made in application.moves() {
        let at =
            made.at.format(time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))?;
        writeln!(out, "{at}  {:12} {}", made.who, made.action.mark().as_str())?;
    }
    let may = Mark::ALL.into_iter().filter(|mark| application.may(&reader, *mark).is_ok());
    let may: Vec<&str> = may.map(Mark::as_str).collect();
    writeln!(
        out,
        "\n{} may now: {}",
        acting.user,
        if may.is_empty() { "nothing".to_owned() } else { may.join(", ") }
    )?;
    Ok(())
}
