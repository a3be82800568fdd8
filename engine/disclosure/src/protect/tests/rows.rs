//! Rows beside persons: a reader who sees both knows that whoever is in a cell has a row there.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{audit, cube, families, protect, rules, run, sensitive};
use crate::family::{CellNo, Family};
use crate::narrowest;
use crate::protect::{Layer, Shield};

/// A table of persons and rows with all its margins, in which persons may be in several cells along the last dimension:
/// `apart` says how many of them are in one only, from none (0) to all (2).
pub(super) fn overlapping(widths: &[usize], counts: &[(u64, u64)], apart: u64) -> Family {
    let (persons, rows): (Vec<u64>, Vec<u64>) = counts.iter().copied().unzip();
    let mut family = cube(widths, &persons);
    for (cell, rows) in family.cells.iter_mut().zip(cube(widths, &rows).cells) {
        cell.rows = Some(rows.persons);
    }
    let (last, others) = widths.split_last().unwrap();
    let (lines, stride): (usize, usize) =
        (others.iter().product(), others.iter().map(|width| width + 1).product());
    let union = |line: usize| {
        let parts = persons.iter().copied().skip(line).step_by(lines);
        let (most, all) = (parts.clone().max().unwrap(), parts.sum::<u64>());
        most + (all - most) * apart / 2
    };
    let unions: Vec<u64> = (0..lines).map(union).collect();
    for (at, cell) in cube(others, &unions).cells.iter().enumerate() {
        family.cells[last * stride + at].persons = cell.persons;
    }
    family
}

/// Two sexes and three diagnoses, of which persons have several: a person is alone in a cell opposite to one of five.
fn opposite() -> Family {
    overlapping(&[2, 3], &[(12, 12), (5, 5), (1, 1), (20, 20), (100, 100), (100, 100)], 0)
}

#[test]
fn what_is_wide_by_persons_and_by_rows_alone_is_narrow_by_both() {
    let (family, rules) = (opposite(), rules(10));
    let (sensitive, corners) = (sensitive(&family, &rules), BTreeSet::from([0, 1, 3, 4]));
    assert_eq!(sensitive, BTreeSet::from([1, 3]));
    let audited = audit(&family, &sensitive, &corners, &rules);
    assert_eq!(audited.narrow, corners);
    let ends = |at: CellNo, quantity: usize| {
        let interval = audited.intervals.iter().find(|(found, _)| *found == at).unwrap().1[quantity];
        (interval.low.unwrap(), interval.high.unwrap())
    };
    assert_eq!([ends(1, 0), ends(3, 0)], [(5, 9), (1, 5)]);
    assert_eq!([ends(1, 1), ends(3, 1)], [(5, 9), (1, 5)]);
}

#[test]
fn beside_rows_more_is_hidden_until_persons_are_open() {
    let (family, rules) = (opposite(), rules(10));
    let sensitive = sensitive(&family, &rules);
    let hidden = protect(&family, &sensitive, &rules).unwrap();
    assert!(hidden.len() > 4, "{hidden:?}");
    let audited = audit(&family, &sensitive, &hidden, &rules);
    assert!(audited.narrow.is_empty(), "{:?}", audited.narrow);
    for (_, intervals) in audited.intervals.iter().filter(|(at, _)| sensitive.contains(at)) {
        assert_eq!((intervals[0].low, intervals[0].high), (Some(1), Some(9)));
    }
}

#[test]
fn a_certificate_says_what_persons_and_rows_leave_together() {
    // Two sexes, two ages and three diagnoses: a cube is hidden in which each quantity alone has nine values.
    let diagnoses = [
        [(20, 20), (1, 9), (30, 31), (20, 20)],
        [(20, 20), (20, 20), (1, 1), (20, 20)],
        [(100, 100), (100, 100), (100, 100), (100, 100)],
    ];
    let family = overlapping(&[2, 2, 3], diagnoses.as_flattened(), 0);
    let hidden = || BTreeSet::from([0, 1, 3, 4, 9, 10, 12, 13]);
    assert_eq!(narrowest::width(&family, &Shield::of(hidden()), &rules(10)), 1);
    let mut persons = family;
    persons.cells.iter_mut().for_each(|cell| cell.rows = None);
    assert_eq!(narrowest::width(&persons, &Shield::of(hidden()), &rules(10)), 8);
}

/// Something that everybody knows of the numbers of persons, by cell, and of rows, after these.
struct Fact {
    of: Vec<usize>,
    holds: Box<Holds>,
}

type Holds = dyn Fn(&[u64]) -> bool;

fn facts(family: &Family) -> Vec<Fact> {
    let count = family.cells.len();
    let mut facts = Vec::new();
    for relation in &family.relations {
        let (whole, parts) = (relation.whole, relation.parts.clone());
        let all: u64 = parts.iter().map(|part| family.cells[*part].persons).sum();
        let is_exact = all == family.cells[whole].persons;
        let of: Vec<usize> = parts.iter().copied().chain([whole]).collect();
        let of_rows = of.iter().map(|at| at + count).collect();
        let in_rows = parts.clone();
        let holds = move |values: &[u64]| {
            let (own, mut each) = (values[whole], parts.iter().map(|part| values[*part]));
            let all: u64 = each.clone().sum();
            if is_exact { own == all } else { own <= all && each.all(|part| part <= own) }
        };
        facts.push(Fact { of, holds: Box::new(holds) });
        let holds = move |values: &[u64]| {
            values[whole + count] == in_rows.iter().map(|part| values[part + count]).sum::<u64>()
        };
        facts.push(Fact { of: of_rows, holds: Box::new(holds) });
    }
    facts.extend((0..count).map(|at| Fact {
        of: vec![at, at + count],
        holds: Box::new(move |values: &[u64]| values[at] <= values[at + count]),
    }));
    facts
}

