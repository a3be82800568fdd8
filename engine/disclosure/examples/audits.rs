//! What a popular family costs: questions asked one after the other of the same people, and how far each table's audit
//! beside the earlier ones reaches.
//!
//! `cargo run --release -p engine-disclosure --example audits -- 20000 40` asks forty questions of 20,000 drawn persons:
//! every one by one or two of five columns, some about a part of them, with all totals. The figures of a run stand in
//! `benches/README.md`.

#![expect(clippy::print_stdout, reason = "a run prints its figures")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog_model::{BeyondAudit, CellRules};
use classified::Protected;
use engine_disclosure::{
    AggregateKind, AggregateShape, Depth, Form, KeyLabel, KeyShape, Ledger, LedgerEntry, PartShape, Past,
    Release, Setting, Shape, Term, Withheld, release,
};
use engine_protocol::{Evidence, EvidenceCell, EvidencePart, Post, PostColumn, PostExpr, TOTAL};
use roaring::RoaringBitmap;

use dice::Dice;

#[path = "../tests/dice/mod.rs"]
mod dice;

/// How many values each column has: sex, age, prefecture, kind, month.
const COLUMNS: [u64; 5] = [2, 18, 47, 6, 24];

/// What a person has in each column.
type Person = [u32; COLUMNS.len()];

/// The columns that it is grouped by, and a value that it is about.
struct Question {
    by: Vec<usize>,
    about: Option<(usize, u32)>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual: u32| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (persons, questions, off_line) = (number(20_000)?, number(40)?, number(0)?);
    let depth = if off_line > 0 { Depth::OffLine } else { Depth::OnLine };
    let mut dice = Dice(7);
    let below = |dice: &mut Dice, most: u64| u32::try_from(dice.below(most)).unwrap_or(0);
    // The lower of two draws: groups are of different sizes.
    let mut drawn = |most: &u64| below(&mut dice, *most).min(below(&mut dice, *most));
    let people: Vec<Person> =
        (0..persons).map(|_| std::array::from_fn(|at| COLUMNS.get(at).map_or(0, &mut drawn))).collect();
    let (mut ledger, mut times, mut beyond, mut withheld) = (Ledger::default(), Vec::new(), 0_u32, 0_u32);
    for at in 0..questions {
        let question = Question::drawn(&mut dice);
        let begun = Instant::now();
        let asked = ask(&ledger, &question, &people, (depth, BeyondAudit::Withhold));
        let took = begun.elapsed();
        times.push(took);
        let is_beyond = matches!(asked, Err(Withheld::Beyond));
        beyond += u32::from(is_beyond);
        // It goes out all the same, so that the next ones stand beside it.
        let again = || ask(&ledger, &question, &people, (depth, BeyondAudit::Exact));
        let Ok(released) = (if is_beyond { again() } else { asked }) else {
            withheld += 1;
            println!("{at:3} {question}: withheld, {took:.1?}");
            continue;
        };
        let left = released.beyond.unwrap_or_default();
        let (cells, kept) = (released.cells, ledger.cohorts());
        println!("{at:3} {question}: {cells} cells beside {kept} cohorts, left out {left:?}, {took:.1?}");
        ledger.keep(LedgerEntry {
            question: format!("{at} {question}"),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: "f".to_owned(),
            answer: Vec::new(),
            cohorts: released.cohorts,
        });
    }
    println!("{questions} questions: {withheld} withheld, {beyond} not audited whole, {}", spread(times));
    Ok(())
}

impl Question {
    fn drawn(dice: &mut Dice) -> Self {
        let mut column = || usize::try_from(dice.below(COLUMNS.len() as u64)).unwrap_or(0);
        let (one, other, about) = (column(), column(), column());
        let mut by = vec![one];
        by.extend(
            (other != one && COLUMNS.get(one).zip(COLUMNS.get(other)).is_some_and(|(a, b)| a * b < 400))
                .then_some(other),
        );
        let is_about = dice.below(3) == 0 && !by.contains(&about);
        let value = u32::try_from(dice.below(3)).unwrap_or(0).min(1);
        Self { by, about: is_about.then_some((about, value)) }
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "by {:?} about {:?}", self.by, self.about)
    }
}

fn ask(
    ledger: &Ledger,
    question: &Question,
    people: &[Person],
    (depth, beyond_audit): (Depth, BeyondAudit),
) -> Result<Release, Withheld> {
    let width = |column: &usize| COLUMNS.get(*column).copied().unwrap_or(0);
    let label = |code: u64| {
        let code = code.to_string();
        KeyLabel { code: code.clone(), ja: code.clone(), en: code }
    };
    let keys: Vec<String> = question.by.iter().map(|column| format!("column {column}")).collect();
    let of =
        |value: &(usize, u32)| Term::values(&format!("column {}", value.0), [value.1.to_string().as_str()]);
    let form = Form::new("people", question.about.as_ref().map(of));
    let column = |(at, name): (usize, &String)| PostColumn { name: name.clone(), value: PostExpr::Key(at) };
    let sets: Vec<u32> = (0..1_u32 << keys.len()).rev().collect();
    let mut columns: Vec<PostColumn> = keys.iter().enumerate().map(column).collect();
    columns.push(PostColumn { name: "persons".to_owned(), value: PostExpr::Aggregate(0) });
    let shape = Shape {
        keys: question.by.iter().map(|at| KeyShape { values: (0..width(at)).map(label).collect() }).collect(),
        sets: sets.clone(),
        parts: vec![PartShape::default()],
        aggregates: vec![AggregateShape { part: 0, kind: AggregateKind::Persons, unit: None }],
        post: Post { columns, ..Post::default() },
        ..Shape::default()
    };
    let base = format!("{:?}", question.about);
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
        depth,
    };
    let rules = CellRules { beyond_audit, ..CellRules::general(10, true) };
    let setting =
        Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: Some(&past) };
    release(&Protected::new(Evidence { cells: cells(question, people, &sets) }), &shape, setting)
}

fn cells(question: &Question, people: &[Person], sets: &[u32]) -> Vec<EvidenceCell> {
    let mut cells: BTreeMap<Vec<u32>, RoaringBitmap> = BTreeMap::new();
    for (person, values) in (0_u32..).zip(people) {
        let has = |(column, value): &(usize, u32)| values.get(*column) == Some(value);
        if question.about.as_ref().is_none_or(has) {
            for set in sets {
                let key = |(at, column): (usize, &usize)| {
                    if set >> at & 1 == 1 { values.get(*column).copied().unwrap_or(TOTAL) } else { TOTAL }
                };
                cells.entry(question.by.iter().enumerate().map(key).collect()).or_default().insert(person);
            }
        }
    }
    let cell = |(key, persons): (Vec<u32>, RoaringBitmap)| {
        let mut bytes = Vec::new();
        let rows = persons.len();
        let _ = persons.serialize_into(&mut bytes);
        let part = EvidencePart { rows, persons: bytes, ..EvidencePart::default() };
        EvidenceCell { key, parts: vec![part], ..EvidenceCell::default() }
    };
    cells.into_iter().map(cell).collect()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let worst = times.last().copied().unwrap_or_default();
    format!("median {:.2?}, p95 {:.2?}, worst {worst:.2?}", at(50), at(95))
}
