//! Which combinations of cohorts a reader must hold possible: the atoms that the forms of the questions leave.
//!
//! A person of a cohort is in every cohort that it is within. Whatever else follows from the terms where a person has
//! one row (other values exclude each other, the terms of several cohorts make up another, the parts of a cohort are
//! all of it) is taken as known where the data agree: the stronger reader is assumed. Everything else may be.

use std::collections::BTreeMap;

use crate::ledger::form::{Form, Term};

/// Cohorts by number, as bits.
pub(super) type Set = u128;

/// Cohorts that fit in a set.
pub(super) const MOST: usize = 128;

/// What is known of one cohort.
#[derive(Clone, Debug)]
struct Rules {
    /// The cohorts that everybody of this one is in.
    above: Set,
    /// The cohorts that nobody of this one is in.
    apart: Set,
    /// Somebody who is in one cohort of each of these is in this one; none where that is not known.
    implied: Option<Vec<Set>>,
}

/// Parts that are all there are: whoever is in one cohort of each of some is in one of the parts.
#[derive(Clone, Debug)]
struct Cover {
    of: Vec<Set>,
    parts: Set,
}

/// The combinations of cohorts that somebody may be in, but for none; nothing where there are more than `most`.
///
/// `found` are the combinations that somebody is in.
pub(super) fn combinations(forms: &[&Form], found: &[Set], most: usize) -> Option<Vec<Set>> {
    let rules: Vec<Rules> =
        forms.iter().enumerate().map(|(at, form)| rules(forms, (at, form), found)).collect();
    let covers = covers(forms, found);
    // Wide ones first, so that narrower ones find what they are within.
    let mut order: Vec<usize> = (0..forms.len()).collect();
    order.sort_by_key(|at| forms.get(*at).map(|form| form.terms().len()));
    let (mut all, mut taken): (Vec<Set>, Set) = (vec![0], 0);
    for at in order {
        taken |= bit(at);
        let touches = |cover: &&Cover| cover.of.iter().fold(cover.parts, |all, one| all | one) & bit(at) != 0;
        let near: Vec<&Cover> =
            covers.iter().filter(|cover| cover.parts & !taken == 0).filter(touches).collect();
        let may_be = |set: &Set| agrees(&rules, *set, taken) && near.iter().all(|cover| cover.agrees(*set));
        let with = all.iter().map(|set| set | bit(at));
        let next: Vec<Set> = all.iter().copied().chain(with).filter(may_be).collect();
        if next.len() > most {
            return None;
        }
        all = next;
    }
    all.retain(|set| *set != 0);
    Some(all)
}

const fn bit(at: usize) -> Set {
    1 << at
}

/// Whether somebody may be in exactly these of the cohorts taken, as far as the rules of each tell.
fn agrees(rules: &[Rules], set: Set, taken: Set) -> bool {
    rules.iter().enumerate().filter(|(at, _)| taken & bit(*at) != 0).all(|(at, rules)| {
        if set & bit(at) == 0 {
            rules.implied.as_ref().is_none_or(|all| !meets(all, set))
        } else {
            rules.above & taken & !set == 0 && rules.apart & set == 0
        }
    })
}

impl Cover {
    fn agrees(&self, set: Set) -> bool {
        self.parts & set != 0 || !meets(&self.of, set)
    }
}

/// Whether the set has one of each.
fn meets(all: &[Set], set: Set) -> bool {
    all.iter().all(|one| one & set != 0)
}

/// The cohorts of which this is so.
fn of(forms: &[&Form], is: impl Fn(&Form) -> bool) -> Set {
    forms.iter().enumerate().filter(|(_, form)| is(form)).fold(0, |set, (at, _)| set | bit(at))
}

/// The cohorts of a source, and for each term those whose rows meet it.
fn meeting<'t>(forms: &[&Form], source: u64, terms: impl IntoIterator<Item = &'t Term>) -> Vec<Set> {
    let is_of = |form: &Form| form.source() == source;
    let meets =
        |term: &Term| of(forms, |form| is_of(form) && form.terms().iter().any(|own| own.implies(term)));
    std::iter::once(of(forms, is_of)).chain(terms.into_iter().map(meets)).collect()
}

