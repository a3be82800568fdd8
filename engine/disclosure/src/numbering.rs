//! A table's cells as two families: one of persons and rows, one of what is summed.
//!
//! For each key there are the whole, and for each condition three cells: its part, the persons who meet it in no row,
//! and the rows outside of it. After these come the groups that the conditions of a cell make together
//! ([`conditions`]). Both families number their cells alike.
//!
//! What a reader can subtract is told apart by quantity: persons of the whole and of a part leave the persons who are
//! never in the part, while rows and sums leave the rows outside of it, of persons who may be in it as well.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::CellRules;
use engine_protocol::SumEvidence;

use crate::conditions::{self, Block, sum_of};
use crate::family::{Cell, CellNo, Family, Link, Of, Relation, Seen, Total};
use crate::primary::{self, Reason};
use crate::shape::{AggregateKind, Shape};
use crate::table::{self, Cells, Part, breadth, facilities, projected, set_of, units};

/// The numbers of a table's cells.
pub(crate) struct Numbering<'c> {
    pub(crate) keys: Vec<&'c Vec<u32>>,
    found: Vec<&'c table::Cell>,
    parts: usize,
    /// Margins with the keys that they are made up of.
    margins: Vec<(usize, Vec<usize>)>,
    rows: Vec<Groups<Part>>,
    persons: Vec<Groups<u64>>,
}

/// The groups that conditions of one cell make together.
struct Groups<T> {
    key: usize,
    conditions: u32,
    /// By the conditions that they meet, in the order of their numbers.
    groups: Vec<(u32, CellNo, T)>,
    /// Several of them together, with their numbers.
    unions: Vec<(Vec<CellNo>, CellNo, T)>,
    /// Whether there are too many to be looked at.
    is_many: bool,
}

impl<'c> Numbering<'c> {
    /// The numbers of these cells, of which fewer than `few` persons are few.
    pub(crate) fn of(cells: &'c Cells, shape: &Shape, few: u32) -> Self {
        let keys: Vec<&Vec<u32>> = cells.keys().collect();
        let found: Vec<&table::Cell> = cells.values().collect();
        let (margins, parts) = (margins(&keys, shape), shape.parts.len().max(1));
        let mut own = Self { keys, found, parts, margins, rows: Vec::new(), persons: Vec::new() };
        let mut next = own.keys.len() * own.width();
        let has_rows = shape.summed() > 0 || (0..parts).any(|part| shape.shows_rows(part));
        let several = |found: &&table::Cell| found.outside.len() > 1 && !found.atoms.is_empty();
        for (key, found) in own.found.iter().enumerate().filter(|(_, found)| several(found)) {
            let rows = if has_rows { conditions::rows(found) } else { Vec::new() };
            let few = own.keys.get(key).map_or(few, |key| least(key, shape).max(few));
            let parts = own.parts;
            own.rows.extend(
                rows.into_iter().map(|block| Groups::of(key, block, &mut next).united(few, parts, &mut next)),
            );
            let persons = conditions::persons(found).into_iter();
            own.persons.extend(persons.map(|block| Groups::of(key, block, &mut next)));
        }
        own
    }

    /// How many values a key has: its whole and its parts.
    pub(crate) const fn parts(&self) -> usize {
        self.parts
    }

    fn width(&self) -> usize {
        3 * self.parts - 2
    }

    /// The number of a key's whole, or of a part of it.
    pub(crate) fn whole_or_part(&self, key: usize, part: usize) -> CellNo {
        key * self.width() + (3 * part).saturating_sub(2)
    }

    /// The number of those who are in no row of a part.
    pub(crate) fn never(&self, key: usize, part: usize) -> CellNo {
        key * self.width() + 3 * part - 1
    }

    /// The number of the rows outside of a part.
    fn outside(&self, key: usize, part: usize) -> CellNo {
        key * self.width() + 3 * part
    }

