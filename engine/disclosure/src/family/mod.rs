//! A family of tables: every cell and margin that a reader gets to see together, and how they add up.
//!
//! Hierarchies, grouping sets, conditional cells and linked tables all come down to this: numbered cells, and
//! relations that say that one cell is made up of others. A cell that stands in two tables is one cell.
//! Where cells come from (a worker's evidence, a file) is the business of adapters; nothing here knows labels.

mod relation;

use catalog_model::CountedUnit;
pub(crate) use relation::{Link, Of, Relation, Row};

/// The number of a cell in its family.
pub(crate) type CellNo = usize;

/// What a reader may see of a table family.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) cells: Vec<Cell>,
    pub(crate) relations: Vec<Relation>,
    /// Whether the numbers of persons are not shown, but only what else the cells have.
    pub(crate) hides_persons: bool,
    /// Each of the persons of the first cell has a row in the second, beside those of a cell and its own rows.
    pub(crate) held: Vec<(CellNo, CellNo)>,
}

/// A cell or margin with what stands behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// Distinct persons.
    pub(crate) persons: u64,
    /// Distinct facilities, where the rows name one.
    pub(crate) facilities: Option<u64>,
    /// Distinct insurers and municipalities, where the rows name one.
    pub(crate) units: Vec<(CountedUnit, u64)>,
    /// Rows, where they are shown beside the persons.
    pub(crate) rows: Option<u64>,
    /// One for each measure that is summed.
    pub(crate) sums: Vec<Total>,
    /// Over how many values a variance is asked, where one is.
    pub(crate) spread_over: Option<u64>,
    /// Persons that it needs, where that is more than others need; `u32::MAX` where nothing of it is shown.
    pub(crate) least: u32,
    /// How many dimensions the cell is a total over.
    pub(crate) breadth: u32,
    /// Whether the cell is out already and cannot be hidden any more.
    pub(crate) is_out: bool,
    /// Who gets to see it.
    pub(crate) seen: Seen,
    /// Whether it is only what two values leave: that it is few, or none, nothing says of it by itself.
    pub(crate) is_rest: bool,
}

/// Who gets to see a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The reader, unless it is hidden.
    #[default]
    Asked,
    /// Nobody, and nobody may work it out either.
    Guarded,
    /// Nobody, and it may be worked out: it is there for the sake of others.
    Free,
}

impl Cell {
    /// Whether no reader asks for it.
    pub(crate) fn is_unseen(&self) -> bool {
        self.seen != Seen::Asked
    }

    /// Whether one person, facility or other unit is alone in it, as far as it is known.
    pub(crate) fn is_of_one(&self) -> bool {
        let mut counted = self.units.iter().map(|(_, count)| *count).chain(self.facilities);
        self.persons == 1 || counted.any(|count| count == 1)
    }

    /// Whether nothing of it is shown, however many persons it has.
    pub(crate) const fn is_closed(&self) -> bool {
        self.least == u32::MAX
    }

    /// Fewer persons than this are few, under rules by which fewer than `few` are.
    pub(crate) const fn few(&self, few: u32) -> u32 {
        if self.is_closed() || self.least < few { few } else { self.least }
    }
}

/// A measure's total in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// The sum.
    pub(crate) sum: i128,
    /// The two largest totals of one person.
    pub(crate) persons: Option<(i128, i128)>,
    /// The two largest totals of one facility.
    pub(crate) facilities: Option<(i128, i128)>,
    /// Whether some contribution is negative.
    pub(crate) is_signed: bool,
}

impl Family {
    /// A cell; one that is not there has nobody in it.
    pub(crate) fn cell(&self, at: CellNo) -> Option<&Cell> {
        self.cells.get(at)
    }

    /// Whether nobody asks for the cell, or it is not there.
    pub(crate) fn is_unseen(&self, at: CellNo) -> bool {
        self.cell(at).is_none_or(Cell::is_unseen)
    }

    /// The number of measures that are summed.
    pub(crate) fn measures(&self) -> usize {
        self.cells.first().map_or(0, |cell| cell.sums.len())
    }
}
