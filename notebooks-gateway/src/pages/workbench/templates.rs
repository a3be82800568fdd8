//! `/workbench/templates`: the questions that the board approved, each with its values as a form, and its answer below.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{
    ClientReply, ClientRequest, FrameError, ParameterView, TemplateQuestion, TemplateView, TemplatesAsk,
};
use serde::Deserialize;

use super::act::put;
use super::answer;
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::pages::problem::{self, Problem};
use crate::pages::{Chrome, Here, go, show};
use crate::posted::Signed;
use crate::visitor::{Visitor, Whoever};

/// What stands before a parameter's name in the form, so that none is taken for a field of ours.
const PREFIX: &str = "p-";

/// The form of one template.
#[derive(Debug, Deserialize)]
pub(in crate::pages) struct Wish {
    #[serde(default)]
    template: String,
    /// Every other field, the values of parameters among them.
    #[serde(flatten)]
    given: BTreeMap<String, String>,
}

#[derive(Template)]
#[template(path = "templates.html")]
struct Page {
    chrome: Chrome,
    form_word: String,
    templates: Vec<Shown>,
    is_running: bool,
}

/// A template with what was answered last.
struct Shown {
    template: TemplateView,
    fields: Vec<Field>,
    /// Already HTML.
    answer: String,
    is_running: bool,
}

/// A parameter as a field of a form.
struct Field {
    name: String,
    input: Input,
    /// The value that stands in it: what was asked last, or the example.
    value: String,
}

/// How a value is given.
enum Input {
    /// One of these.
    Choice(Vec<String>),
    /// By a control of the browser's own of this type, between two values.
    Between(&'static str, (String, String)),
    /// Codes of a system, so many at most.
    Codes(String, String),
    /// As text.
    Text,
}

pub(in crate::pages) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let templates = match list(&gateway, &visitor).await {
        Ok(templates) => templates,
        Err(problem) => return problem::respond(&gateway, Some(&visitor), &problem).await,
    };
    let templates: Vec<Shown> =
        templates.into_iter().map(|template| Shown::of(&gateway, &visitor, template)).collect();
    let page = Page {
        chrome: Chrome::new(&gateway, Some(&visitor), Here::Workbench).await,
        form_word: visitor.form_word.clone(),
        is_running: templates.iter().any(|shown| shown.is_running),
        templates,
    };
    show(StatusCode::OK, &page)
}

pub(in crate::pages) async fn ask(
    State(gateway): State<Gateway>,
    Signed { visitor, form }: Signed<Wish>,
) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let Wish { template, given } = form;
    match list(&gateway, &visitor).await {
        Ok(templates) if templates.iter().any(|known| known.name == template) => {}
        Ok(_) => return problem::respond(&gateway, Some(&visitor), &Problem::NotFound).await,
        Err(problem) => return problem::respond(&gateway, Some(&visitor), &problem).await,
    }
    let parameters: BTreeMap<String, String> = given
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value)))
        .collect();
    let (user, project) = visitor.owner();
    let text = told(&template, &parameters);
    let place = place(&template);
    let question = TemplateQuestion { user, project, template, parameters };
    let patience = gateway.parts().settings.patience;
    // Where it runs already, the page shows that.
    put(&gateway, &visitor, (&place, &text), ClientRequest::Template(question), patience).await;
    let address = HeaderValue::try_from(format!("/workbench/templates#{}", place.replace('/', "-")));
    let address = address.unwrap_or(HeaderValue::from_static("/workbench/templates"));
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}

async fn list(gateway: &Gateway, visitor: &Visitor) -> Result<Vec<TemplateView>, Problem> {
    if visitor.project().is_empty() {
        return Err(Problem::NoPermit);
    }
    let (user, project) = visitor.owner();
    let request = ClientRequest::Templates(TemplatesAsk { user, project });
    match gateway.ask(visitor, request).await.map_err(Problem::Guard)? {
        ClientReply::Templates { templates } => Ok(templates),
        ClientReply::Fault { message } => {
            tracing::error!(message, "the guard reports a fault");
            Err(Problem::Ours)
        }
        _ => Err(Problem::Guard(AskError::Broken(FrameError::Form.into()))),
    }
}

/// Where a template's question stands on the desk; no notebook has such an id.
fn place(template: &str) -> String {
    format!("template/{template}")
}

/// What a template was asked with, a line each, by which the history and the form know it again.
fn told(template: &str, parameters: &BTreeMap<String, String>) -> String {
    let values = parameters.iter().map(|(name, value)| format!("\n{name} = {value}"));
    std::iter::once(format!("-- {template}")).chain(values).collect()
}

impl Shown {
    fn of(gateway: &Gateway, visitor: &Visitor, template: TemplateView) -> Self {
        let last = gateway.parts().desks.last(&visitor.owner(), &place(&template.name));
        let asked = last.as_ref().map(|run| run.sql.as_str()).unwrap_or_default();
        Self {
            fields: template.parameters.iter().map(|parameter| Field::of(parameter, asked)).collect(),
            answer: last.as_ref().map(|run| answer::fragment(run, gateway.now())).unwrap_or_default(),
            is_running: last.as_ref().is_some_and(crate::desk::Run::is_running),
            template,
        }
    }
}

impl Field {
    fn of(parameter: &ParameterView, asked: &str) -> Self {
        let before = format!("{} = ", parameter.name);
        let last = asked.lines().find_map(|line| line.strip_prefix(&before));
        let range = || parameter.range.clone().unwrap_or_default();
        let input = match parameter.kind.as_str() {
            "choice" => Input::Choice(parameter.choices.clone()),
            "days" => Input::Between("date", range()),
            "months" => Input::Between("month", range()),
            "numbers" => Input::Between("number", range()),
            "codes" => {
                let (system, most) = range();
                Input::Codes(system, most)
            }
            _ => Input::Text,
        };
        let value = last.unwrap_or(&parameter.example).to_owned();
        Self { name: parameter.name.clone(), input, value }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine_protocol::ParameterView;

    use super::{Field, told};

    #[test]
    fn a_form_remembers_what_it_asked_with() {
        let view = |name: &str| ParameterView {
            name: name.to_owned(),
            kind: "days".to_owned(),
            range: Some(("2024-01-01".to_owned(), "2024-12-31".to_owned())),
            choices: Vec::new(),
            example: "2024-06-01".to_owned(),
        };
        let asked = told("t", &BTreeMap::from([("from".to_owned(), "2024-02-03".to_owned())]));
        assert_eq!(asked, "-- t\nfrom = 2024-02-03");
        assert_eq!(Field::of(&view("from"), &asked).value, "2024-02-03");
        assert_eq!(Field::of(&view("until"), &asked).value, "2024-06-01");
    }
}
