//! What a caller wants to have recorded; the log adds number, time and hashes.

use crate::kind::Kind;
use crate::value::{Body, Value};

/// Something that happened. Bodies never hold a person's value, and never SQL text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an event is only recorded by `Log::record`"]
pub struct Event {
    pub(crate) kind: Kind,
    pub(crate) who: String,
    pub(crate) project: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) body: Body,
}

impl Event {
    /// Something of this kind, done by this program or user.
    pub fn new(kind: Kind, who: impl Into<String>) -> Self {
        Self { kind, who: who.into(), project: None, subject: None, body: Body::new() }
    }

    /// Names the project for which it was done.
    pub fn project(self, project: impl Into<String>) -> Self {
        Self { project: Some(project.into()), ..self }
    }

    /// Names what it is about: a snapshot id, a query id, a delivery's name.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// Adds a value to the body.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.set(name, value);
        self
    }
}
