//! Faults planted on purpose, and what a reader is expected to say about each.
//!
//! Every body line has the chance `fault_rate` of one fault; no line has two. Files of the `public` database have none.
//! `truth/faults.csv` names the line where the fault stands, its record type and field (empty where the whole line is
//! meant or the record type cannot be told) and the kind:
//!
//! | kind | what is done | what a reader says |
//! | --- | --- | --- |
//! | `encoding` | the byte FF, which CP932 does not have, in front of a text field | the line is in quarantine |
//! | `columns` | the last column and its delimiter are missing | the line |
//! | `unknown-record` | the first byte of the record type is `Z`; never of a type that a total counts or sums | the line |
//! | `missing` | a required field is emptied | the line |
//! | `width` | one character more than the layout allows | the line |
//! | `characters` | `X` in a field of digits, half-width `ｱ` in a code | the line |
//! | `number` | `X` in a number | the line |
//! | `date`, `month` | 30 February, month 13, in the calendar of the file | the line |
//! | `code` | a code outside its closed list | the line |
//! | `unexpected` | `1` in a reserved position | the line |
//! | `revision` | a day before the months that the layout is for, or after them | the line |
//! | `orphan` | a line of the first receipt stands in front of all receipts as well; never one that a total counts or sums | the line |
//! | `no-identity` | a receipt without names, insured numbers and recipient numbers; `・` where one is required | the receipt's first line |
//! | `duplicate` | a receipt, stay or certification stands a second time at the end of its file | the second group, whose first line is named |
//! | `truncated` | a UKE file ends inside its last body line, without GO; the manifest has the size and digest of what is there | the file, at that line |
//! | `heading` | the last column of a heading has another name | the heading, and with it the file |
//! | `markup` | a check-up document ends with another tag than it began | the document, at its last line |
//! | `totals` | GO says one point more than was billed; only where no other fault hides it | the trailer |
//!
//! Consequences are not listed. Where the first line of a receipt (RE) is faulty or it names nobody, its other lines are
//! `orphan`; where the record type of a receipt's line is unknown, so are the lines after it; where a file is cut, its last receipt
//! goes with it, and the half line itself has too few columns or half a character. A group whose first line is faulty,
//! and one that is written twice, has no other fault. The fields that make lines a group (the first five of 様式1) are
//! never touched, so that a fault stays where it is; nor is the RE of a payer's receipt, which alone says whose it is.
//!
//! Totals (GO, the record count of a care claim) are those that the sender computed before anything went wrong: they
//! count every line of the file whatever is wrong with it, a receipt written twice both times, and sum the points as
//! billed. A reader that had to put a summed line (HO) aside cannot compare the sum.

mod nobody;

use catalog_model::{Encoding, Family, FaultKind, FieldKind, Grouping, Width};

use crate::dice::{Dice, Stream};
use crate::files::{Draft, DraftLine, Group, Planted};
use crate::writer::{Slot, Template};

// How much likelier than a line a whole file is struck, so that a demonstration has a few: cut, or with wrong totals.
const TRUNCATED_FILES: f64 = 4.0;
const WRONG_TOTALS: f64 = 4.0;
const WRONG_HEADINGS: f64 = 4.0;

/// What goes wrong with one file.
#[derive(Debug)]
pub(crate) struct Misfortune {
    dice: Dice,
    nobody: Dice,
    rate: f64,
}

impl Misfortune {
    /// The misfortune of a file, by its delivery and path.
    pub(crate) fn of(seed: u64, rate: f64, delivery: &str, path: &str) -> Self {
        let dice = |stream| Dice::new(seed, stream, digest(delivery), digest(path));
        Self { dice: dice(Stream::Faults), nobody: dice(Stream::Nobody), rate }
    }

    /// Plants faults in the body of a draft.
    pub(crate) fn strike(&mut self, draft: &mut Draft<'_>, family: &Family) {
        if self.rate <= 0.0 {
            return;
        }
        if family.framing.header && self.dice.chance(self.rate * WRONG_HEADINGS) {
            if let Some(heading) = draft.header.last_mut() {
                heading.bytes.push(b'x');
                heading.fault = Some(Planted { kind: FaultKind::Heading, field: String::new() });
            }
            return;
        }
        nobody::stray(draft, &mut self.nobody, self.rate);
        let may_repeat = !family.unique_key.is_empty();
        let grouping: &[usize] = if let Grouping::Key(keys) = &family.group { keys } else { &[] };
        // A line whose kind of content is spoilt would be left out as another content, not found faulty.
        let kept = family.records.iter().filter_map(|record| record.field(&record.kept.as_ref()?.field));
        let keys: Vec<usize> = grouping.iter().copied().chain(kept.map(|field| field.at)).collect();
        let has_opener = matches!(family.group, Grouping::Opener(_));
        let count = draft.groups.len();
        let mut copies = Vec::new();
        for (index, group) in draft.groups.iter_mut().enumerate() {
            if nobody::unname(group, &mut self.nobody, self.rate) {
                continue;
            }
            // Equal lines that follow each other may be one group, so the last is never the one that is repeated.
            if may_repeat && index + 1 < count && self.strikes_first(group) && self.dice.percent(30.0) {
                copies.push(copy(group));
                continue;
            }
            self.strike_group(group, &keys, has_opener);
        }
        draft.groups.extend(copies);
    }

