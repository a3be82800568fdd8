//! Applications: written, submitted, reviewed, decided; and the permit that follows from where they stand.

use audit::{Event, Kind, Log};
use catalog_store::{CaseRecord, Environment};
use engine_protocol::{
    AllowedMove, CaseKind, CaseLine, CaseView, Fact, FieldKind, FieldValue, Fields, FormField, Governed,
    Happened, Label, Word,
};
use governance::application::{Action, Application, Mark, State};
use governance::form::{Answer, AnswerKind, Answers, FormSchema, Question};
use governance::{Actor, Role};
use policies::{Approval, Form, OUTPUT_KINDS, Policies};
use time::{Duration, OffsetDateTime};

use super::field::{self, Given};
use super::stored::{self, Asked, Step, instant};
use super::{GovernError, Office, closing};
use crate::permits::Permits;

const KIND: CaseKind = CaseKind::Application;
/// Days for which a permit holds where the decision says nothing.
const DAYS: u16 = 365;

fn schema() -> Result<FormSchema, GovernError> {
    FormSchema::parse(policies::APPLICATION_FORM).map_err(|_| GovernError::Bug("the shipped form is read"))
}

fn load(office: &Office<'_>, project: &str) -> Result<(CaseRecord, Application), GovernError> {
    let case = office.stored(KIND, project)?.ok_or_else(|| GovernError::missing("application", project))?;
    let application = replay(&case)?;
    Ok((case, application))
}

fn replay(case: &CaseRecord) -> Result<Application, GovernError> {
    Ok(Application::replay(&case.id, schema()?, &case.by, stored::moves(case)?))
}

/// Everybody whom the application of a project names or named.
pub(super) fn people(office: &Office<'_>, project: &str) -> Result<Vec<String>, GovernError> {
    let Some(case) = office.stored(KIND, project)? else { return Ok(Vec::new()) };
    Ok(replay(&case)?.ever().iter().cloned().collect())
}

pub(super) fn list(office: &Office<'_>, reader: &Actor) -> Result<Vec<CaseLine>, GovernError> {
    let mut lines = Vec::new();
    for case in office.meta.cases(KIND.as_str())? {
        let application = replay(&case)?;
        if application.may_be_read_by(reader) {
            lines.push(line(&case, &application, reader));
        }
    }
    Ok(lines)
}

pub(super) fn show(office: &Office<'_>, id: &str, reader: &Actor) -> Result<Governed, GovernError> {
    let (case, application) = load(office, id)?;
    if !application.may_be_read_by(reader) {
        return Err(GovernError::missing("application", id));
    }
    let view = Event::new(Kind::View, reader.user()).project(id);
    office.log.record(view.subject("application"))?;
    Ok(governed(&case, &application, reader))
}

fn governed(case: &CaseRecord, application: &Application, reader: &Actor) -> Governed {
    let allowed = |mark: &Mark| application.may(reader, *mark).is_ok();
    let moves = Mark::ALL.into_iter().filter(allowed).map(|mark| allowed_move(mark, application)).collect();
    Governed::Case(Box::new(CaseView {
        line: line(case, application, reader),
        by: case.by.clone(),
        number: application.moves().len() as u64,
        facts: facts(application),
        history: application.moves().iter().map(happened).collect(),
        opinions: application.opinions_for(reader).into_iter().map(field::opinion_view).collect(),
        given: application.opinions().len() as u64,
        duties: Vec::new(),
        moves,
        has_evidence: false,
    }))
}

fn line(case: &CaseRecord, application: &Application, reader: &Actor) -> CaseLine {
    let state = application.state();
    let state = Word::new(state.as_str(), state.ja(), &state.as_str().replace('-', " "));
    let may = Mark::ALL.into_iter().filter(|mark| application.may(reader, *mark).is_ok());
    let title = Form::parse(&case.id, application.document()).ok().map(|form| {
        let title = form.title();
        Label::new(&title.ja, &title.en)
    });
    CaseLine {
        project: Some(case.id.clone()),
        title: title.unwrap_or_else(|| Label::new(&case.id, &case.id)),
        people: application.people().iter().cloned().collect(),
        may: may.map(|mark| mark.as_str().to_owned()).collect(),
        ..stored::line(KIND, case, application.moves(), state)
    }
}

