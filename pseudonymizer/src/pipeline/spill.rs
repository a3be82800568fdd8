//! The first pass of publishing: staged rows go to the bucket of their person.
//!
//! Rows of one bucket wait in one file per table until the second pass sorts them, each batch encrypted under a key that
//! ends with the process. A spilled row carries the person, the claim (part and number) and the line; a spilled claim
//! carries what tells duplicates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, UInt32Type, UInt64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use catalog_model::{Catalogue, Keep, Table};
use catalog_staged::{LINE, RECORD, StagedPart, staged_schema};
use catalog_store::{EnvironmentError, KeyError, SecretKey, StagedFiles, decrypt, encrypt};

use zeroize::Zeroizing;

use super::link;
use crate::tables::{FileError, open};

/// The spilled column with the person number.
pub(super) const PERSON: &str = "__person";
/// The spilled column with the number of the part.
pub(super) const PART: &str = "__part";

/// A claim on its way to its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpilledClaim {
    pub(super) person: u32,
    pub(super) part: u32,
    pub(super) record: u32,
    /// The rank of its file among all delivered files, which decides which of two duplicates is the first.
    pub(super) file_rank: u32,
    /// Which of several that are told to be one counts.
    pub(super) keep: Keep,
    pub(super) line: u32,
    pub(super) lines: u32,
    pub(super) month: i32,
    pub(super) key: Option<[u8; 16]>,
    pub(super) unique: Option<[u8; 16]>,
}

/// Where a file stands among all delivered files, and which of its repeated records count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileRank {
    pub(super) rank: u32,
    pub(super) keep: Keep,
}

impl SpilledClaim {
    /// The order among those with the same unique surrogate: the first in it is kept.
    pub(super) fn precedence(&self) -> (u32, u32) {
        match self.keep {
            Keep::First => (self.file_rank, self.line),
            Keep::Last => (u32::MAX - self.file_rank, u32::MAX - self.line),
        }
    }
}

/// What the first pass left for the second.
#[derive(Debug)]
pub(super) struct Spilled {
    folder: PathBuf,
    key: SecretKey,
    /// Claims by bucket.
    pub(super) claims: Vec<Vec<SpilledClaim>>,
    /// Surrogates of facilities, insurers and municipalities that occur.
    pub(super) facilities: BTreeSet<u64>,
    tables: BTreeSet<String>,
}

/// Spreads the rows of every part over `buckets`.
pub(super) struct Spill<'a> {
    files: &'a StagedFiles,
    catalogue: &'a Catalogue,
    buckets: u32,
    writers: BTreeMap<(String, u32), BufWriter<File>>,
    out: Spilled,
}

impl<'a> Spill<'a> {
    /// Spills below `folder` what is staged in `files`.
    ///
    /// # Errors
    ///
    /// The operating system gave no random bytes.
    pub(super) fn new(
        folder: &Path,
        files: &'a StagedFiles,
        catalogue: &'a Catalogue,
        buckets: u32,
    ) -> Result<Self, KeyError> {
        let claims = (0..buckets).map(|_| Vec::new()).collect();
        let out = Spilled {
            folder: folder.to_owned(),
            key: SecretKey::random()?,
            claims,
            facilities: BTreeSet::new(),
            tables: BTreeSet::new(),
        };
        Ok(Self { files, catalogue, buckets, writers: BTreeMap::new(), out })
    }

    /// Spreads one part, whose staged files lie in `folder`.
    pub(super) fn part(
        &mut self,
        part: u32,
        folder: &Path,
        person_of: &dyn Fn(u32) -> Option<u32>,
        file_rank: &dyn Fn(u32) -> FileRank,
    ) -> Result<(), FileError> {
        let persons = self.claims(part, &folder.join("claims.parquet"), person_of, file_rank)?;
        let (catalogue, open) = (self.catalogue, self.files.opener());
        let staged = StagedPart::new(folder.to_owned(), &open);
        for table in catalogue.tables.values() {
            for batch in staged.rows(table, 65_536)?.into_iter().flatten() {
                self.rows(part, table, &batch?, &persons, folder)?;
            }
        }
        Ok(())
    }

