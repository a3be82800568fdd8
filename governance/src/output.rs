//! Output review (airlock): what the rules hold back, or what a permit sends to people, and what they say of it.
//!
//! ```text
//! pending → submitted → partly-reviewed → reviewed → approved → released → revoked
//!               ⇅ returned                   ↘ rejected
//! ```
//! Two reviewers say their opinion without seeing the other's. A change of the output voids what was said. What
//! passed the rules by itself is released at once, kept, and some of it is reviewed later ([`is_drawn`]).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::actor::{Actor, Role};
use crate::application::{Opinion, Vote};
use crate::moves::{Illegal, Move};

/// Opinions that a decision needs.
const OPINIONS: usize = 2;

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
    /// Hands it in.
    Submit,
    /// Takes it back.
    Withdraw,
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
    /// [`Action::Submit`].
    Submit,
    /// [`Action::Withdraw`].
    Withdraw,
    /// [`Action::Review`].
    Review,
    /// [`Action::Return`].
    Return,
    /// [`Action::Approve`].
    Approve,
    /// [`Action::Reject`].
    Reject,
    /// [`Action::Release`].
    Release,
    /// [`Action::Revoke`].
    Revoke,
}

impl Mark {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Describe,
        Self::Submit,
        Self::Withdraw,
        Self::Review,
        Self::Return,
        Self::Approve,
        Self::Reject,
        Self::Release,
        Self::Revoke,
    ];

    /// The action's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Submit => "submit",
            Self::Withdraw => "withdraw",
            Self::Review => "review",
            Self::Return => "return",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Release => "release",
            Self::Revoke => "revoke",
        }
    }

    /// The role that does it; an author's actions take the author.
    pub const fn role(self) -> Role {
        match self {
            Self::Describe | Self::Submit | Self::Withdraw => Role::Researcher,
            Self::Review => Role::Reviewer,
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
            (Self::Describe, Pending | Returned) => state,
            (Self::Describe, Submitted | PartlyReviewed | Reviewed) | (Self::Submit, Pending | Returned) => {
                Submitted
            }
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
}

impl Action {
    /// The action without its content.
    pub const fn mark(&self) -> Mark {
        match self {
            Self::Describe { .. } => Mark::Describe,
            Self::Submit => Mark::Submit,
            Self::Withdraw => Mark::Withdraw,
            Self::Review { .. } => Mark::Review,
            Self::Return { .. } => Mark::Return,
            Self::Approve => Mark::Approve,
            Self::Reject { .. } => Mark::Reject,
            Self::Release => Mark::Release,
            Self::Revoke { .. } => Mark::Revoke,
        }
    }
}

/// An output that people look at before it goes out.
#[derive(Clone, Debug)]
pub struct Output {
    release: String,
    project: BTreeSet<String>,
    state: State,
    is_described: bool,
    opinions: Vec<Opinion>,
    moves: Vec<Move<Action>>,
}

impl Output {
    /// A held output of a release, for the people of its project.
    pub fn held(release: &str, project: impl IntoIterator<Item = String>) -> Self {
        Self {
            release: release.to_owned(),
            project: project.into_iter().collect(),
            state: State::Pending,
            is_described: false,
            opinions: Vec::new(),
            moves: Vec::new(),
        }
    }

    /// The output that stored moves led to. They were judged when they were made.
    pub fn replay(
        release: &str,
        project: impl IntoIterator<Item = String>,
        moves: impl IntoIterator<Item = Move<Action>>,
    ) -> Self {
        let mut output = Self::held(release, project);
        for made in moves {
            output.take(made);
        }
        output
    }

    /// Makes a move.
    ///
    /// # Errors
    ///
    /// Where it is illegal; the output is then as it was.
    pub fn make(&mut self, actor: &Actor, at: OffsetDateTime, action: Action) -> Result<(), Illegal> {
        self.judge(actor, &action)?;
        self.take(Move { who: actor.user().to_owned(), at, action });
        Ok(())
    }

    /// Says whether a move is legal.
    ///
    /// # Errors
    ///
    /// The first reason why it is not.
    pub fn judge(&self, actor: &Actor, action: &Action) -> Result<(), Illegal> {
        self.may(actor, action.mark())?;
        let is_empty = |text: &str| text.trim().is_empty();
        match action {
            Action::Describe { context, .. } if is_empty(context) => Err(Illegal::Missing("the context")),
            Action::Describe { controls, .. } if is_empty(controls) => {
                Err(Illegal::Missing("what was done against disclosure"))
            }
            Action::Submit if !self.is_described => Err(Illegal::Missing("the description")),
            Action::Review { comment, .. } if is_empty(comment) => Err(Illegal::Missing("a comment")),
            Action::Return { reason } | Action::Reject { reason } | Action::Revoke { reason }
                if is_empty(reason) =>
            {
                Err(Illegal::Missing("a reason"))
            }
            // One voice against it is enough to keep it inside; all must be for it to let it out.
            Action::Approve if self.opinions.iter().any(|opinion| opinion.vote != Vote::For) => {
                Err(Illegal::Against)
            }
            Action::Reject { .. } if self.opinions.iter().all(|opinion| opinion.vote == Vote::For) => {
                Err(Illegal::Against)
            }
            _ => Ok(()),
        }
    }

    /// Says whether the person may do this at all, whatever its content.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may(&self, actor: &Actor, mark: Mark) -> Result<(), Illegal> {
        if mark.from(self.state).is_none() {
            return Err(Illegal::State { state: self.state.as_str() });
        }
        let role = mark.role();
        if !actor.is(role) {
            return Err(Illegal::Role(role));
        }
        let is_own = self.project.contains(actor.user());
        let has_reviewed = self.opinions.iter().any(|opinion| opinion.who == actor.user());
        match role {
            Role::Researcher if !is_own => Err(Illegal::Stranger),
            Role::Reviewer | Role::DataOfficer if is_own => Err(Illegal::Own),
            Role::Reviewer if has_reviewed => Err(Illegal::Twice),
            Role::DataOfficer if has_reviewed => Err(Illegal::Reviewed),
            _ => Ok(()),
        }
    }

    fn take(&mut self, made: Move<Action>) {
        match &made.action {
            Action::Describe { .. } => {
                self.is_described = true;
                self.opinions.clear();
            }
            Action::Submit => self.opinions.clear(),
            Action::Review { vote, comment } => {
                self.opinions.push(Opinion { who: made.who.clone(), vote: *vote, comment: comment.clone() });
            }
            Action::Withdraw
            | Action::Return { .. }
            | Action::Approve
            | Action::Reject { .. }
            | Action::Release
            | Action::Revoke { .. } => {}
        }
        self.state = made.action.mark().from(self.state).unwrap_or(self.state);
        self.moves.push(made);
    }

    /// The opinions that a person may see: a reviewer sees the other's only when all are given, the people of the
    /// project when it is decided.
    pub fn opinions(&self, reader: &Actor) -> Vec<&Opinion> {
        let all_are_given = self.opinions.len() >= OPINIONS;
        let is_decided = matches!(
            self.state,
            State::Returned | State::Approved | State::Rejected | State::Released | State::Revoked
        );
        let is_own = self.project.contains(reader.user());
        let sees = |opinion: &&Opinion| {
            let is_given = all_are_given || is_decided;
            opinion.who == reader.user() || if is_own { is_decided } else { is_given }
        };
        self.opinions.iter().filter(sees).collect()
    }

    /// The release that it is about.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Every move, in order.
    pub fn moves(&self) -> &[Move<Action>] {
        &self.moves
    }
}

