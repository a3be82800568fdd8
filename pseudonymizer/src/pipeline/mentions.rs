//! Reads what linking needs of a staged part: its identities with their keys, where they were seen, and their stays.
//!
//! Sex and birth date lie in the link table; prefecture and day of admission lie in the staged rows, under names that
//! several tables share. A table that has none of them says nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, UInt8Type, UInt64Type};
use catalog_staged::{RECORD, StagedPart, rows_file};
use catalog_store::StagedFiles;
use classified::{Intake, Keyed, Linkage};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use ring::hmac;

use super::link::{fixed, numbers};
use super::ties::Ties;
use crate::keying::{linkage_key, months_seen};
use crate::linkage::{Mention, Mentions};
use crate::tables::{FileError, open};

/// The tables whose rows say where a claim was written, and perhaps of which stay.
const PLACES: [&str; 2] = ["ndb_receipt", "dpc_stay"];

/// So many keys at least are made by one thread.
const KEYS: usize = 1_024;

/// Where an identity was seen, and in which stays, before sex and birth date are known.
#[derive(Debug, Default)]
struct Seen {
    places: u64,
    facilities: BTreeSet<u64>,
    stays: Vec<(u64, i32)>,
}

/// Turns the identities of a part into mentions.
#[derive(Debug)]
pub(super) struct MentionReader<'a> {
    files: &'a StagedFiles,
    schemes: &'a [String],
    key: &'a hmac::Key,
    // Of keys that stand for the same field values a person is known by one.
    ties: &'a Ties,
    keying: Duration,
}

impl<'a> MentionReader<'a> {
    pub(super) fn new(
        files: &'a StagedFiles,
        schemes: &'a [String],
        key: &'a hmac::Key,
        ties: &'a Ties,
    ) -> Self {
        Self { files, schemes, key, ties, keying: Duration::ZERO }
    }

    /// How long linkage keys took.
    pub(super) const fn keying(&self) -> Duration {
        self.keying
    }

    /// Adds the identities in `path`, whose rows are staged in `staged`.
    pub(super) fn read(
        &mut self,
        path: &Path,
        staged: &Path,
        mentions: &mut Mentions,
    ) -> Result<(), FileError> {
        let seen = seen(self.files, staged)?;
        let mut identity = 0_u32;
        for batch in open(self.files, path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
            for mut mention in self.batch(&batch, path)? {
                if let Some(seen) = seen.get(&identity) {
                    mention.places = seen.places;
                    mention.facilities = seen.facilities.iter().copied().collect();
                    mention.stays = stays(&mention, seen);
                }
                mentions.add(&mention);
                identity += 1;
            }
        }
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, path: &Path) -> Result<Vec<Mention>, FileError> {
        let missing = |column: &str| FileError::Column { path: path.to_owned(), column: column.to_owned() };
        let number = |column: &str| {
            let array = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<Int32Type>());
            array.ok_or_else(|| missing(column))
        };
        let sexes = batch.column_by_name("sex").and_then(|array| array.as_primitive_opt::<UInt8Type>());
        let sexes = sexes.ok_or_else(|| missing("sex"))?;
        let (births, firsts, lasts) = (number("birth")?, number("first_month")?, number("last_month")?);
        let claims = numbers(batch, "claims", path)?;
        // Identities from before every month was kept say the first and the last.
        let between = batch.column_by_name("months").and_then(|array| array.as_primitive_opt::<UInt64Type>());
        let between = (0..batch.num_rows()).map(|row| between.map_or(0, |between| between.value(row)));
        let months = firsts.iter().zip(lasts).zip(between);
        let months = months.map(|((first, last), between)| months_seen(first, last, between));
        let rows = sexes.iter().zip(births).zip(months).zip(claims.values());
        let mut mentions: Vec<Mention> = rows
            .map(|(((sex, birth), months), claims)| Mention {
                keys: vec![None; self.schemes.len()],
                sex,
                birth,
                months,
                claims: *claims,
                ..Mention::default()
            })
            .collect();
        for (at, scheme) in self.schemes.iter().enumerate() {
            // A scheme that joined the catalogue after this part was read has no key in it.
            if batch.column_by_name(scheme).is_none() {
                continue;
            }
            let begun = Instant::now();
            let keys = self.keys(scheme, fixed::<32>(batch, scheme, path)?);
            self.keying += begun.elapsed();
            for (key, mention) in keys.into_iter().zip(&mut mentions) {
                mention.keys.get_mut(at).into_iter().for_each(|slot| *slot = key);
            }
        }
        Ok(mentions)
    }

    /// The linkage keys of a column. Each is made anew: to find one that was made before among all of a country takes as
    /// long, and much memory.
    fn keys(&self, scheme: &str, column: Vec<Option<[u8; 32]>>) -> Vec<Option<Keyed<Linkage>>> {
        let (key, ties) = (self.key, self.ties);
        let made = |value: Option<[u8; 32]>| {
            let intake = ties.first(Keyed::<Intake>::new(value?));
            Some(linkage_key(key, scheme, &intake))
        };
        column.into_par_iter().with_min_len(KEYS).map(made).collect()
    }
}

