//! The pages, one route in one file, and what all of them have around their content.

mod account;
mod assets;
mod cases;
mod catalogue;
mod dcat;
mod enrol;
mod health;
mod home;
mod language;
mod oidc;
mod open;
mod operations;
pub(crate) mod problem;
mod record;
mod reports;
mod sign_in;
mod sign_out;
mod table;
mod workbench;

mod answer;
mod examples;
mod figures;
mod speech;
mod why;
mod words;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use crate::gateway::Gateway;
use crate::shield::shield;
use crate::visitor::Visitor;
use crate::{api, jupyter};
pub(crate) use speech::Speech;

/// The longest form.
pub(crate) const BODY: usize = 256 * 1024;

/// Every page of the gateway.
pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/catalogue", get(catalogue::page))
        .route("/catalogue.jsonld", get(dcat::export))
        .route("/catalogue/{table}", get(table::page))
        .route("/open", get(open::page).post(open::make_open))
        .route("/open/{query}/{format}", get(open::download))
        .route("/record", get(record::page))
        .route("/cases", get(cases::inbox))
        .route("/cases/{kind}", get(cases::of_kind))
        .route("/cases/{kind}/new", get(cases::form).post(cases::begin))
        .route("/cases/{kind}/{id}", get(cases::case).post(cases::make))
        .route("/cases/output/{id}/evidence", get(cases::evidence))
        .route("/halts", get(cases::halts).post(cases::change_halts))
        .route("/operations", get(operations::page))
        .route("/operations/quality", get(reports::quality))
        .route("/reports/period", get(reports::period))
        .route("/reports/period.pdf", get(reports::pdf))
        .route("/language/{tag}", get(language::choose))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/oidc", get(oidc::depart))
        .route("/sign-in/oidc/return", get(oidc::arrive))
        .route("/enrol", get(enrol::page).post(enrol::enrol))
        .route("/account", get(account::page).post(account::act))
        .route("/sign-out", post(sign_out::sign_out))
        .route("/workbench", get(workbench::page).post(workbench::act))
        .route("/workbench/check", post(workbench::check))
        .route("/workbench/templates", get(workbench::templates).post(workbench::ask_template))
        .route("/workbench/vocabulary", get(workbench::vocabulary))
        .route("/workbench/runs/{run}", get(workbench::state))
        .route("/workbench/runs/{run}/cancel", post(workbench::cancel))
        .route("/workbench/runs/{run}/{format}", get(workbench::download))
        .route("/health", get(health::health))
        .route("/assets/{file}", get(assets::asset))
        .nest("/api/v1", api::router())
        .nest("/api", jupyter::router())
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(gateway.clone(), shield))
        .with_state(gateway)
}

/// What stands around the content of every page.
#[derive(Debug)]
pub(crate) struct Chrome {
    pub(crate) visitor: Option<Visitor>,
    /// Whether the guard says that the environment is a demo.
    pub(crate) is_demo: bool,
    /// The part of the site that the page belongs to.
    pub(crate) here: Here,
    pub(crate) speech: Speech,
}

/// A part of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    Home,
    Catalogue,
    Open,
    Record,
    Workbench,
    Cases,
    Operations,
    Reports,
    Elsewhere,
}

impl Chrome {
    pub(crate) async fn new(gateway: &Gateway, visitor: Option<&Visitor>, here: Here) -> Self {
        let is_demo = gateway.catalogue().await.is_ok_and(|view| view.is_demo);
        Self { visitor: visitor.cloned(), is_demo, here, speech: Speech::now() }
    }

    /// Says whether the page belongs to the part of the site with this path.
    fn is_at(&self, path: &str) -> bool {
        match self.here {
            Here::Home => path == "/",
            Here::Catalogue => path == "/catalogue",
            Here::Open => path == "/open",
            Here::Record => path == "/record",
            Here::Workbench => path == "/workbench",
            Here::Cases => path == "/cases",
            Here::Operations => path == "/operations",
            Here::Reports => path == "/reports/period",
            Here::Elsewhere => false,
        }
    }

    /// Says whether the visitor has one of these roles today.
    fn has(&self, roles: &[&str]) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| roles.iter().any(|role| visitor.is(role)))
    }

    /// The wording in the reader's language.
    pub(crate) fn t<'w>(&self, ja: &'w str, en: &'w str) -> &'w str {
        self.speech.t(ja, en)
    }

    /// The address of a file of ours.
    fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }
}

/// A page as a response.
pub(crate) fn show(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "misu: a page cannot be written\n").into_response()
        }
    }
}

/// Sends the browser on to another page, which it asks for with GET.
pub(crate) fn go(to: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static(to))]).into_response()
}
