//! The states of an application and the actions that lead from one to the next.

use serde::{Deserialize, Serialize};

use super::case::Vote;
use crate::actor::Role;
use crate::form::Answers;

/// Where an application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// 下書き: being written.
    Draft,
    /// 提出済: waits for the check of completeness.
    Submitted,
    /// 補正依頼: sent back to be completed or changed.
    Returned,
    /// 審査中: with the reviewers.
    UnderReview,
    /// 承認: the permit is in force as far as its own dates say.
    Approved,
    /// 変更申出の作成中: approved, and an amendment is being written.
    Amending,
    /// 変更申出の提出済: approved, and an amendment waits for the check.
    AmendmentSubmitted,
    /// 変更申出の審査中: approved, and an amendment is with the reviewers.
    AmendmentUnderReview,
    /// 利用停止: the permit is not in force.
    Suspended,
    /// 終了手続中: the permit has ended, data and keys are being destroyed.
    Closing,
    /// 終了: data and keys are destroyed, the record is kept.
    Closed,
    /// 不承認: decided against.
    Rejected,
    /// 取下げ: taken back by its people.
    Withdrawn,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Draft,
        Self::Submitted,
        Self::Returned,
        Self::UnderReview,
        Self::Approved,
        Self::Amending,
        Self::AmendmentSubmitted,
        Self::AmendmentUnderReview,
        Self::Suspended,
        Self::Closing,
        Self::Closed,
        Self::Rejected,
        Self::Withdrawn,
    ];

    /// The state's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Returned => "returned",
            Self::UnderReview => "under-review",
            Self::Approved => "approved",
            Self::Amending => "amending",
            Self::AmendmentSubmitted => "amendment-submitted",
            Self::AmendmentUnderReview => "amendment-under-review",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Draft => "下書き",
            Self::Submitted => "提出済",
            Self::Returned => "補正依頼",
            Self::UnderReview => "審査中",
            Self::Approved => "承認",
            Self::Amending => "変更申出の作成中",
            Self::AmendmentSubmitted => "変更申出の提出済",
            Self::AmendmentUnderReview => "変更申出の審査中",
            Self::Suspended => "利用停止",
            Self::Closing => "終了手続中",
            Self::Closed => "終了",
            Self::Rejected => "不承認",
            Self::Withdrawn => "取下げ",
        }
    }

    /// Whether the permit that was decided is in force, its own dates apart.
    pub const fn is_in_force(self) -> bool {
        matches!(
            self,
            Self::Approved | Self::Amending | Self::AmendmentSubmitted | Self::AmendmentUnderReview
        )
    }
}

/// What is done to an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Writes the application, in place of what was written before.
    Write {
        /// The whole document, from which a permit is made.
        document: String,
        /// Its answers to the form's questions.
        answers: Answers,
        /// The people whom the application names.
        people: Vec<String>,
    },
    /// Hands it in.
    Submit,
    /// Takes it back.
    Withdraw,
    /// Finds it complete and hands it to reviewers.
    Accept {
        /// The reviewers.
        reviewers: Vec<String>,
    },
    /// Sends it back.
    Return {
        /// What is to be completed or changed.
        reason: String,
    },
    /// Declares an interest in it.
    Declare {
        /// Which.
        interest: String,
    },
    /// Gives an opinion.
    Review {
        /// For or against.
        vote: Vote,
        /// Why.
        comment: String,
    },
    /// Decides for it.
    Approve {
        /// Conditions of the decision.
        conditions: Vec<String>,
    },
    /// Decides against it.
    Reject {
        /// Why.
        reason: String,
    },
    /// Appeals against a rejection, once.
    Appeal {
        /// Why.
        reason: String,
    },
    /// Begins an amendment or a renewal.
    Amend,
    /// Stops the use.
    Suspend {
        /// Why.
        reason: String,
    },
    /// Lets the use go on.
    Resume,
    /// Ends the use.
    Close {
        /// Why: the end of the project, of the permit, an order.
        reason: String,
    },
    /// Confirms that data and keys are destroyed.
    Finish {
        /// The deletion record.
        record: String,
    },
}

/// An action without its content, for tables and for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// [`Action::Write`].
    Write,
    /// [`Action::Submit`].
    Submit,
    /// [`Action::Withdraw`].
    Withdraw,
    /// [`Action::Accept`].
    Accept,
    /// [`Action::Return`].
    Return,
    /// [`Action::Declare`].
    Declare,
    /// [`Action::Review`].
    Review,
    /// [`Action::Approve`].
    Approve,
    /// [`Action::Reject`].
    Reject,
    /// [`Action::Appeal`].
    Appeal,
    /// [`Action::Amend`].
    Amend,
    /// [`Action::Suspend`].
    Suspend,
    /// [`Action::Resume`].
    Resume,
    /// [`Action::Close`].
    Close,
    /// [`Action::Finish`].
    Finish,
}

/// Who may do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A person of the application who is a researcher.
    People,
    /// Somebody in this role who is not one of its people.
    Other(Role),
    /// Somebody in this role, or a person of the application.
    Either(Role),
}

