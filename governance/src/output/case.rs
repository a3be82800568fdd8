//! One output: the fold of its moves.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::attachment;
use super::step::{Action, Mark, State};
use crate::actor::{Actor, Role};
use crate::application::{Opinion, Vote};
use crate::moves::{Illegal, Move};

/// Days within which an output should be decided, as the NDB's desk has for its own check of outputs.
pub const TARGET_DAYS: u64 = 7;

/// Opinions that a decision needs.
const OPINIONS: usize = 2;

/// An output that people look at before it goes out, or afterwards.
#[derive(Clone, Debug)]
pub struct Output {
    release: String,
    project: BTreeSet<String>,
    is_out: bool,
    state: State,
    description: Option<(String, String)>,
    attachments: BTreeMap<String, String>,
    conflicts: BTreeMap<String, String>,
    opinions: Vec<Opinion>,
    is_appealed: bool,
    moves: Vec<Move<Action>>,
}

impl Output {
    /// A held output of a release, for the people of its project.
    pub fn held(release: &str, project: impl IntoIterator<Item = String>) -> Self {
        Self::new(release, project, State::Pending)
    }

    /// An output that went out by itself and is looked at afterwards.
    pub fn out(release: &str, project: impl IntoIterator<Item = String>) -> Self {
        Self { is_out: true, ..Self::new(release, project, State::Submitted) }
    }

    fn new(release: &str, project: impl IntoIterator<Item = String>, state: State) -> Self {
        Self {
            release: release.to_owned(),
            project: project.into_iter().collect(),
            is_out: false,
            state,
            description: None,
            attachments: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            opinions: Vec::new(),
            is_appealed: false,
            moves: Vec::new(),
        }
    }

    /// The output that stored moves led to. They were judged when they were made.
    #[must_use]
    pub fn replayed(mut self, moves: impl IntoIterator<Item = Move<Action>>) -> Self {
        for made in moves {
            self.take(made);
        }
        self
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
    /// The first reason why it is not: state, role, interest, then content.
    pub fn judge(&self, actor: &Actor, action: &Action) -> Result<(), Illegal> {
        self.may(actor, action.mark())?;
        if let Some(missing) = action.lacks() {
            return Err(Illegal::Missing(missing));
        }
        match action {
            Action::Submit if self.description.is_none() => Err(Illegal::Missing("the description")),
            Action::Attach { name, text } => {
                let others = self.attachments.keys().filter(|other| *other != name).count();
                attachment::check(name, text, others).map_err(|fault| Illegal::File(fault.to_string()))
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
        if self.next(mark).is_none() {
            return Err(Illegal::State { state: self.state.as_str() });
        }
        let role = mark.role();
        let decides = mark == Mark::Declare && actor.is(Role::DataOfficer);
        if !actor.is(role) && !decides {
            return Err(Illegal::Role(role));
        }
        let is_own = self.project.contains(actor.user());
        let has_reviewed = self.opinions.iter().any(|opinion| opinion.who == actor.user());
        match role {
            Role::Researcher if !is_own => Err(Illegal::Stranger),
            Role::Reviewer | Role::DataOfficer if is_own => Err(Illegal::Own),
            Role::Reviewer | Role::DataOfficer if self.conflicts.contains_key(actor.user()) => {
                Err(Illegal::Conflict)
            }
            Role::Reviewer if has_reviewed && mark == Mark::Review => Err(Illegal::Twice),
            Role::DataOfficer if has_reviewed => Err(Illegal::Reviewed),
            _ if mark == Mark::Appeal && self.is_appealed => Err(Illegal::Twice),
            _ => Ok(()),
        }
    }

    const fn next(&self, mark: Mark) -> Option<State> {
        if self.is_out { mark.from_out(self.state) } else { mark.from(self.state) }
    }

    fn take(&mut self, made: Move<Action>) {
        // Moves that were stored were legal when they were made.
        let next = self.next(made.action.mark()).unwrap_or(self.state);
        self.state = next;
        match &made.action {
            Action::Describe { context, controls } => {
                self.description = Some((context.clone(), controls.clone()));
                self.opinions.clear();
            }
            Action::Attach { name, text } => {
                self.attachments.insert(name.clone(), text.clone());
                self.opinions.clear();
            }
            Action::Submit => self.opinions.clear(),
            Action::Declare { interest } => self.declare(&made.who, interest),
            Action::Review { vote, comment } => {
                self.opinions.push(Opinion { who: made.who.clone(), vote: *vote, comment: comment.clone() });
            }
            Action::Appeal { .. } => {
                self.is_appealed = true;
                self.opinions.clear();
            }
            Action::Withdraw
            | Action::Return { .. }
            | Action::Approve
            | Action::Reject { .. }
            | Action::Release
            | Action::Revoke { .. } => {}
        }
        self.moves.push(made);
    }

    /// The person is out of it, and with them what they said.
    fn declare(&mut self, who: &str, interest: &str) {
        self.conflicts.insert(who.to_owned(), interest.to_owned());
        self.opinions.retain(|opinion| opinion.who != who);
        if matches!(self.state, State::Submitted | State::PartlyReviewed | State::Reviewed) {
            self.state = match self.opinions.len() {
                0 => State::Submitted,
                1 => State::PartlyReviewed,
                _ => State::Reviewed,
            };
        }
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

    /// How many opinions are given, whoever may see them.
    pub const fn given(&self) -> usize {
        self.opinions.len()
    }

    /// Whether a person may look at the evidence behind it: a reviewer, data officer or auditor who is not of the
    /// project and has declared no interest.
    pub fn may_see_evidence(&self, reader: &Actor) -> bool {
        let is_of_the_board =
            [Role::Reviewer, Role::DataOfficer, Role::Auditor].iter().any(|role| reader.is(*role));
        is_of_the_board
            && !self.project.contains(reader.user())
            && !self.conflicts.contains_key(reader.user())
    }

    /// The release that it is about.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The people of its project.
    pub const fn people(&self) -> &BTreeSet<String> {
        &self.project
    }

    /// Whether the table went out by itself before anybody looked at it.
    pub const fn is_out(&self) -> bool {
        self.is_out
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether it waits for its reviewers or for the decision.
    pub const fn waits(&self) -> bool {
        matches!(self.state, State::Submitted | State::PartlyReviewed | State::Reviewed)
    }

    /// When it was handed in last, or a decision was appealed against.
    pub fn handed_in(&self) -> Option<OffsetDateTime> {
        let is_handing = |action: &Action| matches!(action.mark(), Mark::Submit | Mark::Appeal);
        self.moves.iter().rev().find(|made| is_handing(&made.action)).map(|made| made.at)
    }

    /// What its author says of it: context and controls.
    pub const fn description(&self) -> Option<&(String, String)> {
        self.description.as_ref()
    }

    /// What its author attached, by name.
    pub const fn attachments(&self) -> &BTreeMap<String, String> {
        &self.attachments
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

    use super::{Output, is_drawn};
    use crate::actor::{Actor, Role};
    use crate::application::Vote;
    use crate::moves::Illegal;
    use crate::output::{Action, State};

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
            Output::held("r1", ["author".to_owned()]).replayed(output.moves().to_vec()).state(),
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
        assert!(output.waits() && output.handed_in() == Some(AT));
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
