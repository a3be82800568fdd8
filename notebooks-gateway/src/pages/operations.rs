//! `/operations`: how the environment stands: health, pipelines, deliveries with their accounts, snapshots, keys.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine_protocol::{ClientReply, ClientRequest, FrameError, Operating, OperatingAsk, OperatingReply};
use reports::number;

use super::problem::{self, Problem};
use super::{Chrome, Here, go, show};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::visitor::Whoever;

#[derive(Template)]
#[template(path = "operations.html")]
struct Page {
    chrome: Chrome,
    stands: Box<Operating>,
}

pub(super) async fn page(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    let Some(visitor) = visitor else { return go("/sign-in") };
    let ask = ClientRequest::Operating(OperatingAsk { user: visitor.user().to_owned() });
    let problem = match gateway.ask(&visitor, ask).await {
        Ok(ClientReply::Operating(OperatingReply::Stands(stands))) => {
            let chrome = Chrome::new(&gateway, Some(&visitor), Here::Operations).await;
            return show(StatusCode::OK, &Page { chrome, stands });
        }
        Ok(ClientReply::Operating(OperatingReply::NotAllowed)) => Problem::NoRole,
        Ok(ClientReply::Fault { message }) => {
            tracing::error!(message, "the guard reports a fault");
            Problem::Ours
        }
        Ok(_) => Problem::Guard(AskError::Broken(FrameError::Form.into())),
        Err(error) => Problem::Guard(error),
    };
    problem::respond(&gateway, Some(&visitor), &problem).await
}

/// A count of lines.
fn count(lines: &u64) -> String {
    number::count(*lines)
}

/// A part of a delivery's lines.
fn share(part: &u64, whole: &u64) -> String {
    number::share(*part, *whole)
}

/// A moment as people read it.
fn moment(text: &str) -> String {
    text.get(..16).unwrap_or(text).replace('T', " ")
}

/// What is looked at, in both languages.
fn called(what: &str) -> (&'static str, &'static str) {
    match what {
        "snapshot" => ("スナップショット", "snapshots"),
        "deliveries" => ("提供データ", "deliveries"),
        "keys" => ("鍵", "keys"),
        "record" => ("監査記録", "record"),
        "workers" => ("実行役", "workers"),
        _ => ("そのほか", "other"),
    }
}

/// How something stands, in both languages.
fn state(word: &str) -> (&'static str, &'static str) {
    match word {
        "held" => ("有効", "held"),
        "recalled" => ("取下げ", "recalled"),
        "replaced" => ("差替え済", "replaced"),
        "running" => ("実行中", "running"),
        "done" => ("完了", "done"),
        "skipped" => ("変更なし", "skipped"),
        "failed" => ("失敗", "failed"),
        "interrupted" => ("中断", "interrupted"),
        "current" => ("現在", "current"),
        "former" => ("以前", "former"),
        "destroyed" => ("廃棄", "destroyed"),
        _ => ("不明", "unknown"),
    }
}