/// The stays of an identity whose sex and birth date are known: without them a stay says too little.
fn stays(mention: &Mention, seen: &Seen) -> Vec<u64> {
    let (Some(sex), Some(birth)) = (mention.sex, mention.birth) else { return Vec::new() };
    let stay = |(facility, admitted): &(u64, i32)| {
        let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 stay of a patient");
        hasher.update(&facility.to_le_bytes()).update(&admitted.to_le_bytes());
        hasher.update(&[sex]).update(&birth.to_le_bytes());
        let mut number = [0; 8];
        hasher.finalize_xof().fill(&mut number);
        u64::from_le_bytes(number)
    };
    seen.stays.iter().map(stay).collect()
}

/// Where each identity of a part was seen.
fn seen(files: &StagedFiles, staged: &Path) -> Result<BTreeMap<u32, Seen>, FileError> {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    if PLACES.iter().all(|table| !rows_file(staged, table).exists()) {
        return Ok(seen);
    }
    let identity_of = identities_of_records(files, &staged.join("claims.parquet"))?;
    let open = files.opener();
    let part = StagedPart::new(staged.to_owned(), &open);
    let fields = || {
        vec![
            Field::new(RECORD, DataType::UInt32, false),
            Field::new("prefecture", DataType::Utf8, true),
            Field::new("facility_id", DataType::UInt64, true),
            Field::new("admission_date", DataType::Date32, true),
        ]
    };
    for table in PLACES {
        for batch in part.fields(table, fields(), 65_536)?.into_iter().flatten() {
            let batch = batch?;
            let records = numbers(&batch, RECORD, staged)?;
            let prefectures =
                batch.column_by_name("prefecture").and_then(|array| array.as_string_opt::<i32>());
            let facilities =
                batch.column_by_name("facility_id").and_then(|array| array.as_primitive_opt::<UInt64Type>());
            let admitted = batch
                .column_by_name("admission_date")
                .and_then(|array| array.as_primitive_opt::<Date32Type>());
            for (row, record) in records.values().iter().enumerate() {
                let Some(identity) = identity_of.get(*record as usize).copied().flatten() else { continue };
                let seen = seen.entry(identity).or_default();
                let prefecture =
                    prefectures.filter(|array| array.is_valid(row)).map(|array| array.value(row));
                let bit = prefecture.and_then(|code| code.parse::<u32>().ok()).filter(|code| *code < 64);
                seen.places |= bit.map_or(0, |bit| 1 << bit);
                let Some(facilities) = facilities.filter(|array| array.is_valid(row)) else { continue };
                seen.facilities.insert(facilities.value(row));
                if let Some(admitted) = admitted.filter(|array| array.is_valid(row)) {
                    seen.stays.push((facilities.value(row), admitted.value(row)));
                }
            }
        }
    }
    Ok(seen)
}

fn identities_of_records(files: &StagedFiles, path: &Path) -> Result<Vec<Option<u32>>, FileError> {
    let mut identity_of: Vec<Option<u32>> = Vec::new();
    for batch in open(files, path, 65_536)? {
        let batch = batch.map_err(|source| FileError::Arrow { path: path.to_owned(), source })?;
        let (records, identities) = (numbers(&batch, "record", path)?, numbers(&batch, "identity", path)?);
        for (record, identity) in records.values().iter().zip(identities) {
            let at = *record as usize;
            identity_of.resize(identity_of.len().max(at + 1), None);
            if let Some(slot) = identity_of.get_mut(at) {
                *slot = identity;
            }
        }
    }
    Ok(identity_of)
}
