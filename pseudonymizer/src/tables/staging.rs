//! Rows of one part of a delivery, staged until the persons are known.
//!
//! A staged row carries the number of its claim; the claims lie beside it, with the number of their identity. The
//! identities' keys lie in `links/`, apart from the rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryBuilder, Int32Array, RecordBatchOptions, UInt8Array, UInt32Array,
    UInt32Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use catalog_model::{Catalogue, Class, Table};
use classified::{Intake, Keyed};

use super::builder::ColumnBuilder;
use super::files::{FileError, ParquetFile};
use crate::claim::{Claim, Head};
use crate::formats::{Claims, Value};
use crate::keying::{Identity, IdentityNo, KeySet, KeyedIdentity, Keyer, Surrogates};

/// The staged column with the number of the claim.
pub const RECORD: &str = "__record";
/// The staged column with the line.
pub const LINE: &str = "__line";
const BATCH: usize = 16_384;

/// Why rows cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalogue names a table that it does not define.
    #[error("the catalogue does not define the table {0}")]
    UnknownTable(String),
}

/// The schema in which a table's rows are staged: claim and line, then the columns that the file gives.
pub fn staged_schema(table: &Table) -> SchemaRef {
    let mut fields =
        vec![Field::new(RECORD, DataType::UInt32, false), Field::new(LINE, DataType::UInt32, false)];
    let whole = catalog_model::arrow_schema(table);
    for (field, column) in whole.fields().iter().zip(&table.columns) {
        match column.class {
            // Given at publish.
            Class::Person | Class::Record => {}
            // A 64-bit surrogate until facilities are numbered.
            Class::Facility => fields.push(Field::new(field.name(), DataType::UInt64, true)),
            _ => fields.push(field.as_ref().clone()),
        }
    }
    Arc::new(Schema::new(fields))
}

/// Stages the rows and claims of one part of a delivery.
#[derive(Debug)]
pub struct Staging<'a> {
    folder: PathBuf,
    tables: Vec<StagedTable>,
    keyer: Keyer,
    surrogates: &'a Surrogates,
    claims: StagedClaims,
    error: Option<StagingError>,
}

/// The claims of one part, in order.
pub type StagedClaims = Vec<Claim<Option<IdentityNo>>>;

#[derive(Debug)]
struct StagedTable {
    name: Arc<str>,
    schema: SchemaRef,
    records: UInt32Builder,
    lines: UInt32Builder,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    file: Option<ParquetFile>,
}

impl<'a> Staging<'a> {
    /// Stages the named tables' rows below `folder`.
    ///
    /// # Errors
    ///
    /// A table is unknown.
    pub fn new(
        folder: &Path,
        catalogue: &Catalogue,
        tables: &[Arc<str>],
        keyer: Keyer,
        surrogates: &'a Surrogates,
    ) -> Result<Self, StagingError> {
        let tables = tables.iter().map(|name| {
            let table = catalogue
                .tables
                .get(name.as_ref())
                .ok_or_else(|| StagingError::UnknownTable(name.to_string()))?;
            Ok(StagedTable::new(Arc::clone(name), staged_schema(table)))
        });
        let tables = tables.collect::<Result<_, StagingError>>()?;
        Ok(Self { folder: folder.to_owned(), tables, keyer, surrogates, claims: Vec::new(), error: None })
    }

    /// The first thing that could not be written, if any; the reader goes on without noticing.
    ///
    /// # Errors
    ///
    /// That thing.
    pub fn check(&mut self) -> Result<(), StagingError> {
        self.error.take().map_or(Ok(()), Err)
    }

    /// Writes what is left, then the claims; the identities are for the link table.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn finish(mut self) -> Result<Vec<KeyedIdentity>, StagingError> {
        self.check()?;
        for table in &mut self.tables {
            table.flush(&self.folder)?;
            if let Some(file) = table.file.take() {
                file.finish()?;
            }
        }
        write_claims(&self.folder.join("claims.parquet"), &self.claims)?;
        Ok(self.keyer.into_identities())
    }
}

impl Claims for Staging<'_> {
    fn value(&mut self, table: usize, column: usize, value: Value<'_>) {
        if let Some(column) = self.tables.get_mut(table).and_then(|table| table.columns.get_mut(column)) {
            column.push(value, self.surrogates);
        }
    }

    fn end_row(&mut self, table: usize, record: u32, line: u64) {
        let Some(table) = self.tables.get_mut(table) else { return };
        table.records.append_value(record);
        table.lines.append_value(u32::try_from(line).unwrap_or(u32::MAX));
        table.rows += 1;
        if table.rows >= BATCH
            && self.error.is_none()
            && let Err(error) = table.flush(&self.folder)
        {
            self.error = Some(error);
        }
    }

    fn surrogate(&mut self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        self.surrogates.record(parts)
    }

    fn claim(&mut self, claim: Claim<&Identity>) -> bool {
        let head = claim.head.clone();
        if head.is_void {
            self.claims.push(Claim { person: None, head });
            return true;
        }
        match self.keyer.key(claim) {
            Some(claim) => {
                self.claims.push(claim.map_person(Some));
                true
            }
            None => {
                self.claims.push(Claim { person: None, head });
                false
            }
        }
    }
}

