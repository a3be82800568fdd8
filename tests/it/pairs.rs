//! Two generated questions one after the other, over SQL: whether somebody is there changes which values are shown only
//! where a plain threshold does.
//!
//! The questions come from the grammar of [`crate::people`]; the second is near the first, as of somebody who looks for
//! one person. The worker computes both over everybody; then each person is taken out of what stands behind the cells,
//! which is what it would compute without them (`taking_a_person_away_changes_only_the_cells_that_they_are_in`).
//!
//! `MISU_TEST_GENERATED` says how many pairs are asked.

use catalog_model::{Catalogue, CellRules, Grant};
use classified::Protected;
use engine_disclosure::{Ledger, LedgerEntry, Setting, Shape, Withheld, release};
use engine_protocol::{CellValue, Evidence};
use engine_service::Says;
use engine_vet::{Scope, vet};

use crate::dice::Dice;
use crate::people::{PEOPLE, Tables, condition, evidence, of, people, persons, relation};
use crate::thresholds::{Cells, thresholds};

/// The threshold. Small, so that generated people stand at it often.
const K: u32 = 3;
/// Pairs in `make test`.
const PAIRS: usize = 40;

/// A question that counts persons: how they are grouped, what they are taken from, and which are taken.
#[derive(Clone)]
struct Question {
    keys: &'static str,
    relation: String,
    conditions: Vec<String>,
    /// With which totals.
    totals: &'static str,
}

impl Question {
    fn any(dice: &mut Dice) -> Self {
        let keys = of(dice, &["r.prefecture", "r.setting", "r.service_month", "r.prefecture, r.setting"]);
        let conditions = (0..dice.below(3)).map(|_| condition(dice, 1)).collect();
        Self { keys, relation: relation(dice), conditions, totals: of(dice, &["", "", "ROLLUP", "CUBE"]) }
    }

    /// The same with one condition more or less, or by something else.
    fn near(&self, dice: &mut Dice) -> Self {
        let mut near = self.clone();
        match dice.below(4) {
            0 => near.keys = Self::any(dice).keys,
            1 => drop(near.conditions.pop()),
            _ => near.conditions.push(condition(dice, 0)),
        }
        near
    }

    fn sql(&self) -> String {
        let (keys, relation, totals) = (self.keys, &self.relation, self.totals);
        let group = if totals.is_empty() { keys.to_owned() } else { format!("{totals} ({keys})") };
        let conditions = self.conditions.join(" AND ");
        let condition = if conditions.is_empty() { conditions } else { format!(" WHERE {conditions}") };
        format!(
            "SELECT {keys}, count(DISTINCT r.person_id) AS persons FROM {relation}{condition} GROUP BY {group}"
        )
    }
}

/// A question as it is protected: what it says, its shape, and what stands behind its cells.
struct Asked {
    sql: String,
    says: Says,
    shape: Shape,
    evidence: Evidence,
}

impl Asked {
    fn new(question: &Question, (catalogue, granted): (&Catalogue, &Grant), tables: &Tables) -> Self {
        let sql = question.sql();
        let plan =
            vet(&sql, Scope { catalogue, grant: granted }).unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        let evidence = evidence(&crate::files::worker(), &plan, catalogue, tables);
        Self { says: Says::of(&plan, "s"), shape: engine_service::shape(&plan), evidence, sql }
    }

    /// The cells without one person, or of everybody.
    fn cells(&self, gone: Option<u32>) -> Cells {
        let cells = self.evidence.cells.iter().map(|cell| {
            let mut persons = persons(&cell.parts[0].persons);
            gone.map(|gone| persons.remove(gone));
            (cell.key.clone(), persons)
        });
        cells.filter(|(_, persons)| !persons.is_empty()).collect()
    }

    /// Which values are shown beside what was released before; nothing where the table is withheld.
    fn pattern(&self, ledger: &mut Ledger, cells: &Cells) -> Option<Vec<(Vec<String>, bool)>> {
        let mut left = self.evidence.clone();
        left.cells.retain_mut(|cell| {
            let Some(persons) = cells.get(&cell.key) else { return false };
            cell.parts[0].persons.clear();
            persons.serialize_into(&mut cell.parts[0].persons).unwrap();
            true
        });
        let rules = CellRules::general(K, true);
        let released = {
            let past = self.says.past(ledger, "s");
            let setting = Setting {
                rules: &rules,
                query: "q",
                snapshot: "s",
                pack: "p",
                secret: None,
                past: Some(&past),
            };
            release(&Protected::new(left), &self.shape, setting)
        };
        let released = match released {
            Ok(released) => released,
            Err(Withheld::Ledger) => return None,
            Err(other) => panic!("{other}: {}", self.sql),
        };
        ledger.keep(LedgerEntry {
            question: self.sql.clone(),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: self.says.family().to_owned(),
            answer: Vec::new(),
            cohorts: released.cohorts,
        });
        let rows = released.table.get().rows.iter().map(|row| {
            let (count, keys) = row.split_last().unwrap();
            (keys.iter().map(CellValue::text).collect(), *count != CellValue::Suppressed)
        });
        Some(rows.collect())
    }
}

#[test]
fn a_pattern_of_two_sql_answers_changes_only_where_a_plain_threshold_does() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tables = people(&catalogue, None, &folder.path().join("whole"));
    let granted = crate::queries::grant(&catalogue);
    let pairs = std::env::var("MISU_TEST_GENERATED").map_or(PAIRS, |number| number.parse().unwrap());
    let mut dice = Dice(31);
    let (mut changed, mut beside) = (0, 0);
    for _ in 0..pairs {
        let first = Question::any(&mut dice);
        let second = first.near(&mut dice);
        let asked = [first, second].map(|question| Asked::new(&question, (&catalogue, &granted), &tables));
        let of = |gone| {
            let cells = asked.each_ref().map(|asked| asked.cells(gone));
            let mut ledger = Ledger::default();
            let [first, second] = [0, 1].map(|at: usize| asked[at].pattern(&mut ledger, &cells[at]));
            ([first, second], thresholds([&cells[0], &cells[1]], K.into()))
        };
        let (whole, stands) = of(None);
        let alone = asked[1].pattern(&mut Ledger::default(), &asked[1].cells(None));
        beside += usize::from(alone != whole[1]);
        for gone in 1..=PEOPLE {
            let (patterns, standing) = of(Some(gone));
            if patterns != whole {
                changed += 1;
                assert_ne!(standing, stands, "without {gone}:\n{}\n{}", asked[0].sql, asked[1].sql);
            }
        }
    }
    println!(
        "{pairs} pairs, each without each of {PEOPLE}: {changed} times another pattern, {beside} second answers beside the first"
    );
    // The test is not empty: patterns change, and first answers take values from second ones.
    assert!(changed > 15 && beside > 5, "{changed} {beside}");
}
