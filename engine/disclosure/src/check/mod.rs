//! The disclosure check of a table made elsewhere.
//!
//! The file says dimensions, cells, linked tables and rounding; the answer says each cell's status, why, and the
//! interval that a reader can derive for each hidden cell. With `audit_only` the pattern of the file is judged instead
//! of making one.

mod amount;
mod before;
mod form;
mod output;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{CellRules, OutputRules};
use serde::Serialize;
use serde_json::Number;

use crate::check::form::TableForm;
use crate::check::read::{At, Tables};
use crate::family::CellNo;
use crate::ledger::Ledger;
use crate::primary::{self, Reason};
use crate::protect::{self, Audited, Interval, Shield};

pub use read::Malformed;

/// How a table is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions<'l> {
    /// Judges the pattern of the file instead of making one.
    pub audit_only: bool,
    /// What was released before; cells that name their persons are compared with it.
    pub ledger: Option<&'l Ledger>,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedTable {
    /// Every cell of every table once.
    pub cells: Vec<CheckedCell>,
    /// Whether the table can go out as it is answered here.
    pub verdict: Verdict,
    /// What the pack says against the table whatever is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What becomes of one cell.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedCell {
    /// Where it stands; a dimension that is missing stands for its total.
    pub at: BTreeMap<String, String>,
    /// What becomes of it.
    pub status: Status,
    /// The rule behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// From where to where a reader must hold a hidden count possible; null is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<(Option<Number>, Option<Number>)>,
    /// The same for a hidden sum, where the table has counts as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum_interval: Option<(Option<Number>, Option<Number>)>,
}

/// What becomes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It can be shown.
    Published,
    /// A rule hides it by itself.
    Primary,
    /// It is hidden so that no other can be worked out.
    Secondary,
    /// Its persons are those of a cohort that was released, or differ from it by few.
    Ledger,
}

/// Whether a table can go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing had or has to be hidden.
    Safe,
    /// With these cells hidden it can go out.
    Protected,
    /// With the pattern of the file it cannot.
    Unsafe,
}

/// Checks a table.
///
/// `pack` gives the numbers of the rule pack that the file names, or the usual ones where it names none.
///
/// # Errors
///
/// The text is no table, or its numbers contradict each other.
pub fn check_table(
    text: &str,
    options: CheckOptions<'_>,
    pack: impl FnOnce(Option<&str>) -> Option<(CellRules, OutputRules)>,
) -> Result<CheckedTable, Malformed> {
    let form: TableForm = serde_json::from_str(text).map_err(|error| Malformed::Json(error.to_string()))?;
    let (rules, output) = pack(form.rules.as_deref())
        .ok_or_else(|| Malformed::Rules(form.rules.clone().unwrap_or_default()))?;
    // A table that is rounded is suppressed up to the edge of a bin, so that no shown bin is cut by the threshold.
    let rules = match form.rounding {
        rounding if !options.audit_only => CellRules { rounding, ..rules }.from_an_edge(),
        _ => rules,
    };
    let mut tables = Tables::read(&form)?;
    output::places(&mut tables, &form, &output);
    let mut reasons = primary::sensitive(&tables.family, &rules);
    for at in output::small_amounts(&tables, &form, &output)? {
        reasons.entry(at).or_insert(Reason::SmallAmount);
    }
    let cohorts = before::cohorts(&tables, &form)?;
    for at in options.ledger.iter().flat_map(|ledger| before::near(&cohorts, ledger, &rules)) {
        reasons.entry(at).or_insert(Reason::Ledger);
    }
    let sensitive: BTreeSet<CellNo> = reasons.keys().copied().collect();
    let everything = || (0..tables.family.cells.len()).collect();
    let shield = if options.audit_only {
        Shield::of(tables.hidden.clone())
    } else {
        // Where no pattern helps, everything is hidden.
        let shield = protect::protect(&tables.family, &sensitive, &rules);
        shield.unwrap_or_else(|_| Shield::of(everything()))
    };
    let rounding = form.rounding.as_ref();
    let audited = protect::audit_shield(&tables.family, &sensitive, &shield, &rules, rounding);
    let hidden = shield.hidden;
    let answer = answer(&tables, &reasons, &hidden, &audited, options);
    let beside = options.ledger.and_then(|ledger| before::refused(&cohorts, &hidden, ledger, rules.persons));
    Ok(match output::refused(&form, &output).or(beside) {
        None => answer,
        refused => CheckedTable { verdict: Verdict::Unsafe, refused, ..answer },
    })
}