fn facts(application: &Application) -> Vec<Fact> {
    let fact = |ja: &str, en: &str, text: String| Fact { name: Label::new(ja, en), text };
    let mut facts = Vec::new();
    if let Ok(form) = Form::parse(application.id(), application.document()) {
        let given = form.fields();
        for asked in own_fields() {
            let text = given.get(&asked.name).map(Answer::text).unwrap_or_default();
            if !text.is_empty() && asked.name != "project" {
                facts.push(Fact { name: asked.label, text });
            }
        }
    }
    for question in &application.schema().questions {
        if let Some(answer) = application.answers().get(&question.id) {
            facts.push(fact(&question.ja, &question.en, answer.text()));
        }
    }
    facts.extend(application.conditions().iter().map(|text| fact("条件", "condition", text.clone())));
    facts
}

/// What was done, with the reason that everybody who reads the case may read; opinions stand apart.
fn happened(made: &governance::Move<Action>) -> Happened {
    let text = match &made.action {
        Action::Return { reason }
        | Action::Reject { reason }
        | Action::Appeal { reason }
        | Action::Suspend { reason }
        | Action::Close { reason } => reason.clone(),
        Action::Declare { interest } => interest.clone(),
        Action::Finish { record } => record.clone(),
        Action::Accept { reviewers } => reviewers.join(", "),
        Action::Approve { conditions } => conditions.join("\n"),
        Action::Write { .. }
        | Action::Submit
        | Action::Withdraw
        | Action::Review { .. }
        | Action::Amend
        | Action::Resume => String::new(),
    };
    let mark = made.action.mark();
    let action = stored::words(mark.as_str(), mark.ja());
    Happened { who: made.who.clone(), at: instant(made.at), action, text }
}

fn allowed_move(mark: Mark, application: &Application) -> AllowedMove {
    let fields = match mark {
        Mark::Write => {
            let form = Form::parse(application.id(), application.document()).ok();
            written_fields(application.schema(), &form.map(|form| form.fields()).unwrap_or_default())
        }
        Mark::Accept => vec![field::helped(
            field::of_kind("reviewers", ("審査委員", "reviewers"), FieldKind::List),
            "二人以上の利用者IDを、一行に一人ずつ書いてください。",
            "User ids of at least two reviewers, one on a line.",
        )],
        Mark::Return | Mark::Reject | Mark::Appeal | Mark::Suspend | Mark::Close => vec![field::reason()],
        Mark::Declare => vec![field::text("interest", "利害関係の内容", "the interest")],
        Mark::Review => field::opinion(),
        Mark::Approve => vec![
            field::optional(field::of_kind("conditions", ("条件", "conditions"), FieldKind::List)),
            field::optional(field::of_kind("days", ("許可の日数", "days of the permit"), FieldKind::Number)),
        ],
        Mark::Finish => vec![field::optional(field::text("note", "備考", "note"))],
        Mark::Submit | Mark::Withdraw | Mark::Amend | Mark::Resume => Vec::new(),
    };
    field::allowed((mark.as_str(), mark.ja()), fields)
}

/// With which fields an application is begun.
pub(super) fn form(reader: &Actor) -> Result<Governed, GovernError> {
    let fields = written_fields(&schema()?, &Answers::new());
    Ok(Governed::Begin { may: reader.is(Role::Researcher), fields })
}

fn written_fields(schema: &FormSchema, given: &Answers) -> Vec<FormField> {
    let asked = own_fields().into_iter().chain(schema.questions.iter().map(question_field));
    asked
        .map(|asked| {
            let value = given.get(&asked.name).map(value);
            FormField { value, ..asked }
        })
        .collect()
}