    /// Says whether the trailer's total shall be wrong; never where other faults keep a reader from comparing it.
    pub(crate) fn spoils_totals(&mut self, draft: &Draft<'_>) -> bool {
        let is_comparable = |line: &DraftLine<'_>| {
            let fault = line.fault.as_ref().map(|fault| fault.kind);
            fault.is_none_or(|kind| {
                kind == FaultKind::Duplicate
                    || (kind != FaultKind::UnknownRecord && !line.template.is_totalled())
            })
        };
        let is_spoilt = self.rate > 0.0 && self.dice.chance(self.rate * WRONG_TOTALS);
        is_spoilt && draft.groups.iter().flat_map(|group| &group.lines).all(is_comparable)
    }

    /// Where a file shall end, if it is to be cut: inside the line that begins at `last` and ends at `end`.
    pub(crate) fn cuts(&mut self, last: usize, end: usize) -> Option<usize> {
        let is_cut = self.rate > 0.0 && self.dice.chance(self.rate * TRUNCATED_FILES);
        (is_cut && end > last + 8).then(|| last + (end - last) / 2)
    }

    fn strikes_first(&mut self, group: &Group<'_>) -> bool {
        group.person.is_some() && self.dice.chance(self.rate)
    }

    fn strike_group(&mut self, group: &mut Group<'_>, keys: &[usize], has_opener: bool) {
        for (index, line) in group.lines.iter_mut().enumerate() {
            let opens = has_opener && index == 0;
            // In a payer's file MN opens the receipt; without RE all of it is somebody's whom nobody can tell.
            if has_opener && !opens && line.template.record() == "RE" {
                continue;
            }
            if self.dice.chance(self.rate) && self.spoil(line, keys, opens) && opens {
                return;
            }
        }
    }

    /// Spoils a line in one of the ways that its record type allows; says whether it could.
    fn spoil(&mut self, line: &mut DraftLine<'_>, keys: &[usize], opens: bool) -> bool {
        let template = line.template;
        let mut kinds = KINDS.to_vec();
        while !kinds.is_empty() {
            let count = u32::try_from(kinds.len()).unwrap_or(0);
            let kind = kinds.swap_remove(self.dice.below(count) as usize);
            if opens && kind == FaultKind::UnknownRecord {
                continue;
            }
            if let Some((bytes, field)) = self.spoilt(template, &line.bytes, keys, kind) {
                line.bytes = bytes;
                line.fault = Some(Planted { kind, field });
                return true;
            }
        }
        false
    }

    fn spoilt(
        &mut self,
        template: &Template,
        bytes: &[u8],
        keys: &[usize],
        kind: FaultKind,
    ) -> Option<(Vec<u8>, String)> {
        let delimiter = template.delimiter();
        if kind == FaultKind::Columns {
            let last = bytes.iter().rposition(|byte| *byte == delimiter)?;
            return Some((bytes.get(..last)?.to_vec(), String::new()));
        }
        let cells: Vec<&[u8]> = bytes.split(|byte| *byte == delimiter).collect();
        if kind == FaultKind::UnknownRecord {
            let slot =
                template.slots().iter().find(|slot| slot.is_tag).filter(|_| !template.is_totalled())?;
            let tag = cells.get(slot.at)?;
            let strange = [b"Z", tag.get(1..)?].concat();
            return Some((join(&cells, slot.at, &strange, delimiter), String::new()));
        }
        let fitting: Vec<(&Slot, Vec<u8>)> = template
            .slots()
            .iter()
            .filter(|slot| !slot.is_tag && !keys.contains(&slot.at) && slot.repeat == 1)
            .filter_map(|slot| {
                spoilt_value(slot, unquoted(cells.get(slot.at)?), kind).map(|value| (slot, value))
            })
            // Bytes that are not UTF-8 would tell a reader that the whole file is in another encoding.
            .filter(|(_, value)| template.encoding() != Encoding::Utf8 || str::from_utf8(value).is_ok())
            .collect();
        let (slot, value) = self.dice.pick(&fitting)?;
        let value = if slot.at >= template.quoted_from() {
            [b"\"", value.as_slice(), b"\""].concat()
        } else {
            value.clone()
        };
        let field = if kind == FaultKind::Encoding { String::new() } else { slot.key.clone() };
        Some((join(&cells, slot.at, &value, delimiter), field))
    }
}