impl StagedTable {
    fn new(name: Arc<str>, schema: SchemaRef) -> Self {
        let columns = columns(&schema);
        let (records, lines) = (UInt32Builder::new(), UInt32Builder::new());
        Self { name, schema, records, lines, columns, rows: 0, file: None }
    }

    fn flush(&mut self, folder: &Path) -> Result<(), StagingError> {
        if self.rows == 0 {
            return Ok(());
        }
        let path = folder.join(format!("{}.parquet", self.name));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.records.finish()), Arc::new(self.lines.finish())];
        let built = std::mem::replace(&mut self.columns, self::columns(&self.schema));
        columns.extend(built.into_iter().map(ColumnBuilder::finish));
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|source| FileError::Arrow { path: path.clone(), source })?;
        if self.file.is_none() {
            self.file = Some(ParquetFile::staged(&path, Arc::clone(&self.schema))?);
        }
        if let Some(file) = &mut self.file {
            file.write(&batch)?;
        }
        Ok(())
    }
}

/// Builders for the staged columns behind claim and line.
fn columns(schema: &Schema) -> Vec<ColumnBuilder> {
    schema.fields().iter().skip(2).map(|field| ColumnBuilder::new(field.data_type(), BATCH)).collect()
}

fn write_claims(path: &Path, claims: &[Claim<Option<IdentityNo>>]) -> Result<(), FileError> {
    let heads = || claims.iter().map(|claim| &claim.head);
    let numbers = |of: fn(&Head) -> u32| Arc::new(UInt32Array::from_iter_values(heads().map(of))) as ArrayRef;
    let surrogates = |of: fn(&Head) -> Option<[u8; 16]>| {
        let mut builder = FixedSizeBinaryBuilder::with_capacity(claims.len(), 16);
        for value in heads().map(of) {
            match value {
                // The builder refuses values of another width only, which the type rules out.
                Some(value) => builder.append_value(value).unwrap_or_else(|_| builder.append_null()),
                None => builder.append_null(),
            }
        }
        Arc::new(builder.finish()) as ArrayRef
    };
    let identity = claims.iter().map(|claim| claim.person.map(|number| number.0)).collect::<UInt32Array>();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("record", numbers(|head| head.record), false),
        ("file", numbers(|head| head.file), false),
        ("line", numbers(|head| u32::try_from(head.line).unwrap_or(u32::MAX)), false),
        ("lines", numbers(|head| head.lines), false),
        ("month", Arc::new(heads().map(|head| head.month).collect::<Int32Array>()) as ArrayRef, true),
        ("identity", Arc::new(identity) as ArrayRef, true),
        ("key", surrogates(|head| head.key), true),
        ("unique", surrogates(|head| head.unique), true),
        (
            "void",
            Arc::new(heads().map(|head| Some(head.is_void)).collect::<BooleanArray>()) as ArrayRef,
            false,
        ),
    ])
    .map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
    let mut file = ParquetFile::staged(path, batch.schema())?;
    file.write(&batch)?;
    file.finish()?;
    Ok(())
}

/// The column of a scheme's keys under the former intake key.
pub fn former_column(scheme: &str) -> String {
    format!("{scheme}@former")
}

/// Writes the identities of a part for the link table: sex, birth date, months, and the intake key of each scheme.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_identities(
    path: &Path,
    schemes: &[String],
    identities: &[KeyedIdentity],
) -> Result<(), FileError> {
    let months = |of: fn(&KeyedIdentity) -> Option<i32>| {
        Arc::new(identities.iter().map(of).collect::<Int32Array>()) as ArrayRef
    };
    let sex = identities.iter().map(|identity| identity.keys.sex).collect::<UInt8Array>();
    let claims = UInt32Array::from_iter_values(identities.iter().map(|identity| identity.claims));
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("sex", Arc::new(sex), true),
        ("birth", months(|identity| identity.keys.birth), true),
        ("first_month", months(|identity| identity.first_month), true),
        ("last_month", months(|identity| identity.last_month), true),
        ("claims", Arc::new(claims), false),
    ];
    let keys = |of: fn(&KeySet) -> &[Option<Keyed<Intake>>], at: usize| -> ArrayRef {
        let mut builder = FixedSizeBinaryBuilder::with_capacity(identities.len(), 32);
        for key in identities.iter().map(|identity| of(&identity.keys).get(at).copied().flatten()) {
            match key {
                Some(key) => builder.append_value(key.as_bytes()).unwrap_or_else(|_| builder.append_null()),
                None => builder.append_null(),
            }
        }
        Arc::new(builder.finish())
    };
    for (at, scheme) in schemes.iter().enumerate() {
        columns.push((scheme, keys(|set| &set.keys, at), true));
    }
    let former: Vec<String> = match identities.iter().any(|identity| !identity.keys.former.is_empty()) {
        true => schemes.iter().map(|scheme| former_column(scheme)).collect(),
        false => Vec::new(),
    };
    for (at, column) in former.iter().enumerate() {
        columns.push((column, keys(|set| &set.former, at), true));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
    let mut file = ParquetFile::staged(path, batch.schema())?;
    file.write(&batch)?;
    file.finish()?;
    Ok(())
}
