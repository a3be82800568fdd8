//! The whole of [`super::protect`] against references that share nothing with it.
//!
//! A brute force lists every table that agrees with what is shown, for tables so small that this ends; an exact search
//! tries every set of further cells, for the price. Larger families are judged by the audit alone, whose every "open"
//! is a table that was checked in whole numbers. `MISU_FAMILIES` sets how many families are tried.

mod published;
mod rows;

use std::collections::BTreeSet;

use catalog_model::CellRules;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Audited, Exposed, Layer, Need, Place, Range, Shield, audit_shield, certain};
use crate::family::{Cell, CellNo, Family, Link, Of, Relation, Row, Total};
use crate::primary;

fn protect(
    family: &Family,
    sensitive: &BTreeSet<CellNo>,
    rules: &CellRules,
) -> Result<BTreeSet<CellNo>, Exposed> {
    super::protect(family, sensitive, rules).map(|shield| shield.hidden)
}

/// What is derived where no table is known beforehand.
fn audit(
    family: &Family,
    sensitive: &BTreeSet<CellNo>,
    hidden: &BTreeSet<CellNo>,
    rules: &CellRules,
) -> Audited {
    audit_shield(family, sensitive, &Shield::of(hidden.clone()), rules, None)
}

fn rules(persons: u32) -> CellRules {
    CellRules { dominance: None, ..CellRules::general(persons, true) }
}

/// A table with all its margins: every cell of the dimensions, each with one level more for the total.
pub(crate) fn cube(widths: &[usize], counts: &[u64]) -> Family {
    let sides: Vec<usize> = widths.iter().map(|width| width + 1).collect();
    let size = sides.iter().product();
    let place = |mut at: usize| {
        let mut place = Vec::new();
        for side in &sides {
            place.push(at % side);
            at /= side;
        }
        place
    };
    let number =
        |place: &[usize]| place.iter().zip(&sides).rev().fold(0, |at, (step, side)| at * side + step);
    let mut family = Family::default();
    let mut inner = counts.iter().copied();
    for at in 0..size {
        let place = place(at);
        let breadth = place.iter().zip(widths).filter(|(step, width)| step == width).count();
        let persons = if breadth == 0 { inner.next().unwrap_or(0) } else { 0 };
        family.cells.push(Cell { persons, breadth: u32::try_from(breadth).unwrap(), ..Cell::default() });
    }
    // Margins over one dimension first, so that wider ones find their parts.
    let mut wholes: Vec<usize> = (0..size).collect();
    wholes.sort_by_key(|at| family.cells[*at].breadth);
    for at in wholes {
        let place = place(at);
        for along in (0..widths.len()).filter(|along| place[*along] == widths[*along]) {
            let part = |step| {
                let mut part = place.clone();
                part[along] = step;
                number(&part)
            };
            let parts: Vec<CellNo> = (0..widths[along]).map(part).collect();
            family.cells[at].persons = parts.iter().map(|part| family.cells[*part].persons).sum();
            family.relations.push(Relation { whole: at, parts, link: Link::Whole, of: Of::All });
        }
    }
    family
}

fn sensitive(family: &Family, rules: &CellRules) -> BTreeSet<CellNo> {
    primary::sensitive(family, rules).into_keys().collect()
}

/// For each hidden cell the lowest and highest value over all tables that agree with what is shown.
fn brute(family: &Family, hidden: &BTreeSet<CellNo>, few: u64, most: u64) -> Vec<(u64, u64)> {
    let cells: Vec<CellNo> = hidden.iter().copied().collect();
    let mut values: Vec<u64> = family.cells.iter().map(|cell| cell.persons).collect();
    let mut found = vec![(u64::MAX, 0); cells.len()];
    step(family, &cells, 0, &mut values, (few, most), &mut found);
    found
}

fn step(
    family: &Family,
    cells: &[CellNo],
    next: usize,
    values: &mut [u64],
    (few, most): (u64, u64),
    found: &mut [(u64, u64)],
) {
    let is_settled = |at: &CellNo| !cells[next..].contains(at);
    for relation in &family.relations {
        let all = std::iter::once(&relation.whole).chain(&relation.parts);
        if all.clone().all(is_settled)
            && values[relation.whole] != relation.parts.iter().map(|part| values[*part]).sum::<u64>()
        {
            return;
        }
    }
    let Some(at) = cells.get(next).copied() else {
        for (found, at) in found.iter_mut().zip(cells) {
            *found = (found.0.min(values[*at]), found.1.max(values[*at]));
        }
        return;
    };
    let truth = values[at];
    // Of a total a reader does not take it as known that it is below the threshold.
    let is_few = truth < few && family.cells[at].breadth == 0;
    let top = if is_few { few - 1 } else { most };
    for value in 1..=top {
        values[at] = value;
        step(family, cells, next + 1, values, (few, most), found);
    }
    values[at] = truth;
}

