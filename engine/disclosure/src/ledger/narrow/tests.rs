//! Intervals over several answers against a brute force that lists every population.
//!
//! People have one row with three properties; questions take some of them and group by some. A reader knows how many
//! there are in every cell that is large enough or empty. The brute force knows nothing of atoms and forms: it fills the
//! cells of all three properties with every number of people that agrees with what was shown.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::System;
use crate::ledger::Zeros;
use crate::ledger::atoms::Atom;
use crate::ledger::exchanges::Exchanges;
use crate::ledger::form::{Form, Number, Term};
use crate::ledger::possible::Set;
use crate::protect::intervals;

const WIDTHS: [usize; 3] = [2, 3, 2];
const CELLS: usize = 12;
const FEW: u64 = 5;
/// A number of which no end is known goes up to this one.
const ENDLESS: u64 = 30;
/// Ends are compared up to here.
const FAR: i128 = 12;
/// Steps of a brute force; what is not listed by then is not compared.
const STEPS: usize = 60_000;

/// A question: the value that is asked of a property, or none, and the properties that it groups by.
type Question = ([Option<usize>; 3], [bool; 3]);

fn place(cell: usize) -> [usize; 3] {
    [cell % 2, cell / 2 % 3, cell / 6]
}

/// The cells that a question shows, each with its form and the cells of all three properties in it.
fn shown((asked, by): &Question, counts: &[u64]) -> Vec<(Form, Vec<usize>)> {
    let mut cells: BTreeMap<[Option<usize>; 3], Vec<usize>> = BTreeMap::new();
    for cell in 0..CELLS {
        let place = place(cell);
        if (0..3).all(|at| asked[at].is_none_or(|value| value == place[at])) {
            let key = [0, 1, 2].map(|at| (by[at] || asked[at].is_some()).then_some(place[at]));
            cells.entry(key).or_default().push(cell);
        }
    }
    let size = |cells: &[usize]| cells.iter().map(|cell| counts[*cell]).sum::<u64>();
    let form = |key: [Option<usize>; 3]| {
        let terms = key.into_iter().enumerate();
        let term = |(at, value): (usize, Option<usize>)| {
            Some(Term::values(&at.to_string(), [value?.to_string().as_str()]))
        };
        Form::new("people", terms.filter_map(term))
    };
    let cell = |(key, cells): ([Option<usize>; 3], Vec<usize>)| {
        let mut form = form(key);
        if (1..FEW).contains(&size(&cells)) {
            // Of a total it is not known that it is hidden for its few persons.
            form.told = Number::Hidden(1, key.iter().all(Option::is_some).then_some(FEW - 1));
        }
        (form, cells)
    };
    cells.into_iter().map(cell).collect()
}

/// Fills cell after cell; for each group of cells the least and the most persons that it is found with.
struct Brute<'b> {
    cohorts: &'b [(Form, Vec<usize>)],
    truth: &'b [u64],
    groups: Vec<Vec<usize>>,
    found: Vec<(u64, u64)>,
    steps: usize,
}

impl Brute<'_> {
    fn fill(&mut self, counts: &mut Vec<u64>) {
        self.steps += 1;
        let next = counts.len();
        if self.steps > STEPS {
            return;
        }
        if next == CELLS {
            for (group, found) in self.groups.iter().zip(&mut self.found) {
                let size = group.iter().map(|cell| counts[*cell]).sum();
                *found = (found.0.min(size), found.1.max(size));
            }
            return;
        }
        let mut room: Option<(u64, u64)> = None;
        for (form, cells) in self.cohorts.iter().filter(|(_, cells)| cells.contains(&next)) {
            let whole: u64 = cells.iter().map(|cell| self.truth[*cell]).sum();
            let (least, most) = match form.told {
                Number::Hidden(least, most) => (least, most.unwrap_or(ENDLESS)),
                _ => (whole, whole),
            };
            let gone: u64 = cells.iter().filter(|cell| **cell < next).map(|cell| counts[*cell]).sum();
            let (least, most) = (least.saturating_sub(gone), most.checked_sub(gone));
            let is_last = cells.iter().all(|cell| *cell <= next);
            let (low, high) = room.unwrap_or((0, ENDLESS));
            let Some(most) = most else { return };
            room = Some((if is_last { low.max(least) } else { low }, high.min(most)));
        }
        // Of whom no answer tells nothing follows.
        let (low, high) = room.unwrap_or((self.truth[next], self.truth[next]));
        for count in low..=high {
            counts.push(count);
            self.fill(counts);
            counts.pop();
        }
    }
}

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let property =
        |width: usize| (prop_oneof![4 => Just(None), 1 => (0..width).prop_map(Some)], any::<bool>());
    let question = (property(WIDTHS[0]), property(WIDTHS[1]), property(WIDTHS[2]));
    let question = question.prop_map(|(a, b, c)| ([a.0, b.0, c.0], [a.1, b.1, c.1]));
    prop::collection::vec(question, 2..5)
}