    /// The key and part that a number is of, where it is that of a value of the table.
    pub(crate) fn value_of(&self, at: CellNo) -> Option<(&'c Vec<u32>, usize)> {
        let (key, place) = (at / self.width(), at % self.width());
        let is_value = place == 0 || place % 3 == 1;
        self.keys.get(key).filter(|_| is_value).map(|key| (*key, place.div_ceil(3)))
    }

    /// The values of conditions that make too many groups to be looked at.
    pub(crate) fn entangled(&self) -> Vec<CellNo> {
        let rows =
            self.rows.iter().filter(|groups| groups.is_many).map(|groups| (groups.key, groups.conditions));
        let persons = self.persons.iter().filter(|groups| groups.is_many);
        let all = rows.chain(persons.map(|groups| (groups.key, groups.conditions)));
        let parts = |(key, conditions): (usize, u32)| {
            let met = (1..self.parts).filter(move |part| is_in(conditions, *part));
            met.map(move |part| self.whole_or_part(key, part))
        };
        all.flat_map(parts).collect()
    }

    /// Where a whole cell is hidden so is every part of it.
    pub(crate) fn hide_parts(&self, hidden: &mut BTreeSet<CellNo>) {
        for key in 0..self.keys.len() {
            if hidden.contains(&self.whole_or_part(key, 0)) {
                let parts =
                    (1..self.parts).flat_map(|part| [self.whole_or_part(key, part), self.never(key, part)]);
                hidden.extend(parts);
            }
        }
    }

    /// The family of persons and rows.
    pub(crate) fn counts(&self, shape: &Shape) -> Family {
        let has_rows = (0..self.parts).any(|part| shape.shows_rows(part));
        let rows = |rows: u64| has_rows.then_some(rows);
        let cell = |(key, part): (&Vec<u32>, &Part)| Cell {
            least: least(key, shape),
            persons: part.persons.len(),
            facilities: facilities(part, shape),
            units: units(part, shape),
            rows: rows(part.rows),
            breadth: 2 * breadth(key),
            ..Cell::default()
        };
        let mut family = Family::default();
        for (key, found) in self.keys.iter().zip(&self.found) {
            let Some((whole, parts)) = found.parts.split_first() else { continue };
            let own = cell((key, whole));
            family.cells.push(Cell { breadth: own.breadth + u32::from(!parts.is_empty()), ..own });
            for (part, outside) in parts.iter().zip(&found.outside) {
                let never = whole.persons.len() - part.persons.len();
                family.cells.push(cell((key, part)));
                family.cells.push(Cell {
                    persons: never,
                    facilities: None,
                    units: Vec::new(),
                    rows: rows(0),
                    is_rest: true,
                    ..cell((key, part))
                });
                family.cells.push(Cell { seen: Seen::Free, breadth: 0, ..cell((key, outside)) });
            }
        }
        for groups in self.in_order() {
            let (key, part) = match groups {
                Group::Rows(key, part) => (key, part.clone()),
                Group::Union(key, part) => (key, part.clone()),
                Group::Persons(key, _) => (key, Part::default()),
            };
            let Some(key) = self.keys.get(key) else { continue };
            let own = cell((key, &part));
            let persons = if let Group::Persons(_, persons) = groups { persons } else { own.persons };
            family.cells.push(Cell { persons, breadth: groups.breadth(), seen: Seen::Free, ..own });
        }
        family.relations = self.relations(&|part| shape.shows_rows(part).then_some(Of::Rows), true);
        // Who is in no row of a part has rows outside of it.
        let parts = (0..self.keys.len()).flat_map(|key| (1..self.parts).map(move |part| (key, part)));
        let held = parts.map(|(key, part)| (self.never(key, part), self.outside(key, part)));
        family.held = held.collect();
        family
    }

