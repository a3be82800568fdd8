//! `/metrics` on a listener of its own: how many requests by route and status, and how long they took.
//!
//! Counts only. A label is a route as the program writes it (`/catalogue/{table}`), a method or a status: no address
//! that was asked for, no person, no project, nothing of a question or an answer. What became of questions is not
//! counted either: how many were withheld tells of the data, and stands in the record.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::gateway::Gateway;

/// The media type of the text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram>,
    guard: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: String,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("misu_gateway");
        let requests = Family::default();
        // From 2 milliseconds to 65 seconds.
        let seconds = Family::new_with_constructor(
            (|| Histogram::new(exponential_buckets(0.002, 2.0, 16))) as fn() -> Histogram,
        );
        let guard = Gauge::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register_with_unit("request", "How long requests took", Unit::Seconds, seconds.clone());
        registry.register("guard_answers", "Whether the guard answers", guard.clone());
        Self { registry, requests, seconds, guard }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Counts a request.
    pub(crate) fn count(&self, method: &str, route: &str, status: StatusCode, took: Duration) {
        // A method is whatever a client writes; those that no route takes are one.
        let method = if METHODS.contains(&method) { method } else { "other" };
        let (method, route) = (method.to_owned(), route.to_owned());
        let asked = Asked { method: method.clone(), route: route.clone() };
        self.seconds.get_or_create(&asked).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { method, route, status: status.as_str().to_owned() }).inc();
    }
}

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "DELETE", "PUT"];

/// What a monitor asks: `/metrics`, `/live` (this program), `/ready` (the guard as well).
pub fn monitor(gateway: Gateway) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .with_state(gateway)
}

async fn metrics(State(gateway): State<Gateway>) -> Response {
    let is_there = gateway.catalogue().await.is_ok();
    let metrics = &gateway.parts().metrics;
    metrics.guard.set(i64::from(is_there));
    let mut text = String::new();
    match encode(&mut text, &metrics.registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(gateway): State<Gateway>) -> Response {
    match gateway.catalogue().await {
        Ok(_) => "ok\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the guard does not answer\n").into_response(),
    }
}
