//! The rules that hide a cell by itself, one file each. A rule says which cells are hidden; none shows a cell that
//! another hides.

mod class;
mod dominance;
mod estimate;
mod few_facilities;
mod few_persons;
mod few_units;
mod freedom;
mod negative;
mod small_place;

use std::collections::BTreeMap;

use catalog_model::{CellRules, CountedUnit};

use crate::family::{Cell, CellNo, Family};

/// The rule that hides a cell. The reader is never told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    FewPersons,
    SmallPlace,
    SmallAmount,
    FewFacilities,
    FewUnits(CountedUnit),
    Dominated,
    Estimable,
    Class,
    Freedom,
    Negative,
    Overlap,
    Ledger,
}

impl Reason {
    /// The rule's name, for the board.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::FewPersons => "few-persons",
            Self::SmallPlace => "small-place",
            Self::SmallAmount => "small-amount",
            Self::FewFacilities => "few-facilities",
            Self::FewUnits(CountedUnit::Insurer) => "few-insurers",
            Self::FewUnits(CountedUnit::Municipality) => "few-municipalities",
            Self::Dominated => "dominance",
            Self::Estimable => "estimate",
            Self::Class => "class-disclosure",
            Self::Freedom => "degrees-of-freedom",
            Self::Negative => "negative",
            Self::Overlap => "overlapping-conditions",
            Self::Ledger => "ledger",
        }
    }
}

/// The cells that a rule hides, each with the first rule that does.
pub(crate) fn sensitive(family: &Family, rules: &CellRules) -> BTreeMap<CellNo, Reason> {
    let mut found: BTreeMap<CellNo, Reason> =
        family.cells.iter().enumerate().filter_map(|(at, cell)| Some((at, of_cell(cell, rules)?))).collect();
    for at in class::cells(family, rules) {
        found.entry(at).or_insert(Reason::Class);
    }
    found
}

fn of_cell(cell: &Cell, rules: &CellRules) -> Option<Reason> {
    let checks = [
        (few_persons::applies(cell, rules), Reason::FewPersons),
        (small_place::applies(cell, rules), Reason::SmallPlace),
        (few_facilities::applies(cell, rules), Reason::FewFacilities),
        (negative::applies(cell), Reason::Negative),
        (dominance::applies(cell, rules), Reason::Dominated),
        (estimate::applies(cell, rules), Reason::Estimable),
        (freedom::applies(cell, rules), Reason::Freedom),
    ];
    let few_units = || few_units::found(cell, rules).map(Reason::FewUnits);
    checks.into_iter().find_map(|(applies, reason)| applies.then_some(reason)).or_else(few_units)
}

#[cfg(test)]
mod tests {
    use catalog_model::{CellRules, CountedUnit};

    use super::{Reason, of_cell, sensitive};
    use crate::family::{Cell, Family, Link, Of, Relation, Total};

    fn rules() -> CellRules {
        CellRules { facilities: Some(3), class_disclosure: true, ..CellRules::general(10, true) }
    }

    fn cell(persons: u64) -> Cell {
        Cell { persons, ..Cell::default() }
    }

    fn with_sum(sum: i128, tops: (i128, i128)) -> Cell {
        let total = Total { sum, persons: Some(tops), ..Total::default() };
        Cell { sums: vec![total], ..cell(20) }
    }