    /// The family of what is summed.
    pub(crate) fn sums(&self, shape: &Shape) -> Family {
        let summed = shape.summed();
        let total = |sum: &SumEvidence| Total {
            sum: sum.sum,
            persons: Some((sum.top1, sum.top2)),
            facilities: sum.facility_tops,
            is_signed: sum.negatives > 0,
        };
        let unseen = |key: &Vec<u32>, part: &Part| Cell {
            persons: part.persons.len(),
            facilities: facilities(part, shape),
            units: units(part, shape),
            least: least(key, shape),
            sums: part.sums.iter().map(total).collect(),
            seen: Seen::Free,
            ..Cell::default()
        };
        let nobody = || Cell { seen: Seen::Free, ..Cell::default() };
        let mut family = Family { hides_persons: true, ..Family::default() };
        for (key, found) in self.keys.iter().zip(&self.found) {
            for part in 0..self.parts {
                let sums =
                    (0..summed).map(|of| sum_of(found, shape, (part, of)).map(total).unwrap_or_default());
                let wide = u32::from(part == 0 && self.parts > 1);
                family.cells.push(Cell {
                    persons: found.parts.get(part).map_or(0, |part| part.persons.len()),
                    least: least(key, shape),
                    sums: sums.collect(),
                    spread_over: spread_over(found, shape, part),
                    breadth: if self.parts > 1 { 2 * breadth(key) + wide } else { breadth(key) },
                    ..Cell::default()
                });
                if let Some(outside) = part.checked_sub(1).and_then(|at| found.outside.get(at)) {
                    family.cells.extend([nobody(), unseen(key, outside)]);
                }
            }
        }
        for group in self.in_order() {
            family.cells.push(match group {
                Group::Rows(key, part) | Group::Union(key, part) => {
                    let cell = self.keys.get(key).map_or_else(nobody, |key| unseen(key, part));
                    Cell { breadth: group.breadth(), ..cell }
                }
                Group::Persons(..) => nobody(),
            });
        }
        let asks = |of: usize| {
            move |part: usize| {
                let part = shape.parts.get(part)?;
                part.sums.contains(&of).then_some(Of::Sum(of))
            }
        };
        family.relations = (0..summed).flat_map(|of| self.relations(&asks(of), false)).collect();
        family
    }

    /// How the cells add up. `shown` says of a part of which quantity rows are shown; `has_persons` whether persons are.
    fn relations(&self, shown: &dyn Fn(usize) -> Option<Of>, has_persons: bool) -> Vec<Relation> {
        let mut all = Vec::new();
        for (key, part) in (0..self.keys.len()).flat_map(|key| (1..self.parts).map(move |part| (key, part))) {
            let (whole, own) = (self.whole_or_part(key, 0), self.whole_or_part(key, part));
            if has_persons {
                all.push(relation(whole, vec![own, self.never(key, part)], Of::Persons));
            }
            if let (Some(_), Some(of)) = (shown(0), shown(part)) {
                all.push(relation(whole, vec![own, self.outside(key, part)], of));
            }
        }
        for ((margin, keys), part) in
            self.margins.iter().flat_map(|of| (0..self.parts).map(move |part| (of, part)))
        {
            let at = |key: &usize| self.whole_or_part(*key, part);
            let of = if has_persons { Some(Of::All) } else { shown(part) };
            all.extend(of.map(|of| relation(at(margin), keys.iter().map(at).collect(), of)));
            if has_persons && part > 0 {
                let at = |key: &usize| self.never(*key, part);
                // Who meets a condition in one key and not in another is never in the part of one of them only.
                let link = if self.is_apart(*margin, keys) { Link::Whole } else { Link::Within };
                let parts = keys.iter().map(at).collect();
                all.push(Relation { whole: at(margin), parts, link, of: Of::Persons });
            }
        }
        all.extend(self.of_groups(shown, has_persons));
        all
    }

