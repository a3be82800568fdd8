//! The truth beside the deliveries: who is who, what was written of them and where, what happened, what is wrong.
//!
//! `identities.csv` is complete by construction: the writer hands over every direct identifier that it puts into a
//! field, in the form in which it was written, and every one that stands in free text is mentioned by whoever writes
//! the text. Months are those of the records (service month, month of discharge or application).

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use catalog_model::{FaultKind, Month};

use crate::SynthError;
use crate::events;
use crate::model::Model;
use crate::people::Population;

/// The id of a person in the truth.
pub(crate) fn truth_id(person: usize) -> String {
    format!("P{:07}", person + 1)
}

/// What the files of one delivery say about the truth.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    identities: HashMap<(usize, &'static str, String), (Month, Month)>,
    records: String,
    faults: String,
}

impl Ledger {
    /// Notes a direct identifier of a person.
    pub(crate) fn identity(&mut self, person: usize, kind: &'static str, value: String, month: Month) {
        let months = self.identities.entry((person, kind, value)).or_insert((month, month));
        *months = (months.0.min(month), months.1.max(month));
    }

    /// Notes where a record of a person stands.
    pub(crate) fn record(&mut self, place: (&str, &str, usize), person: usize) {
        let (delivery, file, line) = place;
        let _ = writeln!(self.records, "{delivery},{file},{line},{}", truth_id(person));
    }

    /// Notes a planted fault.
    pub(crate) fn fault(&mut self, place: (&str, &str, usize), record: &str, field: &str, kind: FaultKind) {
        let (delivery, file, line) = place;
        let _ = writeln!(self.faults, "{delivery},{file},{line},{record},{field},{kind}");
    }
}

/// The files of the truth, being written.
#[derive(Debug)]
pub(crate) struct TruthFiles {
    folder: PathBuf,
    records: std::io::BufWriter<std::fs::File>,
    faults: std::io::BufWriter<std::fs::File>,
    identities: BTreeMap<(usize, &'static str, String), (Month, Month)>,
}

impl TruthFiles {
    /// Opens the files in a folder.
    pub(crate) fn create(folder: &Path) -> Result<Self, SynthError> {
        std::fs::create_dir_all(folder).map_err(|source| SynthError::io(folder, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            records: open(folder, "records.csv", "delivery,file,line,truth_id")?,
            faults: open(folder, "faults.csv", "delivery,file,line,record,field,kind")?,
            identities: BTreeMap::new(),
        })
    }

    /// Adds what a delivery says; deliveries come in their order.
    pub(crate) fn add(&mut self, ledger: Ledger) -> Result<(), SynthError> {
        self.put(&ledger.records, &ledger.faults)?;
        for (key, (from, to)) in ledger.identities {
            let months = self.identities.entry(key).or_insert((from, to));
            *months = (months.0.min(from), months.1.max(to));
        }
        Ok(())
    }

    fn put(&mut self, records: &str, faults: &str) -> Result<(), SynthError> {
        let io = |source| SynthError::io(&self.folder, source);
        self.records.write_all(records.as_bytes()).map_err(io)?;
        self.faults.write_all(faults.as_bytes()).map_err(io)
    }

    /// Writes the rest: identities, persons and events.
    pub(crate) fn finish(mut self, model: &Model, population: &Population) -> Result<(), SynthError> {
        let mut identities = open(&self.folder, "identities.csv", "truth_id,kind,value,from_month,to_month")?;
        for ((person, kind, value), (from, to)) in &self.identities {
            let line = format!("{},{kind},{},{from},{to}", truth_id(*person), quoted(value));
            writeln!(identities, "{line}").map_err(|source| SynthError::io(&self.folder, source))?;
        }
        let mut persons = open(&self.folder, "persons.csv", "truth_id,sex,birth_date,death_date,twin_of")?;
        let mut lines = open(&self.folder, "events.csv", "truth_id,kind,date")?;
        for (index, person) in population.persons.iter().enumerate() {
            let id = truth_id(index);
            let death = person.health.death.filter(|death| *death <= population.period.to.last_day());
            let death = death.map(|day| day.to_string()).unwrap_or_default();
            let twin = person.twin_of.map(truth_id).unwrap_or_default();
            let sex = person.sex.code();
            let io = |source| SynthError::io(&self.folder, source);
            writeln!(persons, "{id},{sex},{},{death},{twin}", person.birth).map_err(io)?;
            for (kind, day) in events::of(model, population.period, person) {
                writeln!(lines, "{id},{},{day}", quoted(&kind)).map_err(io)?;
            }
        }
        for file in [&mut self.records, &mut self.faults, &mut identities, &mut persons, &mut lines] {
            file.flush().map_err(|source| SynthError::io(&self.folder, source))?;
        }
        Ok(())
    }
}

fn open(folder: &Path, name: &str, heading: &str) -> Result<std::io::BufWriter<std::fs::File>, SynthError> {
    let path = folder.join(name);
    let io = |source| SynthError::io(&path, source);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).map_err(io)?);
    writeln!(file, "{heading}").map_err(io)?;
    Ok(file)
}

/// A CSV item, in quotes where it needs them.
fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n']) || value.starts_with(' ') {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
