//! One application: the fold of its moves.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::step::{Action, By, Mark, State};
use crate::actor::{Actor, Role};
use crate::form::{Answers, FormSchema};
use crate::moves::{Illegal, Move};

/// Opinions that a decision needs.
const OPINIONS: usize = 2;

/// For or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vote {
    /// For it.
    For,
    /// For it once something is changed.
    Changes,
    /// Against it.
    Against,
}

impl Vote {
    /// Every vote.
    pub const ALL: [Self; 3] = [Self::For, Self::Changes, Self::Against];

    /// The vote's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::For => "for",
            Self::Changes => "changes",
            Self::Against => "against",
        }
    }

    /// The vote in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::For => "適",
            Self::Changes => "条件付き適",
            Self::Against => "不適",
        }
    }

    /// The vote of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vote| vote.as_str() == word)
    }
}

/// A reviewer's opinion on the present version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The reviewer.
    pub who: String,
    /// For or against.
    pub vote: Vote,
    /// Why.
    pub comment: String,
}

/// An application.
#[derive(Clone, Debug)]
pub struct Application {
    id: String,
    schema: FormSchema,
    state: State,
    people: BTreeSet<String>,
    /// Everybody whom any version named: leaving an application does not make one its judge.
    ever: BTreeSet<String>,
    answers: Answers,
    document: String,
    decided: Option<String>,
    reviewers: BTreeSet<String>,
    conflicts: BTreeMap<String, String>,
    opinions: Vec<Opinion>,
    conditions: Vec<String>,
    is_appealed: bool,
    moves: Vec<Move<Action>>,
}

impl Application {
    /// A new draft of this id on an edition of the form, begun by a person.
    pub fn begin(id: &str, schema: FormSchema, by: &Actor) -> Result<Self, Illegal> {
        if !by.is(Role::Researcher) {
            return Err(Illegal::Role(Role::Researcher));
        }
        Ok(Self::new(id, schema, by.user()))
    }

    fn new(id: &str, schema: FormSchema, by: &str) -> Self {
        Self {
            id: id.to_owned(),
            schema,
            state: State::Draft,
            people: BTreeSet::from([by.to_owned()]),
            ever: BTreeSet::from([by.to_owned()]),
            answers: Answers::new(),
            document: String::new(),
            decided: None,
            reviewers: BTreeSet::new(),
            conflicts: BTreeMap::new(),
            opinions: Vec::new(),
            conditions: Vec::new(),
            is_appealed: false,
            moves: Vec::new(),
        }
    }

    /// The application that stored moves led to. They were judged when they were made.
    pub fn replay(
        id: &str,
        schema: FormSchema,
        by: &str,
        moves: impl IntoIterator<Item = Move<Action>>,
    ) -> Self {
        let mut application = Self::new(id, schema, by);
        for made in moves {
            application.take(made);
        }
        application
    }

    /// Makes a move.
    ///
    /// # Errors
    ///
    /// Where it is illegal; the application is then as it was.
    pub fn make(
        &mut self,
        actor: &Actor,
        at: OffsetDateTime,
        action: Action,
    ) -> Result<&Move<Action>, Illegal> {
        self.judge(actor, &action)?;
        self.take(Move { who: actor.user().to_owned(), at, action });
        self.moves.last().ok_or(Illegal::Missing("the move"))
    }