    /// How groups add up: to parts and to what those leave, to unions, and over margins.
    fn of_groups(&self, shown: &dyn Fn(usize) -> Option<Of>, has_persons: bool) -> Vec<Relation> {
        let (mut all, any) = (Vec::new(), (0..self.parts).find_map(shown));
        for groups in &self.rows {
            let left = |part: usize| self.outside(groups.key, part);
            all.extend(self.sides(groups, &left, shown));
            let unions = any.into_iter().flat_map(|of| groups.unions.iter().map(move |union| (of, union)));
            all.extend(unions.map(|(of, (members, at, _))| relation(*at, members.clone(), of)));
        }
        for groups in self.persons.iter().filter(|_| has_persons) {
            let left = |part: usize| self.never(groups.key, part);
            all.extend(self.sides(groups, &left, &|_| Some(Of::Persons)));
        }
        for (margin, keys) in &self.margins {
            // A key that nobody is in has no groups.
            let keys: Vec<usize> = keys.iter().copied().filter(|key| self.persons_of(*key) > 0).collect();
            all.extend(any.into_iter().flat_map(|of| over_margin(&self.rows, (*margin, &keys), of)));
            // Who is in two keys is in other groups of the margin than of the keys.
            if has_persons && self.is_apart(*margin, &keys) {
                all.extend(over_margin(&self.persons, (*margin, &keys), Of::Persons));
            }
        }
        all
    }

    fn persons_of(&self, key: usize) -> u64 {
        let whole = self.found.get(key).and_then(|cell| cell.parts.first());
        whole.map_or(0, |part| part.persons.len())
    }

    /// Whether nobody of a margin is in two of its keys.
    fn is_apart(&self, margin: usize, keys: &[usize]) -> bool {
        keys.iter().map(|key| self.persons_of(*key)).sum::<u64>() == self.persons_of(margin)
    }

    /// How the groups of a cell add up to its parts, and to what each part leaves.
    fn sides<T>(
        &self,
        groups: &Groups<T>,
        left: &dyn Fn(usize) -> CellNo,
        shown: &dyn Fn(usize) -> Option<Of>,
    ) -> Vec<Relation> {
        let parts = (0..self.parts).filter(|part| *part == 0 || is_in(groups.conditions, *part));
        let sides = parts.filter_map(|part| Some((part, shown(part)?))).flat_map(|(part, of)| {
            let (here, there): (Vec<_>, Vec<_>) =
                groups.numbers().into_iter().partition(|(met, _)| is_in(*met, part));
            let left = (part > 0).then(|| (left(part), there));
            let both = std::iter::once((self.whole_or_part(groups.key, part), here)).chain(left);
            both.map(move |(at, groups)| relation(at, groups.into_iter().map(|(_, at)| at).collect(), of))
        });
        sides.filter(|relation| !relation.parts.is_empty()).collect()
    }

    /// The groups in the order of their numbers.
    fn in_order(&self) -> Vec<Group<'_>> {
        let rows = self.rows.iter().flat_map(|of| {
            let unions = of.unions.iter().map(|(_, at, part)| (*at, Group::Union(of.key, part)));
            of.groups.iter().map(|(_, at, part)| (*at, Group::Rows(of.key, part))).chain(unions)
        });
        let persons = self
            .persons
            .iter()
            .flat_map(|of| of.groups.iter().map(|(_, at, persons)| (*at, Group::Persons(of.key, *persons))));
        let all: BTreeMap<CellNo, Group<'_>> = rows.chain(persons).collect();
        all.into_values().collect()
    }
}

const fn relation(whole: CellNo, parts: Vec<CellNo>, of: Of) -> Relation {
    Relation { whole, parts, link: Link::Whole, of }
}

/// How the groups of a margin are made up of those of its keys, where all were told by the same conditions.
fn over_margin<T>(all: &[Groups<T>], (margin, keys): (usize, &[usize]), of: Of) -> Vec<Relation> {
    let of_key = |key: usize| {
        let from = all.partition_point(|groups| groups.key < key);
        all.get(from..).unwrap_or_default().iter().take_while(move |groups| groups.key == key)
    };
    let relations = of_key(margin).filter(|whole| !whole.is_many).flat_map(|whole| {
        let same = |groups: &&Groups<T>| groups.conditions == whole.conditions && !groups.is_many;
        let parts: Option<Vec<&Groups<T>>> = keys.iter().map(|key| of_key(*key).find(same)).collect();
        let in_parts = move |met: u32| {
            let groups = parts.iter().flatten().flat_map(|groups| &groups.groups);
            groups.filter(|(own, ..)| *own == met).map(|(_, at, _)| *at).collect::<Vec<CellNo>>()
        };
        let relations = whole.groups.iter().map(move |(met, at, _)| relation(*at, in_parts(*met), of));
        relations.filter(|relation| !relation.parts.is_empty())
    });
    relations.collect()
}