fn rules(forms: &[&Form], (at, own): (usize, &Form), found: &[Set]) -> Rules {
    let (inside, outside): (Vec<Set>, Vec<Set>) = found.iter().partition(|set| *set & bit(at) != 0);
    let everywhere = inside.iter().fold(Set::MAX, |all, set| all & set);
    let somewhere = inside.iter().fold(0, |all, set| all | set);
    let implied =
        meeting(forms, own.source(), own.terms()).into_iter().map(|one| one & !bit(at)).collect::<Vec<_>>();
    Rules {
        above: of(forms, |form| own.is_within(form)) & everywhere & !bit(at),
        apart: of(forms, |form| own.excludes(form)) & !somewhere & !bit(at),
        implied: (!outside.iter().any(|set| meets(&implied, *set))).then_some(implied),
    }
}

/// The parts that are all there are, as far as the data agree: cohorts with terms of the same things, of which some
/// terms are the same and the others any.
fn covers(forms: &[&Form], found: &[Set]) -> Vec<Cover> {
    let mut parts: BTreeMap<(u64, Vec<u64>, Vec<&Term>), Set> = BTreeMap::new();
    for (at, form) in forms.iter().enumerate() {
        let things: Vec<u64> = form.terms().iter().map(Term::of).collect();
        // Terms beyond these are taken as the same.
        for chosen in 0..1_u32 << form.terms().len().min(4) {
            let is_same = |(at, _): &(usize, &Term)| *at >= 4 || chosen >> at & 1 == 1;
            let same = form.terms().iter().enumerate().filter(is_same).map(|(_, term)| term).collect();
            *parts.entry((form.source(), things.clone(), same)).or_default() |= bit(at);
        }
    }
    let several = parts.into_iter().filter(|(_, parts)| parts.count_ones() > 1);
    let covers = several.map(|((source, _, same), parts)| Cover { of: meeting(forms, source, same), parts });
    covers.filter(|cover| found.iter().all(|set| cover.agrees(*set))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Set, combinations};
    use crate::ledger::form::{Form, Term};

    fn form(terms: &[(&str, &str)]) -> Form {
        Form::new("person", terms.iter().map(|(of, value)| Term::values(of, [*value])))
    }

    fn sets(forms: &[Form], found: &[Set]) -> Vec<Set> {
        let mut sets = combinations(&forms.iter().collect::<Vec<_>>(), found, 100).unwrap();
        sets.sort_unstable();
        sets
    }

    #[test]
    fn parts_of_a_whole_are_all_of_it_where_the_data_agree() {
        let forms = [form(&[]), form(&[("sex", "F")]), form(&[("sex", "M")])];
        assert_eq!(sets(&forms, &[0b011, 0b101]), [0b011, 0b101]);
        // Somebody is in neither part, or in both: then anybody may be.
        assert_eq!(sets(&forms, &[0b001, 0b011, 0b101]), [0b001, 0b011, 0b101]);
        assert_eq!(sets(&forms, &[0b111, 0b011, 0b101]), [0b011, 0b101, 0b111]);
    }

    #[test]
    fn a_cell_is_what_its_row_and_its_column_share() {
        let forms =
            [form(&[]), form(&[("sex", "F")]), form(&[("age", "7")]), form(&[("sex", "F"), ("age", "7")])];
        // Everybody is in the whole; both terms of the cell make up the cell.
        assert_eq!(sets(&forms, &[0b0001, 0b0011, 0b0101, 0b1111]), [0b0001, 0b0011, 0b0101, 0b1111]);
        // Rows of a person may meet one term each.
        assert_eq!(
            sets(&forms, &[0b0001, 0b0011, 0b0101, 0b0111, 0b1111]),
            [0b0001, 0b0011, 0b0101, 0b0111, 0b1111]
        );
    }

    #[test]
    fn cohorts_of_which_nothing_is_said_may_overlap() {
        let forms = [form(&[("sex", "F")]), form(&[("age", "7")]), Form::new("claim", [])];
        assert_eq!(sets(&forms, &[0b001]).len(), 7);
        assert_eq!(combinations(&forms.iter().collect::<Vec<_>>(), &[0b001], 6), None);
    }
}