    /// Says whether a move is legal.
    ///
    /// # Errors
    ///
    /// The first reason why it is not: state, role, interest, then content.
    pub fn judge(&self, actor: &Actor, action: &Action) -> Result<(), Illegal> {
        let mark = action.mark();
        self.may(actor, mark)?;
        if let Some(missing) = action.lacks() {
            return Err(Illegal::Missing(missing));
        }
        match action {
            Action::Submit => {
                let missing = self.schema.missing(&self.answers);
                if missing.is_empty() { Ok(()) } else { Err(Illegal::Incomplete(missing)) }
            }
            Action::Write { people, .. } if !people.iter().any(|person| person == actor.user()) => {
                Err(Illegal::Stranger)
            }
            Action::Accept { reviewers } => self.may_be_reviewed_by(reviewers),
            Action::Approve { .. } => self.opinions_allow(Vote::Against),
            Action::Reject { .. } => self.opinions_allow(Vote::For),
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
        let is_own = self.people.contains(actor.user());
        match mark.by() {
            By::People if !actor.is(Role::Researcher) => return Err(Illegal::Role(Role::Researcher)),
            By::People if !is_own => return Err(Illegal::Stranger),
            By::Other(role) if !actor.is(role) => return Err(Illegal::Role(role)),
            By::Either(role) if !(is_own || actor.is(role)) => return Err(Illegal::Role(role)),
            By::Other(_) if self.ever.contains(actor.user()) => return Err(Illegal::Own),
            By::People | By::Other(_) | By::Either(_) => {}
        }
        match mark {
            Mark::Review => self.may_review(actor.user()),
            Mark::Accept | Mark::Return | Mark::Approve | Mark::Reject => self.may_decide(actor.user()),
            Mark::Appeal if self.is_appealed => Err(Illegal::Twice),
            _ => Ok(()),
        }
    }

    fn may_review(&self, who: &str) -> Result<(), Illegal> {
        if self.conflicts.contains_key(who) {
            Err(Illegal::Conflict)
        } else if !self.reviewers.contains(who) {
            Err(Illegal::NotAssigned)
        } else if self.opinions.iter().any(|opinion| opinion.who == who) {
            Err(Illegal::Twice)
        } else {
            Ok(())
        }
    }

    fn may_decide(&self, who: &str) -> Result<(), Illegal> {
        if self.conflicts.contains_key(who) {
            return Err(Illegal::Conflict);
        }
        if self.reviewers.contains(who) { Err(Illegal::Reviewed) } else { Ok(()) }
    }

    fn may_be_reviewed_by(&self, reviewers: &[String]) -> Result<(), Illegal> {
        let distinct: BTreeSet<&String> = reviewers.iter().collect();
        if distinct.iter().any(|reviewer| self.ever.contains(*reviewer)) {
            return Err(Illegal::Own);
        }
        if distinct.iter().any(|reviewer| self.conflicts.contains_key(*reviewer)) {
            return Err(Illegal::Conflict);
        }
        if distinct.len() < OPINIONS {
            return Err(Illegal::Opinions { given: distinct.len(), needed: OPINIONS });
        }
        Ok(())
    }

    /// Enough opinions are given, and not all of them are `other`.
    fn opinions_allow(&self, other: Vote) -> Result<(), Illegal> {
        let given = self.opinions.len();
        if given < OPINIONS {
            return Err(Illegal::Opinions { given, needed: OPINIONS });
        }
        if self.opinions.iter().all(|opinion| opinion.vote == other) { Err(Illegal::Against) } else { Ok(()) }
    }

    fn take(&mut self, made: Move<Action>) {
        match &made.action {
            Action::Write { document, answers, people } => {
                self.document.clone_from(document);
                self.answers.clone_from(answers);
                self.people = people.iter().cloned().collect();
                self.ever.extend(people.iter().cloned());
            }
            // What was said of an earlier version does not count for this one.
            Action::Submit => self.opinions.clear(),
            Action::Accept { reviewers } => self.reviewers = reviewers.iter().cloned().collect(),
            Action::Declare { interest } => {
                self.conflicts.insert(made.who.clone(), interest.clone());
                self.opinions.retain(|opinion| opinion.who != made.who);
            }
            Action::Review { vote, comment } => {
                self.opinions.push(Opinion { who: made.who.clone(), vote: *vote, comment: comment.clone() });
            }
            Action::Approve { conditions } => {
                self.conditions.clone_from(conditions);
                self.decided = Some(self.document.clone());
            }
            Action::Appeal { .. } => {
                self.is_appealed = true;
                self.opinions.clear();
            }
            Action::Withdraw
            | Action::Return { .. }
            | Action::Reject { .. }
            | Action::Amend
            | Action::Suspend { .. }
            | Action::Resume
            | Action::Close { .. }
            | Action::Finish { .. } => {}
        }
        // Moves that were stored were legal when they were made.
        self.state = made.action.mark().from(self.state).unwrap_or(self.state);
        self.moves.push(made);
    }

    /// The application's id, which is the project's.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The people whom it names.
    pub const fn people(&self) -> &BTreeSet<String> {
        &self.people
    }

    /// Everybody whom any version named.
    pub const fn ever(&self) -> &BTreeSet<String> {
        &self.ever
    }

    /// Its answers.
    pub const fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The document as it is written now.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The document that was last decided for; the permit is made of it while an amendment is under way.
    pub fn decided(&self) -> Option<&str> {
        self.decided.as_deref()
    }

    /// The edition of the form.
    pub const fn schema(&self) -> &FormSchema {
        &self.schema
    }

    /// The assigned reviewers.
    pub const fn reviewers(&self) -> &BTreeSet<String> {
        &self.reviewers
    }

    /// Opinions on the present version.
    pub fn opinions(&self) -> &[Opinion] {
        &self.opinions
    }

    /// The opinions that a person may see: an assigned reviewer sees the others' when all who are assigned have said
    /// theirs, the people of the application when it is decided, and everybody else of the board when it is ripe for
    /// the decision.
    pub fn opinions_for(&self, reader: &Actor) -> Vec<&Opinion> {
        let is_under_review = matches!(self.state, State::UnderReview | State::AmendmentUnderReview);
        let all_are_given = self
            .reviewers
            .iter()
            .filter(|reviewer| !self.conflicts.contains_key(*reviewer))
            .all(|reviewer| self.opinions.iter().any(|opinion| opinion.who == *reviewer));
        let is_own = self.ever.contains(reader.user());
        let sees = |opinion: &&Opinion| {
            let is_open = !is_under_review
                || (!is_own
                    && if self.reviewers.contains(reader.user()) {
                        all_are_given
                    } else {
                        self.opinions.len() >= OPINIONS
                    });
            opinion.who == reader.user() || is_open
        };
        self.opinions.iter().filter(sees).collect()
    }

    /// Whether a person may read it: its people, and everybody who has an office in the house.
    pub fn may_be_read_by(&self, reader: &Actor) -> bool {
        self.people.contains(reader.user())
            || [Role::Reviewer, Role::DataOfficer, Role::Operator, Role::Auditor]
                .iter()
                .any(|role| reader.is(*role))
    }

    /// Conditions of the last decision.
    pub fn conditions(&self) -> &[String] {
        &self.conditions
    }

    /// Declared interests by person.
    pub const fn conflicts(&self) -> &BTreeMap<String, String> {
        &self.conflicts
    }

    /// Every move, in order.
    pub fn moves(&self) -> &[Move<Action>] {
        &self.moves
    }
}
