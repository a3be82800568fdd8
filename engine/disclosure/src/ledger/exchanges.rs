//! What many cohorts tell nearly, without the intervals being worked out.
//!
//! Where two persons exchange the cohorts of some columns, and both are then in combinations that persons are in, no
//! size changes that was shown. So no reader can tell whether they did, whatever else is known, and every exchange that
//! brings somebody into a small group, or takes somebody out, leaves it one size more. A group of which enough sizes are
//! found is open, beside any number of cohorts and in few steps.
//!
//! Where two persons are not enough, other sizes of the atoms nearest to the group are looked for, with those of all
//! others as they are, as in an audit of few cohorts. Of a group that is not seen to be open so either nothing is said.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::family::Row;
use crate::ledger::atoms::Atom;
use crate::ledger::form::{Form, Number, Term};
use crate::ledger::narrow::open;
use crate::protect::{self, Layer, Place, Range};

/// Persons who are in no cohort: more than any exchange takes.
const OUTSIDE: u64 = u64::MAX / 2;

/// Places looked at for a fourth person that count as one exchange tried.
const PLACES: usize = 256;

/// How long it is looked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// Exchanges that are tried for one group, each way.
    pub(super) tries: usize,
    /// The same for all groups.
    pub(super) all: usize,
    /// Groups that no exchanges show open, of which other sizes of the nearest atoms are looked for.
    pub(super) solved: usize,
    /// So many atoms.
    pub(super) nearest: usize,
}

/// Atoms, and how they lie by the cohorts of some columns and by the others.
pub(super) struct Exchanges {
    atoms: Vec<Atom>,
    cuts: Vec<Cut>,
    /// By cohort its atoms, in their order.
    within: Vec<Vec<usize>>,
    /// By atom the cohorts whose number is hidden.
    hidden_of: Vec<Vec<usize>>,
    /// How far down and up the number of each of these may go.
    rooms: HashMap<usize, (u64, u64)>,
    /// Exchanges that were tried so far.
    tried: Cell<usize>,
}

/// The atoms as a table: in one line they have the same cohorts of some columns, in one column the same others.
struct Cut {
    place: Vec<(usize, usize)>,
    lines: Vec<Vec<usize>>,
    columns: Vec<Vec<usize>>,
    at: HashMap<(usize, usize), Vec<usize>>,
}

/// Whether somebody comes into a group or leaves it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// How a small atom is seen to be open.
enum Seen {
    /// By exchanges between these atoms: it is so together with any other one.
    Between(BTreeSet<usize>),
    /// By other sizes of the nearest atoms.
    Nearby,
}

/// Whether an exchange may change the number of a hidden cohort, as far as a reader holds others possible.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Stay,
    Move,
}

impl Exchanges {
    /// Of atoms, and what is said of their cohorts.
    pub(super) fn of(mut atoms: Vec<Atom>, forms: &[Option<&Form>]) -> Self {
        atoms.push(Atom { within: Vec::new(), size: OUTSIDE });
        let (mut within, mut sizes) = (vec![Vec::new(); forms.len()], vec![0_u64; forms.len()]);
        for (at, atom) in atoms.iter().enumerate() {
            for cohort in &atom.within {
                within.get_mut(*cohort).into_iter().for_each(|atoms: &mut Vec<usize>| atoms.push(at));
                sizes.get_mut(*cohort).into_iter().for_each(|size| *size += atom.size);
            }
        }
        let room = |((at, form), size): ((usize, &Option<&Form>), u64)| match (*form)?.told {
            Number::Hidden(low, high) => {
                let up = high.map_or(OUTSIDE, |high| high.saturating_sub(size));
                Some((at, (size.saturating_sub(low), up)))
            }
            Number::Shown | Number::Rounded(_, _) => None,
        };
        let rooms: HashMap<usize, (u64, u64)> =
            forms.iter().enumerate().zip(sizes).filter_map(room).collect();
        let parts = |atom: &Atom| -> (Vec<usize>, Vec<usize>) {
            atom.within.iter().copied().partition(|at| rooms.contains_key(at))
        };
        let (hidden_of, shown): (Vec<_>, Vec<_>) = atoms.iter().map(parts).unzip();
        let cuts = columns(forms).iter().map(|exchanged| Cut::of(&shown, exchanged)).collect();
        Self { atoms, cuts, within, hidden_of, rooms, tried: Cell::new(0) }
    }

