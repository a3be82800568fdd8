//! `/assets/…`: the style sheet and two pictures, compiled in.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::problem::{self, Problem};
use crate::gateway::Gateway;

const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

pub(super) async fn asset(State(gateway): State<Gateway>, Path(file): Path<String>) -> Response {
    let (kind, text) = match file.as_str() {
        "misu.css" => (CSS, include_str!("../../assets/misu.css")),
        "misu.svg" => (SVG, include_str!("../../assets/misu.svg")),
        "blind.svg" => (SVG, include_str!("../../assets/blind.svg")),
        _ => return problem::respond(&gateway, None, &Problem::NotFound).await,
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=300")], text).into_response()
}
