//! Incidents and near misses, and what is due when one is known.
//!
//! An incident calls for a first notice within 24 hours, a report within 72 hours and a closing report within a
//! month (TEHDAS2 D7.4, OPR-19). A near miss has none of these duties; both are published once closed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::actor::{Actor, Role};
use crate::moves::{Illegal, Move};

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// ヒヤリハット: nothing left, but something could have.
    NearMiss,
    /// 事故: something left, or rules were broken.
    Incident,
}

impl Grade {
    /// Both grades.
    pub const ALL: [Self; 2] = [Self::NearMiss, Self::Incident];

    /// The grade's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NearMiss => "near-miss",
            Self::Incident => "incident",
        }
    }

    /// The grade in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::NearMiss => "ヒヤリハット",
            Self::Incident => "事故",
        }
    }

    /// The grade of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.as_str() == word)
    }
}

/// Something that must be done by a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// 第一報: the first notice.
    Notice,
    /// 続報: what happened, who is concerned, what was done.
    Report,
    /// 最終報告: causes, and what keeps it from happening again.
    Closing,
}

impl Duty {
    /// Every duty, in order.
    pub const ALL: [Self; 3] = [Self::Notice, Self::Report, Self::Closing];

    /// The duty's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Report => "report",
            Self::Closing => "closing",
        }
    }

    /// The duty in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Notice => "第一報（24時間以内）",
            Self::Report => "続報（72時間以内）",
            Self::Closing => "最終報告（30日以内）",
        }
    }

    /// The duty of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|duty| duty.as_str() == word)
    }

    /// How long there is from the moment it is known.
    pub const fn within(self) -> Duration {
        match self {
            Self::Notice => Duration::hours(24),
            Self::Report => Duration::hours(72),
            Self::Closing => Duration::days(30),
        }
    }
}

/// What is done about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Corrects its grade.
    Grade {
        /// The grade.
        grade: Grade,
        /// Why.
        reason: String,
    },
    /// Notes what was found or done.
    Note {
        /// The text.
        text: String,
    },
    /// Does a duty.
    Discharge {
        /// Which.
        duty: Duty,
        /// To whom it went, and what it said.
        text: String,
    },
    /// Declares an interest in it: the person takes no part from then on.
    Declare {
        /// Which.
        interest: String,
    },
    /// Closes it.
    Close {
        /// What was learnt; it is published.
        summary: String,
    },
}

/// An action without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// [`Action::Grade`].
    Grade,
    /// [`Action::Note`].
    Note,
    /// [`Action::Discharge`].
    Discharge,
    /// [`Action::Declare`].
    Declare,
    /// [`Action::Close`].
    Close,
}

impl Mark {
    /// Every action.
    pub const ALL: [Self; 5] = [Self::Grade, Self::Note, Self::Discharge, Self::Declare, Self::Close];

    /// The action's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grade => "grade",
            Self::Note => "note",
            Self::Discharge => "discharge",
            Self::Declare => "declare",
            Self::Close => "close",
        }
    }

    /// The action in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Grade => "区分の訂正",
            Self::Note => "経過の記録",
            Self::Discharge => "報告の実施",
            Self::Declare => "利益相反の申告",
            Self::Close => "終結",
        }
    }

    /// Whether an operator may do it as well as a data officer.
    const fn is_of_operators(self) -> bool {
        matches!(self, Self::Note | Self::Discharge | Self::Declare)
    }
}

impl Action {
    /// The action without its content.
    pub const fn mark(&self) -> Mark {
        match self {
            Self::Grade { .. } => Mark::Grade,
            Self::Note { .. } => Mark::Note,
            Self::Discharge { .. } => Mark::Discharge,
            Self::Declare { .. } => Mark::Declare,
            Self::Close { .. } => Mark::Close,
        }
    }
}

/// An incident or near miss.
#[derive(Clone, Debug)]
pub struct Incident {
    known: OffsetDateTime,
    grade: Grade,
    discharged: Vec<(Duty, OffsetDateTime)>,
    conflicts: BTreeMap<String, String>,
    summary: Option<String>,
    moves: Vec<Move<Action>>,
}

impl Incident {
    /// An incident that became known at a time.
    pub const fn known(at: OffsetDateTime, grade: Grade) -> Self {
        Self {
            known: at,
            grade,
            discharged: Vec::new(),
            conflicts: BTreeMap::new(),
            summary: None,
            moves: Vec::new(),
        }
    }

    /// The incident that stored moves led to.
    pub fn replay(at: OffsetDateTime, grade: Grade, moves: impl IntoIterator<Item = Move<Action>>) -> Self {
        let mut incident = Self::known(at, grade);
        for made in moves {
            incident.take(made);
        }
        incident
    }

    /// Makes a move.
    ///
    /// # Errors
    ///
    /// Where it is illegal; the incident is then as it was.
    pub fn make(&mut self, actor: &Actor, at: OffsetDateTime, action: Action) -> Result<(), Illegal> {
        self.judge(actor, &action)?;
        self.take(Move { who: actor.user().to_owned(), at, action });
        Ok(())
    }

