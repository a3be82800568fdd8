//! Which values of a table are hidden: the evidence as a family, the rules over it, and what was released before.
//!
//! Persons and rows form one family, and what is summed another, each with the whole cells, their conditional parts and
//! what conditions leave and make together, because a reader can subtract parts from their cell and from each other
//! ([`crate::numbering`]). Hiding more in one never opens the other, so they are protected in turn until nothing is
//! added.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{BeyondAudit, CellRules};
use engine_protocol::Beyond;

use crate::both::both;
use crate::family::{CellNo, Family};
use crate::ledger::{Cohort, Depth, Form, Ledger, Term, Zeros};
use crate::narrowest;
use crate::numbering::{Numbering, judged};
use crate::primary::Reason;
use crate::protect::{self, Exposed, Shield};
use crate::shape::Shape;
use crate::table::Cells;
use crate::telling::{self, Told};

/// What was released before, and what this question says of its cells.
#[derive(Clone, Copy, Debug)]
pub struct Past<'p> {
    /// What was released.
    pub ledger: &'p Ledger,
    /// What questions about the same rows have in common, whatever values they name.
    pub family: &'p str,
    /// The snapshot that the question is about.
    pub snapshot: &'p str,
    /// What the question says of all its rows, as a digest.
    pub base: &'p str,
    /// What each group key is.
    pub keys: &'p [String],
    /// What each conditional part is.
    pub conditions: &'p [String],
    /// What its form tells of all its rows.
    pub form: &'p Form,
    /// What each group key is of, whatever values it has.
    pub columns: &'p [String],
    /// The terms that each conditional part adds.
    pub terms: &'p [Vec<Term>],
    /// How far it is audited beside what was released.
    pub depth: Depth,
}

/// What is hidden, by part of the cells.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    parts: Vec<BTreeSet<Vec<u32>>>,
    /// Which rule hides a value by itself, by key and part.
    pub(crate) why: BTreeMap<(Vec<u32>, usize), Reason>,
    /// The cohorts that the table tells of.
    pub(crate) cohorts: Vec<Cohort>,
    /// How far apart the ends of a reader's interval for a hidden count are, at least.
    pub(crate) narrowest: u32,
    /// What the audit beside what was released before did not take in; none where there is no ledger.
    pub(crate) beyond: Option<Beyond>,
}

/// Why a table cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unprotected {
    #[error(transparent)]
    Exposed(#[from] Exposed),
    #[error("with what was released before the table gives a small group")]
    SmallGroup,
    #[error("not all of what was released before was audited with the table")]
    Beyond,
    #[error("the table has {0} cells and totals over them")]
    TooLarge(usize),
}

/// How often more is hidden for what was released before; where that is not enough the table is withheld.
const ROUNDS: usize = 16;

/// Cells with totals over them up to which a table is audited; a larger one is not released.
pub const AUDITED: usize = 30_000;

impl Hidden {
    /// What must be hidden of a table.
    pub(crate) fn of(
        cells: &Cells,
        shape: &Shape,
        rules: &CellRules,
        past: Option<&Past<'_>>,
    ) -> Result<Self, Unprotected> {
        let least = cells.len() * shape.parts.len();
        if least > AUDITED && shape.sets.len() + shape.parts.len() > 2 {
            return Err(Unprotected::TooLarge(least));
        }
        let numbering = Numbering::of(cells, shape, rules.persons);
        let (mut counts, mut sums) = (numbering.counts(shape), numbering.sums(shape));
        if counts.cells.len() > AUDITED && !counts.relations.is_empty() {
            return Err(Unprotected::TooLarge(counts.cells.len()));
        }
        let mut reasons = judged(&mut counts, rules);
        for (at, reason) in judged(&mut sums, rules) {
            reasons.entry(at).or_insert(reason);
        }
        for at in numbering.entangled() {
            reasons.entry(at).or_insert(Reason::Overlap);
        }
        let mut cohorts =
            past.map_or_else(BTreeMap::new, |past| telling::cohorts(&numbering, cells, shape, past));
        if let Some(past) = past {
            let is_open =
                |(at, cohort): &(&CellNo, &Cohort)| !cohort.persons.is_empty() && !reasons.contains_key(*at);
            let open: Vec<(&CellNo, &Cohort)> = cohorts.iter().filter(is_open).collect();
            let near = near(&open, &counts, (past, rules));
            reasons.extend(near.into_iter().map(|at| (at, Reason::Ledger)));
        }
        for _ in 0..ROUNDS {
            let shield = shield(&numbering, (&counts, &sums), reasons.keys().copied().collect(), rules)?;
            let hidden = &shield.hidden;
            let told = past.map(|past| Told::of(&numbering, &mut cohorts, hidden, &counts, (past, rules)));
            let audit = told.as_ref().zip(past).map(|(told, past)| told.audit(&cohorts, (past, rules)));
            let beyond = match audit.transpose() {
                Ok(beyond) => beyond,
                Err(betrayed) => {
                    reasons.extend(betrayed.into_iter().map(|at| (at, Reason::Ledger)));
                    continue;
                }
            };
            allowed(beyond, rules)?;
            let narrowest = narrowest::width(&counts, &shield, rules);
            let settled = Self::settled(&numbering, hidden, &reasons, shape);
            let cohorts = told.map_or_else(Vec::new, |told| told.all(cohorts));
            return Ok(Self { cohorts, narrowest, beyond, ..settled });
        }
        Err(Unprotected::SmallGroup)
    }

