//! Everything that was released of the same rows and of the same family, beside a new table: how much of it is taken in.
//!
//! A table is answered while somebody waits, so what is taken in then is little; an audit that a data officer orders
//! takes in as much as is ever kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::atoms::Atoms;
use crate::ledger::exchanges::{Exchanges, Search};
use crate::ledger::form::Said;
use crate::ledger::same::AsIn;
use crate::ledger::{Cohort, Kept, Ledger, Number};

/// How far a table is audited beside what was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// While whoever asked waits.
    #[default]
    OnLine,
    /// Where a data officer ordered it.
    OffLine,
}

/// What is taken in at most.
#[derive(Clone, Copy, Debug)]
struct Most {
    /// Persons of all cohorts, each counted in every one.
    persons: u64,
    atoms: usize,
    search: Search,
}

impl Depth {
    const fn most(self) -> Most {
        match self {
            Self::OnLine => {
                let search = Search { tries: 500, all: 100_000, solved: 12, nearest: 96 };
                Most { persons: 8_000_000, atoms: 8_192, search }
            }
            Self::OffLine => {
                let search = Search { tries: 50_000, all: 1_000_000_000, solved: 2_000, nearest: 768 };
                Most { persons: 4_000_000_000, atoms: 262_144, search }
            }
        }
    }
}

/// Whether new cohorts and all kept ones of the same rows and of the same family leave every small group open, as far as
/// exchanges show it.
pub(super) fn is_open(
    ledger: &Ledger,
    new: &[&Cohort],
    (family, as_in): (&str, Option<&AsIn<'_>>),
    (few, depth): (u32, Depth),
) -> bool {
    let kept = kept(ledger, new, family);
    let most = depth.most();
    let own: u64 = new.iter().map(|cohort| cohort.persons.len()).sum();
    if own + kept.iter().map(|kept| kept.size).sum::<u64>() > most.persons {
        return false;
    }
    let forms = new.iter().map(|cohort| cohort.form.as_ref());
    let forms: Vec<_> = forms.chain(kept.iter().map(|kept| kept.form.as_deref())).collect();
    let is_open_as = |as_in: Option<&AsIn<'_>>| {
        let mut atoms = Atoms::up_to(most.atoms);
        let are_taken = new.iter().all(|cohort| atoms.add(&cohort.persons))
            && kept.iter().all(|kept| atoms.add(kept.each(as_in)));
        are_taken && Exchanges::of(atoms.all(), &forms).show_all_open(u64::from(few), most.search)
    };
    is_open_as(None) && as_in.is_none_or(|as_in| is_open_as(Some(as_in)))
}

/// The kept cohorts that are asked for, each once: of one that is kept with several releases the one whose number is
/// shown, or each sign that tells of other ends.
fn kept<'l>(ledger: &'l Ledger, new: &[&Cohort], family: &str) -> Vec<&'l Kept> {
    let of_family = ledger.by_family.get(family).map_or(&[][..], Vec::as_slice).iter();
    let of_family = of_family.filter_map(|at| Some((at, ledger.cohorts.get(*at)?)));
    let of_family: Vec<(&usize, &Kept)> = of_family.collect();
    // Hidden cohorts of other snapshots are found by their rows.
    let sources = of_family.iter().filter_map(|(_, kept)| Some(kept.form.as_ref()?.source()));
    let sources: BTreeSet<u64> = sources.collect();
    let of_sources = sources.iter().filter_map(|source| ledger.by_source.get(source)).flatten();
    let hidden = of_sources.filter(|at| ledger.cohorts.get(**at).is_some_and(Kept::is_hidden));
    let of_family = of_family.iter().filter(|(_, kept)| !kept.is_derived).map(|(at, _)| *at);
    let all: BTreeSet<&usize> = ledger.of_source(new).iter().chain(of_family).chain(hidden).collect();
    let mut kept: Vec<&Kept> = all.into_iter().filter_map(|at| ledger.cohorts.get(*at)).collect();
    kept.sort_by_key(|kept| kept.is_hidden());
    let mut known: BTreeMap<Said<'_>, Vec<Number>> = BTreeMap::new();
    kept.retain(|kept| {
        let Some(form) = kept.form.as_ref() else { return kept.size > 0 };
        let known = known.entry(form.said()).or_default();
        let is_known = |other: &Number| !matches!(other, Number::Hidden(_, _)) || *other == form.told;
        let is_new = kept.size > 0 && !known.iter().any(is_known);
        known.extend(is_new.then_some(form.told));
        is_new
    });
    kept
}