    /// Says whether a move is legal: made by a data officer or an operator, before it is closed, and closed only
    /// when every duty is done.
    ///
    /// # Errors
    ///
    /// The first reason why it is not.
    pub fn judge(&self, actor: &Actor, action: &Action) -> Result<(), Illegal> {
        self.may(actor, action.mark())?;
        let (Action::Grade { reason: text, .. }
        | Action::Note { text }
        | Action::Discharge { text, .. }
        | Action::Declare { interest: text }
        | Action::Close { summary: text }) = action;
        if text.trim().is_empty() {
            return Err(Illegal::Missing("the text"));
        }
        let open: Vec<String> = self.open().map(|(duty, _)| duty.as_str().to_owned()).collect();
        match action {
            Action::Discharge { duty, .. } if self.is_done(*duty) => Err(Illegal::Twice),
            Action::Close { .. } if !open.is_empty() => Err(Illegal::Incomplete(open)),
            _ => Ok(()),
        }
    }

    /// Says whether the person may do this at all, whatever its content.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may(&self, actor: &Actor, mark: Mark) -> Result<(), Illegal> {
        if self.summary.is_some() {
            return Err(Illegal::State { state: "closed" });
        }
        let is_operator = mark.is_of_operators() && actor.is(Role::Operator);
        if !actor.is(Role::DataOfficer) && !is_operator {
            return Err(Illegal::Role(Role::DataOfficer));
        }
        if self.conflicts.contains_key(actor.user()) {
            return Err(Illegal::Conflict);
        }
        if mark == Mark::Discharge && self.open().next().is_none() {
            return Err(Illegal::State { state: "without open duties" });
        }
        Ok(())
    }

    fn take(&mut self, made: Move<Action>) {
        match &made.action {
            Action::Grade { grade, .. } => self.grade = *grade,
            Action::Discharge { duty, .. } => self.discharged.push((*duty, made.at)),
            Action::Close { summary } => self.summary = Some(summary.clone()),
            Action::Declare { interest } => {
                self.conflicts.insert(made.who.clone(), interest.clone());
            }
            Action::Note { .. } => {}
        }
        self.moves.push(made);
    }

    fn is_done(&self, duty: Duty) -> bool {
        self.discharged.iter().any(|(done, _)| *done == duty)
    }

    /// The duties that are not done, with the time by which they are due.
    pub fn open(&self) -> impl Iterator<Item = (Duty, OffsetDateTime)> {
        self.duties().filter(|(duty, _)| !self.is_done(*duty))
    }

    /// The duties whose time is past.
    pub fn overdue(&self, now: OffsetDateTime) -> Vec<Duty> {
        self.open().filter(|(_, due)| *due < now).map(|(duty, _)| duty).collect()
    }

    /// When a duty was done.
    pub fn done(&self, duty: Duty) -> Option<OffsetDateTime> {
        self.discharged.iter().find(|(done, _)| *done == duty).map(|(_, at)| *at)
    }

    /// The duties that it has by its grade, with the time by which each is due.
    pub fn duties(&self) -> impl Iterator<Item = (Duty, OffsetDateTime)> {
        let duties = if self.grade == Grade::Incident { &Duty::ALL[..] } else { &[] };
        duties.iter().map(|duty| (*duty, self.known + duty.within()))
    }

    /// The state's word.
    pub const fn state(&self) -> &'static str {
        if self.summary.is_some() { "closed" } else { "open" }
    }

    /// How grave it is.
    pub const fn grade(&self) -> Grade {
        self.grade
    }

    /// What was learnt, once it is closed.
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// Every move, in order.
    pub fn moves(&self) -> &[Move<Action>] {
        &self.moves
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{Action, Duty, Grade, Incident};
    use crate::actor::{Actor, Role};
    use crate::moves::Illegal;

    #[test]
    fn duties_fall_due_and_hold_the_closing_back() {
        let officer = Actor::new("officer", [Role::DataOfficer]);
        let known = datetime!(2026-11-01 09:00 UTC);
        let mut incident = Incident::known(known, Grade::Incident);
        let discharge = |duty| Action::Discharge { duty, text: "to the ministry".to_owned() };
        assert_eq!(incident.overdue(datetime!(2026-11-02 09:00 UTC)), []);
        assert_eq!(incident.overdue(datetime!(2026-11-02 09:01 UTC)), [Duty::Notice]);
        incident.make(&officer, known, discharge(Duty::Notice)).unwrap();
        assert_eq!(incident.make(&officer, known, discharge(Duty::Notice)), Err(Illegal::Twice));
        let close = || Action::Close { summary: "a wrong rule pack".to_owned() };
        let open = vec!["report".to_owned(), "closing".to_owned()];
        assert_eq!(incident.make(&officer, known, close()), Err(Illegal::Incomplete(open)));
        assert_eq!(incident.overdue(datetime!(2026-12-02 09:00 UTC)), [Duty::Report, Duty::Closing]);
        incident.make(&officer, known, discharge(Duty::Report)).unwrap();
        incident.make(&officer, known, discharge(Duty::Closing)).unwrap();
        incident.make(&officer, known, close()).unwrap();
        let after = incident.make(&officer, known, Action::Note { text: "x".to_owned() });
        assert_eq!(after, Err(Illegal::State { state: "closed" }));
    }

    #[test]
    fn a_near_miss_has_no_duties_until_it_is_graded_up() {
        let officer = Actor::new("officer", [Role::DataOfficer]);
        let operator = Actor::new("operator", [Role::Operator]);
        let known = datetime!(2026-11-01 09:00 UTC);
        let mut near = Incident::known(known, Grade::NearMiss);
        assert_eq!(near.open().count(), 0);
        let grade = || Action::Grade { grade: Grade::Incident, reason: "a file had left".to_owned() };
        assert_eq!(near.make(&operator, known, grade()), Err(Illegal::Role(Role::DataOfficer)));
        near.make(&officer, known, grade()).unwrap();
        assert_eq!(near.open().count(), 3);
    }
}