/// The fields that permits are made of.
fn own_fields() -> Vec<FormField> {
    let tiers = vec![
        Word::new("pseudonymized", "仮名化情報", "pseudonymized"),
        Word::new("anonymized", "匿名化情報", "anonymized"),
    ];
    let people = field::of_kind("people", ("取扱者", "the persons who work with the data"), FieldKind::List);
    let tables = field::of_kind("tables", ("申し出る表と項目", "tables and columns"), FieldKind::List);
    let planned =
        field::of_kind("planned", ("予定する表に使う項目", "columns of planned tables"), FieldKind::List);
    let reviewed =
        field::of_kind("reviewed", ("人が確認する出力の種類", "kinds of outputs reviewed"), FieldKind::List);
    let provided = field::of_kind(
        "provided",
        ("行を提供する表と項目", "tables and columns whose rows are provided"),
        FieldKind::List,
    );
    let matched = field::text("matched", "行を突合できる課題", "projects that may match rows");
    vec![
        field::helped(
            field::text("project", "研究課題のID", "project id"),
            "英小文字、数字、- と _。後から変更できません。",
            "Lower-case letters, digits, - and _. It cannot be changed later.",
        ),
        field::text("title_ja", "研究課題名", "title, Japanese"),
        field::text("title_en", "研究課題名（英語）", "title, English"),
        field::of_kind("tier", ("データの区分", "tier"), FieldKind::Choice { of: tiers }),
        field::text("rules", "公表基準", "rule pack"),
        field::text("purpose_code", "目的の符号", "code of the purpose"),
        field::text("purpose_ja", "利用目的", "purpose, Japanese"),
        field::text("purpose_en", "利用目的（英語）", "purpose, English"),
        field::helped(
            people,
            "「利用者ID lead」または「利用者ID researcher」を一行に一人ずつ。",
            "One on a line: the user id, and lead or researcher.",
        ),
        field::helped(
            tables,
            "「表名: 項目, 項目」または「表名: *」を一行に一表ずつ。",
            "One on a line: `table: column, column` or `table: *`.",
        ),
        field::optional(field::helped(
            planned,
            "「表の名前: 表名.項目, 表名.項目」を一行に一つずつ。提供された表と照合され、計画にない提供は審査委員に知らされます。",
            "One on a line: `title: table.column, table.column`. Releases are compared with it, and reviewers are told of those outside.",
        )),
        field::optional(field::helped(
            reviewed,
            &format!("提供の前に人が確認する種類：{}", OUTPUT_KINDS.join("、")),
            &format!("Kinds that people look at before they go out: {}", OUTPUT_KINDS.join(", ")),
        )),
        field::optional(field::helped(
            provided,
            "匿名化情報に限る。作業領域に保存する表を「表名: 項目, 項目」で一行に一表ずつ。挙げない項目は提供されず、個人番号は課題ごとの仮IDに置き換えられます。",
            "Anonymized data only. One on a line: `table: column, column`, of a table of the workspace. No other column is provided; person numbers become pseudonyms of the project.",
        )),
        field::optional(field::helped(
            matched,
            "「名前: 課題ID, 課題ID」。挙げられたすべての課題の許可が同じことを述べるときだけ、同じ仮IDになります。",
            "`name: project, project`. They share pseudonyms only where the permit of each says the same.",
        )),
    ]
}

fn question_field(question: &Question) -> FormField {
    let kind = match &question.kind {
        AnswerKind::Text { least } => FieldKind::Text { least: *least },
        AnswerKind::Choice(words) => {
            FieldKind::Choice { of: words.iter().map(|word| Word::new(word, word, word)).collect() }
        }
        AnswerKind::List => FieldKind::List,
        AnswerKind::Day => FieldKind::Day,
        AnswerKind::Pledge => FieldKind::Pledge,
    };
    FormField {
        help: Label::new(&question.help_ja, &question.help_en),
        required: question.required,
        only_if: question.only_if.as_ref().map(|other| (other.question.clone(), other.is.clone())),
        ..field::of_kind(&question.id, (&question.ja, &question.en), kind)
    }
}

fn value(answer: &Answer) -> FieldValue {
    match answer {
        Answer::Flag(flag) => FieldValue::Flag(*flag),
        Answer::Text(text) => FieldValue::Text(text.clone()),
        Answer::List(entries) => FieldValue::List(entries.clone()),
    }
}

