//! Requests of one officer, as the record has them: whether one still waits for the second.

use std::path::Path;

use crate::entry::Entry;
use crate::kind::Kind;
use crate::value::{Body, Value};

/// Whether the log has this request for an act, by this officer, and no entry yet that it was spent on.
pub fn is_waiting(log: &Path, (request, act, by): (&str, &str, &str)) -> bool {
    let Ok(entries) = Entry::all(log) else { return false };
    let of_request =
        entries.filter_map(Result::ok).filter(|entry| text(entry.body(), "request") == Some(request));
    let mut is_asked = false;
    for entry in of_request {
        match entry.kind() {
            Kind::KeyActRequested => is_asked |= text(entry.body(), "act") == Some(act) && entry.who() == by,
            _ => return false,
        }
    }
    is_asked && !request.is_empty()
}

fn text<'b>(body: &'b Body, name: &str) -> Option<&'b str> {
    match body.value(name) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    }
}
