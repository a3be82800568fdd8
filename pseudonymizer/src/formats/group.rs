//! The group that is being read: captured values, identity, and the fate of its lines so far.

use zeroize::Zeroize as _;

use crate::claim::Head;
use crate::keying::Identity;

use super::program::{Program, Slot};
use super::run::Runs;

/// Values kept by slot, erased when they are replaced.
#[derive(Debug)]
pub(crate) struct Slots {
    bytes: Vec<u8>,
    ranges: Vec<Option<(usize, usize)>>,
}

impl Slots {
    pub(crate) fn new(slots: usize) -> Self {
        Self { bytes: Vec::new(), ranges: vec![None; slots] }
    }

    /// Keeps `value` in a slot; a value that is there stays unless `replaces` is set.
    pub(crate) fn set(&mut self, slot: usize, value: &[u8], replaces: bool) {
        let Some(range) = self.ranges.get_mut(slot) else { return };
        if range.is_none() || replaces {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(value);
            *range = Some((start, self.bytes.len()));
        }
    }

    pub(crate) fn get(&self, slot: usize) -> &[u8] {
        let range = self.ranges.get(slot).copied().flatten();
        range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.as_mut_slice().zeroize();
        self.bytes.clear();
        self.ranges.fill(None);
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What became of a line of the group, until the group is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stored,
    Dropped(usize),
}

/// The group that is being read.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) is_open: bool,
    /// Its opener went to quarantine, so its lines are orphans.
    pub(crate) is_broken: bool,
    /// One of its records says whom it is about.
    pub(crate) has_person: bool,
    pub(crate) head: Head,
    pub(crate) slots: Slots,
    pub(crate) identity: Identity,
    pub(crate) counts: Vec<u32>,
    pub(crate) runs: Runs,
    /// Line, record type and fate of each of its good lines.
    pub(crate) lines: Vec<(u64, usize, Fate)>,
    /// The bytes of its key fields, where lines are grouped by key.
    key: Vec<u8>,
}

impl Group {
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            is_open: false,
            is_broken: false,
            has_person: false,
            head: Head::default(),
            slots: Slots::new(program.slots),
            identity: Identity::new(program.roles),
            counts: vec![0; program.records.len()],
            runs: Runs::default(),
            lines: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Begins a new group at `line`.
    pub(crate) fn open(&mut self, record: u32, file: u32, line: u64) {
        self.is_open = true;
        self.is_broken = false;
        self.has_person = false;
        self.head = Head { record, file, line, ..Head::default() };
        self.slots.clear();
        self.identity.erase();
        self.counts.fill(0);
        self.runs.clear();
        self.lines.clear();
    }

    /// Says whether the key fields of a line are those of the group.
    pub(crate) fn has_key<'f>(&self, fields: impl Iterator<Item = &'f [u8]>) -> bool {
        let mut rest = self.key.as_slice();
        for field in fields {
            match rest.strip_prefix(field).and_then(|rest| rest.strip_prefix(&[0])) {
                Some(next) => rest = next,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// Takes the key fields of the group's first line.
    pub(crate) fn set_key<'f>(&mut self, fields: impl Iterator<Item = &'f [u8]>) {
        self.key.as_mut_slice().zeroize();
        self.key.clear();
        for field in fields {
            self.key.extend_from_slice(field);
            self.key.push(0);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.key.as_mut_slice().zeroize();
    }
}

/// The value in a slot of the group or of the file's header.
pub(crate) fn slot_value<'s>(group: &'s Slots, header: &'s Slots, slot: Slot) -> &'s [u8] {
    match slot {
        Slot::Group(slot) => group.get(slot),
        Slot::Header(slot) => header.get(slot),
    }
}