    fn settled(
        numbering: &Numbering<'_>,
        hidden: &BTreeSet<CellNo>,
        reasons: &BTreeMap<CellNo, Reason>,
        shape: &Shape,
    ) -> Self {
        let mut of_parts = vec![BTreeSet::new(); shape.parts.len()];
        for (key, part) in hidden.iter().filter_map(|at| numbering.value_of(*at)) {
            of_parts
                .get_mut(part)
                .into_iter()
                .for_each(|keys: &mut BTreeSet<Vec<u32>>| keys.extend([key.clone()]));
        }
        // What is left without a part is not a value of the table.
        let why = reasons.iter().filter_map(|(at, reason)| {
            let (key, part) = numbering.value_of(*at)?;
            Some(((key.clone(), part), *reason))
        });
        Self { parts: of_parts, why: why.collect(), ..Self::default() }
    }

    pub(crate) fn is_hidden(&self, part: usize, key: &[u32]) -> bool {
        self.parts.get(part).is_none_or(|part| part.contains(key))
    }

    /// Hidden whole cells.
    pub(crate) fn whole(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.len() as u64)
    }

    /// Hidden values of all parts.
    pub(crate) fn all(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// Values that a rule hides by itself.
    pub(crate) fn primary(&self) -> u64 {
        self.why.len() as u64
    }

    /// How many values each rule hides by itself.
    pub(crate) fn reasons(&self) -> BTreeMap<&'static str, u64> {
        let mut reasons = BTreeMap::new();
        for reason in self.why.values() {
            *reasons.entry(reason.as_str()).or_insert(0) += 1;
        }
        reasons
    }

    /// Forgets the values of cells that are not in the table.
    pub(crate) fn retain(&mut self, is_asked: impl Fn(&[u32]) -> bool) {
        self.parts.iter_mut().for_each(|part| part.retain(|key| is_asked(key)));
        self.why.retain(|(key, _), _| is_asked(key));
    }
}

/// The cells that a kept cohort is near to, looked for by two threads: there may be many cells and many cohorts.
fn near(
    cells: &[(&CellNo, &Cohort)],
    counts: &Family,
    (past, rules): (&Past<'_>, &CellRules),
) -> Vec<CellNo> {
    let is_near = |(at, cohort): &&(&CellNo, &Cohort)| {
        let few = counts.cell(**at).map_or(rules.persons, |cell| cell.few(rules.persons));
        past.ledger.is_near_where(cohort, few, Zeros::of(rules))
    };
    let of = |cells: &[(&CellNo, &Cohort)]| -> Vec<CellNo> {
        cells.iter().filter(is_near).map(|(at, _)| **at).collect()
    };
    if past.ledger.cohorts() == 0 {
        return Vec::new();
    }
    let (first, second) = cells.split_at(cells.len() / 2);
    let (mut near, more) = both(|| of(first), || of(second));
    near.extend(more);
    near
}

/// A table may go out that was not audited with all that was released before, unless the rules withhold it.
fn allowed(beyond: Option<Beyond>, rules: &CellRules) -> Result<(), Unprotected> {
    let is_whole = beyond.is_none_or(Beyond::is_nothing);
    if is_whole || rules.beyond_audit == BeyondAudit::Exact { Ok(()) } else { Err(Unprotected::Beyond) }
}

/// Everything that is hidden once both families are protected, with what shows the counts open. Each is protected in turn
/// until nothing is added.
fn shield(
    numbering: &Numbering<'_>,
    (counts, sums): (&Family, &Family),
    mut hidden: BTreeSet<CellNo>,
    rules: &CellRules,
) -> Result<Shield, Exposed> {
    loop {
        let before = hidden.len();
        let shield = protect::protect(counts, &hidden, rules)?;
        hidden.extend(&shield.hidden);
        numbering.hide_parts(&mut hidden);
        if sums.measures() > 0 {
            let own = hidden.iter().copied().filter(|at| !sums.is_unseen(*at));
            hidden.extend(protect::protect(sums, &own.collect(), rules)?.hidden);
        }
        if hidden.len() == before {
            return Ok(shield);
        }
    }
}
