//! Incidents and near misses, and what is due when one is known.
//!
//! An incident calls for a first notice within 24 hours, a report within 72 hours and a closing report within a
//! month (TEHDAS2 D7.4, OPR-19). A near miss has none of these duties; both are published once closed.

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
    /// Closes it.
    Close {
        /// What was learnt; it is published.
        summary: String,
    },
}

/// An incident or near miss.
#[derive(Clone, Debug)]
pub struct Incident {
    known: OffsetDateTime,
    grade: Grade,
    discharged: Vec<(Duty, OffsetDateTime)>,
    summary: Option<String>,
    moves: Vec<Move<Action>>,
}

impl Incident {
    /// An incident that became known at a time.
    pub const fn known(at: OffsetDateTime, grade: Grade) -> Self {
        Self { known: at, grade, discharged: Vec::new(), summary: None, moves: Vec::new() }
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
        if self.summary.is_some() {
            return Err(Illegal::State { state: "closed" });
        }
        let closes = matches!(action, Action::Close { .. } | Action::Grade { .. });
        if !actor.is(Role::DataOfficer) && (closes || !actor.is(Role::Operator)) {
            return Err(Illegal::Role(Role::DataOfficer));
        }
        let (Action::Grade { reason: text, .. }
        | Action::Note { text }
        | Action::Discharge { text, .. }
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

    fn take(&mut self, made: Move<Action>) {
        match &made.action {
            Action::Grade { grade, .. } => self.grade = *grade,
            Action::Discharge { duty, .. } => self.discharged.push((*duty, made.at)),
            Action::Close { summary } => self.summary = Some(summary.clone()),
            Action::Note { .. } => {}
        }
        self.moves.push(made);
    }

    fn is_done(&self, duty: Duty) -> bool {
        self.discharged.iter().any(|(done, _)| *done == duty)
    }

    /// The duties that are not done, with the time by which they are due.
    pub fn open(&self) -> impl Iterator<Item = (Duty, OffsetDateTime)> {
        let duties = if self.grade == Grade::Incident { &Duty::ALL[..] } else { &[] };
        duties.iter().filter(|duty| !self.is_done(**duty)).map(|duty| (*duty, self.known + duty.within()))
    }

    /// The duties whose time is past.
    pub fn overdue(&self, now: OffsetDateTime) -> Vec<Duty> {
        self.open().filter(|(_, due)| *due < now).map(|(duty, _)| duty).collect()
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