/// How far above the truth a number is tried.
const TRIED: u64 = 4;
/// How far from the truth the ends are compared; beyond, a table may need numbers that are not tried.
const COMPARED: i128 = 2;

/// For each number of a hidden cell the lowest and highest over all tables near the truth that agree with what is shown.
fn brute(family: &Family, hidden: &BTreeSet<CellNo>, few: u64) -> Vec<(usize, (u64, u64))> {
    let count = family.cells.len();
    let order: Vec<usize> = hidden.iter().map(|at| at + count).chain(hidden.iter().copied()).collect();
    let persons = family.cells.iter().map(|cell| cell.persons);
    let mut values: Vec<u64> = persons.chain(family.cells.iter().map(|cell| cell.rows.unwrap())).collect();
    let mut settled: Vec<Vec<Fact>> = order.iter().map(|_| Vec::new()).collect();
    for fact in facts(family) {
        if let Some(last) = order.iter().rposition(|at| fact.of.contains(at)) {
            settled[last].push(fact);
        }
    }
    let top = |at: usize| match family.cells.get(at) {
        Some(cell) if cell.persons < few && cell.breadth == 0 => few - 1,
        _ => values[at] + TRIED,
    };
    let tops: Vec<u64> = order.iter().map(|at| top(*at)).collect();
    let mut found = vec![(u64::MAX, 0); order.len()];
    step(&order, &tops, &settled, &mut values, 0, &mut found);
    order.into_iter().zip(found).collect()
}

fn step(
    order: &[usize],
    tops: &[u64],
    settled: &[Vec<Fact>],
    values: &mut [u64],
    next: usize,
    found: &mut [(u64, u64)],
) {
    let Some(at) = order.get(next).copied() else {
        for (found, at) in found.iter_mut().zip(order) {
            *found = (found.0.min(values[*at]), found.1.max(values[*at]));
        }
        return;
    };
    let truth = values[at];
    for value in 1..=tops[next] {
        values[at] = value;
        if settled[next].iter().all(|fact| (fact.holds)(values)) {
            step(order, tops, settled, values, next + 1, found);
        }
    }
    values[at] = truth;
}

#[test]
fn what_persons_and_rows_tell_together_is_no_less_than_a_brute_force_finds() {
    let seen = std::cell::Cell::new((0, 0, 0));
    let test = |widths: &[usize], draws: &[u64]| {
        let of_draw = |draw: &u64| match draw % 8 {
            0 => (0, 0),
            persons => (persons, persons + draw / 8 % 3),
        };
        let counts: Vec<(u64, u64)> = draws.iter().map(of_draw).collect();
        let family = overlapping(widths, &counts, draws.iter().sum::<u64>() % 3);
        let rules = rules(3);
        let sensitive = sensitive(&family, &rules);
        let hidden = protect(&family, &sensitive, &rules).unwrap();
        let audited = audit(&family, &sensitive, &hidden, &rules);
        let place = format!("{widths:?} {counts:?} {hidden:?}");
        assert!(audited.narrow.is_empty(), "{place} {:?}", audited.narrow);
        if hidden.len() > 4 {
            return;
        }
        let count = family.cells.len();
        let is_joint = Layer::counts(&family, &rules, None).iter().any(Layer::is_joint);
        for (at, (low, high)) in brute(&family, &hidden, 3) {
            let (cell, quantity) = (at % count, at / count);
            // Where persons alone prove what both leave, rows are said as they are alone.
            if quantity == 1 && !is_joint {
                continue;
            }
            let own = &family.cells[cell];
            let truth = i128::from(if quantity == 0 { own.persons } else { own.rows.unwrap() });
            let said = audited.intervals.iter().find(|(found, _)| *found == cell).unwrap().1[quantity];
            let near =
                |end: Option<i128>, far: i128| end.unwrap_or(far).clamp(truth - COMPARED, truth + COMPARED);
            let said = (near(said.low, i128::MIN), near(said.high, i128::MAX));
            // Of a total that is few a reader may know it.
            let most = if quantity == 0 && own.persons < 3 { 2 } else { high };
            let found = (near(Some(low.into()), 0), near(Some(high.min(most).into()), 0));
            assert!(found.0 <= said.0 && said.1 <= found.1, "{place} {at}: {said:?} for {found:?}");
            let (families, ends, same) = seen.get();
            seen.set((families, ends + 1, same + i32::from(said == found)));
        }
        let (families, ends, same) = seen.get();
        seen.set((families + 1, ends, same));
    };
    let widths = prop_oneof![Just(vec![2_usize, 2]), Just(vec![2, 3]), Just(vec![3]), Just(vec![4])];
    run(families(60), test, widths, (0_u64..24).boxed());
    let (families, ends, same) = seen.get();
    println!("{families} families of persons and rows: {ends} intervals, {same} the same, none wider");
    assert!(families > 0 && same * 10 > ends * 8);
}
