//! A delivery folder: its files, their digests, its manifest.

use std::path::{Path, PathBuf};

use catalog_model::{
    Catalogue, DELIVERY_FILE, DeliveredFile, DeliveryHead, DeliveryManifest, FaultKind, Month,
};

use super::{Database, Draft, DraftLine, Group, Planted};
use crate::SynthError;
use crate::faults::Misfortune;
use crate::truth::Ledger;
use crate::writer::WriteError;

/// How much was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) files: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) faults: u64,
}

/// A delivery being written.
#[derive(Debug)]
pub(crate) struct DeliveryWriter<'a> {
    catalogue: &'a Catalogue,
    folder: PathBuf,
    head: DeliveryHead,
    files: Vec<DeliveredFile>,
    counts: Counts,
    seed: u64,
    fault_rate: f64,
    /// What the delivery says about the truth.
    pub(crate) ledger: Ledger,
}

/// What closes a file, made from what the sender billed.
pub(crate) struct Totals {
    pub(crate) groups: u64,
    pub(crate) points: u64,
    pub(crate) lines: u64,
}

impl<'a> DeliveryWriter<'a> {
    /// Begins a delivery in its folder below `deliveries`.
    pub(crate) fn new(
        catalogue: &'a Catalogue,
        deliveries: &Path,
        (database, month): (Database, Month),
        (seed, fault_rate): (u64, f64),
    ) -> Result<Self, SynthError> {
        let name = match database {
            Database::Public => format!("public-{:04}", month.year()),
            _ => format!("{}-{month}", database.name()),
        };
        let folder = deliveries.join(&name);
        std::fs::create_dir_all(&folder).map_err(|source| SynthError::io(&folder, source))?;
        let head = DeliveryHead {
            name,
            database: database.name().to_owned(),
            holder: database.holder().to_owned(),
            month,
        };
        let fault_rate = if database == Database::Public { 0.0 } else { fault_rate };
        Ok(Self {
            catalogue,
            folder,
            head,
            files: Vec::new(),
            counts: Counts::default(),
            seed,
            fault_rate,
            ledger: Ledger::default(),
        })
    }

    /// Plants faults in a draft, closes it with what `close` makes of its totals, and writes it.
    pub(crate) fn file<'t>(
        &mut self,
        mut draft: Draft<'t>,
        close: impl FnOnce(&mut Draft<'t>, Totals) -> Result<(), WriteError>,
    ) -> Result<(), SynthError> {
        let mut misfortune = Misfortune::of(self.seed, self.fault_rate, &self.head.name, &draft.path);
        if let Some(family) = self.catalogue.families.get(draft.family) {
            misfortune.strike(&mut draft, family);
        }
        let totals = totals(&draft);
        let is_wrong = draft.states_points && misfortune.spoils_totals(&draft);
        let points = totals.points + u64::from(is_wrong);
        close(&mut draft, Totals { points, ..totals })?;
        if let (true, Some(line)) = (is_wrong, draft.trailer.last_mut()) {
            line.fault = Some(Planted { kind: FaultKind::Totals, field: "total_points".to_owned() });
        }
        let bytes = self.lay_out(&draft, &mut misfortune);
        self.save((&draft.path, draft.family), &bytes)
    }

    /// Writes a package, whose faults are planted and noted already.
    pub(crate) fn package(&mut self, path: &str, family: &str, bytes: &[u8]) -> Result<(), SynthError> {
        self.save((path, family), bytes)
    }

    /// Notes a document of a package that begins on this line, and its faults by their line within it.
    pub(crate) fn note_document(
        &mut self,
        path: &str,
        line: usize,
        person: usize,
        faults: &[(usize, &str, &str, FaultKind)],
    ) {
        let delivery = self.head.name.as_str();
        self.ledger.record((delivery, path, line), person);
        for (at, record, field, kind) in faults {
            self.ledger.fault((delivery, path, line + at), record, field, *kind);
            self.counts.faults += 1;
        }
    }

    /// The share of lines that get a fault.
    pub(crate) const fn fault_rate(&self) -> f64 {
        self.fault_rate
    }

