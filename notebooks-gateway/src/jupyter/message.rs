//! A message of the Jupyter protocol: as it comes from a client, and as it goes to one.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

/// The version of the protocol that is spoken.
pub(super) const VERSION: &str = "5.3";

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Shell,
    Control,
    Iopub,
    Stdin,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Incoming {
    pub(super) header: Header,
    #[serde(default = "shell")]
    pub(super) channel: Channel,
    #[serde(default)]
    pub(super) content: Value,
}

/// What a message says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Header {
    pub(super) msg_id: String,
    pub(super) msg_type: String,
    #[serde(default)]
    pub(super) session: String,
    #[serde(default)]
    pub(super) username: String,
    /// The client's time. Answers carry it back: the kernel has no clock of its own.
    #[serde(default)]
    pub(super) date: Value,
}

/// A message that goes out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outgoing {
    /// The connection that it is for; everybody's where there is none.
    pub(super) to: Option<u64>,
    pub(super) channel: Channel,
    pub(super) header: Value,
    pub(super) parent: Arc<Value>,
    pub(super) content: Value,
}

const fn shell() -> Channel {
    Channel::Shell
}

impl Channel {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Control => "control",
            Self::Iopub => "iopub",
            Self::Stdin => "stdin",
        }
    }
}

impl Header {
    /// The header as answers quote it.
    pub(super) fn quoted(&self) -> Value {
        json!({
            "msg_id": self.msg_id, "msg_type": self.msg_type, "session": self.session,
            "username": self.username, "date": self.date, "version": VERSION,
        })
    }
}