impl Mark {
    /// Every action.
    pub const ALL: [Self; 15] = [
        Self::Write,
        Self::Submit,
        Self::Withdraw,
        Self::Accept,
        Self::Return,
        Self::Declare,
        Self::Review,
        Self::Approve,
        Self::Reject,
        Self::Appeal,
        Self::Amend,
        Self::Suspend,
        Self::Resume,
        Self::Close,
        Self::Finish,
    ];

    /// The action's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Submit => "submit",
            Self::Withdraw => "withdraw",
            Self::Accept => "accept",
            Self::Return => "return",
            Self::Declare => "declare",
            Self::Review => "review",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Appeal => "appeal",
            Self::Amend => "amend",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Close => "close",
            Self::Finish => "finish",
        }
    }

    /// The action in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Write => "記入",
            Self::Submit => "提出",
            Self::Withdraw => "取下げ",
            Self::Accept => "受理・審査委員の割当て",
            Self::Return => "補正依頼",
            Self::Declare => "利益相反の申告",
            Self::Review => "意見",
            Self::Approve => "承認",
            Self::Reject => "不承認",
            Self::Appeal => "不服申立て",
            Self::Amend => "変更申出の開始",
            Self::Suspend => "利用停止",
            Self::Resume => "利用再開",
            Self::Close => "利用終了",
            Self::Finish => "消去の実施",
        }
    }

    pub(crate) const fn by(self) -> By {
        match self {
            Self::Write | Self::Submit | Self::Withdraw | Self::Appeal | Self::Amend => By::People,
            Self::Declare | Self::Review => By::Other(Role::Reviewer),
            Self::Accept | Self::Return | Self::Approve | Self::Reject | Self::Suspend | Self::Resume => {
                By::Other(Role::DataOfficer)
            }
            Self::Close => By::Either(Role::DataOfficer),
            Self::Finish => By::Other(Role::Operator),
        }
    }

    /// The state that the action leads to; nothing where it is not done in this state.
    pub const fn from(self, state: State) -> Option<State> {
        use State::{
            Amending, AmendmentSubmitted, AmendmentUnderReview, Approved, Closed, Closing, Draft, Rejected,
            Returned, Submitted, Suspended, UnderReview, Withdrawn,
        };
        Some(match (self, state) {
            (Self::Write, Draft | Returned | Amending)
            | (Self::Declare | Self::Review, UnderReview | AmendmentUnderReview) => state,
            (Self::Declare, Submitted | AmendmentSubmitted) => state,
            (Self::Submit, Draft | Returned) | (Self::Appeal, Rejected) => Submitted,
            (Self::Submit, Amending) => AmendmentSubmitted,
            (Self::Withdraw, Draft | Submitted | Returned | UnderReview) => Withdrawn,
            // An amendment that is taken back leaves what was decided.
            (Self::Withdraw, Amending | AmendmentSubmitted | AmendmentUnderReview)
            | (Self::Approve | Self::Reject, AmendmentUnderReview)
            | (Self::Resume, Suspended) => Approved,
            (Self::Accept, Submitted) => UnderReview,
            (Self::Accept, AmendmentSubmitted) => AmendmentUnderReview,
            (Self::Return, Submitted | UnderReview) => Returned,
            (Self::Return, AmendmentSubmitted | AmendmentUnderReview) | (Self::Amend, Approved) => Amending,
            (Self::Approve, UnderReview) => Approved,
            (Self::Reject, UnderReview) => Rejected,
            (Self::Suspend, Approved | Amending | AmendmentSubmitted | AmendmentUnderReview) => Suspended,
            (Self::Close, Approved | Amending | AmendmentSubmitted | AmendmentUnderReview | Suspended) => {
                Closing
            }
            (Self::Finish, Closing) => Closed,
            _ => return None,
        })
    }
}

impl Action {
    /// The action without its content.
    pub const fn mark(&self) -> Mark {
        match self {
            Self::Write { .. } => Mark::Write,
            Self::Submit => Mark::Submit,
            Self::Withdraw => Mark::Withdraw,
            Self::Accept { .. } => Mark::Accept,
            Self::Return { .. } => Mark::Return,
            Self::Declare { .. } => Mark::Declare,
            Self::Review { .. } => Mark::Review,
            Self::Approve { .. } => Mark::Approve,
            Self::Reject { .. } => Mark::Reject,
            Self::Appeal { .. } => Mark::Appeal,
            Self::Amend => Mark::Amend,
            Self::Suspend { .. } => Mark::Suspend,
            Self::Resume => Mark::Resume,
            Self::Close { .. } => Mark::Close,
            Self::Finish { .. } => Mark::Finish,
        }
    }

    /// The text that the action demands, with its name, where it is empty.
    pub(crate) fn lacks(&self) -> Option<&'static str> {
        let (text, name) = match self {
            Self::Return { reason }
            | Self::Reject { reason }
            | Self::Appeal { reason }
            | Self::Suspend { reason }
            | Self::Close { reason } => (reason, "a reason"),
            Self::Review { comment, .. } => (comment, "a comment"),
            Self::Declare { interest } => (interest, "the interest"),
            Self::Finish { record } => (record, "the deletion record"),
            Self::Write { .. }
            | Self::Submit
            | Self::Withdraw
            | Self::Accept { .. }
            | Self::Approve { .. }
            | Self::Amend
            | Self::Resume => return None,
        };
        text.trim().is_empty().then_some(name)
    }
}
