//! Why a form about passwords and codes was not taken, in words that tell nobody which part of it was wrong.

use axum::http::StatusCode;
use engine_protocol::IdentityReply;

/// Why a form was not taken, if it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing is wrong.
    Nothing,
    /// It was not accepted.
    Refused,
    /// The password cannot be taken.
    Weak,
    /// Too many at once.
    Later,
}

impl Why {
    /// What the guard's answer means where it is not the one that was hoped for.
    pub(super) const fn of(reply: &IdentityReply) -> Self {
        match reply {
            IdentityReply::Weak => Self::Weak,
            IdentityReply::Later => Self::Later,
            _ => Self::Refused,
        }
    }

    /// The status of a page that says so.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Nothing => StatusCode::OK,
            Self::Refused | Self::Weak => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Later => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What the page says, in Japanese and English.
    pub(super) const fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Nothing => None,
            Self::Refused => Some((
                "受け付けられませんでした。入力を確かめてください。",
                "This was not accepted. Please check what you entered.",
            )),
            Self::Weak => Some((
                "このパスワードは使えません。12文字以上で、利用者名を含まず、二度とも同じものにしてください。",
                "This password cannot be taken: at least 12 characters, without your user name, the same twice.",
            )),
            Self::Later => Some((
                "いまは受け付けられません。少し待ってから試してください。",
                "Not now, please. Wait a little and try again.",
            )),
        }
    }
}
