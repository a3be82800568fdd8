//! The ledger against everything planted, and against a slow comparison of all pairs.

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{Cohort, Ledger, LedgerEntry};

fn cohort(id: &str, persons: impl IntoIterator<Item = u32>) -> Cohort {
    Cohort { id: id.to_owned(), persons: persons.into_iter().collect() }
}

fn kept(cohorts: Vec<Cohort>) -> Ledger {
    let mut ledger = Ledger::default();
    for cohort in cohorts {
        let question = cohort.id.clone();
        let entry = LedgerEntry {
            question,
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            answer: b"answer".to_vec(),
            cohorts: vec![cohort],
        };
        ledger.keep(entry);
    }
    ledger
}

#[test]
fn none_and_few_are_treated_alike() {
    let ledger = kept(vec![cohort("a", 0..100)]);
    let is_near = |persons: std::ops::Range<u32>| ledger.is_near(&cohort("b", persons), 10);
    assert!(is_near(0..100) && is_near(0..91) && is_near(0..109) && is_near(4..104));
    assert!(!is_near(0..90) && !is_near(0..110) && !is_near(5..105));
    // The question says that it is the same cohort.
    assert!(!ledger.is_near(&cohort("a", 0..100), 10));
}

#[test]
fn a_tracker_is_seen_through() {
    // Total, men, women or the one: nothing is near, but total - men - (women without the one) is the one.
    let ledger = kept(vec![cohort("all", 0..200), cohort("padding and one", 95..200)]);
    let rest = cohort("rest", 0..100);
    assert!(!ledger.is_near(&rest, 10));
    assert!(ledger.gives_small_group(&[&rest], 10));
    assert!(!ledger.gives_small_group(&[&cohort("other", 0..50)], 10));
}

#[test]
fn an_answer_is_kept_once() {
    let mut ledger = kept(vec![cohort("a", 0..100)]);
    assert_eq!(ledger.answer("a"), Some(b"answer".as_slice()));
    let again = LedgerEntry {
        question: "a".to_owned(),
        project: "p".to_owned(),
        snapshot: "s".to_owned(),
        answer: b"answer".to_vec(),
        cohorts: vec![cohort("a", 0..100)],
    };
    ledger.keep(again);
    assert_eq!((ledger.releases(), ledger.cohorts()), (1, 1));
}

proptest! {
    #[test]
    fn no_near_cohort_is_missed(
        kept_cohorts in prop::collection::vec(prop::collection::btree_set(0_u32..60, 0..50), 1..12),
        new in prop::collection::btree_set(0_u32..60, 0..50),
        few in 2_u32..12,
    ) {
        let cohorts = kept_cohorts.iter().enumerate().map(|(at, persons)| cohort(&at.to_string(), persons.clone()));
        let ledger = kept(cohorts.collect());
        let slow = kept_cohorts.iter().any(|other| other.symmetric_difference(&new).count() < few as usize);
        prop_assert_eq!(ledger.is_near(&cohort("new", new), few), slow);
    }
}

/// `MISU_LEDGER=cohorts,persons` measures; otherwise a small one is tried for what is planted.
#[test]
fn every_planted_neighbour_is_found() {
    let size = std::env::var("MISU_LEDGER").ok();
    let size =
        size.and_then(|size| size.split_once(',').map(|(c, p)| (c.parse().unwrap(), p.parse().unwrap())));
    let (cohorts, persons): (u32, u32) = size.unwrap_or((400, 20_000));
    let mut state = 7_u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 33).unwrap()
    };
    let mut ledger = Ledger::default();
    let mut some = Vec::new();
    for number in 0..cohorts {
        // Cells of tables: most are small, a few hold a large share of everybody.
        let share = 1_u32 << (draw() % 14 + 2);
        let wanted = (persons / share).max(12);
        let members: RoaringBitmap = (0..wanted).map(|_| draw() % persons).collect();
        if number % (cohorts / 100).max(1) == 0 {
            some.push(members.clone());
        }
        let cohort = Cohort { id: number.to_string(), persons: members };
        ledger.keep(LedgerEntry {
            question: number.to_string(),
            project: String::new(),
            snapshot: String::new(),
            answer: Vec::new(),
            cohorts: vec![cohort],
        });
    }
    let mut times = Vec::new();
    for members in &some {
        let mut members = members.clone();
        for _ in 0..=draw() % 4 {
            let one = members.select(draw() % u32::try_from(members.len()).unwrap()).unwrap();
            members.remove(one);
            members.insert(draw() % persons);
        }
        let begun = std::time::Instant::now();
        assert!(ledger.is_near(&Cohort { id: "new".to_owned(), persons: members }, 10));
        times.push(begun.elapsed());
    }
    times.sort();
    let memory: usize = ledger.cohorts.iter().map(|cohort| cohort.persons.serialized_size()).sum();
    eprintln!("{} planted found, p95 {:?}, {} MB", some.len(), times[times.len() * 95 / 100], memory >> 20);
}