    /// Writes a draft that needs no totals.
    pub(crate) fn plain_file(&mut self, draft: Draft<'_>) -> Result<(), SynthError> {
        self.file(draft, |_, _| Ok(()))
    }

    /// Puts the lines together and notes where records and faults stand.
    fn lay_out(&mut self, draft: &Draft<'_>, misfortune: &mut Misfortune) -> Vec<u8> {
        let mut sheet = Sheet { delivery: self, draft, bytes: Vec::new(), line: 0, last: 0 };
        for line in &draft.header {
            sheet.put(line);
        }
        for group in &draft.groups {
            if let Some(person) = group.person {
                sheet.note_record(person);
            }
            for line in &group.lines {
                sheet.put(line);
            }
        }
        let is_sound = |group: &Group<'_>| group.lines.iter().all(|line| line.fault.is_none());
        let may_be_cut = draft.states_points && draft.groups.last().is_some_and(is_sound);
        let end = sheet.bytes.len().saturating_sub(2);
        match misfortune.cuts(sheet.last, end).filter(|_| may_be_cut) {
            Some(end) => sheet.cut(end),
            None => draft.trailer.iter().for_each(|line| sheet.put(line)),
        }
        let (bytes, lines) = (sheet.bytes, sheet.line);
        self.counts.records += lines as u64;
        bytes
    }

    fn save(&mut self, (path, family): (&str, &str), bytes: &[u8]) -> Result<(), SynthError> {
        let place = self.folder.join(path);
        let io = |source| SynthError::io(&place, source);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        std::fs::write(&place, bytes).map_err(io)?;
        let size = bytes.len() as u64;
        self.counts.files += 1;
        self.counts.bytes += size;
        self.files.push(DeliveredFile {
            path: path.to_owned(),
            family: family.to_owned(),
            bytes: size,
            sha256: hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()),
        });
        Ok(())
    }

    /// Writes the manifest and hands over what the delivery says.
    pub(crate) fn close(self) -> Result<(Ledger, Counts), SynthError> {
        let path = self.folder.join(DELIVERY_FILE);
        let manifest = DeliveryManifest { delivery: self.head, files: self.files };
        let text = toml::to_string(&manifest).map_err(SynthError::Manifest)?;
        std::fs::write(&path, text).map_err(|source| SynthError::io(&path, source))?;
        Ok((self.ledger, self.counts))
    }
}

fn totals(draft: &Draft<'_>) -> Totals {
    Totals {
        groups: draft.groups.len() as u64,
        points: draft.groups.iter().map(|group| group.points).sum(),
        lines: draft.groups.iter().map(|group| group.lines.len() as u64).sum(),
    }
}

struct Sheet<'s, 'a, 't> {
    delivery: &'s mut DeliveryWriter<'a>,
    draft: &'s Draft<'t>,
    bytes: Vec<u8>,
    /// Lines so far.
    line: usize,
    /// Where the last line begins.
    last: usize,
}

impl Sheet<'_, '_, '_> {
    fn put(&mut self, line: &DraftLine<'_>) {
        self.line += 1;
        self.last = self.bytes.len();
        self.bytes.extend_from_slice(&line.bytes);
        self.bytes.extend_from_slice(b"\r\n");
        if let Some(fault) = &line.fault {
            let is_of_none = matches!(fault.kind, FaultKind::UnknownRecord | FaultKind::Heading);
            let record = if is_of_none { "" } else { line.template.record() };
            self.note_fault(record, &fault.field, fault.kind);
        }
    }

    /// Notes that the next line is a record of a person.
    fn note_record(&mut self, person: usize) {
        let place = (self.delivery.head.name.as_str(), self.draft.path.as_str(), self.line + 1);
        self.delivery.ledger.record(place, person);
    }

    fn cut(&mut self, end: usize) {
        self.bytes.truncate(end);
        self.note_fault("", "", FaultKind::Truncated);
    }

    fn note_fault(&mut self, record: &str, field: &str, kind: FaultKind) {
        let place = (self.delivery.head.name.as_str(), self.draft.path.as_str(), self.line);
        self.delivery.ledger.fault(place, record, field, kind);
        self.delivery.counts.faults += 1;
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