    /// Whether every atom of fewer than `few` persons is seen to be open, and whatever two cohorts share or do not
    /// share, and every two small atoms.
    pub(super) fn show_all_open(&self, few: u64, search: Search) -> bool {
        let left = Cell::new(search.solved);
        let look = |group: &[usize]| {
            if self.tried.get() > search.all {
                return None;
            }
            self.between(group, few, search.tries).map(Seen::Between).or_else(|| {
                let is_asked = left.get() > 0;
                left.set(left.get().saturating_sub(1));
                (is_asked && self.is_open_nearby(group, few, search.nearest)).then_some(Seen::Nearby)
            })
        };
        let is_open = |group: &[usize]| look(group).is_some();
        let seen: Option<BTreeMap<usize, Seen>> =
            self.small(few).map(|at| Some((at, look(&[at])?))).collect();
        seen.is_some_and(|seen| {
            self.between_cohorts(few).iter().all(|group| is_open(group))
                && self.are_pairs_open(&seen, few, &is_open)
        })
    }

    /// Whether every two small atoms are open. Where the exchanges that show one of them open leave the other as it is,
    /// both together are.
    fn are_pairs_open(
        &self,
        seen: &BTreeMap<usize, Seen>,
        few: u64,
        is_open: &dyn Fn(&[usize]) -> bool,
    ) -> bool {
        let nearby = seen.iter().filter(|(_, how)| matches!(how, Seen::Nearby));
        let nearby: BTreeSet<usize> = nearby.map(|(at, _)| *at).collect();
        seen.iter().all(|(one, own)| {
            let others = match own {
                Seen::Between(atoms) => atoms,
                Seen::Nearby => &nearby,
            };
            let is_asked = |other: &&usize| match (own, seen.get(*other)) {
                (Seen::Between(_), Some(Seen::Between(atoms))) => one < *other && atoms.contains(one),
                (Seen::Between(_), Some(Seen::Nearby)) => true,
                (Seen::Nearby, Some(_)) => one < *other,
                (_, None) => false,
            };
            others.iter().filter(is_asked).all(|other| {
                let pair = [*one.min(other), *one.max(other)];
                self.size(&pair) >= few || is_open(&pair)
            })
        })
    }

    fn small(&self, few: u64) -> impl Iterator<Item = usize> {
        self.atoms.iter().enumerate().filter(move |(_, atom)| atom.size < few).map(|(at, _)| at)
    }

    fn size(&self, group: &[usize]) -> u64 {
        group.iter().filter_map(|at| self.atoms.get(*at)).map(|atom| atom.size).sum()
    }

    /// What two cohorts share, what one has more, and one that is hidden, where somebody is there and fewer than `few`.
    fn between_cohorts(&self, few: u64) -> BTreeSet<Vec<usize>> {
        let mut groups = BTreeSet::new();
        let small = |group: &Vec<usize>| group.len() > 1 && self.size(group) < few;
        let (mut shared, mut met) = (vec![0_u64; self.within.len()], Vec::new());
        for (one, own) in self.within.iter().enumerate() {
            for atom in own.iter().filter_map(|at| self.atoms.get(*at)) {
                Self::meet(atom, &mut shared, &mut met);
            }
            let whole = self.size(own);
            groups.extend(Some(own.clone()).filter(small));
            for other in met.drain(..) {
                let size = shared.get_mut(other).map(std::mem::take).unwrap_or_default();
                if other == one {
                    continue;
                }
                let others = self.within.get(other).map_or(&[][..], Vec::as_slice);
                let of = |is_in: bool| {
                    own.iter().copied().filter(move |at| others.binary_search(at).is_ok() == is_in)
                };
                if size < few && one < other {
                    groups.extend(Some(of(true).collect()).filter(small));
                }
                if (1..few).contains(&(whole - size)) {
                    groups.extend(Some(of(false).collect()).filter(small));
                }
            }
        }
        groups
    }

