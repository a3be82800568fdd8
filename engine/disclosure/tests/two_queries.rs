//! Two questions one after the other, over generated people: whether somebody is there changes which values are shown
//! only where a plain threshold does.
//!
//! A pattern of hidden values that changed for any other reason would tell of the one person by whom two databases
//! differ.
#![cfg(test)]

mod dice;
mod thresholds;

use std::collections::BTreeMap;

use catalog_model::CellRules;
use classified::Protected;
use engine_disclosure::{
    AggregateKind, AggregateShape, Depth, Form, KeyLabel, KeyShape, Ledger, LedgerEntry, PartShape, Past,
    Setting, Shape, Term, Withheld, release,
};
use engine_protocol::{CellValue, Evidence, EvidenceCell, EvidencePart, Post, PostColumn, PostExpr};
use roaring::RoaringBitmap;

use dice::Dice;
use thresholds::{Cells, thresholds};

/// The threshold. Small, so that generated people stand at it often.
const K: u64 = 3;
const PEOPLE: u32 = 24;
/// Pairs of questions; each is asked once with everybody and once without each person.
const PAIRS: usize = 120;

/// What is known of a person: four properties of a few values each.
type Person = [u64; 4];

/// A question: the persons who meet every condition, by a property.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    by: usize,
    /// A property, and the values that are taken.
    conditions: Vec<(usize, Vec<u64>)>,
}

impl Question {
    fn any(dice: &mut Dice) -> Self {
        let condition = |dice: &mut Dice| {
            let values: Vec<u64> = (0..4).filter(|_| dice.below(3) > 0).collect();
            (usize::try_from(dice.below(4)).unwrap(), values)
        };
        let by = usize::try_from(dice.below(4)).unwrap();
        let conditions = (0..dice.below(3)).map(|_| condition(dice)).collect();
        Self { by, conditions }
    }

    /// A question like this one, with one condition more or less: what somebody would ask who looks for one person.
    fn near(&self, dice: &mut Dice) -> Self {
        let mut near = self.clone();
        match near.conditions.pop() {
            Some(_) if dice.below(2) == 0 => {}
            last => {
                near.conditions.extend(last);
                near.conditions.extend(Self::any(dice).conditions.into_iter().take(1));
            }
        }
        near
    }

    /// What the form of the question tells of its rows.
    fn form(&self) -> Form {
        let term = |(property, values): &(usize, Vec<u64>)| {
            let values: Vec<String> = values.iter().map(u64::to_string).collect();
            Term::values(&property.to_string(), values.iter().map(String::as_str))
        };
        Form::new("people", self.conditions.iter().map(term))
    }

    /// The persons of each cell.
    fn cells(&self, people: &BTreeMap<u32, Person>) -> Cells {
        let mut cells = Cells::new();
        let meets = |person: &Person| {
            self.conditions.iter().all(|(property, values)| values.contains(&person[*property]))
        };
        for (number, person) in people.iter().filter(|(_, person)| meets(person)) {
            cells.entry(vec![u32::try_from(person[self.by]).unwrap()]).or_default().insert(*number);
        }
        cells
    }
}

fn shape() -> Shape {
    let label = |code: u64| {
        let code = code.to_string();
        KeyLabel { code: code.clone(), ja: code.clone(), en: code }
    };
    let column = |name: &str, value| PostColumn { name: name.to_owned(), value };
    Shape {
        keys: vec![KeyShape { values: (0..4).map(label).collect() }],
        sets: vec![1],
        parts: vec![PartShape::default()],
        aggregates: vec![AggregateShape { part: 0, kind: AggregateKind::Persons, unit: None }],
        post: Post {
            columns: vec![column("by", PostExpr::Key(0)), column("persons", PostExpr::Aggregate(0))],
            ..Post::default()
        },
        ..Shape::default()
    }
}

/// Which values a question shows beside what was released before; nothing where the table is withheld.
fn pattern(
    ledger: &mut Ledger,
    question: &Question,
    people: &BTreeMap<u32, Person>,
) -> Option<Vec<(String, bool)>> {
    let cell = |(key, persons): (&Vec<u32>, &RoaringBitmap)| {
        let mut bytes = Vec::new();
        persons.serialize_into(&mut bytes).unwrap();
        let part = EvidencePart { rows: persons.len(), persons: bytes, ..EvidencePart::default() };
        EvidenceCell { key: key.clone(), parts: vec![part], ..EvidenceCell::default() }
    };
    let cells = question.cells(people).iter().map(cell).collect();
    let rules = CellRules::general(u32::try_from(K).unwrap(), true);
    let (base, keys) = (format!("{:?}", question.conditions), [question.by.to_string()]);
    let form = question.form();
    let released = {
        let past = Past {
            ledger,
            family: "f",
            snapshot: "s",
            base: &base,
            keys: &keys,
            conditions: &[],
            form: &form,
            columns: &keys,
            terms: &[],
            depth: Depth::OnLine,
        };
        let setting =
            Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: Some(&past) };
        release(&Protected::new(Evidence { cells }), &shape(), setting)
    };
    let released = match released {
        Ok(released) => released,
        Err(Withheld::Ledger) => return None,
        Err(other) => panic!("{other}"),
    };
    ledger.keep(LedgerEntry {
        question: format!("{question:?}"),
        project: "p".to_owned(),
        snapshot: "s".to_owned(),
        family: "f".to_owned(),
        answer: Vec::new(),
        cohorts: released.cohorts,
    });
    let rows = &released.table.get().rows;
    Some(rows.iter().map(|row| (row[0].text(), row[1] != CellValue::Suppressed)).collect())
}

/// What both questions show, one after the other.
type Patterns = [Option<Vec<(String, bool)>>; 2];

fn patterns(asked: &[Question; 2], people: &BTreeMap<u32, Person>) -> Patterns {
    let mut ledger = Ledger::default();
    asked.each_ref().map(|question| pattern(&mut ledger, question, people))
}

#[test]
fn a_pattern_of_two_answers_changes_only_where_a_plain_threshold_does() {
    let mut dice = Dice(23);
    let (mut changed, mut beside) = (0, 0);
    for _ in 0..PAIRS {
        let people: BTreeMap<u32, Person> =
            (1..=PEOPLE).map(|number| (number, [(); 4].map(|()| dice.below(4)))).collect();
        let first = Question::any(&mut dice);
        let second = if dice.below(3) == 0 { Question::any(&mut dice) } else { first.near(&mut dice) };
        let asked = [first, second];
        let stands = |people: &BTreeMap<u32, Person>| {
            let [first, second] = asked.each_ref().map(|question| question.cells(people));
            thresholds([&first, &second], K)
        };
        let whole = patterns(&asked, &people);
        let alone = pattern(&mut Ledger::default(), &asked[1], &people);
        beside += usize::from(alone != whole[1]);
        for gone in people.keys() {
            let mut less = people.clone();
            less.remove(gone);
            if patterns(&asked, &less) == whole {
                continue;
            }
            changed += 1;
            assert_ne!(stands(&less), stands(&people), "without {gone} of {people:?}\n{asked:?}");
        }
    }
    // The test is not empty: patterns change, and the first answer takes values from the second.
    assert!(changed > 50 && beside > 10, "{changed} {beside}");
}