    /// Completes the files.
    pub(super) fn finish(self) -> Result<Spilled, FileError> {
        for ((table, bucket), mut writer) in self.writers {
            let path = self.out.path(&table, bucket);
            writer.flush().map_err(|source| FileError::Io { action: "write", path, source })?;
        }
        Ok(self.out)
    }

    /// Reads the part's claims; the person of each, `u32::MAX` where its rows are skipped.
    fn claims(
        &mut self,
        part: u32,
        path: &Path,
        person_of: &dyn Fn(u32) -> Option<u32>,
        file_rank: &dyn Fn(u32) -> FileRank,
    ) -> Result<Vec<u32>, FileError> {
        let mut persons = Vec::new();
        for batch in open(self.files, path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
            let missing =
                |column: &str| FileError::Column { path: path.to_owned(), column: column.to_owned() };
            let number = |column: &str| link::numbers(&batch, column, path);
            let (records, files, lines) = (number("record")?, number("file")?, number("line")?);
            let (counts, identities) = (number("lines")?, number("identity")?);
            let months =
                batch.column_by_name("month").and_then(|array| array.as_primitive_opt::<Int32Type>());
            let months = months.ok_or_else(|| missing("month"))?;
            let voids = batch.column_by_name("void").and_then(|array| array.as_boolean_opt());
            let voids = voids.ok_or_else(|| missing("void"))?;
            let keys = link::fixed::<16>(&batch, "key", path)?;
            let uniques = link::fixed::<16>(&batch, "unique", path)?;
            for (row, (key, unique)) in keys.into_iter().zip(uniques).enumerate() {
                let identity = identities.is_valid(row).then(|| identities.value(row));
                let person = identity.and_then(person_of).filter(|_| !voids.value(row));
                let record = records.value(row);
                persons.resize(persons.len().max(record as usize + 1), u32::MAX);
                let (Some(person), Some(slot)) = (person, persons.get_mut(record as usize)) else { continue };
                *slot = person;
                let FileRank { rank, keep } = file_rank(files.value(row));
                let claim = SpilledClaim {
                    person,
                    part,
                    record,
                    file_rank: rank,
                    keep,
                    line: lines.value(row),
                    lines: counts.value(row),
                    month: if months.is_valid(row) { months.value(row) } else { 0 },
                    key,
                    unique,
                };
                if let Some(bucket) = self.out.claims.get_mut((person % self.buckets) as usize) {
                    bucket.push(claim);
                }
            }
        }
        Ok(persons)
    }