    #[test]
    fn each_rule_hides_from_its_edge_on() {
        let reason = |cell: Cell| of_cell(&cell, &rules());
        assert_eq!(
            (reason(cell(9)), reason(cell(10)), reason(cell(0))),
            (Some(Reason::FewPersons), None, None)
        );
        let facilities = |number| Cell { facilities: Some(number), ..cell(20) };
        assert_eq!((reason(facilities(2)), reason(facilities(3))), (Some(Reason::FewFacilities), None));
        assert_eq!(reason(facilities(0)), Some(Reason::FewFacilities), "whose rows all name none");
        assert_eq!(reason(Cell { facilities: Some(0), ..cell(0) }), None, "nobody is of no facility");
        // 90 % of 1000 are 900; the rest must be 10 % of the largest.
        assert_eq!(reason(with_sum(1000, (700, 201))), Some(Reason::Dominated));
        assert_eq!(reason(with_sum(1000, (600, 300))), None);
        let no_dominance = CellRules { dominance: None, ..rules() };
        assert_eq!(of_cell(&with_sum(1000, (700, 231)), &no_dominance), Some(Reason::Estimable));
        assert_eq!(of_cell(&with_sum(1000, (700, 230)), &no_dominance), None);
        let spread = |values| Cell { spread_over: Some(values), ..cell(20) };
        assert_eq!((reason(spread(10)), reason(spread(11))), (Some(Reason::Freedom), None));
        let signed = Total { sum: 5, is_signed: true, ..Total::default() };
        assert_eq!(reason(Cell { sums: vec![signed], ..cell(20) }), Some(Reason::Negative));
    }

    #[test]
    fn a_cell_of_few_municipalities_is_hidden_where_a_pack_counts_them() {
        let of = |counts: [(CountedUnit, u64); 2]| Cell { units: counts.to_vec(), ..cell(20) };
        let [insurer, municipality] = CountedUnit::ALL;
        let municipalities = |count| of([(insurer, 1), (municipality, count)]);
        assert_eq!(of_cell(&municipalities(1), &rules()), None, "a pack without the key counts none");
        let rules = CellRules { municipalities: Some(3), ..rules() };
        let few = Some(Reason::FewUnits(municipality));
        let reason = |cell: Cell| of_cell(&cell, &rules);
        assert_eq!([2, 3].map(|count| reason(municipalities(count))), [few, None]);
        assert_eq!(reason(municipalities(0)), few, "whose rows all name none");
        assert_eq!(reason(Cell { persons: 0, ..municipalities(0) }), None, "nobody is of no municipality");
        assert_eq!(reason(cell(20)), None, "whose tables have no such column");
        let insurers = CellRules { insurers: Some(2), ..rules.clone() };
        assert_eq!(of_cell(&municipalities(9), &insurers), Some(Reason::FewUnits(insurer)));
    }

    #[test]
    fn a_small_place_needs_more_persons_and_the_smallest_shows_nothing() {
        let reason = |persons, least| of_cell(&Cell { least, ..cell(persons) }, &rules());
        assert_eq!((reason(19, 20), reason(20, 20), reason(0, 20)), (Some(Reason::SmallPlace), None, None));
        assert_eq!(
            (reason(0, u32::MAX), reason(500, u32::MAX)),
            (Some(Reason::SmallPlace), Some(Reason::SmallPlace))
        );
        // The first rule that applies is named.
        assert_eq!(reason(9, 20), Some(Reason::FewPersons));
    }

    #[test]
    fn facilities_are_contributors_like_persons() {
        let total =
            Total { sum: 1000, facilities: Some((950, 20)), persons: Some((30, 20)), ..Total::default() };
        assert_eq!(of_cell(&Cell { sums: vec![total], ..cell(20) }, &rules()), Some(Reason::Dominated));
    }

    #[test]
    fn a_cell_with_nearly_everybody_of_its_line_is_hidden() {
        let line = |one, two| Family {
            cells: vec![cell(one + two), cell(one), cell(two)],
            relations: vec![Relation { whole: 0, parts: vec![1, 2], link: Link::Whole, of: Of::All }],
            ..Family::default()
        };
        assert_eq!(sensitive(&line(50, 0), &rules()).get(&1), Some(&Reason::Class));
        assert_eq!(sensitive(&line(50, 9), &rules()).get(&1), Some(&Reason::Class));
        assert_eq!(sensitive(&line(50, 10), &rules()).get(&1), None);
    }
}