    /// Adds an atom to what a cohort shares with others, and notes those that it meets for the first time.
    fn meet(atom: &Atom, shared: &mut [u64], met: &mut Vec<usize>) {
        for other in &atom.within {
            let Some(size) = shared.get_mut(*other) else { continue };
            if *size == 0 {
                met.push(*other);
            }
            *size += atom.size;
        }
    }

    /// The atoms between which exchanges leave the group as many sizes as the rule asks of a hidden cell; none where they
    /// do not.
    pub(super) fn between(&self, group: &[usize], few: u64, tries: usize) -> Option<BTreeSet<usize>> {
        let wanted = few.saturating_sub(2);
        let mut gone = self.moved(group, wanted, (Way::Out, tries));
        if gone.moved < wanted {
            let come = self.moved(group, wanted - gone.moved, (Way::In, tries));
            gone.moved += come.moved;
            gone.between.extend(come.between);
        }
        (gone.moved >= wanted).then_some(gone.between)
    }

    /// Whether other sizes of the nearest atoms leave the group as many.
    pub(super) fn is_open_nearby(&self, group: &[usize], few: u64, nearest: usize) -> bool {
        let chosen: Vec<(usize, &Atom)> = self
            .nearest(group, nearest)
            .into_iter()
            .filter_map(|at| Some((at, self.atoms.get(at)?)))
            .collect();
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        let mut by_cohort: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, (_, atom)) in chosen.iter().enumerate() {
            places.push(open(atom.size, 0));
            atom.within.iter().for_each(|cohort| by_cohort.entry(*cohort).or_default().push(place));
        }
        let own = chosen.iter().enumerate().filter(|(_, (at, _))| group.contains(at)).map(|(place, _)| place);
        let own: Vec<usize> = own.collect();
        let hidden = places.len() + 1;
        let mut sum = |(place, known, members): (usize, Option<(u64, u64)>, Vec<usize>)| {
            let size: u64 = members.iter().filter_map(|at| chosen.get(*at)).map(|(_, atom)| atom.size).sum();
            let whole = open(size, if place < hidden { i128::from(few) - 2 } else { 0 });
            let shown = known.map_or(whole.shown, |(down, up)| {
                Range::of(i128::from(size.saturating_sub(down)), i128::from(size) + i128::from(up))
            });
            places.push(Place { shown, ..whole });
            let terms = members.into_iter().map(|at| (at, -1));
            rows.push(Row { terms: std::iter::once((place, 1)).chain(terms).collect(), is_exact: true });
        };
        sum((hidden - 1, None, own));
        for (place, (cohort, members)) in (hidden..).zip(by_cohort) {
            sum((place, Some(self.room(cohort)), members));
        }
        // Persons are whole, so a table in fractions shows nothing.
        protect::is_open(Layer::of(places, rows), |at| at < hidden)
    }

    /// The atoms that have most cohorts in common with those of a group, these among them, and the largest of the others.
    fn nearest(&self, group: &[usize], most: usize) -> Vec<usize> {
        let own: Vec<&Atom> = group.iter().filter_map(|at| self.atoms.get(*at)).collect();
        let off = |atom: &Atom| {
            let shared =
                |one: &&Atom| one.within.iter().filter(|at| atom.within.binary_search(at).is_ok()).count();
            own.iter().map(|one| one.within.len() + atom.within.len() - 2 * shared(one)).min()
        };
        let some = self.atoms.iter().enumerate().filter(|(_, atom)| atom.size < OUTSIDE);
        let mut all: Vec<(Option<usize>, Reverse<u64>, usize)> =
            some.map(|(at, atom)| (off(atom), Reverse(atom.size), at)).collect();
        all.sort_unstable();
        let rest = all.split_off(all.len().min((most / 2).max(group.len())));
        let mut largest: Vec<(Reverse<u64>, usize)> =
            rest.into_iter().map(|(_, size, at)| (size, at)).collect();
        largest.sort_unstable();
        all.into_iter()
            .map(|(_, _, at)| at)
            .chain(largest.into_iter().take(most / 2).map(|(_, at)| at))
            .collect()
    }

    /// Persons who can come into the group, or leave it, up to as many as are wanted. Hidden numbers are left as
    /// they are where that is enough.
    fn moved(&self, group: &[usize], wanted: u64, (way, tries): (Way, usize)) -> Gone {
        let mut gone = Gone { wanted, tries, ..Gone::default() };
        for hidden in [Hidden::Stay, Hidden::Move] {
            gone.tries = tries;
            for (cut, own) in self.cuts.iter().flat_map(|cut| group.iter().map(move |own| (cut, *own))) {
                self.exchange((cut, own), group, (way, hidden), &mut gone);
            }
        }
        gone
    }

    /// Exchanges with those around one atom of the group, in one table of all.
    fn exchange(&self, (cut, own): (&Cut, usize), group: &[usize], how: (Way, Hidden), gone: &mut Gone) {
        let is_other = |at: &&usize| group.binary_search(at).is_err();
        let Some(place) = cut.place.get(own) else { return };
        for mate in cut.all_at(*place).iter().filter(is_other) {
            self.trade(&[own], &[*mate], how, gone);
        }
        let (beside, below) = cut.around(*place);
        for one in beside.iter().filter(is_other) {
            for other in below.iter().filter(|other| is_other(other) && *other != one) {
                self.look(gone);
                for fourth in cut.fourth(*one, *other).iter().filter(is_other) {
                    if fourth != one && fourth != other && !gone.is_over() {
                        self.trade(&[own, *fourth], &[*one, *other], how, gone);
                    }
                }
                if gone.is_over() {
                    return;
                }
            }
        }
    }

    /// Counts a place that is looked at: in most nobody may be.
    fn look(&self, gone: &mut Gone) {
        gone.places += 1;
        if gone.places == PLACES {
            gone.places = 0;
            self.spend(gone);
        }
    }

    fn spend(&self, gone: &mut Gone) {
        gone.tries = gone.tries.saturating_sub(1);
        self.tried.set(self.tried.get().saturating_add(1));
    }

    /// Lets as many persons go between these atoms and those as can, each from one to one.
    fn trade(&self, own: &[usize], others: &[usize], (way, hidden): (Way, Hidden), gone: &mut Gone) {
        let (gain, lose) = if way == Way::In { (own, others) } else { (others, own) };
        self.spend(gone);
        let size = |at: &usize| self.atoms.get(*at).map_or(0, |atom| atom.size);
        let left = |at: &usize| gone.left.get(at).copied().unwrap_or_else(|| size(at));
        let mut persons = lose.iter().map(left).fold(gone.wanted - gone.moved, u64::min);
        let shift = if persons > 0 { self.shift(gain, lose) } else { Vec::new() };
        if persons == 0 || (hidden == Hidden::Stay && !shift.is_empty()) {
            return;
        }
        let room = |cohort: &usize| gone.room.get(cohort).copied().unwrap_or_else(|| self.room(*cohort));
        for (cohort, by) in &shift {
            let (down, up) = room(cohort);
            persons = persons.min(if *by > 0 { up } else { down } / by.unsigned_abs());
        }
        for (cohort, by) in shift {
            let (down, up) = gone.room.entry(cohort).or_insert_with(|| self.room(cohort));
            *if by > 0 { up } else { down } -= persons * by.unsigned_abs();
        }
        for at in lose {
            let left = gone.left.entry(*at).or_insert_with(|| size(at));
            *left -= persons;
        }
        if persons > 0 {
            gone.between.extend(own.iter().chain(others));
        }
        gone.moved += persons;
    }

    /// By how much the numbers of hidden cohorts change with each person.
    fn shift(&self, gain: &[usize], lose: &[usize]) -> Vec<(usize, i64)> {
        let mut shift: Vec<(usize, i64)> = Vec::new();
        for (atoms, by) in [(gain, 1), (lose, -1)] {
            for cohort in atoms.iter().filter_map(|at| self.hidden_of.get(*at)).flatten() {
                match shift.iter_mut().find(|(known, _)| known == cohort) {
                    Some((_, all)) => *all += by,
                    None => shift.push((*cohort, by)),
                }
            }
        }
        shift.retain(|(_, by)| *by != 0);
        shift
    }

    /// How far down and up the number of a hidden cohort may go.
    fn room(&self, cohort: usize) -> (u64, u64) {
        self.rooms.get(&cohort).copied().unwrap_or_default()
    }
}

