//! New cohorts with the kept ones that are audited beside them, in one order: new ones, kept ones of the same rows,
//! and others.

use std::collections::{BTreeMap, BTreeSet};

use engine_protocol::Beyond;

use crate::ledger::atoms::{Atom, Atoms};
use crate::ledger::form::{Form, Said};
use crate::ledger::linear::Several;
use crate::ledger::nearby::Nearby;
use crate::ledger::possible::{MOST, Set};
use crate::ledger::same::AsIn;
use crate::ledger::{Cohort, Kept, Ledger, Zeros, linear, narrow};

/// What is asked of cohorts, and how their persons are numbered.
#[derive(Clone, Copy)]
pub(super) enum Look<'l> {
    /// What they tell exactly or nearly, each numbered as its snapshot does; of nobody as well where zeros are hidden.
    Nearly(Zeros),
    /// What follows from them exactly.
    Exactly,
    /// The same where a table numbers those of other snapshots. What the forms of questions tell is not asked, since it
    /// is of one snapshot.
    Renumbered(&'l AsIn<'l>),
}

/// Cohorts that are audited together.
pub(super) struct Together<'l> {
    atoms: Vec<Atom>,
    new: &'l [&'l Cohort],
    /// The kept ones, by number.
    kept: Vec<usize>,
    /// Of the cohorts in this order whether they are among the atoms.
    taken: Vec<bool>,
    /// Of the cohorts in this order what their questions say; none where a cohort is left out or nothing is said.
    forms: Vec<Option<&'l Form>>,
    look: Look<'l>,
}

