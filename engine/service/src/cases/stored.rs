//! Cases as they are stored: loaded with their moves, and moved.

use audit::Event;
use catalog_store::CaseRecord;
use engine_protocol::{CaseKind, CaseLine, Fields, Label, Word};
use governance::{Actor, Move};
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{GovernError, Office};

/// A move that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) id: &'a str,
    pub(super) action: &'a str,
    pub(super) fields: &'a Fields,
    pub(super) seen: Option<u64>,
}

impl Asked<'_> {
    /// Whether the case is still the one that the person looked at.
    pub(super) fn is_of(&self, moves: usize) -> Result<(), GovernError> {
        match self.seen {
            Some(seen) if seen != moves as u64 => Err(moved()),
            _ => Ok(()),
        }
    }
}

/// What is recorded of a move before it is stored.
pub(super) struct Step<'a> {
    pub(super) kind: CaseKind,
    pub(super) id: &'a str,
    pub(super) event: Event,
    pub(super) action: &'static str,
    pub(super) states: (&'static str, &'static str),
}

pub(super) fn moved() -> GovernError {
    let ja = "その間に案件が動きました。もう一度確認してください";
    GovernError::no("moved", "the case has moved meanwhile; look at it again", ja)
}

/// A time as text.
pub(super) fn instant(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

impl Office<'_> {
    /// The stored case, if there is one.
    pub(super) fn stored(&self, kind: CaseKind, id: &str) -> Result<Option<CaseRecord>, GovernError> {
        Ok(self.meta.case(kind.as_str(), id)?)
    }

    /// Begins a case; says whether there was none of this id.
    pub(super) fn begin(
        &self,
        (kind, id): (CaseKind, &str),
        by: &str,
        about: String,
    ) -> Result<bool, GovernError> {
        let case = CaseRecord {
            kind: kind.as_str().to_owned(),
            id: id.to_owned(),
            by: by.to_owned(),
            at: instant(self.now),
            about,
            moves: Vec::new(),
        };
        Ok(self.meta.begin_case(&case)?)
    }

    /// Records a move that was judged, and stores it under its number.
    pub(super) fn keep<A: Serialize>(
        &self,
        step: Step<'_>,
        number: u64,
        made: &Move<A>,
    ) -> Result<(), GovernError> {
        let text = serde_json::to_string(made).map_err(|_| GovernError::Bug("a move can be written"))?;
        let (from, to) = step.states;
        let event = step.event.with("action", step.action).with("from", from).with("to", to);
        self.log.record(event.with("number", number))?;
        if self.meta.add_move(step.kind.as_str(), step.id, number, &text)? { Ok(()) } else { Err(moved()) }
    }
}

/// The moves of a stored case.
pub(super) fn moves<A: DeserializeOwned>(case: &CaseRecord) -> Result<Vec<Move<A>>, GovernError> {
    let moves = case.moves.iter().map(|text| serde_json::from_str(text));
    moves.collect::<Result<_, _>>().map_err(|_| GovernError::Bug("a stored move is read"))
}

/// The line of a case without what is special to its kind.
pub(super) fn line<A>(kind: CaseKind, case: &CaseRecord, moves: &[Move<A>], state: Word) -> CaseLine {
    CaseLine {
        kind,
        id: case.id.clone(),
        project: None,
        title: Label::default(),
        state,
        at: case.at.clone(),
        moved: moves.last().map_or_else(|| case.at.clone(), |made| instant(made.at)),
        people: Vec::new(),
        may: Vec::new(),
        notices: Vec::new(),
        waits: None,
    }
}

/// Words of moves with their names.
pub(super) fn words(word: &'static str, ja: &'static str) -> Word {
    Word::new(word, ja, &word.replace('-', " "))
}

/// Whether a reader is of the house and not only a visitor of it.
pub(super) fn has_office(reader: &Actor) -> bool {
    use governance::Role::{Auditor, DataOfficer, Operator, Reviewer};
    [Reviewer, DataOfficer, Operator, Auditor].iter().any(|role| reader.is(*role))
}