/// What exchanges for one group have come to.
#[derive(Default)]
struct Gone {
    wanted: u64,
    moved: u64,
    /// Exchanges that are still tried.
    tries: usize,
    /// Places that were looked at since the last one.
    places: usize,
    /// Atoms between which persons went.
    between: BTreeSet<usize>,
    /// Persons of atoms who are left, where some went.
    left: HashMap<usize, u64>,
    /// How far down and up the numbers of hidden cohorts may still go, where they went.
    room: HashMap<usize, (u64, u64)>,
}

impl Gone {
    const fn is_over(&self) -> bool {
        self.tries == 0 || self.moved == self.wanted
    }
}

impl Cut {
    /// Of atoms by the cohorts whose number is shown.
    fn of(shown: &[Vec<usize>], exchanged: &BTreeSet<usize>) -> Self {
        let (mut by_line, mut by_column) = (HashMap::new(), HashMap::new());
        let mut cut = Self { place: Vec::new(), lines: Vec::new(), columns: Vec::new(), at: HashMap::new() };
        for (at, within) in shown.iter().enumerate() {
            let (own, others): (Vec<usize>, Vec<usize>) =
                within.iter().copied().partition(|cohort| exchanged.contains(cohort));
            let line = number(&mut by_line, own, (&mut cut.lines, at));
            let column = number(&mut by_column, others, (&mut cut.columns, at));
            cut.place.push((line, column));
            cut.at.entry((line, column)).or_default().push(at);
        }
        cut
    }