/// Whether a release that passed by itself is drawn for a later review: one in `every`, by its own digest, so that
/// neither the asker nor the program chooses.
pub fn is_drawn(digest: &[u8; 32], every: u64) -> bool {
    let (first, _) = digest.split_at(8);
    let number = first.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    every > 0 && number.is_multiple_of(every)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::{Action, Output, State, is_drawn};
    use crate::actor::{Actor, Role};
    use crate::application::Vote;
    use crate::moves::Illegal;

    const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn review(vote: Vote) -> Action {
        Action::Review { vote, comment: "seen".to_owned() }
    }

    fn described() -> Action {
        Action::Describe { context: "table 2".to_owned(), controls: "none needed".to_owned() }
    }

    struct House {
        author: Actor,
        one: Actor,
        two: Actor,
        officer: Actor,
    }

    fn house() -> House {
        House {
            author: Actor::new("author", [Role::Researcher, Role::Reviewer]),
            one: Actor::new("one", [Role::Reviewer, Role::DataOfficer]),
            two: Actor::new("two", [Role::Reviewer]),
            officer: Actor::new("officer", [Role::DataOfficer]),
        }
    }

    fn submitted(house: &House) -> Output {
        let mut output = Output::held("r1", ["author".to_owned()]);
        output.make(&house.author, AT, described()).unwrap();
        output.make(&house.author, AT, Action::Submit).unwrap();
        output
    }

    #[test]
    fn two_blind_opinions_then_somebody_else_decides() {
        let house = house();
        let mut output = submitted(&house);
        assert_eq!(output.make(&house.author, AT, review(Vote::For)), Err(Illegal::Own));
        output.make(&house.one, AT, review(Vote::For)).unwrap();
        assert_eq!(output.opinions(&house.two).len(), 0);
        assert_eq!(output.opinions(&house.author).len(), 0);
        assert_eq!(output.make(&house.one, AT, review(Vote::For)), Err(Illegal::Twice));
        output.make(&house.two, AT, review(Vote::For)).unwrap();
        assert_eq!(output.opinions(&house.one).len(), 2);
        assert_eq!(output.opinions(&house.author).len(), 0);
        assert_eq!(output.make(&house.one, AT, Action::Approve), Err(Illegal::Reviewed));
        output.make(&house.officer, AT, Action::Approve).unwrap();
        assert_eq!(output.opinions(&house.author).len(), 2);
        output.make(&house.officer, AT, Action::Release).unwrap();
        let revoke = Action::Revoke { reason: "a cell was wrong".to_owned() };
        output.make(&house.officer, AT, revoke).unwrap();
        assert_eq!(output.state(), State::Revoked);
        assert_eq!(
            Output::replay("r1", ["author".to_owned()], output.moves().to_vec()).state(),
            State::Revoked
        );
    }

    #[test]
    fn a_change_voids_what_was_said() {
        let house = house();
        let mut output = submitted(&house);
        output.make(&house.one, AT, review(Vote::For)).unwrap();
        output.make(&house.two, AT, review(Vote::For)).unwrap();
        output.make(&house.author, AT, described()).unwrap();
        assert_eq!(output.state(), State::Submitted);
        let early = output.make(&house.officer, AT, Action::Approve);
        assert_eq!(early, Err(Illegal::State { state: "submitted" }));
        output.make(&house.one, AT, review(Vote::For)).unwrap();
        output.make(&house.two, AT, review(Vote::Against)).unwrap();
        assert_eq!(output.make(&house.officer, AT, Action::Approve), Err(Illegal::Against));
        output.make(&house.officer, AT, Action::Reject { reason: "small hospital".to_owned() }).unwrap();
        assert_eq!(output.state(), State::Rejected);
    }

    #[test]
    fn an_output_that_nobody_described_is_not_submitted() {
        let house = house();
        let mut output = Output::held("r1", ["author".to_owned()]);
        let missing = Err(Illegal::Missing("the description"));
        assert_eq!(output.make(&house.author, AT, Action::Submit), missing);
        let empty = Action::Describe { context: " ".to_owned(), controls: "x".to_owned() };
        assert_eq!(output.make(&house.author, AT, empty), Err(Illegal::Missing("the context")));
    }

    #[test]
    fn about_one_in_so_many_is_drawn() {
        let digest = |n: u8| {
            let mut digest = [0; 32];
            digest[7] = n;
            digest
        };
        assert_eq!((0..=255).filter(|n| is_drawn(&digest(*n), 20)).count(), 13);
        assert!(!is_drawn(&digest(0), 0));
    }
}
