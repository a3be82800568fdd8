//! What became of every line of a part, kept beside its rows until the delivery is complete.

use std::collections::BTreeMap;

use catalog_model::FaultKind;
use catalog_store::Account;
use serde::{Deserialize, Serialize};

use super::parts::Piece;
use crate::formats::{Fault, FileSummary, Program};

/// The name of the code that makes parts: another build may read the same bytes otherwise.
pub(super) const READER: &str = env!("READER");

/// The accounts of one part, by file number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PartAccount {
    pub(super) files: BTreeMap<u32, PieceAccount>,
    /// The digest of the catalogue by which the part was read.
    #[serde(default)]
    pub(super) layouts: String,
    /// The build that read it, which a part has to share to be taken for one of this build.
    #[serde(default)]
    pub(super) reader: String,
    /// What was read: ranges of files. Parts from before this was kept say nothing of it.
    #[serde(default)]
    pub(super) pieces: Vec<Piece>,
    /// The digests of the part's table files and of its identities: a part that a crashed machine left half on disk is
    /// read again.
    pub(super) digests: BTreeMap<String, String>,
}

/// What became of the lines of one file in one part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PieceAccount {
    read: u64,
    stored: u64,
    dropped: BTreeMap<String, u64>,
    faults: Vec<Place>,
    notes: Vec<Place>,
    totals: Vec<PieceTotal>,
}

/// Where a fault stood: line, record type, field, kind. Never a byte of the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) record: String,
    pub(super) field: String,
    pub(super) kind: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct PieceTotal {
    stated: Option<(i64, u64, String)>,
    counted: i64,
    is_uncertain: bool,
    reason: String,
}

impl PartAccount {
    /// Adds what one file's piece came to.
    pub(super) fn add(&mut self, file: u32, summary: &FileSummary, program: &Program) {
        let dropped = program.reasons().iter().zip(&summary.dropped).filter(|(_, lines)| **lines > 0);
        let totals = summary.totals.iter().map(|total| PieceTotal {
            stated: total
                .stated
                .map(|(value, line, record)| (value, line, program.record_key(record).to_owned())),
            counted: total.counted,
            is_uncertain: total.is_uncertain,
            reason: total
                .stated
                .map_or_else(String::new, |(_, _, record)| program.drop_reason(record).to_owned()),
        });
        let piece = PieceAccount {
            read: summary.read,
            stored: summary.stored,
            dropped: dropped.map(|(reason, lines)| (reason.to_string(), *lines)).collect(),
            faults: summary.faults.iter().map(Place::of).collect(),
            notes: summary.notes.iter().map(Place::of).collect(),
            totals: totals.collect(),
        };
        self.files.insert(file, piece);
    }
}

impl Place {
    fn of(fault: &Fault) -> Self {
        let (record, field) = (fault.record.to_string(), fault.field.to_string());
        Self { line: fault.line, record, field, kind: fault.kind.as_str().to_owned() }
    }
}

/// Whether the pieces of a file that were read are the whole of its bytes: none is missing and none was read twice.
pub(super) fn is_covered<'p>(pieces: impl Iterator<Item = &'p Piece>, bytes: u64) -> bool {
    let mut pieces: Vec<&Piece> = pieces.collect();
    pieces.sort_by_key(|piece| (piece.from, piece.to));
    let mut read = 0;
    let follow = pieces.iter().all(|piece| {
        let follows = piece.from == read && piece.is_last == (piece.to == bytes);
        read = piece.to;
        follows
    });
    follow && read == bytes && !pieces.is_empty()
}

/// A whole file's account and the places of its faults, from the pieces that it was read in.
pub(super) fn whole_file<'p>(pieces: impl Iterator<Item = &'p PieceAccount>) -> (Account, Vec<Place>) {
    let mut account = Account::default();
    let mut places = Vec::new();
    let mut totals: Vec<PieceTotal> = Vec::new();
    for piece in pieces {
        account.read += piece.read;
        account.stored += piece.stored;
        for (reason, lines) in &piece.dropped {
            *account.dropped.entry(reason.clone()).or_default() += lines;
        }
        for place in &piece.faults {
            if let Some(kind) = FaultKind::parse(&place.kind) {
                *account.quarantined.entry(kind).or_default() += 1;
            }
        }
        places.extend(piece.faults.iter().chain(&piece.notes).cloned());
        totals.resize(piece.totals.len().max(totals.len()), PieceTotal::default());
        for (whole, part) in totals.iter_mut().zip(&piece.totals) {
            whole.counted += part.counted;
            whole.is_uncertain |= part.is_uncertain;
            if let Some((value, line, record)) = &part.stated {
                // Each frame of the file states its own.
                let before = whole.stated.as_ref().map_or(0, |(before, _, _)| *before);
                whole.stated = Some((before.saturating_add(*value), *line, record.clone()));
                whole.reason.clone_from(&part.reason);
            }
        }
    }
    compare_totals(&totals, &mut account, &mut places);
    places.sort_by(|one, two| (one.line, &one.kind).cmp(&(two.line, &two.kind)));
    (account, places)
}

// The line that states a wrong total goes to quarantine; it was booked as dropped.
fn compare_totals(totals: &[PieceTotal], account: &mut Account, places: &mut Vec<Place>) {
    let wrong = totals.iter().filter(|total| !total.is_uncertain).find_map(|total| {
        let (value, line, record) = total.stated.as_ref()?;
        (*value != total.counted).then_some((*line, record, &total.reason))
    });
    let Some((line, record, reason)) = wrong else { return };
    if let Some(lines) = account.dropped.get_mut(reason)
        && *lines > 0
    {
        *lines -= 1;
        if *lines == 0 {
            account.dropped.remove(reason);
        }
        *account.quarantined.entry(FaultKind::Totals).or_default() += 1;
    }
    let kind = FaultKind::Totals.as_str().to_owned();
    places.push(Place { line, record: record.clone(), field: String::new(), kind });
}