impl<'l> Together<'l> {
    pub(super) fn of(ledger: &'l Ledger, new: &'l [&'l Cohort], family: &str, look: Look<'l>) -> Self {
        let as_in = match look {
            Look::Nearly(_) | Look::Exactly => None,
            Look::Renumbered(as_in) => Some(as_in),
        };
        let mut atoms = Atoms::default();
        let mut taken: Vec<bool> = new.iter().map(|cohort| atoms.add(&cohort.persons)).collect();
        let mut nearby = Nearby::new(ledger, new, &atoms, as_in);
        let near: Vec<usize> = nearby.of_source();
        let more = nearby.of_family(family).into_iter().chain(nearby.of_others(family));
        let known: BTreeSet<usize> = near.iter().copied().collect();
        let more: Vec<usize> = more.filter(|at| !known.contains(at)).collect();
        let kept: Vec<usize> = near.into_iter().chain(more).collect();
        let others: Vec<&'l Kept> = kept.iter().filter_map(|at| ledger.cohorts.get(*at)).collect();
        taken.extend(others.iter().map(|kept| atoms.add(kept.each(as_in))));
        let own = new.iter().map(|cohort| cohort.form.as_ref());
        let forms = own.chain(others.into_iter().map(|kept| kept.form.as_deref()));
        let forms = forms.zip(&taken).map(|(form, is_taken)| form.filter(|_| *is_taken)).collect();
        Self { atoms: atoms.all(), new, kept, taken, forms, look }
    }

    /// Whether together, without some new ones, they give a group of fewer than `few` persons, exactly or nearly, as the
    /// kept ones do not.
    pub(super) fn gives_small_group(&self, few: u64, left_out: &BTreeSet<usize>) -> bool {
        self.is_nearly(few, left_out) || {
            let atoms = self.counted(left_out);
            let hidden = self.hidden(&atoms, left_out, few);
            linear::gives_small_group(atoms, &hidden, self.new.len(), few)
        }
    }

    /// What is not asked of cohorts of the same rows and of the same family.
    pub(super) fn beyond(&self, ledger: &Ledger, family: &str, few: u64) -> Beyond {
        Beyond { nearly: self.not_nearly(ledger, few), exactly: self.not_exactly(ledger, family) }
    }

    /// Cohorts of the same rows, new or kept, of which it is not asked what they tell nearly, each once.
    fn not_nearly(&self, ledger: &Ledger, few: u64) -> u64 {
        let kept = ledger.of_source(self.new);
        // A table alone was judged when it was protected.
        if kept.is_empty() || matches!(self.look, Look::Renumbered(_)) {
            return 0;
        }
        let asked: BTreeSet<(Said<'_>, bool)> =
            self.asked(few).into_iter().map(|form| (form.said(), form.is_hidden())).collect();
        // Whose number is shown is not known by a sign in its place.
        let is_asked = |form: &&Form| {
            let has = |is_hidden| asked.contains(&(form.said(), is_hidden));
            has(false) || (form.is_hidden() && has(true))
        };
        let own = self.new.iter().filter_map(|cohort| cohort.form.as_ref());
        let kept = kept.iter().filter_map(|at| ledger.cohorts.get(*at)?.form.as_deref());
        let left: BTreeSet<Said<'_>> =
            own.chain(kept).filter(|form| !is_asked(form)).map(Form::said).collect();
        left.len() as u64
    }

    /// Cohorts of the family, and new ones, of which it is not asked what follows exactly.
    fn not_exactly(&self, ledger: &Ledger, family: &str) -> u64 {
        let of_family = ledger.by_family.get(family).map_or(&[][..], Vec::as_slice);
        let (own, kept) = self.taken.split_at(self.new.len().min(self.taken.len()));
        let taken = self.kept.iter().zip(kept).filter(|(_, is_taken)| **is_taken);
        let taken: BTreeSet<&usize> = taken.map(|(at, _)| at).collect();
        // One cohort may be kept with several releases.
        let shown = self.forms.iter().flatten().filter(|form| !form.is_hidden());
        let shown: BTreeSet<Said<'_>> = shown.map(|form| form.said()).collect();
        let left = of_family.iter().filter(|at| !taken.contains(at));
        let left = left.filter_map(|at| ledger.cohorts.get(*at)).filter(|kept| {
            !kept.is_derived && kept.form.as_ref().is_none_or(|form| !shown.contains(&form.said()))
        });
        let own = own.iter().filter(|is_taken| !**is_taken && !of_family.is_empty());
        (own.count() + left.count()) as u64
    }

    /// Whether only a sign stands in the place of a cohort's number.
    fn is_hidden(&self, at: usize) -> bool {
        self.forms.get(at).copied().flatten().is_some_and(Form::is_hidden)
    }

    /// The cohorts of an atom whose numbers were shown.
    fn shown(&self, atom: &Atom, left_out: &BTreeSet<usize>) -> Vec<usize> {
        let is_shown = |at: &usize| !self.is_hidden(*at) && !left_out.contains(at);
        atom.within.iter().copied().filter(is_shown).collect()
    }

    /// The hidden cohorts of fewer than `few` persons that are several of these atoms, whole.
    fn hidden(&self, atoms: &[Atom], left_out: &BTreeSet<usize>, few: u64) -> Vec<Several> {
        let mut parts: BTreeMap<usize, BTreeMap<Vec<usize>, u64>> = BTreeMap::new();
        for atom in &self.atoms {
            for at in atom.within.iter().filter(|at| self.is_hidden(**at)) {
                *parts.entry(*at).or_default().entry(self.shown(atom, left_out)).or_default() += atom.size;
            }
        }
        let sizes: BTreeMap<&[usize], u64> =
            atoms.iter().map(|atom| (atom.within.as_slice(), atom.size)).collect();
        let is_whole =
            |(within, size): (&Vec<usize>, &u64)| sizes.get(within.as_slice()).is_some_and(|all| all == size);
        let is_asked = |parts: &BTreeMap<Vec<usize>, u64>| {
            parts.len() > 1 && parts.values().sum::<u64>() < few && parts.iter().all(is_whole)
        };
        parts.into_values().filter(is_asked).map(|parts| parts.into_keys().collect()).collect()
    }

    /// The atoms of the cohorts whose numbers were shown.
    fn counted(&self, left_out: &BTreeSet<usize>) -> Vec<Atom> {
        let mut sizes: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        for atom in &self.atoms {
            *sizes.entry(self.shown(atom, left_out)).or_default() += atom.size;
        }
        sizes.remove(&Vec::new());
        sizes.into_iter().map(|(within, size)| Atom { within, size }).collect()
    }

    fn is_nearly(&self, few: u64, left_out: &BTreeSet<usize>) -> bool {
        let Look::Nearly(zeros) = self.look else { return false };
        let (forms, found, new) = self.nearly(left_out);
        (1..forms.len()).contains(&new) && narrow::gives_small_group(&forms, &found, new, (few, zeros))
    }

    /// What is said of the cohorts of which it is asked what they tell nearly.
    fn asked(&self, few: u64) -> Vec<&Form> {
        let Look::Nearly(zeros) = self.look else { return Vec::new() };
        let (mut forms, found, new) = self.nearly(&BTreeSet::new());
        let is_asked = (1..forms.len()).contains(&new);
        let kept = if is_asked { narrow::looked_at(&forms, &found, new, (few, zeros)) } else { 0 };
        forms.truncate(new + kept);
        forms
    }

    /// What is said of cohorts, the combinations of these that persons are in, and how many of them are new.
    fn nearly(&self, left_out: &BTreeSet<usize>) -> (Vec<&Form>, Vec<(Set, u64)>, usize) {
        let said = self.said(left_out);
        let new = said.iter().filter(|(at, _)| *at < self.new.len()).count();
        let place: BTreeMap<usize, usize> = said.iter().enumerate().map(|(to, (at, _))| (*at, to)).collect();
        let set = |atom: &Atom| {
            let places = atom.within.iter().filter_map(|at| place.get(at));
            (places.fold(0, |set: Set, place| set | 1 << place), atom.size)
        };
        let found = self.atoms.iter().map(set).collect();
        (said.into_iter().map(|(_, form)| form).collect(), found, new)
    }

    /// The cohorts of the new ones' rows of which something is said, each once: rather where its number was shown.
    fn said(&self, left_out: &BTreeSet<usize>) -> Vec<(usize, &Form)> {
        let forms = || self.forms.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        let all = || forms().filter_map(|(at, form)| Some((at, (*form)?)));
        let Some((_, first)) = all().next().filter(|(at, _)| *at < self.new.len()) else { return Vec::new() };
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