    fn rows(
        &mut self,
        part: u32,
        table: &Table,
        batch: &RecordBatch,
        persons: &[u32],
        path: &Path,
    ) -> Result<(), FileError> {
        if let Some(column) = missing(table, batch) {
            return Err(FileError::Older { table: table.table.clone(), column });
        }
        let records = link::numbers(batch, RECORD, path)?;
        for (column, field) in batch.columns().iter().zip(batch.schema().fields()) {
            let is_unit = table.column(field.name()).is_some_and(|column| column.class.is_unit());
            if let Some(surrogates) = column.as_primitive_opt::<UInt64Type>().filter(|_| is_unit) {
                // Neighbouring rows share a facility.
                let mut last = None;
                for surrogate in surrogates.iter().flatten() {
                    if last != Some(surrogate) {
                        self.out.facilities.insert(surrogate);
                        last = Some(surrogate);
                    }
                }
            }
        }
        if !table.is_private() {
            let all: Vec<u32> = (0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX)).collect();
            return self.write(part, table, batch, all, vec![0; batch.num_rows()], 0);
        }
        let mut rows: Vec<(Vec<u32>, Vec<u32>)> = vec![(Vec::new(), Vec::new()); self.buckets as usize];
        for (record, row) in records.values().iter().zip(0_u32..) {
            let person = persons.get(*record as usize).copied().unwrap_or(u32::MAX);
            if person == u32::MAX {
                continue;
            }
            if let Some((rows, persons)) = rows.get_mut((person % self.buckets) as usize) {
                rows.push(row);
                persons.push(person);
            }
        }
        for ((rows, persons), bucket) in rows.into_iter().zip(0_u32..) {
            if !rows.is_empty() {
                self.write(part, table, batch, rows, persons, bucket)?;
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        part: u32,
        table: &Table,
        batch: &RecordBatch,
        rows: Vec<u32>,
        persons: Vec<u32>,
        bucket: u32,
    ) -> Result<(), FileError> {
        let schema = spilled_schema(table);
        let path = self.out.path(&table.table, bucket);
        let arrow = |source| FileError::Arrow { path: path.clone(), source };
        let rows = UInt32Array::from(rows);
        let parts = UInt32Array::from(vec![part; rows.len()]);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(persons)), Arc::new(parts)];
        for column in batch.columns() {
            columns.push(take(column, &rows, None).map_err(arrow)?);
        }
        let spilled = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(arrow)?;
        let key = (table.table.clone(), bucket);
        if !self.writers.contains_key(&key) {
            let file = File::create(&path).map_err(|source| FileError::Io {
                action: "create",
                path: path.clone(),
                source,
            })?;
            self.writers.insert(key.clone(), BufWriter::with_capacity(1 << 16, file));
            self.out.tables.insert(table.table.clone());
        }
        let mut clear = StreamWriter::try_new(Vec::new(), &schema).map_err(arrow)?;
        clear.write(&spilled).map_err(arrow)?;
        let clear = Zeroizing::new(clear.into_inner().map_err(arrow)?);
        let sealed = encrypt(&self.out.key, path.as_os_str().as_bytes(), &clear)
            .map_err(|source| FileError::from(EnvironmentError::from(source)))?;
        let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes();
        let written = self
            .writers
            .get_mut(&key)
            .map(|writer| writer.write_all(&length).and_then(|()| writer.write_all(&sealed)));
        written.unwrap_or(Ok(())).map_err(|source| FileError::Io { action: "write", path, source })
    }
}

impl Spilled {
    fn path(&self, table: &str, bucket: u32) -> PathBuf {
        self.folder.join(format!("{table}.{bucket}.arrows"))
    }

    /// The rows of a table in a bucket, in the order in which they were spilled; nothing where there are none.
    pub(super) fn rows(&self, table: &Table, bucket: u32) -> Result<Option<RecordBatch>, FileError> {
        let path = self.path(&table.table, bucket);
        if !self.tables.contains(&table.table) || !path.exists() {
            return Ok(None);
        }
        let arrow = |source| FileError::Arrow { path: path.clone(), source };
        let bytes = std::fs::read(&path).map_err(|source| FileError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let damaged = || FileError::from(EnvironmentError::from(KeyError::Damaged("a spilled file")));
        let mut batches = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (sealed, more) = more.split_at_checked(length).ok_or_else(damaged)?;
            let clear = decrypt(&self.key, path.as_os_str().as_bytes(), sealed).ok_or_else(damaged)?;
            let reader = StreamReader::try_new(clear.as_slice(), None).map_err(arrow)?;
            batches.extend(reader.collect::<Result<Vec<_>, _>>().map_err(arrow)?);
            rest = more;
        }
        arrow::compute::concat_batches(&spilled_schema(table), &batches).map(Some).map_err(arrow)
    }

    /// Removes the spilled rows of a table in a bucket, once they are published.
    pub(super) fn drop_rows(&self, table: &Table, bucket: u32) {
        // What cannot be removed now goes with the folder when publishing ends.
        let _ = std::fs::remove_file(self.path(&table.table, bucket));
    }
}

/// A column of the table that rows have not, or not of its type: they were staged under another catalogue.
fn missing(table: &Table, batch: &RecordBatch) -> Option<String> {
    let (wanted, found) = (staged_schema(table), batch.schema());
    let has = |field: &Field| {
        found.field_with_name(field.name()).is_ok_and(|own| own.data_type() == field.data_type())
    };
    wanted.fields().iter().find(|field| !has(field)).map(|field| field.name().clone())
}

fn spilled_schema(table: &Table) -> SchemaRef {
    let mut fields =
        vec![Field::new(PERSON, DataType::UInt32, false), Field::new(PART, DataType::UInt32, false)];
    fields.extend(staged_schema(table).fields().iter().map(|field| field.as_ref().clone()));
    Arc::new(Schema::new(fields))
}

