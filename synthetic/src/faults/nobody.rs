//! Faults in whose records lines are: a line in front of every record, and a record that names nobody.
//!
//! They are drawn from a stream of their own. Only of receipts whose first line must name the patient: elsewhere a
//! record is known by numbers that its layout requires, or what opens it says nothing of a person.

use catalog_model::FaultKind;

use super::join;
use crate::dice::Dice;
use crate::files::{Draft, DraftLine, Group, Planted};
use crate::writer::{Slot, encode};

// How much likelier than a line a file has a line in front of its receipts, and a receipt names nobody.
const STRAY_LINES: f64 = 8.0;
const NAMELESS: f64 = 0.5;

/// Without these no scheme of a receipt can be built.
const NAMING: [&str; 4] = ["name", "kana_name", "insured_number", "public_recipient_no"];
/// What a required field says in place of a name or number: a character that no normal form keeps.
const NOTHING: &str = "・";

/// Repeats a line of the first receipt in front of all receipts, where nobody can tell whose it is. No total counts it.
pub(super) fn stray(draft: &mut Draft<'_>, dice: &mut Dice, rate: f64) {
    if !dice.chance(rate * STRAY_LINES) {
        return;
    }
    let Some(group) = draft.groups.first().filter(|group| is_named(group)) else { return };
    let may_stand = |line: &&DraftLine<'_>| !line.template.is_totalled();
    let lines: Vec<&DraftLine<'_>> = group.lines.iter().skip(1).filter(may_stand).collect();
    let Some(line) = dice.pick(&lines) else { return };
    let mut stray = DraftLine::clone(line);
    stray.fault = Some(Planted { kind: FaultKind::Orphan, field: String::new() });
    draft.header.push(stray);
}

/// Takes names and numbers out of a receipt; says whether it did.
pub(super) fn unname(group: &mut Group<'_>, dice: &mut Dice, rate: f64) -> bool {
    if !is_named(group) || !dice.chance(rate * NAMELESS) {
        return false;
    }
    group.lines.iter_mut().for_each(empty);
    if let Some(first) = group.lines.first_mut() {
        first.fault = Some(Planted { kind: FaultKind::NoIdentity, field: String::new() });
    }
    true
}

fn is_named(group: &Group<'_>) -> bool {
    let is_name = |slot: &Slot| slot.required && slot.identity == Some("name");
    group.lines.first().is_some_and(|line| line.template.slots().iter().any(is_name))
}

fn empty(line: &mut DraftLine<'_>) {
    let template = line.template;
    let names = |slot: &&Slot| slot.identity.is_some_and(|kind| NAMING.contains(&kind));
    for slot in template.slots().iter().filter(names) {
        let nothing = slot.required.then(|| encode(template.encoding(), NOTHING)).flatten();
        let cells: Vec<&[u8]> = line.bytes.split(|byte| *byte == template.delimiter()).collect();
        let bytes = join(&cells, slot.at, &nothing.unwrap_or_default(), template.delimiter());
        line.bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, FaultKind};

    use super::unname;
    use crate::dice::{Dice, Stream};
    use crate::files::{DraftLine, Group};
    use crate::writer::FamilyTemplates;

    #[test]
    fn a_receipt_without_names_and_numbers_keeps_everything_else() {
        let catalogue = Catalogue::builtin().unwrap();
        let templates = FamilyTemplates::new(&catalogue, "ndb-medical").unwrap();
        let line = |record: &str, text: &str| DraftLine {
            template: templates.record(record).unwrap(),
            bytes: text.as_bytes().to_vec(),
            fault: None,
        };
        let lines = vec![
            line("RE", "RE,1,1112,202304,A B,2,19480726,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,C D,"),
            line("HO", "HO,01130012,12,345,1,10,,,,,,,,,"),
            line("KO", "KO,12130016,0000001,,1,10,,,,,,"),
            line("SN", "SN,1,01,,,345,00,,"),
        ];
        let mut group = Group { person: Some(0), points: 10, lines };
        assert!(unname(&mut group, &mut Dice::new(1, Stream::Nobody, 1, 1), 2.0));
        let shown: Vec<String> = group
            .lines
            .iter()
            .map(|line| encoding_rs::SHIFT_JIS.decode(&line.bytes).0.into_owned())
            .collect();
        assert_eq!(
            shown,
            [
                "RE,1,1112,202304,・,2,19480726,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,",
                "HO,01130012,12,・,1,10,,,,,,,,,",
                "KO,12130016,,,1,10,,,,,,",
                "SN,1,01,,,,00,,",
            ]
        );
        let faults: Vec<_> = group.lines.iter().filter_map(|line| line.fault.as_ref()).collect();
        assert!(matches!(faults.as_slice(), [fault] if fault.kind == FaultKind::NoIdentity));
    }
}