fn run(
    cases: u32,
    test: impl Fn(&[usize], &[u64]),
    widths: impl Strategy<Value = Vec<usize>>,
    count: BoxedStrategy<u64>,
) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let input = widths.prop_flat_map(move |widths| {
        let size = widths.iter().product::<usize>();
        (Just(widths), prop::collection::vec(count.clone(), size))
    });
    runner
        .run(&input, |(widths, counts)| {
            test(&widths, &counts);
            Ok(())
        })
        .unwrap();
}

fn families(usual: u32) -> u32 {
    std::env::var("MISU_FAMILIES").ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

#[test]
fn what_the_audit_says_is_what_a_brute_force_finds() {
    let seen = std::cell::Cell::new((0, 0));
    let counts = prop_oneof![2 => 0_u64..4, 3 => 3_u64..8].boxed();
    let test = |widths: &[usize], counts: &[u64]| {
        let (family, rules) = (cube(widths, counts), rules(3));
        let sensitive = sensitive(&family, &rules);
        let hidden = protect(&family, &sensitive, &rules).unwrap();
        let audited = audit(&family, &sensitive, &hidden, &rules);
        assert!(audited.narrow.is_empty(), "{widths:?} {counts:?}");
        if hidden.len() > 7 {
            return;
        }
        let most = 20;
        let few = |at: &CellNo| if family.cells[*at].persons < 3 { 2 } else { most };
        let (families, cells) = seen.get();
        seen.set((families + 1, cells + hidden.len()));
        for ((at, intervals), (low, high)) in audited.intervals.iter().zip(brute(&family, &hidden, 3, most)) {
            let said = (
                intervals[0].low.unwrap(),
                intervals[0].high.map_or(i128::from(most), |high| high.min(i128::from(most))),
            );
            let high = high.min(few(at));
            assert_eq!(
                said,
                (i128::from(low), i128::from(high)),
                "cell {at} of {widths:?} {counts:?} {hidden:?}"
            );
            let cell = &family.cells[*at];
            if cell.persons < 3 {
                assert!(high >= 2 && (low <= 1 || cell.breadth > 0));
            }
        }
    };
    run(families(60), test, prop::collection::vec(2_usize..4, 1..3), counts);
    let (families, cells) = seen.get();
    println!("{families} families listed table by table: {cells} intervals the same as the audit's");
}

#[test]
fn no_interval_of_a_random_family_is_narrower_than_the_rule() {
    let counts = prop_oneof![1 => Just(0_u64), 3 => 1_u64..10, 6 => 10_u64..200].boxed();
    let seen = std::cell::Cell::new((0, 0));
    let test = |widths: &[usize], counts: &[u64]| {
        let (family, rules) = (cube(widths, counts), rules(10));
        let sensitive = sensitive(&family, &rules);
        let shield = super::protect(&family, &sensitive, &rules).unwrap();
        let (audited, hidden) = (audit_shield(&family, &sensitive, &shield, &rules, None), &shield.hidden);
        assert!(audited.narrow.is_empty(), "{widths:?} {counts:?} {:?}", audited.narrow);
        let (families, cells) = seen.get();
        seen.set((families + 1, cells + hidden.len()));
        for (at, intervals) in &audited.intervals {
            // Of a total a reader knows that each of its hidden parts has somebody in it.
            let cell = &family.cells[*at];
            if cell.persons < 10 {
                let place = format!("cell {at} of {widths:?} {counts:?}");
                assert!(intervals[0].high.is_none_or(|high| high >= 9), "{place}");
                assert!(cell.breadth > 0 || intervals[0].low == Some(1), "{place}");
            }
        }
    };
    run(families(40), test, prop::collection::vec(2_usize..4, 1..5), counts);
    let (families, cells) = seen.get();
    println!("{families} random families of 1 to 4 dimensions: {cells} hidden cells, 0 intervals too narrow");
}

/// The lowest price at which the sensitive cells are open, by trying every set of further cells.
fn optimum(family: &Family, sensitive: &BTreeSet<CellNo>, rules: &CellRules) -> usize {
    let free: Vec<CellNo> = (0..family.cells.len())
        .filter(|at| !sensitive.contains(at) && family.cells[*at].persons > 0)
        .collect();
    let mut sets: Vec<u32> = (0..1_u32 << free.len()).collect();
    sets.sort_by_key(|set| set.count_ones());
    let is_open = |set: &u32| {
        let more = free.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, at)| *at);
        let hidden: BTreeSet<CellNo> = sensitive.iter().copied().chain(more).collect();
        audit(family, sensitive, &hidden, rules).narrow.is_empty()
    };
    sets.into_iter().find(is_open).map_or(0, |set| set.count_ones() as usize)
}

