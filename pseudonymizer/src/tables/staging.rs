//! Rows of one part of a delivery, staged until the persons are known.
//!
//! What the rows of a claim share is staged once for the claim, what lines say alike once for all; the claims lie beside them, with the number of their
//! identity. The identities' keys lie in `links/`, apart from the rows. `catalog-staged` reads all this back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryBuilder, Int32Array, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::record_batch::RecordBatch;
use catalog_model::Catalogue;
use catalog_store::{KeyId, StagedFiles};
use classified::{Keyed, Role};

use super::files::{Digests, FileError, ParquetFile};
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
    /// A part has more different lines than numbers for them.
    #[error("a part of the delivery has more than four thousand million different lines of one table")]
    Phrases,
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
            Ok(StagedTable::new((files, folder), table, &program.homes(number)))
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

    /// Writes what is left, then the claims; the identities are for the link table, and the digests are of all files.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn finish(mut self) -> Result<(Vec<KeyedIdentity>, Digests), StagingError> {
        self.check()?;
        let mut digests = Digests::default();
        for table in self.tables {
            table.finish(&mut digests)?;
        }
        self.words.finish(&mut digests)?;
        digests.finish(write_claims(&self.files, &self.folder.join("claims.parquet"), &self.claims)?)?;
        Ok((self.keyer.into_identities(), digests))
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

    fn phrase(&mut self, table: usize, known: Option<u32>) -> Option<u32> {
        let table = self.tables.get_mut(table)?;
        let number = table.phrase(known);
        if number.is_none() {
            self.error.get_or_insert(StagingError::Phrases);
        }
        number
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
) -> Result<ParquetFile, FileError> {
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
    Ok(file)
}

/// The column of a scheme's keys under the former intake key.
pub fn former_column(scheme: &str) -> String {
    format!("{scheme}@former")
}

/// The column of a scheme's keys under the intake key `id` of a group of data holders, hashed once more.
pub fn bridge_column(scheme: &str, id: &str) -> String {
    format!("{scheme}@{id}")
}

/// So many identities are laid out at a time that their keys stay in a processor's cache from column to column.
const IDENTITIES: usize = 2_048;

/// Writes the identities of a part for the link table: sex, birth date, months, and the intake key of each scheme; also
/// what ties them to the groups of data holders whose intake keys have the ids `groups`. The digest of the file.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_identities(
    files: &StagedFiles,
    path: &Path,
    (schemes, groups): (&[String], &[KeyId]),
    identities: &[KeyedIdentity],
) -> Result<blake3::Hash, FileError> {
    let has_former = identities.iter().any(|identity| !identity.keys.former.is_empty());
    let former: Vec<String> = match has_former {
        true => schemes.iter().map(|scheme| former_column(scheme)).collect(),
        false => Vec::new(),
    };
    let bridged = |id: &KeyId| schemes.iter().map(|scheme| bridge_column(scheme, id.as_str())).collect();
    let bridged: Vec<Vec<String>> = groups.iter().map(bridged).collect();
    let lay_out = |identities: &[KeyedIdentity]| {
        let columns = identity_columns(identities, schemes, (former.as_slice(), bridged.as_slice()));
        let batch = RecordBatch::try_from_iter_with_nullable(columns);
        batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })
    };
    let mut file = ParquetFile::staged(files, path, lay_out(&[])?.schema())?;
    for some in identities.chunks(IDENTITIES) {
        file.write(&lay_out(some)?)?;
    }
    file.finish_digested()
}

fn identity_columns<'n>(
    identities: &[KeyedIdentity],
    schemes: &'n [String],
    (former, bridged): (&'n [String], &'n [Vec<String>]),
) -> Vec<(&'n str, ArrayRef, bool)> {
    let months = |of: fn(&KeyedIdentity) -> Option<i32>| {
        Arc::new(identities.iter().map(of).collect::<Int32Array>()) as ArrayRef
    };
    let sex = identities.iter().map(|identity| identity.keys.sex).collect::<UInt8Array>();
    let claims = UInt32Array::from_iter_values(identities.iter().map(|identity| identity.claims));
    let seen = UInt64Array::from_iter_values(identities.iter().map(|identity| identity.months));
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("sex", Arc::new(sex), true),
        ("birth", months(|identity| identity.keys.birth), true),
        ("first_month", months(|identity| identity.first_month), true),
        ("last_month", months(|identity| identity.last_month), true),
        ("months", Arc::new(seen), false),
        ("claims", Arc::new(claims), false),
    ];
    for (at, name) in schemes.iter().enumerate() {
        columns.push((
            name.as_str(),
            key_column(identities, |set| set.keys.get(at).copied().flatten()),
            true,
        ));
    }
    for (at, name) in former.iter().enumerate() {
        columns.push((
            name.as_str(),
            key_column(identities, |set| set.former.get(at).copied().flatten()),
            true,
        ));
    }
    for (group, names) in bridged.iter().enumerate() {
        for (at, name) in names.iter().enumerate() {
            let of = |set: &KeySet| set.bridged.get(group)?.get(at).copied().flatten();
            columns.push((name.as_str(), key_column(identities, of), true));
        }
    }
    columns
}

