//! Rows that left and data that were erased, as the record tells it.

use audit::{Entry, Kind, Value};
use reports::board::leaving::{Erased, Leaving};

use super::span::minute;
use super::{Desk, Span, said};

/// Rows that were provided in the period, and what came to nothing; of one project, where it is given.
pub(super) fn provisions(desk: &Desk, span: &Span, project: Option<&str>) -> Vec<Leaving> {
    let is_one = |entry: &&Entry| {
        matches!(entry.kind(), Kind::RowsProvided | Kind::ProvisionFailed)
            && project.is_none_or(|project| entry.project() == Some(project))
    };
    desk.within(span).filter(is_one).map(provision).collect()
}

fn provision(entry: &Entry) -> Leaving {
    // Entries from before the receiver was named have whose pseudonyms they are.
    let receiver = match said(entry, "receiver") {
        "" => entry.subject().unwrap_or_default(),
        receiver => receiver,
    };
    Leaving {
        at: minute(entry.at()),
        project: entry.project().unwrap_or_default().to_owned(),
        receiver: receiver.to_owned(),
        columns: texts(entry, "columns"),
        rows: texts(entry, "rows"),
        officers: officers(entry),
        failed: said(entry, "reason").to_owned(),
    }
}

/// Data that were erased in the period. What a killed run did and the next one recorded is there once more.
pub(super) fn erasures(desk: &Desk, span: &Span) -> Vec<Erased> {
    let erased = |entry: &Entry| Erased {
        at: minute(entry.at()),
        what: entry.subject().unwrap_or_default().to_owned(),
        why: said(entry, "why").to_owned(),
        officers: officers(entry),
    };
    desk.within(span).filter(|entry| entry.kind() == Kind::DataErased).map(erased).collect()
}

fn officers(entry: &Entry) -> Vec<String> {
    let names = [said(entry, "first"), said(entry, "second")];
    names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn texts(entry: &Entry, name: &str) -> Vec<String> {
    let Some(Value::List(values)) = entry.body().value(name) else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        Value::Flag(_) | Value::Whole(_) | Value::List(_) | Value::Object(_) => None,
    };
    values.iter().filter_map(text).collect()
}