#[test]
fn not_much_more_is_hidden_than_must_be() {
    let counts = prop_oneof![1 => 1_u64..10, 3 => 10_u64..60].boxed();
    let totals = std::cell::Cell::new((0, 0));
    let test = |widths: &[usize], counts: &[u64]| {
        let (family, rules) = (cube(widths, counts), rules(10));
        let sensitive = sensitive(&family, &rules);
        if sensitive.is_empty() {
            return;
        }
        let hidden = protect(&family, &sensitive, &rules).unwrap();
        let (ours, best) = totals.get();
        totals.set((ours + hidden.len() - sensitive.len(), best + optimum(&family, &sensitive, &rules)));
    };
    run(families(25), test, prop_oneof![Just(vec![2_usize, 3]), Just(vec![4]), Just(vec![2, 2])], counts);
    let (ours, best) = totals.get();
    println!(
        "secondary cells: {ours} hidden, {best} in the best pattern, {:.3} times",
        f64::from(u32::try_from(ours).unwrap()) / f64::from(u32::try_from(best).unwrap())
    );
    assert!(ours * 4 <= best * 5, "{ours} cells hidden where {best} suffice");
}

/// Investment of enterprises by activity and region, from Willenborg and de Waal (1996), on which Fischetti and Salazar
/// (2001) show their method: where 22 is hidden three more are, and fewer cannot be, in a table with its totals.
#[test]
fn of_a_published_example_no_more_is_hidden_than_in_the_best_pattern() {
    let family = cube(&[3, 3], &[20, 50, 10, 8, 19, 22, 17, 32, 12]);
    let totals: Vec<u64> = [3, 7, 11, 15].iter().map(|at| family.cells[*at].persons).collect();
    assert_eq!(totals, [80, 49, 61, 190]);
    let (at, rules) = (6, rules(3));
    assert_eq!(family.cells[at].persons, 22);
    let hidden = protect(&family, &BTreeSet::from([at]), &rules).unwrap();
    assert_eq!((hidden.len(), hidden.contains(&at)), (4, true));
    // The pattern of the paper, and what a reader who knows of no negative investment derives of it there.
    let paper = BTreeSet::from([4, 6, 8, 10]);
    let zeros = CellRules { zero_shown: false, ..rules };
    let audited = audit(&family, &BTreeSet::from([at]), &paper, &zeros);
    let interval = audited.intervals.iter().find(|(found, _)| *found == at).unwrap().1[0];
    assert_eq!((interval.low, interval.high), (Some(5), Some(30)));
}

#[test]
fn a_sum_cannot_be_estimated_from_its_neighbours() {
    let mut family = cube(&[3], &[20, 20, 20]);
    for (at, (sum, tops)) in
        [(1000, (950, 20)), (400, (30, 30)), (600, (50, 40)), (2000, (950, 50))].iter().enumerate()
    {
        family.cells[at].sums.push(Total { sum: *sum, persons: Some(*tops), ..Total::default() });
    }
    let rules = CellRules::general(10, true);
    let sensitive = sensitive(&family, &rules);
    assert_eq!(sensitive, BTreeSet::from([0]));
    let hidden = protect(&family, &sensitive, &rules).unwrap();
    assert_eq!(hidden, BTreeSet::from([0, 1]));
    let audited = audit(&family, &sensitive, &hidden, &rules);
    let sums = audited.intervals[0].1[1];
    assert_eq!((sums.low, sums.high), (Some(0), Some(1400)));
}

#[test]
fn one_who_is_alone_in_a_cell_does_not_learn_the_next() {
    // The one person of the first cell knows it; without a third cell the second would be the rest of the total.
    let family = cube(&[4], &[1, 9, 30, 40]);
    let rules = rules(10);
    let hidden = protect(&family, &sensitive(&family, &rules), &rules).unwrap();
    assert_eq!(hidden.len(), 3);
}

#[test]
fn what_is_out_already_can_make_protection_impossible() {
    let mut family = cube(&[2], &[3, 20]);
    family.cells[1].is_out = true;
    family.cells[2].is_out = true;
    let rules = rules(10);
    assert!(protect(&family, &sensitive(&family, &rules), &rules).is_err());
}

