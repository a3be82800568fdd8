//! The states of an output and the actions that lead from one to the next.

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::application::Vote;

/// Where an output stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// 準備中: its author describes it.
    Pending,
    /// 提出済: waits for two opinions.
    Submitted,
    /// 一部審査済: one opinion is given.
    PartlyReviewed,
    /// 審査済: waits for the decision.
    Reviewed,
    /// 差戻し: to be changed.
    Returned,
    /// 承認: may go out.
    Approved,
    /// 不承認: stays inside.
    Rejected,
    /// 提供済: is out.
    Released,
    /// 回収: was out and has been called back.
    Revoked,
    /// 取下げ: taken back by its author.
    Withdrawn,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Submitted,
        Self::PartlyReviewed,
        Self::Reviewed,
        Self::Returned,
        Self::Approved,
        Self::Rejected,
        Self::Released,
        Self::Revoked,
        Self::Withdrawn,
    ];

    /// The state's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Submitted => "submitted",
            Self::PartlyReviewed => "partly-reviewed",
            Self::Reviewed => "reviewed",
            Self::Returned => "returned",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Released => "released",
            Self::Revoked => "revoked",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Pending => "準備中",
            Self::Submitted => "提出済",
            Self::PartlyReviewed => "一部審査済",
            Self::Reviewed => "審査済",
            Self::Returned => "差戻し",
            Self::Approved => "承認",
            Self::Rejected => "不承認",
            Self::Released => "提供済",
            Self::Revoked => "回収",
            Self::Withdrawn => "取下げ",
        }
    }
}

/// What is done to an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Describes it: what it is for, and what was done against disclosure. Voids opinions given before.
    Describe {
        /// What it is for.
        context: String,
        /// What was done against disclosure.
        controls: String,
    },
    /// Attaches a file of an allowed kind, in place of one of the same name. Voids opinions given before.
    Attach {
        /// The file's name.
        name: String,
        /// Its text.
        text: String,
    },
    /// Hands it in.
    Submit,
    /// Takes it back.
    Withdraw,
    /// Declares an interest in it: the person takes no part from then on.
    Declare {
        /// Which.
        interest: String,
    },
    /// Gives an opinion, blind to the other.
    Review {
        /// For or against.
        vote: Vote,
        /// Why.
        comment: String,
    },
    /// Sends it back.
    Return {
        /// What is to be changed.
        reason: String,
    },
    /// Decides that it may go out.
    Approve,
    /// Decides that it stays inside.
    Reject {
        /// Why.
        reason: String,
    },
    /// Appeals against a rejection, once.
    Appeal {
        /// Why.
        reason: String,
    },
    /// Lets it out.
    Release,
    /// Calls it back.
    Revoke {
        /// Why.
        reason: String,
    },
}

/// An action without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// [`Action::Describe`].
    Describe,
    /// [`Action::Attach`].
    Attach,
    /// [`Action::Submit`].
    Submit,
    /// [`Action::Withdraw`].
    Withdraw,
    /// [`Action::Declare`].
    Declare,
    /// [`Action::Review`].
    Review,
    /// [`Action::Return`].
    Return,
    /// [`Action::Approve`].
    Approve,
    /// [`Action::Reject`].
    Reject,
    /// [`Action::Appeal`].
    Appeal,
    /// [`Action::Release`].
    Release,
    /// [`Action::Revoke`].
    Revoke,
}

