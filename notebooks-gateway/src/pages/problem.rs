//! Pages for what goes wrong: what happened, whose it is, and what to do next.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Chrome, Here, show};
use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::visitor::{Visitor, Whoever};

/// What went wrong.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// There is no such page.
    NotFound,
    /// The page does not take such a request.
    Method,
    /// The form does not come from one of our own pages, or from one of another session.
    Foreign,
    /// The form is too large.
    TooLarge,
    /// The form is not of the expected form.
    Malformed,
    /// Something took longer than it may.
    Slow,
    /// The answer that is asked for is not kept any more.
    NotKept,
    /// The visitor has no permit in the project.
    NoPermit,
    /// The visitor has not the role that the page is for.
    NoRole,
    /// A table that is to be open is not one that was released.
    NotReleased,
    /// The guard gave no answer.
    Guard(AskError),
    /// A fault of ours.
    Ours,
}

/// Words of a page, in Japanese and English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) title: (&'static str, &'static str),
    pub(crate) text: (&'static str, &'static str),
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    chrome: Chrome,
    status: u16,
    words: Words,
}

/// The page about a problem.
pub(crate) async fn respond(gateway: &Gateway, visitor: Option<&Visitor>, problem: &Problem) -> Response {
    let status = problem.status();
    if let Problem::Guard(error) = problem {
        tracing::warn!(%error, cause = cause(error), "the guard gave no answer");
    }
    let chrome = Chrome::new(gateway, visitor, Here::Elsewhere).await;
    show(status, &Page { chrome, status: status.as_u16(), words: problem.words() })
}

/// The page for an address that is not there.
pub(super) async fn not_found(State(gateway): State<Gateway>, Whoever(visitor): Whoever) -> Response {
    respond(&gateway, visitor.as_ref(), &Problem::NotFound).await
}

/// The page for a method that an address does not take.
pub(super) async fn method_not_allowed(
    State(gateway): State<Gateway>,
    Whoever(visitor): Whoever,
) -> Response {
    respond(&gateway, visitor.as_ref(), &Problem::Method).await
}

impl Problem {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Foreign | Self::NoPermit | Self::NoRole => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed | Self::NotReleased => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::NotKept => StatusCode::GONE,
            Self::Guard(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ours => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn words(&self) -> Words {
        let (title, text) = match self {
            Self::NotFound => (
                ("このページはありません", "There is no such page"),
                (
                    "アドレスが変わったか、打ち間違いかもしれません。表や項目はカタログから探せます。",
                    "The address may have changed or been mistyped. Tables and columns can be found in the catalogue.",
                ),
            ),
            Self::Method => (
                ("この操作はできません", "This page does not take such a request"),
                (
                    "画面のボタンやリンクから操作してください。",
                    "Please use the buttons and links of the pages.",
                ),
            ),
            Self::Foreign => (
                ("この送信は受け付けませんでした", "This form was not accepted"),
                (
                    "別のサイトから、または前のサインインの画面から送られたようです。画面を開き直してから送信してください。",
                    "It seems to come from another site, or from a page of an earlier sign-in. Please open the page again and send it from there.",
                ),
            ),
            Self::TooLarge => (
                ("送信が大きすぎます", "The form is too large"),
                ("一度に送れるのは256 KiBまでです。", "A form may have 256 KiB at most."),
            ),
            Self::Malformed => (
                ("送信の形式が読めません", "The form cannot be read"),
                (
                    "画面を開き直してから送信してください。",
                    "Please open the page again and send it from there.",
                ),
            ),
            Self::Slow => (
                ("時間がかかりすぎました", "This took too long"),
                (
                    "実行中の照会があれば、そのまま続いています。ワークベンチで確かめてください。",
                    "A query that was running goes on. Look at the workbench.",
                ),
            ),
            Self::NotKept => (
                ("この結果はもう保持していません", "This result is not kept any more"),
                (
                    "結果はしばらくのあいだだけ保持されます。必要なら、もう一度実行してください。同じ問いには同じ答えが返ります。",
                    "Results are kept for a while only. Please run the query again if you need it: the same question gets the same answer.",
                ),
            ),
            Self::NoPermit => (
                ("この研究課題の利用許可がありません", "There is no permit for this project"),
                (
                    "許可が終わったか、停止されているか、利用者として記載されていません。申請の画面で確かめるか、審査の事務局に尋ねてください。",
                    "The permit has ended or is suspended, or does not name you. Please look at the applications, or ask the review office.",
                ),
            ),
            Self::NotReleased => (
                ("この表は公表された表と一致しません", "This is not a table that was released"),
                (
                    "監査記録にある公表の要約値と一致しません。ワークベンチから保存した JSON を、そのまま貼り付けてください。",
                    "Its digest is not among those of the record. Please paste the JSON file from the workbench as it is.",
                ),
            ),
            Self::NoRole => (
                ("この画面は別の役割の人のためのものです", "This page is for people in another role"),
                (
                    "役割は運用担当者が登録します。必要なら運用担当者に相談してください。",
                    "Roles are entered by the operator. Please ask the operator if you need one.",
                ),
            ),
            Self::Guard(error) => return no_answer(error),
            Self::Ours => (
                ("こちらの不具合です", "This is our fault"),
                ("少し待ってから、もう一度試してください。", "Please wait a little and try again."),
            ),
        };
        Words { title, text }
    }
}

/// What a visitor is told where the guard gave no answer.
pub(crate) const fn no_answer(error: &AskError) -> Words {
    let (title, text) = match error {
        AskError::Unreachable(_) => (
            ("データの番人に届きません", "The guard of the data cannot be reached"),
            (
                "この画面の奥で問いに答える misu-guard が動いていないようです。データは失われていません。運用担当者に知らせるか、少し待って開き直してください。",
                "The program that answers behind these pages, misu-guard, does not seem to run. No data are lost. Please tell the operator, or open this page again in a while.",
            ),
        ),
        AskError::Late => (
            ("答えが時間内に届きませんでした", "No answer came in time"),
            (
                "問いが大きすぎるのかもしれません。期間や表を絞って、もう一度試してください。",
                "The question may be too large. Please narrow its period or its tables and try again.",
            ),
        ),
        AskError::Busy => (
            ("いま混み合っています", "Too many questions at once"),
            ("少し待ってから、もう一度試してください。", "Please wait a little and try again."),
        ),
        AskError::NotKnown => (
            (
                "サインインが終わっているか、この研究課題の方ではありません",
                "Your sign-in has ended, or the project is not yours",
            ),
            ("もう一度サインインしてから試してください。", "Please sign in again and try once more."),
        ),
        AskError::Fault(_) | AskError::Broken(_) | AskError::Lost => (
            ("答えが途中で切れました", "The answer broke off"),
            ("少し待ってから、もう一度試してください。", "Please wait a little and try again."),
        ),
    };
    Words { title, text }
}

/// The innermost cause, for the log.
fn cause(error: &AskError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