/// Answers in the form that each question has: a page sends texts only.
fn answers(fields: &Fields) -> Result<Answers, GovernError> {
    let schema = schema()?;
    let kind = |name: &str| schema.questions.iter().find(|asked| asked.id == name).map(|asked| &asked.kind);
    let read = |(name, given): (&String, &FieldValue)| {
        let answer = match (given, kind(name)) {
            (FieldValue::Text(text), Some(AnswerKind::List)) => Answer::List(lines(text)),
            (FieldValue::Text(text), Some(AnswerKind::Pledge)) => {
                Answer::Flag(text == "true" || text == "on")
            }
            (FieldValue::Text(text), _) => Answer::Text(text.clone()),
            (FieldValue::Flag(flag), _) => Answer::Flag(*flag),
            (FieldValue::List(entries), _) => Answer::List(entries.clone()),
        };
        (name.clone(), answer)
    };
    // What was left empty was not answered.
    let is_given = |(_, answer): &(String, Answer)| match answer {
        Answer::Text(text) => !text.trim().is_empty(),
        Answer::List(entries) => !entries.is_empty(),
        Answer::Flag(_) => true,
    };
    Ok(fields.iter().map(read).filter(is_given).collect())
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The document of a form: as it stands (field `document`), or written field by field.
fn document(fields: &Fields) -> Result<(Form, String), GovernError> {
    let fault = |fault: policies::FileFault| {
        GovernError::no("form", fault.to_string(), "申出書の形式が正しくありません")
    };
    match fields.get("document") {
        Some(FieldValue::Text(text)) => Ok((Form::parse("application", text).map_err(fault)?, text.clone())),
        _ => Form::of_fields(&answers(fields)?).map_err(fault),
    }
}

/// Begins a draft.
pub(super) fn begin(office: &Office<'_>, actor: &Actor, fields: &Fields) -> Result<Governed, GovernError> {
    let (form, _) = document(fields)?;
    let schema = schema()?;
    let edition = schema.edition.clone();
    Application::begin(form.project(), schema, actor)?;
    if !office.begin((KIND, form.project()), actor.user(), edition)? {
        let message = format!("there is an application {} already", form.project());
        return Err(GovernError::no("twice", message, "同じIDの申出がすでにあります"));
    }
    let action = "write";
    make(office, actor, Asked { id: form.project(), action, fields, seen: Some(0) })
}

/// Makes a move, and lets follow what follows: a permit, or its end.
pub(super) fn make(office: &Office<'_>, actor: &Actor, asked: Asked<'_>) -> Result<Governed, GovernError> {
    let (case, mut application) = load(office, asked.id)?;
    if !application.may_be_read_by(actor) {
        return Err(GovernError::missing("application", asked.id));
    }
    asked.is_of(application.moves().len())?;
    let mark = Mark::ALL.into_iter().find(|mark| mark.as_str() == asked.action);
    let mark = mark.ok_or_else(|| field::no_such_move(asked.action))?;
    application.may(actor, mark)?;
    let given = Given(asked.fields);
    match mark {
        Mark::Approve => approve(office, actor, &mut application, given)?,
        Mark::Finish => finish(office, actor, &mut application, given)?,
        _ => {
            let was_in_force = application.state().is_in_force();
            let action = action(mark, application.id(), given)?;
            keep(office, actor, &mut application, action)?;
            follow(office, actor, &application, mark, was_in_force)?;
        }
    }
    Ok(governed(&case, &application, actor))
}

fn action(mark: Mark, id: &str, given: Given<'_>) -> Result<Action, GovernError> {
    let reason = given.text("reason");
    Ok(match mark {
        Mark::Write => {
            let (form, document) = document(given.0)?;
            if form.project() != id {
                return Err(field::unreadable("project"));
            }
            let people = form.people().iter().map(|person| person.user.clone()).collect();
            Action::Write { document, answers: form.answers().clone(), people }
        }
        Mark::Submit => Action::Submit,
        Mark::Withdraw => Action::Withdraw,
        Mark::Accept => Action::Accept { reviewers: given.list("reviewers") },
        Mark::Return => Action::Return { reason },
        Mark::Declare => Action::Declare { interest: given.text("interest") },
        Mark::Review => Action::Review { vote: given.vote()?, comment: given.text("comment") },
        Mark::Approve => Action::Approve { conditions: given.list("conditions") },
        Mark::Reject => Action::Reject { reason },
        Mark::Appeal => Action::Appeal { reason },
        Mark::Amend => Action::Amend,
        Mark::Suspend => Action::Suspend { reason },
        Mark::Resume => Action::Resume,
        Mark::Close => Action::Close { reason },
        Mark::Finish => Action::Finish { record: given.text("note") },
    })
}

/// A move is judged, recorded and stored, in this order.
fn keep(
    office: &Office<'_>,
    actor: &Actor,
    application: &mut Application,
    action: Action,
) -> Result<(), GovernError> {
    let (from, number) = (application.state(), application.moves().len() as u64);
    let made = application.make(actor, office.now, action)?.clone();
    let id = application.id();
    let step = Step {
        kind: KIND,
        id,
        event: Event::new(Kind::ApplicationMoved, actor.user()).project(id),
        action: made.action.mark().as_str(),
        states: (from.as_str(), application.state().as_str()),
    };
    office.keep(step, number, &made)
}

fn follow(
    office: &Office<'_>,
    actor: &Actor,
    application: &Application,
    mark: Mark,
    was_in_force: bool,
) -> Result<(), GovernError> {
    let project = application.id();
    if was_in_force && !application.state().is_in_force() {
        office.permits.withdraw(project)?;
        let event = Event::new(Kind::PermitWithdrawn, actor.user()).project(project);
        office.log.record(event.with("reason", mark.as_str()))?;
    } else if mark == Mark::Resume {
        office.permits.reinstate(project)?;
        let event = Event::new(Kind::PermitRegistered, actor.user()).project(project);
        office.log.record(event.with("reason", mark.as_str()))?;
    }
    Ok(())
}

/// The permit is compiled before the decision is stored: what does not compile cannot be approved.
fn approve(
    office: &Office<'_>,
    actor: &Actor,
    application: &mut Application,
    given: Given<'_>,
) -> Result<(), GovernError> {
    let action = action(Mark::Approve, application.id(), given)?;
    application.judge(actor, &action)?;
    let days = given.number("days", DAYS)?;
    let form = Form::parse(application.id(), application.document());
    let form = form.map_err(|_| GovernError::Bug("a stored document is read"))?;
    let permit = compiled(office.environment, form, office.now, days)?;
    keep(office, actor, application, action)?;
    register(office.environment, office.log, &permit, actor.user(), days)
}

/// Everything of the project is destroyed, and the signed record of it stands in the move that says so.
fn finish(
    office: &Office<'_>,
    actor: &Actor,
    application: &mut Application,
    given: Given<'_>,
) -> Result<(), GovernError> {
    // Judged before anything is destroyed; the record takes the place of this note.
    application.judge(actor, &Action::Finish { record: "to be made".to_owned() })?;
    let record = closing::destroy(office, actor, application.id(), &given.text("note"))?;
    keep(office, actor, application, Action::Finish { record })
}

/// The permit of a form on the latest snapshot; what does not compile to policies is not approved.
///
/// # Errors
///
/// There is no snapshot yet, or the form does not compile.
pub fn compiled(
    environment: &Environment,
    form: Form,
    now: OffsetDateTime,
    days: u16,
) -> Result<policies::Application, GovernError> {
    let none = || {
        let message = "there is no snapshot yet; run `misu publish` first";
        GovernError::no("no-snapshot", message, "まだスナップショットがありません")
    };
    let wrong = |message: String| GovernError::no("permit", message, "この申出からは許可を作れません");
    let (_, head) = environment.snapshots()?.head()?.ok_or_else(none)?;
    let permit = form.approve(Approval {
        snapshot: head.id.clone(),
        period: head.body.period,
        valid_from: now,
        valid_until: now + Duration::days(i64::from(days)),
    });
    let permit = permit.map_err(|fault| wrong(fault.to_string()))?;
    let (catalogue, _) = environment.catalogue()?;
    Policies::load([permit.clone()], &catalogue)
        .map_err(|errors| wrong(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    Ok(permit)
}

/// Records that a permit holds from now on, and lets it hold.
///
/// # Errors
///
/// The record or the permit cannot be written.
pub fn register(
    environment: &Environment,
    log: &Log,
    permit: &policies::Application,
    by: &str,
    days: u16,
) -> Result<(), GovernError> {
    let event = Event::new(Kind::PermitRegistered, by).project(permit.project());
    log.record(event.subject(permit.approval().snapshot.as_str()).with("days", u64::from(days)))?;
    Ok(Permits::new(environment.room("policies")).register(permit)?)
}

/// Whether a project's application says that its use has ended.
pub(super) fn has_ended(office: &Office<'_>, project: &str) -> Result<bool, GovernError> {
    let Some(case) = office.stored(KIND, project)? else { return Ok(false) };
    Ok(matches!(replay(&case)?.state(), State::Closing | State::Closed))
}