impl Mark {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::Describe,
        Self::Attach,
        Self::Submit,
        Self::Withdraw,
        Self::Declare,
        Self::Review,
        Self::Return,
        Self::Approve,
        Self::Reject,
        Self::Appeal,
        Self::Release,
        Self::Revoke,
    ];

    /// The action's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Attach => "attach",
            Self::Submit => "submit",
            Self::Withdraw => "withdraw",
            Self::Declare => "declare",
            Self::Review => "review",
            Self::Return => "return",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Appeal => "appeal",
            Self::Release => "release",
            Self::Revoke => "revoke",
        }
    }

    /// The action in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Describe => "説明の記入",
            Self::Attach => "ファイルの添付",
            Self::Submit => "提出",
            Self::Withdraw => "取下げ",
            Self::Declare => "利益相反の申告",
            Self::Review => "意見",
            Self::Return => "差戻し",
            Self::Approve => "承認",
            Self::Reject => "不承認",
            Self::Appeal => "不服申立て",
            Self::Release => "提供",
            Self::Revoke => "回収",
        }
    }

    /// The role that does it; an author's actions take the author.
    pub const fn role(self) -> Role {
        match self {
            Self::Describe | Self::Attach | Self::Submit | Self::Withdraw | Self::Appeal => Role::Researcher,
            Self::Declare | Self::Review => Role::Reviewer,
            Self::Return | Self::Approve | Self::Reject | Self::Release | Self::Revoke => Role::DataOfficer,
        }
    }

    /// The state that the action leads to; nothing where it is not done in this state.
    pub const fn from(self, state: State) -> Option<State> {
        use State::{
            Approved, PartlyReviewed, Pending, Rejected, Released, Returned, Reviewed, Revoked, Submitted,
            Withdrawn,
        };
        Some(match (self, state) {
            (Self::Describe | Self::Attach, Pending | Returned)
            | (Self::Declare, Submitted | PartlyReviewed | Reviewed) => state,
            (Self::Describe | Self::Attach, Submitted | PartlyReviewed | Reviewed)
            | (Self::Submit, Pending | Returned)
            | (Self::Appeal, Rejected) => Submitted,
            (Self::Withdraw, Pending | Submitted | PartlyReviewed | Reviewed | Returned) => Withdrawn,
            (Self::Review, Submitted) => PartlyReviewed,
            (Self::Review, PartlyReviewed) => Reviewed,
            (Self::Return, Submitted | PartlyReviewed | Reviewed) => Returned,
            (Self::Approve, Reviewed) => Approved,
            (Self::Reject, Reviewed) => Rejected,
            (Self::Release, Approved) => Released,
            (Self::Revoke, Approved | Released) => Revoked,
            _ => return None,
        })
    }

    /// As [`Mark::from`], of an output that went out by itself and is looked at afterwards: it is found right or
    /// called back.
    pub const fn from_out(self, state: State) -> Option<State> {
        use State::{PartlyReviewed, Released, Reviewed, Revoked, Submitted};
        match (self, state) {
            (Self::Submit | Self::Withdraw | Self::Return | Self::Release | Self::Appeal, _) => None,
            (Self::Approve, Reviewed) => Some(Released),
            (Self::Reject, Reviewed) | (Self::Revoke, Submitted | PartlyReviewed | Reviewed | Released) => {
                Some(Revoked)
            }
            (mark, state) => mark.from(state),
        }
    }
}

impl Action {
    /// The action without its content.
    pub const fn mark(&self) -> Mark {
        match self {
            Self::Describe { .. } => Mark::Describe,
            Self::Attach { .. } => Mark::Attach,
            Self::Submit => Mark::Submit,
            Self::Withdraw => Mark::Withdraw,
            Self::Declare { .. } => Mark::Declare,
            Self::Review { .. } => Mark::Review,
            Self::Return { .. } => Mark::Return,
            Self::Approve => Mark::Approve,
            Self::Reject { .. } => Mark::Reject,
            Self::Appeal { .. } => Mark::Appeal,
            Self::Release => Mark::Release,
            Self::Revoke { .. } => Mark::Revoke,
        }
    }
    /// The text that the action demands, with its name, where it is empty.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let texts: [(&str, &'static str); 2] = match self {
            Self::Describe { context, controls } => {
                [(context, "the context"), (controls, "what was done against disclosure")]
            }
            Self::Attach { name, text } => [(name, "the file's name"), (text, "the file")],
            Self::Declare { interest } => [(interest, "the interest"); 2],
            Self::Review { comment, .. } => [(comment, "a comment"); 2],
            Self::Return { reason }
            | Self::Reject { reason }
            | Self::Appeal { reason }
            | Self::Revoke { reason } => [(reason, "a reason"); 2],
            Self::Submit | Self::Withdraw | Self::Approve | Self::Release => return None,
        };
        texts.iter().find(|(text, _)| text.trim().is_empty()).map(|(_, name)| *name)
    }
}
