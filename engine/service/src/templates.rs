//! Approved templates: read, held against what was approved, bound, and then asked like any other question.

use std::path::PathBuf;

use audit::{Event, Kind};
use engine_protocol::{ClientReply, ParameterView, Question, TemplateQuestion, TemplateView, TemplatesAsk};
use engine_vet::{Scope, vet};
use policies::{FileFault, ParameterDomain, QueryTemplate, TemplateApproval};

use crate::guard::{Guard, GuardError};
use crate::query;
use crate::running::Run;

/// The folder below `policies/`.
const FOLDER: &str = "templates";

/// What a value that cannot be bound is called in Japanese; the English text names the parameter.
const OUTSIDE: &str = "引数がないか、宣言された値の範囲の外です";

/// Why a template cannot be approved.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not a template.
    #[error(transparent)]
    Form(#[from] FileFault),
    /// The query with the parameters' examples would not run.
    #[error("the template with its examples would not run: {0}")]
    Examples(String),
    /// The guard cannot work.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// Binds an approved template and answers it as an ordinary question: recorded, and protected as any other.
pub(crate) fn answer(
    guard: &Guard,
    asked: &TemplateQuestion,
    run: &Run<'_>,
) -> Result<ClientReply, GuardError> {
    let question = |sql: String| Question { user: asked.user.clone(), project: asked.project.clone(), sql };
    let refuse =
        |message: String, ja: &str| query::refuse(guard, &question(String::new()), "template", (message, ja));
    let Some(template) = load(guard, &asked.template).filter(|of| of.project == asked.project) else {
        let message = format!("the project has no approved template {}", asked.template);
        return refuse(message, "この研究課題には、承認されたこの名前の定型の問いがありません");
    };
    let examples = template.bind_examples(&guard.catalogue);
    let pinned = match examples.map_err(|fault| fault.to_string()) {
        Ok(sql) => digest(guard, &template, &question(sql))?,
        Err(message) => return refuse(message, OUTSIDE),
    };
    // A denied user has no plan to compare; the question itself says so, as it does for everybody.
    let is_changed = pinned
        .is_some_and(|pinned| template.approval.as_ref().is_none_or(|approval| approval.plan != pinned));
    if is_changed {
        let message = "the template is not what was approved; ask the board to approve it again".to_owned();
        return refuse(message, "定型の問いが承認されたものと異なります。審査会の承認を改めて受けてください");
    }
    match template.bind(&asked.parameters, &guard.catalogue) {
        Ok(sql) => query::answer(guard, &question(sql), run),
        Err(fault) => refuse(fault.to_string(), OUTSIDE),
    }
}

/// The templates that are approved for a project; where the permit gives nothing, none.
pub(crate) fn list(guard: &Guard, asked: &TemplatesAsk) -> Result<ClientReply, GuardError> {
    let TemplatesAsk { user, project } = asked;
    let mut templates = Vec::new();
    if query::refused_all(guard, user, project)?.is_none() {
        let folder = guard.environment.room("policies").join(FOLDER);
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let named = names.filter_map(|name| load(guard, name.strip_suffix(".toml")?));
        templates.extend(named.filter(|template| template.project == *project).map(view));
    }
    templates.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(ClientReply::Templates { templates })
}

fn view(template: QueryTemplate) -> TemplateView {
    let parameters = template.parameters.into_iter().map(|(name, of)| {
        let pair = |from: &dyn ToString, to: &dyn ToString| Some((from.to_string(), to.to_string()));
        let (kind, range, choices) = match of.domain {
            ParameterDomain::Days(from, to) => ("days", Some((from, to)), Vec::new()),
            ParameterDomain::Months(from, to) => ("months", Some((from, to)), Vec::new()),
            ParameterDomain::Numbers(low, high) => ("numbers", pair(&low, &high), Vec::new()),
            ParameterDomain::Choice(values) => ("choice", None, values),
            ParameterDomain::Codes(system, most) => ("codes", pair(&system, &most), Vec::new()),
        };
        ParameterView { name, kind: kind.to_owned(), range, choices, example: of.example }
    });
    TemplateView {
        name: template.template,
        title: (template.title.ja, template.title.en),
        sql: template.sql,
        parameters: parameters.collect(),
        by: template.approval.map(|approval| approval.by).unwrap_or_default(),
    }
}

/// Approves a template: pins what it says and the plan that it gives under the project's permit.
///
/// # Errors
///
/// The file is not a template, or its query would not run for `user`.
pub fn approve(guard: &Guard, text: &str, user: &str, by: &str) -> Result<QueryTemplate, TemplateError> {
    let mut template = QueryTemplate::parse("template", text)?;
    let sql = template
        .bind_examples(&guard.catalogue)
        .map_err(|fault| TemplateError::Examples(fault.to_string()))?;
    let question = Question { user: user.to_owned(), project: template.project.clone(), sql };
    let digest = digest(guard, &template, &question)?;
    let digest = digest.ok_or_else(|| TemplateError::Examples("it is refused or denied".to_owned()))?;
    let event = Event::new(Kind::PermitRegistered, by).project(template.project.clone());
    let event = event.with("template", template.template.clone()).with("plan", digest.clone());
    guard.log.record(event).map_err(GuardError::from)?;
    template.approval = Some(TemplateApproval { plan: digest, by: by.to_owned() });
    let folder = guard.environment.room("policies").join(FOLDER);
    let path = folder.join(format!("{}.toml", template.template));
    let io = |source| TemplateError::Io { path: path.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    let temporary = path.with_extension("writing");
    std::fs::write(&temporary, template.to_toml()?).map_err(io)?;
    std::fs::rename(&temporary, &path).map_err(io)?;
    Ok(template)
}

/// The template of this name that lies in the environment.
fn load(guard: &Guard, name: &str) -> Option<QueryTemplate> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        return None;
    }
    let path = guard.environment.room("policies").join(FOLDER).join(format!("{name}.toml"));
    let template = QueryTemplate::parse(name, &std::fs::read_to_string(path).ok()?).ok()?;
    (template.template == name && template.approval.is_some()).then_some(template)
}

/// The digest of a template with the plan of its examples; none where these would not run.
fn digest(
    guard: &Guard,
    template: &QueryTemplate,
    examples: &Question,
) -> Result<Option<String>, GuardError> {
    let Some(permit) = query::permit(guard, examples)? else { return Ok(None) };
    let scope = Scope { catalogue: &guard.catalogue, grant: permit.grant() };
    let plan = vet(&examples.sql, scope).ok();
    Ok(plan.map(|plan| template.digest(&plan.evidence().display_indent_schema().to_string())))
}