/// The columns that a spilled row begins with.
pub(super) struct RowHeads<'b> {
    pub(super) persons: &'b UInt32Array,
    pub(super) parts: &'b UInt32Array,
    pub(super) records: &'b UInt32Array,
    pub(super) lines: &'b UInt32Array,
}

impl<'b> RowHeads<'b> {
    pub(super) fn of(batch: &'b RecordBatch) -> Result<Self, FileError> {
        let column = |name: &str| {
            let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<UInt32Type>());
            array.ok_or_else(|| FileError::Column { path: PathBuf::from("spill"), column: name.to_owned() })
        };
        Ok(Self {
            persons: column(PERSON)?,
            parts: column(PART)?,
            records: column(RECORD)?,
            lines: column(LINE)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
    use arrow::ipc::writer::StreamWriter;
    use catalog_model::{Catalogue, Table};
    use catalog_staged::staged_schema;
    use catalog_store::{SecretKey, StagedFiles};

    use super::{Spill, Spilled};
    use crate::tables::FileError;

    const MARK: &str = "a value of somebody's row";
    /// A person whose number reads as TSIM on disk.
    const SOMEBODY: u32 = 0x4D49_5354;

    /// Rows of the first claim of a part, whose every text is the mark.
    fn batch(table: &Table) -> RecordBatch {
        let column = |kind: &DataType| -> ArrayRef {
            match kind {
                DataType::Utf8 => Arc::new(StringArray::from(vec![MARK; 3])),
                kind => cast(&Int32Array::from(vec![0; 3]), kind).unwrap(),
            }
        };
        let schema = staged_schema(table);
        let columns = schema.fields().iter().map(|field| column(field.data_type())).collect();
        RecordBatch::try_new(schema, columns).unwrap()
    }

    fn in_clear(rows: &RecordBatch) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema()).unwrap();
        writer.write(rows).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn what_is_spilled_lies_on_disk_without_the_bytes_that_went_in() {
        let (folder, catalogue) = (tempfile::tempdir().unwrap(), Catalogue::builtin().unwrap());
        let (table, files) = (&catalogue.tables["ndb_diagnosis"], StagedFiles::Clear);
        let mut spill = Spill::new(folder.path(), &files, &catalogue, 1).unwrap();
        for part in 0..2 {
            spill.rows(part, table, &batch(table), &[SOMEBODY], folder.path()).unwrap();
        }
        let spilled = spill.finish().unwrap();
        let rows = spilled.rows(table, 0).unwrap().unwrap();
        assert_eq!(rows.num_rows(), 6);
        let (sealed, clear) = (std::fs::read(spilled.path(&table.table, 0)).unwrap(), in_clear(&rows));
        for word in [MARK, "TSIM", "__person", "disease_code"] {
            let is_in = |bytes: &[u8]| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!is_in(&sealed), "{word} lies in clear");
            assert!(is_in(&clear), "the search finds {word} where it is");
        }
        // Another run has another key.
        let stranger = Spilled { key: SecretKey::random().unwrap(), ..spilled };
        assert!(stranger.rows(table, 0).is_err());
    }
    #[test]
    fn rows_that_were_staged_before_a_column_are_refused_by_its_name() {
        let (folder, catalogue) = (tempfile::tempdir().unwrap(), Catalogue::builtin().unwrap());
        let files = StagedFiles::Clear;
        for (table, column) in [("care_claim", "municipality_id"), ("municipality", "valid_to")] {
            let table = &catalogue.tables[table];
            let mut older = table.clone();
            older.columns.retain(|known| known.name != column);
            let mut spill = Spill::new(folder.path(), &files, &catalogue, 1).unwrap();
            spill.rows(0, table, &batch(table), &[SOMEBODY], folder.path()).unwrap();
            let refused = spill.rows(1, table, &batch(&older), &[SOMEBODY], folder.path()).unwrap_err();
            let FileError::Older { table: named, column: missing } = refused else { panic!("{refused:?}") };
            assert_eq!((named, missing.as_str()), (table.table.clone(), column));
        }
    }
}