fn answer(
    tables: &Tables,
    reasons: &BTreeMap<CellNo, Reason>,
    hidden: &BTreeSet<CellNo>,
    audited: &Audited,
    options: CheckOptions<'_>,
) -> CheckedTable {
    let intervals: BTreeMap<CellNo, &[Interval]> =
        audited.intervals.iter().map(|(at, intervals)| (*at, intervals.as_slice())).collect();
    let cell = |(number, at): (usize, &At)| {
        let is_hidden = hidden.contains(&number);
        let is_released = reasons.get(&number) == Some(&Reason::Ledger);
        let reason = reasons.get(&number).map(|reason| reason.as_str());
        let why = match (is_hidden, audited.narrow.contains(&number)) {
            (false, _) => reason,
            (true, true) => Some("narrow-interval"),
            (true, false) => Some(reason.unwrap_or("margins")),
        };
        let status = match (is_hidden, reason.is_some()) {
            (false, _) => Status::Published,
            (true, true) if is_released => Status::Ledger,
            (true, true) => Status::Primary,
            (true, false) => Status::Secondary,
        };
        let (interval, sum_interval) =
            intervals.get(&number).map_or((None, None), |all| written(tables, all));
        CheckedCell { at: at.clone(), status, why, interval, sum_interval }
    };
    let is_shown = |at: &CellNo| !hidden.contains(at);
    let verdict = if !audited.narrow.is_empty() || reasons.keys().any(is_shown) {
        Verdict::Unsafe
    } else if hidden.is_empty() || options.audit_only {
        Verdict::Safe
    } else {
        Verdict::Protected
    };
    CheckedTable { cells: tables.at.iter().enumerate().map(cell).collect(), verdict, refused: None }
}

type Written = Option<(Option<Number>, Option<Number>)>;

/// The intervals of a cell as they are printed: of its count, and of its sum.
fn written(tables: &Tables, intervals: &[Interval]) -> (Written, Written) {
    let ends = |interval: &Interval, places| {
        let end = |end: Option<i128>| end.and_then(|end| amount::written(end, places));
        (end(interval.low), end(interval.high))
    };
    let has_sums = tables.family.measures() > 0;
    let sum = has_sums.then(|| intervals.last().map(|interval| ends(interval, tables.places))).flatten();
    let count = intervals.first().map(|interval| ends(interval, 0));
    if tables.is_counted { (count, sum) } else { (sum, None) }
}

#[cfg(test)]
mod tests {
    use catalog_model::{CellRules, OutputRules, PopulationTier};
    use serde_json::{Value, json};

    use super::{CheckOptions, CheckedTable, Malformed, Status, Verdict, check_table};
    use crate::ledger::{Cohort, Ledger, LedgerEntry};

    fn checked(table: &Value, audit_only: bool) -> CheckedTable {
        let rules = CellRules::general(10, true);
        let options = CheckOptions { audit_only, ..CheckOptions::default() };
        check_table(&table.to_string(), options, |_| Some((rules, output()))).unwrap()
    }

    fn output() -> OutputRules {
        let tier = |below, persons| PopulationTier { below, persons };
        OutputRules {
            dimensions: Some(3),
            populations: vec![tier(2_000, None), tier(25_000, Some(20))],
            crossings: [("insurer".to_owned(), "municipality".to_owned())].into(),
            amounts: [("oral-external".to_owned(), 1_000)].into(),
            ..OutputRules::default()
        }
    }