/// A group of one key.
#[derive(Clone, Copy)]
enum Group<'g> {
    Rows(usize, &'g Part),
    /// Several groups of rows together.
    Union(usize, &'g Part),
    Persons(usize, u64),
}

impl Group<'_> {
    /// Groups come before what is made up of them.
    const fn breadth(self) -> u32 {
        matches!(self, Self::Union(..)) as u32
    }
}

/// The groups with the fewest persons, whose unions are looked at.
const UNITED: usize = 5;

impl Groups<Part> {
    /// With the unions that have few persons together: what is known of one is known of these persons.
    ///
    /// Looked at are unions of the smallest groups, of the groups in which the persons of a small one are alone, and what
    /// a part has more than another, or shares with it. Where somebody is alone in more groups than are united, they have
    /// rows in so many ways that the conditions are not shown.
    fn united(mut self, few: u32, parts: usize, next: &mut CellNo) -> Self {
        let is_small = |part: &Part| part.persons.len() < u64::from(few);
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        let part = |at: &usize| self.groups.get(*at).map(|(_, _, part)| part);
        order.sort_by_key(|at| (part(at).map_or(0, |part| part.persons.len()), *at));
        let mut families = vec![order.iter().copied().take(UNITED).collect::<Vec<usize>>()];
        for small in order.iter().filter_map(part).filter(|part| is_small(part)) {
            let is_alone = |at: &usize| part(at).is_some_and(|part| part.persons.is_subset(&small.persons));
            let alone: Vec<usize> = (0..self.groups.len()).filter(is_alone).collect();
            self.is_many |= alone.len() > UNITED;
            families.push(alone);
        }
        let mut chosen: BTreeSet<Vec<usize>> = BTreeSet::new();
        for family in families.iter().filter(|family| family.len() <= UNITED) {
            let of = |set: u32| family.iter().zip(0..).filter(move |(_, at)| set >> at & 1 == 1);
            let sets = (1_u32..1 << family.len()).filter(|set| set.count_ones() > 1);
            chosen.extend(sets.map(|set| of(set).map(|(at, _)| *at).collect::<Vec<usize>>()).map(sorted));
        }
        chosen.extend(self.sides_of_pairs(parts));
        for members in chosen {
            let parts = members.iter().filter_map(part);
            if !parts.clone().all(is_small) {
                continue;
            }
            let all = parts.fold(None, |all: Option<Part>, part| {
                Some(all.map_or_else(|| part.clone(), |all| conditions::both(&all, part)))
            });
            let Some(all) = all.filter(is_small) else { continue };
            let numbers = members.iter().filter_map(|at| self.groups.get(*at)).map(|(_, at, _)| *at);
            self.unions.push((numbers.collect(), *next, all));
            *next += 1;
        }
        self
    }
}

impl<T> Groups<T> {
    /// The groups of a part, or of the whole, that another part has not or has as well, where they are several.
    fn sides_of_pairs(&self, parts: usize) -> Vec<Vec<usize>> {
        let of_part = |part: usize| -> BTreeSet<usize> {
            let groups = self.groups.iter().enumerate().filter(|(_, (met, ..))| is_in(*met, part));
            groups.map(|(at, _)| at).collect()
        };
        let parts = (0..parts).filter(|part| *part == 0 || is_in(self.conditions, *part));
        let all: Vec<BTreeSet<usize>> = parts.map(of_part).collect();
        let pairs = all.iter().flat_map(|one| all.iter().map(move |other| (one, other)));
        let sides = pairs.flat_map(|(one, other)| {
            let is_apart = !one.is_subset(other) && !other.is_subset(one);
            is_apart.then(|| one & other).into_iter().chain([one - other])
        });
        sides.filter(|groups| groups.len() > 1).map(|groups| groups.into_iter().collect()).collect()
    }
}