const KINDS: [FaultKind; 12] = [
    FaultKind::Encoding,
    FaultKind::Columns,
    FaultKind::UnknownRecord,
    FaultKind::Missing,
    FaultKind::Width,
    FaultKind::Characters,
    FaultKind::Number,
    FaultKind::Date,
    FaultKind::Month,
    FaultKind::Code,
    FaultKind::Unexpected,
    FaultKind::Revision,
];

/// A spoilt value of a field, where the kind of fault is one that the field can have.
fn spoilt_value(slot: &Slot, value: &[u8], kind: FaultKind) -> Option<Vec<u8>> {
    if kind == FaultKind::Unexpected {
        return (slot.kind == FieldKind::Empty).then(|| b"1".to_vec());
    }
    if value.is_empty() {
        return None;
    }
    let has_codes = slot.codes.is_some();
    match (kind, slot.kind) {
        (FaultKind::Missing, _) if slot.required => Some(Vec::new()),
        (FaultKind::Encoding, FieldKind::Text) => Some([b"\xff", value].concat()),
        (FaultKind::Width, FieldKind::Digits | FieldKind::Code | FieldKind::Number) if !has_codes => {
            let width = match slot.width {
                Width::Any => return None,
                Width::Exactly(width) | Width::AtMost(width) => width,
            };
            Some(value.iter().copied().cycle().take(width + 1).collect())
        }
        (FaultKind::Characters, FieldKind::Digits) if !has_codes => Some([b"X", value.get(1..)?].concat()),
        // 0xB1 is half-width ｱ: a character of the encoding, but not of a code.
        (FaultKind::Characters, FieldKind::Code) if !has_codes => Some([b"\xb1", value.get(1..)?].concat()),
        (FaultKind::Number, FieldKind::Number | FieldKind::Decimal) => Some([b"X", value.get(1..)?].concat()),
        (FaultKind::Date, FieldKind::Date) => {
            Some(if value.len() == 8 { &b"20230230"[..] } else { b"5050230" }.to_vec())
        }
        (FaultKind::Month, FieldKind::Month) => {
            Some(if value.len() == 6 { &b"202313"[..] } else { b"50513" }.to_vec())
        }
        (FaultKind::Code, _) => slot.codes.as_ref().and_then(|codes| {
            let strange = ["9", "8", "0", "99", "98", "00"];
            let fits = |code: &&str| code.len() == value.len() && !codes.iter().any(|known| known == code);
            strange.into_iter().find(fits).map(|code| code.as_bytes().to_vec())
        }),
        (FaultKind::Revision, FieldKind::Date) => {
            slot.outside.map(|day| day.to_string().replace('-', "").into())
        }
        _ => None,
    }
}

/// The same lines again, the first of them marked.
fn copy<'t>(group: &Group<'t>) -> Group<'t> {
    let mut again = group.clone();
    if let Some(first) = again.lines.first_mut() {
        first.fault = Some(Planted { kind: FaultKind::Duplicate, field: String::new() });
    }
    again
}

fn unquoted(cell: &[u8]) -> &[u8] {
    cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).unwrap_or(cell)
}

fn join(cells: &[&[u8]], at: usize, value: &[u8], delimiter: u8) -> Vec<u8> {
    let cells: Vec<&[u8]> =
        cells.iter().enumerate().map(|(index, cell)| if index == at { value } else { cell }).collect();
    cells.join(&delimiter)
}

// FNV-1a: which file it is, as a number for its stream.
fn digest(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, FaultKind};

    use super::spoilt_value;
    use crate::writer::FamilyTemplates;

    #[test]
    fn a_reserved_position_gets_a_value_and_a_dated_line_another_year() {
        let catalogue = Catalogue::builtin().unwrap();
        let spoilt = |family: &str, record: &str, field: &str, value: &[u8], kind: FaultKind| {
            let templates = FamilyTemplates::new(&catalogue, family).unwrap();
            spoilt_value(templates.record(record).unwrap().slot(field).unwrap(), value, kind)
        };
        let unexpected = |field| spoilt("dpc-ff1", "A006010", field, b"", FaultKind::Unexpected);
        assert_eq!((unexpected("payload_3"), unexpected("payload_4")), (Some(b"1".to_vec()), None));
        let revision = |family, field| spoilt(family, "act", field, b"20230401", FaultKind::Revision);
        assert_eq!(revision("dpc-efn", "performed_date"), Some(b"20160301".to_vec()));
        assert_eq!(revision("dpc-efn-2014", "performed_date"), Some(b"20160401".to_vec()));
        assert_eq!(revision("dpc-efn", "admission_date"), None);
    }
}