fn key_column<R: Role>(identities: &[KeyedIdentity], of: impl Fn(&KeySet) -> Option<Keyed<R>>) -> ArrayRef {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(identities.len(), 32);
    for identity in identities {
        match of(&identity.keys) {
            Some(key) => builder.append_value(key.as_bytes()).unwrap_or_else(|_| builder.append_null()),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::{Arc, LazyLock};

    use arrow::compute::concat_batches;
    use arrow::record_batch::RecordBatch;
    use catalog_model::Catalogue;
    use catalog_staged::{StagedPart, phrases_file};
    use catalog_store::StagedFiles;
    use proptest::prelude::*;

    use super::Staging;
    use crate::formats::{FilePart, Program, Reader};
    use crate::keying::{KeyCache, Keyer, Surrogates};

    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());

    /// A hand-written file as it is delivered, and its family.
    fn case(name: &str) -> (String, Vec<u8>) {
        let folder = std::env::current_dir().unwrap().join("tests/cases").join(name);
        let text = |file| std::fs::read_to_string(folder.join(file)).unwrap();
        let input = text("input").replace("\r\n", "\n").replace('\n', "\r\n");
        (text("family").trim().to_owned(), encoding_rs::SHIFT_JIS.encode(&input).0.into_owned())
    }

    /// Stages a file; whole rows by table, and the digests that were noted.
    fn staged(
        program: &Program,
        bytes: &[u8],
        folder: &Path,
    ) -> (BTreeMap<String, RecordBatch>, BTreeMap<String, String>) {
        let cache = Arc::new(KeyCache::new([9; 32]));
        let keyer = Keyer::new(&CATALOGUE, program.encoding(), &[1; 32], cache);
        let surrogates = Surrogates::new([1; 32]);
        let files = StagedFiles::Clear;
        let mut staging =
            Staging::new((&files, folder), &CATALOGUE, program, (keyer, [3, 5]), &surrogates).unwrap();
        let part = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };
        Reader::new(program, 0).read(bytes, &part, &mut staging).unwrap();
        let digests = staging.finish().unwrap().1.into_map();
        let open = files.opener();
        let part = StagedPart::new(folder.to_owned(), &open);
        let mut tables = BTreeMap::new();
        for table in CATALOGUE.tables.values() {
            let Some(rows) = part.rows(table, 100).unwrap() else { continue };
            let batches: Vec<RecordBatch> = rows.collect::<Result<_, _>>().unwrap();
            tables.insert(table.table.clone(), concat_batches(&batches[0].schema(), &batches).unwrap());
        }
        (tables, digests)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn rows_are_those_of_lines_that_nobody_remembers(
            name in prop_oneof![
                Just("uke-western"), Just("uke-runs"), Just("uke-faults"), Just("uke-dpc-western"),
                Just("uke-dental-western"), Just("uke-pharmacy-western"), Just("uke-medical-payer"),
            ],
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
                Just(b','), Just(b' '), b'0'..=b'9', any::<u8>(),
            ]), 0..12),
        ) {
            let (family, bytes) = case(name);
            let mut bytes = bytes.repeat(4);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let folder = tempfile::tempdir().unwrap();
            let [known, unknown] = ["known", "unknown"].map(|name| folder.path().join(name));
            for folder in [&known, &unknown] {
                std::fs::create_dir(folder).unwrap();
            }
            let program = || Program::compile(&CATALOGUE, &family).unwrap();
            let (rows, digests) = staged(&program(), &bytes, &known);
            prop_assert_eq!(&rows, &staged(&program().without_short_ways(), &bytes, &unknown).0);
            // What was noted of a file is what it says.
            for (name, digest) in &digests {
                let found = blake3::hash(&std::fs::read(known.join(name)).unwrap()).to_hex().to_string();
                prop_assert_eq!(&found, digest);
            }
            prop_assert_eq!(digests.len(), std::fs::read_dir(&known).unwrap().count());
        }
    }

    #[test]
    fn what_lines_say_alike_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let (family, once) = case("uke-western");
        let program = Program::compile(&CATALOGUE, &family).unwrap();
        let (rows, _) = staged(&program, &once.repeat(50), folder.path());
        let phrases =
            super::super::open(&StagedFiles::Clear, &phrases_file(folder.path(), "ndb_procedure"), 1_000);
        let phrases: usize = phrases.unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert!(phrases > 0 && rows["ndb_procedure"].num_rows() >= phrases * 50 / 2, "{phrases}");
    }
}