    fn all_at(&self, place: (usize, usize)) -> &[usize] {
        self.at.get(&place).map_or(&[][..], Vec::as_slice)
    }

    /// The atoms of a line, and those of a column.
    fn around(&self, (line, column): (usize, usize)) -> (&[usize], &[usize]) {
        let (line, column) = (self.lines.get(line), self.columns.get(column));
        (line.map_or(&[][..], Vec::as_slice), column.map_or(&[][..], Vec::as_slice))
    }

    /// The atoms in the column of the first and in the line of the second.
    fn fourth(&self, one: usize, other: usize) -> &[usize] {
        let (Some((_, column)), Some((line, _))) = (self.place.get(one), self.place.get(other)) else {
            return &[];
        };
        self.all_at((*line, *column))
    }
}

/// The number of a combination, under which an atom is noted.
fn number(
    known: &mut HashMap<Vec<usize>, usize>,
    combination: Vec<usize>,
    (all, at): (&mut Vec<Vec<usize>>, usize),
) -> usize {
    let next = known.len();
    let number = *known.entry(combination).or_insert(next);
    if number == next {
        all.push(Vec::new());
    }
    all.get_mut(number).into_iter().for_each(|atoms| atoms.push(at));
    number
}

/// The cohorts of which something is said of a column, or of all columns of one table.
fn columns(forms: &[Option<&Form>]) -> BTreeSet<BTreeSet<usize>> {
    let mut all: BTreeMap<Vec<u64>, BTreeSet<usize>> = BTreeMap::new();
    for (at, form) in forms.iter().enumerate().filter_map(|(at, form)| Some((at, (*form)?))) {
        let things: Vec<u64> = form.terms().iter().map(Term::of).collect();
        for thing in &things {
            all.entry(vec![*thing]).or_default().insert(at);
        }
        all.entry(things).or_default().insert(at);
    }
    all.into_values().collect()
}