fn sorted(mut members: Vec<usize>) -> Vec<usize> {
    members.sort_unstable();
    members
}

impl<T> Groups<T> {
    fn of(key: usize, block: Block<T>, next: &mut CellNo) -> Self {
        let is_many = block.groups.is_none();
        let groups = block.groups.into_iter().flatten().map(|(met, group)| {
            *next += 1;
            (met, *next - 1, group)
        });
        Self { key, conditions: block.conditions, groups: groups.collect(), unions: Vec::new(), is_many }
    }

    fn numbers(&self) -> Vec<(u32, CellNo)> {
        self.groups.iter().map(|(met, at, _)| (*met, *at)).collect()
    }
}

/// The values that a rule hides by itself. Of what nobody asks for, what a rule would hide is guarded.
pub(crate) fn judged(family: &mut Family, rules: &CellRules) -> BTreeMap<CellNo, Reason> {
    let mut reasons = primary::sensitive(family, rules);
    let linked: BTreeSet<CellNo> = family
        .relations
        .iter()
        .flat_map(|relation| relation.parts.iter().copied().chain([relation.whole]))
        .collect();
    for (at, cell) in family.cells.iter_mut().enumerate().filter(|(_, cell)| cell.is_unseen()) {
        if reasons.remove(&at).is_some() && cell.persons > 0 && linked.contains(&at) {
            cell.seen = Seen::Guarded;
        }
    }
    reasons
}

/// Whether who meets these conditions is in a part.
const fn is_in(met: u32, part: usize) -> bool {
    part == 0 || met >> (part - 1) & 1 == 1
}

/// Over how many values a variance is asked, where one is.
fn spread_over(found: &table::Cell, shape: &Shape, part: usize) -> Option<u64> {
    let spread = shape.aggregates.iter().find_map(|aggregate| match aggregate.kind {
        AggregateKind::Variance { at, .. } if aggregate.part == part => Some(at),
        _ => None,
    });
    let sum = found.parts.get(part)?.sums.get(spread?)?;
    Some(sum.values)
}

/// Persons that a cell needs for the places it is of.
fn least(key: &[u32], shape: &Shape) -> u32 {
    let of_key = |(at, value): (usize, &u32)| shape.least.get(&(at, *value)).copied();
    key.iter().enumerate().filter_map(of_key).max().unwrap_or(0)
}

/// The margins with the keys that they are made up of.
fn margins(keys: &[&Vec<u32>], shape: &Shape) -> Vec<(usize, Vec<usize>)> {
    let number: BTreeMap<&Vec<u32>, usize> = keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let mut margins: BTreeMap<(usize, u32), Vec<usize>> = BTreeMap::new();
    for (at, key) in keys.iter().enumerate() {
        let own = set_of(key);
        for margin in wider(&shape.sets, own) {
            if let Some(whole) = number.get(&projected(key, margin)) {
                margins.entry((*whole, own)).or_default().push(at);
            }
        }
    }
    margins.into_iter().map(|((whole, _), parts)| (whole, parts)).collect()
}

/// The next wider grouping sets: those within a set with none between.
fn wider(sets: &[u32], own: u32) -> Vec<u32> {
    let within = |inner: u32, outer: u32| inner != outer && inner & outer == inner;
    let below: Vec<u32> = sets.iter().copied().filter(|set| within(*set, own)).collect();
    let is_next = |set: &u32| !below.iter().any(|other| within(*set, *other));
    let mut next: Vec<u32> = below.iter().copied().filter(is_next).collect();
    next.sort_unstable();
    next.dedup();
    next
}