    fn whys(table: &CheckedTable) -> Vec<&'static str> {
        table.cells.iter().map(|cell| cell.why.unwrap_or("shown")).collect()
    }

    #[test]
    fn an_amount_without_known_patients_is_not_shown_below_the_least() {
        let cells = json!([
            {"at": {"drug": "a"}, "sum": 999}, {"at": {"drug": "b"}, "sum": 1000}, {"at": {"drug": "c"}, "sum": 0},
        ]);
        let dimensions = json!([{"name": "drug", "levels": ["a", "b", "c"]}]);
        let table = json!({"amount": "oral-external", "dimensions": dimensions, "cells": cells});
        assert_eq!(whys(&checked(&table, false)), ["small-amount", "shown", "shown"]);
    }

    #[test]
    fn units_are_counted_where_the_file_says_them_and_the_pack_asks() {
        let cells = json!([
            {"at": {"d": "a"}, "count": 30, "municipalities": 2}, {"at": {"d": "b"}, "count": 30, "municipalities": 3},
            {"at": {"d": "c"}, "count": 30, "insurers": 1}, {"at": {"d": "d"}, "count": 30},
        ]);
        let table = json!({"dimensions": [{"name": "d", "levels": ["a", "b", "c", "d"]}], "cells": cells});
        let rules = CellRules { municipalities: Some(3), ..CellRules::general(10, true) };
        let care = check_table(&table.to_string(), CheckOptions::default(), |_| Some((rules, output())));
        assert_eq!(whys(&care.unwrap()), ["few-municipalities", "shown", "shown", "shown"]);
        assert_eq!(whys(&checked(&table, false)), ["shown"; 4]);
    }

    #[test]
    fn a_small_place_needs_more_and_a_forbidden_crossing_is_never_safe() {
        let table = |other: &str| {
            let cell =
                |place: &str, count: u64| json!({"at": {"municipality": place, other: "x"}, "count": count});
            let populations = json!({"small": 1_999, "middle": 24_999, "large": 30_000});
            json!({
                "dimensions": [
                    {"name": "municipality", "levels": ["small", "middle", "large"], "populations": populations},
                    {"name": other, "levels": ["x"]},
                ],
                "cells": [cell("small", 90), cell("middle", 19), cell("large", 19)],
            })
        };
        let allowed = checked(&table("sex"), false);
        assert_eq!(whys(&allowed), ["small-place", "small-place", "shown"]);
        assert_eq!((allowed.verdict, allowed.refused), (Verdict::Protected, None));
        let crossed = checked(&table("insurer"), false);
        assert_eq!(crossed.verdict, Verdict::Unsafe);
        assert_eq!(crossed.refused.as_deref(), Some("insurer and municipality are not crossed in one table"));
    }

    /// A ledger of one release with these cohorts.
    fn ledger(cohorts: &[std::ops::Range<u32>]) -> Ledger {
        let cohort = |(at, persons): (usize, &std::ops::Range<u32>)| Cohort {
            id: at.to_string(),
            persons: persons.clone().collect(),
            is_derived: false,
            form: None,
        };
        let mut ledger = Ledger::default();
        ledger.keep(LedgerEntry {
            question: "one".to_owned(),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: "f".to_owned(),
            answer: Vec::new(),
            cohorts: cohorts.iter().enumerate().map(cohort).collect(),
        });
        ledger
    }

    /// Cells of these persons in one dimension, beside a ledger.
    fn beside(ledger: &Ledger, cells: &[std::ops::Range<u32>]) -> CheckedTable {
        let levels: Vec<String> = (0..cells.len()).map(|at| at.to_string()).collect();
        let cell = |(at, persons): (usize, &std::ops::Range<u32>)| {
            let cohort: Vec<u32> = persons.clone().collect();
            json!({"at": {"d": at.to_string()}, "count": cohort.len(), "cohort": cohort})
        };
        let cells: Vec<Value> = cells.iter().enumerate().map(cell).collect();
        let table = json!({"dimensions": [{"name": "d", "levels": levels}], "cells": cells});
        let options = CheckOptions { ledger: Some(ledger), ..CheckOptions::default() };
        check_table(&table.to_string(), options, |_| Some((CellRules::general(10, true), output()))).unwrap()
    }

    #[test]
    fn a_cohort_that_was_released_or_nearly_is_not_shown_again() {
        let ledger = ledger(std::slice::from_ref(&(0..100)));
        for near in [0..100, 3..100, 0..109] {
            let table = beside(&ledger, &[near, 200..300]);
            let status: Vec<Status> = table.cells.iter().map(|cell| cell.status).collect();
            assert_eq!(
                (status, whys(&table)),
                (vec![Status::Ledger, Status::Published], vec!["ledger", "shown"])
            );
            assert_eq!(table.verdict, Verdict::Protected);
        }
        assert_eq!(beside(&ledger, &[10..100, 200..300]).verdict, Verdict::Safe);
    }

    #[test]
    fn a_table_that_with_earlier_releases_gives_a_small_group_is_unsafe() {
        // Two released cohorts and the two of the table: everybody but three, without any two that are near.
        let ledger = ledger(&[0..100, 50..153]);
        let table = beside(&ledger, &[0..50, 100..150]);
        assert_eq!(table.verdict, Verdict::Unsafe);
        assert!(table.refused.unwrap().contains("small group"));
    }

    #[test]
    fn a_cohort_has_the_persons_of_its_cell() {
        let cells = json!([{"at": {"d": "a"}, "count": 30, "cohort": [1, 2]}]);
        let table = json!({"dimensions": [{"name": "d", "levels": ["a"]}], "cells": cells});
        let checked = check_table(&table.to_string(), CheckOptions::default(), |_| {
            Some((CellRules::general(10, true), output()))
        });
        assert_eq!(checked.err(), Some(Malformed::Number { table: 1, cell: 1, field: "cohort" }));
    }

    /// The three-by-three example of the care-DB papers with all its totals; the 2 is hidden.
    fn care(rounding: &Value) -> Value {
        let counts = [[11, 12, 36], [2, 305, 995], [26, 55, 34]];
        let mut cells = Vec::new();
        for (row, line) in counts.iter().enumerate() {
            for (column, count) in line.iter().enumerate() {
                let at = json!({"r": row.to_string(), "c": column.to_string()});
                cells.push(json!({"at": at, "count": count, "suppressed": *count == 2}));
            }
            cells.push(json!({"at": {"r": row.to_string()}, "count": line.iter().sum::<u64>()}));
        }
        for column in 0..3 {
            let count: u64 = counts.iter().map(|line| line[column]).sum();
            cells.push(json!({"at": {"c": column.to_string()}, "count": count}));
        }
        cells.push(json!({"at": {}, "count": 1476}));
        let levels = json!(["0", "1", "2"]);
        let dimensions = json!([{"name": "r", "levels": levels}, {"name": "c", "levels": levels}]);
        json!({"dimensions": dimensions, "cells": cells, "rounding": rounding})
    }

    fn hidden_two(table: &CheckedTable) -> String {
        let cell = table.cells.iter().find(|cell| cell.status == Status::Primary).unwrap();
        serde_json::to_string(&cell.interval).unwrap()
    }

    #[test]
    fn the_rounding_plans_of_the_care_db_papers_give_the_hidden_two_away() {
        let plan = |mode: &str, of: &str| checked(&care(&json!({"base": 10, "mode": mode, "of": of})), true);
        for (mode, of, interval) in
            [("up", "all", "[1,8]"), ("half-up", "totals", "[1,4]"), ("up", "totals", "[1,3]")]
        {
            let table = plan(mode, of);
            assert_eq!((hidden_two(&table).as_str(), table.verdict), (interval, Verdict::Unsafe));
        }
        let ours = checked(&care(&Value::Null), false);
        assert_eq!((hidden_two(&ours).as_str(), ours.verdict), ("[1,9]", Verdict::Protected));
        assert_eq!(ours.cells.iter().filter(|cell| cell.status == Status::Secondary).count(), 3);
    }
}