#[test]
fn no_interval_over_several_answers_is_wider_than_a_brute_force_finds() {
    let seen = std::cell::Cell::new((0_u32, 0_u32, 0_u32));
    let opened = std::cell::Cell::new((0_u32, 0_u32));
    let test = |(questions, counts): (Vec<Question>, Vec<u64>)| {
        let mut cohorts: Vec<(Form, Vec<usize>)> = Vec::new();
        for question in &questions {
            let new = shown(question, &counts).into_iter();
            let new: Vec<_> =
                new.filter(|(form, _)| cohorts.iter().all(|(other, _)| other != form)).collect();
            cohorts.extend(new);
        }
        let of_cell = |cell: usize| {
            let within = cohorts.iter().enumerate().filter(|(_, (_, cells))| cells.contains(&cell));
            within.fold(0, |set: Set, (at, _)| set | 1 << at)
        };
        let mut atoms: BTreeMap<Set, Vec<usize>> = BTreeMap::new();
        (0..CELLS).for_each(|cell| atoms.entry(of_cell(cell)).or_default().push(cell));
        atoms.remove(&0);
        let size = |cells: &Vec<usize>| cells.iter().map(|cell| counts[*cell]).sum::<u64>();
        let found: Vec<(Set, u64)> =
            atoms.iter().map(|(set, cells)| (*set, size(cells))).filter(|(_, size)| *size > 0).collect();
        let forms: Vec<&Form> = cohorts.iter().map(|(form, _)| form).collect();
        let Some(system) = System::of(&forms, &found, (FEW, Zeros::Shown)) else { return };
        let groups: Vec<Vec<usize>> = atoms.values().cloned().collect();
        let none = vec![(u64::MAX, 0); groups.len()];
        let mut brute = Brute { cohorts: &cohorts, truth: &counts, groups, found: none, steps: 0 };
        brute.fill(&mut Vec::new());
        if brute.steps > STEPS {
            return;
        }
        let possible =
            super::combinations(&forms, &found.iter().map(|(set, _)| *set).collect::<Vec<_>>(), 512).unwrap();
        let within = |set: &Set| (0..forms.len()).filter(|at| set >> at & 1 == 1).collect();
        let combined = found.iter().map(|(set, size)| Atom { within: within(set), size: *size });
        let said: Vec<Option<&Form>> = forms.iter().map(|form| Some(*form)).collect();
        let exchanges = Exchanges::of(combined.collect(), &said);
        let first = forms.len();
        let said = intervals(system.layer, |at| at >= first);
        let mut all = seen.get();
        for ((set, cells), (low, high)) in atoms.iter().zip(brute.found) {
            // What exchanges show open is as wide at least.
            if let Some(at) = found.iter().position(|(other, size)| other == set && *size < FEW) {
                let is_seen = [
                    exchanges.between(&[at], FEW, 10_000).is_some(),
                    exchanges.is_open_nearby(&[at], FEW, 48),
                ];
                let place = format!("{set:b} of {questions:?} {counts:?}: {low}..{high}, {is_seen:?}");
                assert!(is_seen == [false; 2] || high - low >= FEW - 2, "{place}");
                opened.set((
                    opened.get().0 + u32::from(high - low >= FEW - 2),
                    opened.get().1 + u32::from(is_seen != [false; 2]),
                ));
            }
            let (low, high) = (i128::from(low).min(FAR), i128::from(high).min(FAR));
            let at = possible.iter().position(|other| other == set);
            // What is not held possible is held to be empty.
            let (least, most) = at.map_or((0, 0), |at| {
                let interval = said[&(first + at)];
                (interval.low.unwrap().min(FAR), interval.high.map_or(FAR, |high| high.min(FAR)))
            });
            let place = format!("{set:b} of {questions:?} {counts:?}: {least}..{most} for {low}..{high}");
            assert!(low <= least && most <= high, "{place}");
            assert!((least..=most).contains(&i128::from(size(cells)).min(FAR)), "{place}");
            all = (all.0, all.1 + 1, all.2 + u32::from((least, most) == (low, high)));
        }
        seen.set((all.0 + 1, all.1, all.2));
    };
    let usual = std::env::var("MISU_FAMILIES").ok().and_then(|number| number.parse().ok());
    let cases = usual.unwrap_or(120);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let counts = prop::collection::vec(prop_oneof![1 => Just(0_u64), 3 => 1_u64..5, 2 => 5_u64..9], CELLS);
    let input = (questions(), counts);
    runner
        .run(&input, |input| {
            test(input);
            Ok(())
        })
        .unwrap();
    let (families, intervals, same) = seen.get();
    println!(
        "{families} families, {intervals} intervals, {same} the same as a brute force finds, none wider"
    );
    let (open, by_exchanges) = opened.get();
    println!("{by_exchanges} of {open} small groups that are open are seen to be by exchanges");
    assert!(families > cases / 3 && same * 10 > intervals * 9 && by_exchanges * 4 > open);
}
