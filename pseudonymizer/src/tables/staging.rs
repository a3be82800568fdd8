//! Rows of one part of a delivery, staged until the persons are known.
//!
//! What the rows of a claim share is staged once for the claim; the claims lie beside them, with the number of their
//! identity. The identities' keys lie in `links/`, apart from the rows. `catalog-staged` reads all this back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, FixedSizeBinaryBuilder, Int32Array, UInt8Array, UInt32Array};
use arrow::record_batch::RecordBatch;
use catalog_model::Catalogue;
use catalog_store::StagedFiles;
use classified::{Intake, Keyed};

use super::files::{FileError, ParquetFile};
use super::staged_table::StagedTable;
use super::words::Words;
use crate::claim::{Claim, Head};
use crate::formats::{Claims, Program, Value};
use crate::keying::{Identity, IdentityNo, KeySet, KeyedIdentity, Keyer, Surrogates};

/// Why rows cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalogue names a table that it does not define.
    #[error("the catalogue does not define the table {0}")]
    UnknownTable(String),
    /// A part has more different texts than numbers for them.
    #[error("a part of the delivery has more than four thousand million different texts")]
    Words,
}

/// Stages the rows and claims of one part of a delivery.
#[derive(Debug)]
pub struct Staging<'a> {
    folder: PathBuf,
    files: StagedFiles,
    tables: Vec<StagedTable>,
    words: Words,
    keyer: Keyer,
    surrogates: &'a Surrogates,
    claims: StagedClaims,
    error: Option<StagingError>,
}

/// The claims of one part, in order.
pub type StagedClaims = Vec<Claim<Option<IdentityNo>>>;

impl<'a> Staging<'a> {
    /// Stages below `folder`, by `files`, the rows of the tables that `program` feeds; `seed` is random.
    ///
    /// # Errors
    ///
    /// A table is unknown.
    pub fn new(
        (files, folder): (&StagedFiles, &Path),
        catalogue: &Catalogue,
        program: &Program,
        (keyer, seed): (Keyer, [u64; 2]),
        surrogates: &'a Surrogates,
    ) -> Result<Self, StagingError> {
        let tables = program.tables().iter().enumerate().map(|(number, name)| {
            let table = catalogue
                .tables
                .get(name.as_ref())
                .ok_or_else(|| StagingError::UnknownTable(name.to_string()))?;
            Ok(StagedTable::new((files, folder), table, &program.shared_columns(number)))
        });
        let tables = tables.collect::<Result<_, StagingError>>()?;
        let words = Words::new((files, folder), seed);
        let (folder, files) = (folder.to_owned(), files.clone());
        Ok(Self { folder, files, tables, words, keyer, surrogates, claims: Vec::new(), error: None })
    }

    /// The first thing that could not be written, if any; the reader goes on without noticing.
    ///
    /// # Errors
    ///
    /// That thing.
    pub fn check(&mut self) -> Result<(), StagingError> {
        self.error.take().map_or(Ok(()), Err)
    }

    fn keep(&mut self, result: Result<(), FileError>) {
        if let Err(error) = result {
            self.error.get_or_insert(StagingError::File(error));
        }
    }

    /// Writes what is left, then the claims; the identities are for the link table.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn finish(mut self) -> Result<Vec<KeyedIdentity>, StagingError> {
        self.check()?;
        for table in self.tables {
            table.finish()?;
        }
        self.words.finish()?;
        write_claims(&self.files, &self.folder.join("claims.parquet"), &self.claims)?;
        Ok(self.keyer.into_identities())
    }
}

impl Claims for Staging<'_> {
    fn begin_row(&mut self, table: usize, record: u32) -> bool {
        let begun = self.tables.get_mut(table).map(|table| table.begin_row(record));
        match begun {
            Some(Ok(is_first)) => is_first,
            Some(Err(error)) => {
                self.keep(Err(error));
                true
            }
            None => true,
        }
    }

    fn value(&mut self, table: usize, column: usize, value: Value<'_>) {
        if let Some(column) = self.tables.get_mut(table).and_then(|table| table.column(column))
            && !column.push(value, self.surrogates, &mut self.words)
        {
            self.error.get_or_insert(StagingError::Words);
        }
    }

    fn end_row(&mut self, table: usize, _record: u32, line: u64) {
        let Some(table) = self.tables.get_mut(table) else { return };
        if table.end_row(u32::try_from(line).unwrap_or(u32::MAX)) && self.error.is_none() {
            let flushed = table.flush_rows().and_then(|()| self.words.flush());
            self.keep(flushed);
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

fn write_claims(
    files: &StagedFiles,
    path: &Path,
    claims: &[Claim<Option<IdentityNo>>],
) -> Result<(), FileError> {
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
    let mut file = ParquetFile::staged(files, path, batch.schema())?;
    file.write(&batch)?;
    file.finish()?;
    Ok(())
}

/// The column of a scheme's keys under the former intake key.
pub fn former_column(scheme: &str) -> String {
    format!("{scheme}@former")
}

/// So many identities are laid out at a time that their keys stay in a processor's cache from column to column.
const IDENTITIES: usize = 2_048;

/// Writes the identities of a part for the link table: sex, birth date, months, and the intake key of each scheme.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_identities(
    files: &StagedFiles,
    path: &Path,
    schemes: &[String],
    identities: &[KeyedIdentity],
) -> Result<(), FileError> {
    let has_former = identities.iter().any(|identity| !identity.keys.former.is_empty());
    let former: Vec<String> = match has_former {
        true => schemes.iter().map(|scheme| former_column(scheme)).collect(),
        false => Vec::new(),
    };
    let lay_out = |identities: &[KeyedIdentity]| {
        let batch = RecordBatch::try_from_iter_with_nullable(identity_columns(identities, schemes, &former));
        batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })
    };
    let mut file = ParquetFile::staged(files, path, lay_out(&[])?.schema())?;
    for some in identities.chunks(IDENTITIES) {
        file.write(&lay_out(some)?)?;
    }
    file.finish()?;
    Ok(())
}

fn identity_columns<'n>(
    identities: &[KeyedIdentity],
    schemes: &'n [String],
    former: &'n [String],
) -> Vec<(&'n str, ArrayRef, bool)> {
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
        for identity in identities {
            match of(&identity.keys).get(at) {
                Some(Some(key)) => {
                    builder.append_value(key.as_bytes()).unwrap_or_else(|_| builder.append_null());
                }
                _ => builder.append_null(),
            }
        }
        Arc::new(builder.finish())
    };
    for (names, of) in [(schemes, (|set| &set.keys) as fn(&KeySet) -> &[_]), (former, |set| &set.former)] {
        columns.extend(names.iter().enumerate().map(|(at, name)| (name.as_str(), keys(of, at), true)));
    }
    columns
}
