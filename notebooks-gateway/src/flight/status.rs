//! Answers that are no table, as gRPC says them: the rule, the place and the nearest allowed form in the message.

use engine_protocol::{Verdict, VerdictKind};
use reports::verdict::place;
use tonic::Status;
use tonic::metadata::MetadataValue;

use crate::guard::AskError;
use crate::kept::NotBegun;

/// A question that is refused or that the permit does not cover. The rule also stands in the trailer `misu-rule`.
pub(super) fn of_verdict(verdict: &Verdict, sql: &str) -> Status {
    let rule = verdict.rule.as_deref().unwrap_or("none");
    let (word, message) = (word(verdict.verdict), verdict.message.as_deref().unwrap_or_default());
    let mut text = format!("{word} [{rule}]: {message}");
    if let Some(cut) = verdict.span.and_then(|span| place(sql, span)) {
        let line = cut.before.matches('\n').count() + 1;
        let column = cut.before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        text.push_str(&format!("; at line {line}, column {column}: {}", cut.marked));
    }
    if let Some(suggestion) = &verdict.suggestion {
        text.push_str(&format!("; allowed: {suggestion}"));
    }
    let mut status = match verdict.verdict {
        VerdictKind::Denied => Status::permission_denied(text),
        VerdictKind::Refused | VerdictKind::Vetted => Status::invalid_argument(text),
    };
    if let Ok(rule) = MetadataValue::try_from(rule) {
        status.metadata_mut().insert("misu-rule", rule);
    }
    status
}

const fn word(verdict: VerdictKind) -> &'static str {
    match verdict {
        VerdictKind::Vetted => "vetted",
        VerdictKind::Refused => "refused",
        VerdictKind::Denied => "denied",
    }
}

/// Nothing can be released; every reason looks the same.
pub(super) fn withheld() -> Status {
    Status::failed_precondition("withheld: nothing can be released")
}

/// People look at an output before it goes out.
pub(super) fn held(output: &str) -> Status {
    let text =
        format!("held: people look at this output before it goes out; describe and submit it as {output}");
    Status::failed_precondition(text)
}

/// A fault of ours.
pub(super) fn ours() -> Status {
    Status::internal("a fault of ours; the operator's log says more")
}

/// The guard gave no answer.
pub(super) fn no_answer(error: &AskError) -> Status {
    if matches!(error, AskError::NotKnown) {
        return Status::unauthenticated("the token has ended");
    }
    tracing::warn!(%error, "the guard gave no answer");
    Status::unavailable("the guard gave no answer; come back in a moment")
}

/// A question was not begun.
pub(super) fn not_begun(error: &NotBegun) -> Status {
    match error {
        NotBegun::TooMany => Status::resource_exhausted("too many questions at once; come back in a moment"),
        NotBegun::OtherQuestion | NotBegun::Random(_) => {
            tracing::error!(%error, "no question can be asked");
            ours()
        }
    }
}