#[test]
fn what_a_solver_does_not_find_is_not_taken_back() {
    // All that is out is the total and one part of two: the other is exact, and nothing proves that it must be.
    let mut family = cube(&[2], &[3, 20]);
    family.cells[1].is_out = true;
    family.cells[2].is_out = true;
    assert_eq!(
        protect(&family, &BTreeSet::from([0]), &rules(10)).map_err(|exposed| exposed.to_string()),
        Err("cell 0 cannot be protected any more".to_owned())
    );
    // Two parts with somebody in each: that their hidden total is two at least is proved, and not asked.
    let family = cube(&[3], &[1, 2, 0]);
    let sensitive = sensitive(&family, &rules(10));
    assert_eq!(sensitive, BTreeSet::from([0, 1, 3]));
    let layer = Layer::persons(&family, &rules(10), None);
    assert_eq!(certain::range(&layer, 3, None), Range::of(2, 18));
    assert_eq!(protect(&family, &sensitive, &rules(10)), Ok(sensitive));
}

/// Nine hundred and more cells in so many dimensions, a tenth of them small.
fn thousand(widths: &[usize]) -> Family {
    let draw = |at: usize| (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let counts: Vec<u64> = (0..widths.iter().product()).map(|at| draw(at) % 97 + 2).collect();
    cube(widths, &counts)
}

#[test]
fn a_thousand_cells_are_protected() {
    let alone = [vec![48, 19], vec![11, 8, 8], vec![6, 5, 5, 3]].map(|widths| (thousand(&widths), widths));
    // Persons beside rows, who are in several cells of a line.
    let counts = |at: u64| (at * 37 % 97 + 2, at * 37 % 97 + 2 + at % 5);
    let beside = [vec![48, 19], vec![11, 8, 8]].map(|widths| {
        let cells = widths.iter().product::<usize>() as u64;
        (rows::overlapping(&widths, &(0..cells).map(counts).collect::<Vec<_>>(), 1), widths)
    });
    for (family, widths) in alone.into_iter().chain(beside) {
        let rules = rules(10);
        let begun = std::time::Instant::now();
        let sensitive = sensitive(&family, &rules);
        let shield: Shield = super::protect(&family, &sensitive, &rules).unwrap();
        let hidden = &shield.hidden;
        println!(
            "{widths:?}: {} cells, {} sensitive, {} hidden, {:?}",
            family.cells.len(),
            sensitive.len(),
            hidden.len(),
            begun.elapsed()
        );
        assert!(audit_shield(&family, &sensitive, &shield, &rules, None).narrow.is_empty());
    }
}

/// Every table of small counts that agrees with some rows.
fn all_tables(rows: &[Row], places: usize, most: i128) -> Vec<Vec<i128>> {
    let mut tables = vec![Vec::new()];
    for _ in 0..places {
        let longer = |table: Vec<i128>| (0..=most).map(move |value| [table.clone(), vec![value]].concat());
        tables = tables.into_iter().flat_map(longer).collect();
    }
    let sum = |table: &[i128], row: &Row| -> i128 {
        row.terms.iter().map(|(at, sign)| table[*at] * i128::from(*sign)).sum()
    };
    tables.retain(|table| rows.iter().all(|row| sum(table, row) == 0));
    tables
}

proptest! {
    #[test]
    fn what_is_proved_by_trying_is_what_no_table_of_all_reaches(
        truth in prop::collection::vec(0..4_i128, 3),
        wholes in prop::collection::vec(1_usize..8, 1..4),
    ) {
        const MOST: i128 = 6;
        // Three groups, and wholes that are made up of some of them.
        let mut values = truth.clone();
        let mut rows = Vec::new();
        for whole in &wholes {
            let members: Vec<CellNo> = (0..3).filter(|at| whole >> at & 1 == 1).collect();
            let terms = members.iter().map(|at| (*at, -1)).chain([(values.len(), 1)]).collect();
            rows.push(Row { terms, is_exact: true });
            values.push(members.iter().map(|at| truth[*at]).sum());
        }
        let place = |value: &i128| Place {
            value: *value,
            shown: Range::of(*value, *value),
            hidden: Range::of(0, MOST.max(*value)),
            need: Need::Width(0),
        };
        let layer = Layer::of(values.iter().map(place).collect(), rows.clone());
        let most = values.iter().copied().max().unwrap_or(0).max(MOST);
        let mut tables = all_tables(&rows, values.len(), most);
        tables.retain(|table| table.iter().zip(&values).all(|(found, value)| *found <= MOST.max(*value)));
        for at in 0..values.len() {
            let reached = tables.iter().map(|table| table[at]);
            let (low, high) = (reached.clone().min().unwrap(), reached.max().unwrap());
            let proved = certain::tried_range(&layer, at, (values[at], 9));
            prop_assert_eq!(proved.high, Some(high));
            // Where it goes all the way down there is nothing to prove.
            prop_assert_eq!(proved.low.unwrap_or(0), low);
        }
    }
}
