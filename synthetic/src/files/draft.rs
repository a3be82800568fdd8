//! A file in the making: lines in groups, each group about one person.

use catalog_model::{FaultKind, Month};

use crate::truth::Ledger;
use crate::writer::{Line, Template, WriteError};

/// A line that is written, and what was made wrong in it on purpose.
#[derive(Clone, Debug)]
pub(crate) struct DraftLine<'t> {
    pub(crate) template: &'t Template,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fault: Option<Planted>,
}

/// A planted fault.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    pub(crate) kind: FaultKind,
    pub(crate) field: String,
}

impl<'t> DraftLine<'t> {
    /// A line that is about nobody.
    pub(crate) fn of(line: Line<'t>) -> Result<Self, WriteError> {
        let line = line.finish()?;
        Ok(Self { template: line.template, bytes: line.bytes, fault: None })
    }
}

/// Lines that belong together: a receipt, a stay, a claim.
#[derive(Clone, Debug)]
pub(crate) struct Group<'t> {
    /// Whom they are about; the first line is listed in the truth.
    pub(crate) person: Option<usize>,
    /// What they add to the file's total points.
    pub(crate) points: u64,
    pub(crate) lines: Vec<DraftLine<'t>>,
}

/// Collects a group's lines and notes the identities in them.
#[derive(Debug)]
pub(crate) struct Grouper<'l, 't> {
    ledger: &'l mut Ledger,
    month: Month,
    person: usize,
    group: Group<'t>,
}

impl<'l, 't> Grouper<'l, 't> {
    /// An empty group about a person, in records of this month.
    pub(crate) const fn new(ledger: &'l mut Ledger, person: usize, month: Month) -> Self {
        let group = Group { person: Some(person), points: 0, lines: Vec::new() };
        Self { ledger, month, person, group }
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, line: Line<'t>) -> Result<(), WriteError> {
        let line = line.finish()?;
        for (kind, value) in line.identities {
            self.ledger.identity(self.person, kind, value, self.month);
        }
        self.group.lines.push(DraftLine { template: line.template, bytes: line.bytes, fault: None });
        Ok(())
    }

    /// The group, with what it adds to the total points.
    pub(crate) fn finish(self, points: u64) -> Group<'t> {
        Group { points, ..self.group }
    }
}

/// A file in the making.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'t> {
    /// The path below the delivery.
    pub(crate) path: String,
    pub(crate) family: &'t str,
    pub(crate) header: Vec<DraftLine<'t>>,
    pub(crate) groups: Vec<Group<'t>>,
    pub(crate) trailer: Vec<DraftLine<'t>>,
    /// Whether its trailer states its total points: it may be wrong, and a reader notices when the file is cut.
    pub(crate) states_points: bool,
}

impl<'t> Draft<'t> {
    /// An empty file.
    pub(crate) const fn new(path: String, family: &'t str) -> Self {
        Self {
            path,
            family,
            header: Vec::new(),
            groups: Vec::new(),
            trailer: Vec::new(),
            states_points: false,
        }
    }
}
