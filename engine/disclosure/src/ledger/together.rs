//! New cohorts with the kept ones that are audited beside them, in one order: new ones, kept ones of the same rows,
//! and others.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::atoms::{Atom, Atoms};
use crate::ledger::form::Form;
use crate::ledger::nearby::Nearby;
use crate::ledger::possible::{MOST, Set};
use crate::ledger::same::AsIn;
use crate::ledger::{Cohort, Ledger, linear, narrow};

/// What is asked of cohorts, and how their persons are numbered.
#[derive(Clone, Copy)]
pub(super) enum Look<'l> {
    /// What they tell exactly or nearly, each numbered as its snapshot does.
    Nearly,
    /// What follows from them exactly.
    Exactly,
    /// The same where a table numbers those of other snapshots. What the forms of questions tell is not asked, since it
    /// is of one snapshot.
    Renumbered(&'l AsIn<'l>),
}

/// Cohorts that are audited together.
pub(super) struct Together<'l> {
    atoms: Vec<Atom>,
    /// How many of the cohorts are new.
    new: usize,
    /// Of the cohorts in this order what their questions say; none where a cohort is left out or nothing is said.
    forms: Vec<Option<&'l Form>>,
    /// Whether what they tell nearly is asked as well.
    is_narrow: bool,
}

impl<'l> Together<'l> {
    pub(super) fn of(ledger: &'l Ledger, new: &'l [&'l Cohort], family: &str, look: Look<'l>) -> Self {
        let as_in = match look {
            Look::Nearly | Look::Exactly => None,
            Look::Renumbered(as_in) => Some(as_in),
        };
        let mut atoms = Atoms::default();
        let add = |atoms: &mut Atoms, cohort: &'l Cohort| {
            let is_taken = atoms.add(&cohort.persons);
            cohort.form.as_ref().filter(|_| is_taken)
        };
        let mut forms: Vec<Option<&'l Form>> = new.iter().map(|cohort| add(&mut atoms, cohort)).collect();
        let mut nearby = Nearby::new(ledger, new, &atoms, as_in);
        let near: Vec<usize> = nearby.of_source();
        let more = nearby.of_family(family).into_iter().chain(nearby.of_others(family));
        let known: BTreeSet<usize> = near.iter().copied().collect();
        let more: Vec<usize> = more.filter(|at| !known.contains(at)).collect();
        for kept in near.into_iter().chain(more).filter_map(|at| ledger.cohorts.get(at)) {
            let is_taken = atoms.add(kept.each(as_in));
            forms.push(kept.form.as_deref().filter(|_| is_taken));
        }
        Self { atoms: atoms.all(), new: new.len(), forms, is_narrow: matches!(look, Look::Nearly) }
    }

    /// Whether together, without some new ones, they give a group of fewer than `few` persons, exactly or nearly, as the
    /// kept ones do not.
    pub(super) fn gives_small_group(&self, few: u64, left_out: &BTreeSet<usize>) -> bool {
        (self.is_narrow && self.is_nearly(few, left_out))
            || linear::gives_small_group(self.counted(left_out), self.new, few)
    }

    /// The atoms of the cohorts whose numbers were shown.
    fn counted(&self, left_out: &BTreeSet<usize>) -> Vec<Atom> {
        let is_hidden = |at: &usize| self.forms.get(*at).copied().flatten().is_some_and(Form::is_hidden);
        let is_shown = |at: &usize| !is_hidden(at) && !left_out.contains(at);
        let mut sizes: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        for atom in &self.atoms {
            let within = atom.within.iter().copied().filter(is_shown).collect();
            *sizes.entry(within).or_default() += atom.size;
        }
        sizes.remove(&Vec::new());
        sizes.into_iter().map(|(within, size)| Atom { within, size }).collect()
    }

    fn is_nearly(&self, few: u64, left_out: &BTreeSet<usize>) -> bool {
        let said = self.said(left_out);
        let new = said.iter().filter(|(at, _)| *at < self.new).count();
        let place: BTreeMap<usize, usize> = said.iter().enumerate().map(|(to, (at, _))| (*at, to)).collect();
        let set = |atom: &Atom| {
            let places = atom.within.iter().filter_map(|at| place.get(at));
            (places.fold(0, |set: Set, place| set | 1 << place), atom.size)
        };
        let found: Vec<(Set, u64)> = self.atoms.iter().map(set).collect();
        let forms: Vec<&Form> = said.into_iter().map(|(_, form)| form).collect();
        (1..forms.len()).contains(&new) && narrow::gives_small_group(&forms, &found, new, few)
    }

    /// The cohorts of the new ones' rows of which something is said, each once: rather where its number was shown.
    fn said(&self, left_out: &BTreeSet<usize>) -> Vec<(usize, &Form)> {
        let forms = || self.forms.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        let all = || forms().filter_map(|(at, form)| Some((at, (*form)?)));
        let Some((_, first)) = all().next().filter(|(at, _)| *at < self.new) else { return Vec::new() };
        let mut said: Vec<(usize, &Form)> = Vec::new();
        let (hidden, shown): (Vec<_>, Vec<_>) = all().partition(|(_, form)| form.is_hidden());
        for (at, form) in shown.into_iter().chain(hidden) {
            let is_known = || said.iter().any(|(_, other)| other.is_same(form));
            if form.source() == first.source() && !is_known() {
                said.push((at, form));
            }
        }
        said.sort_unstable_by_key(|(at, _)| *at);
        said.truncate(MOST);
        said
    }
}
