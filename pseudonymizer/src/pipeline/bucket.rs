//! The second pass of publishing: one bucket at a time, duplicates out, rows sorted, files written by fiscal year.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{Date32Type, SchemaRef, UInt64Type};
use catalog_model::{Catalogue, Class, Date, Derivation, FileEntry, Period, Table};
use catalog_store::{Erasure, FileKeyring, Partition};

use super::spill::{RowHeads, Spilled, SpilledClaim};
use crate::tables::derived::{self, Context, Sources};
use crate::tables::{ContentDigest, FileError, ParquetFile, schema_fingerprint};

/// What all buckets share.
pub(super) struct Shared<'a> {
    pub(super) spilled: &'a Spilled,
    pub(super) facilities: &'a HashMap<u64, u32>,
    pub(super) content_key: &'a [u8; 32],
    /// Where files are written first.
    pub(super) scratch: &'a Path,
    /// The store that files are moved into.
    pub(super) store: &'a Path,
    pub(super) buckets: u32,
    /// The keys of files.
    pub(super) file_keys: &'a FileKeyring,
    /// Files of earlier snapshots, by table and content: what is there already is not written again.
    pub(super) known: &'a HashMap<(String, String), FileEntry>,
    pub(super) catalogue: &'a Catalogue,
    pub(super) period: Period,
    /// The databases whose rows each table has.
    pub(super) databases: BTreeMap<&'a str, BTreeSet<String>>,
    /// What was erased and is not published again.
    pub(super) erasures: &'a [Erasure],
    /// Rows that were left out because they are of what was erased.
    pub(super) left_out: &'a AtomicU64,
}

impl Shared<'_> {
    /// Under which key a file lies.
    fn partition(&self, table: &Table, year: Option<i32>) -> Partition {
        let own = || [table.database.clone()].into();
        Partition::Year {
            databases: self.databases.get(table.table.as_str()).cloned().unwrap_or_else(own),
            year,
        }
    }
}

/// The claims of one bucket: which are duplicates, and the record number of the others.
pub(super) struct BucketClaims {
    numbers: HashMap<(u32, u32), (u64, u32)>,
    /// Claims that were read before.
    pub(super) duplicates: Vec<SpilledClaim>,
}

impl BucketClaims {
    /// Numbers the claims of a bucket. Of those with the same unique surrogate the first or the last is kept, as their
    /// layout says: by month and name of the delivery, then by file and line; claims with the same key surrogate (lines
    /// of one stay) share a number.
    pub(super) fn new(bucket: u32, buckets: u32, claims: &[SpilledClaim]) -> Self {
        let mut order: Vec<&SpilledClaim> = claims.iter().collect();
        order.sort_unstable_by_key(|claim| claim.precedence());
        let mut seen = HashSet::new();
        let mut kept = Vec::with_capacity(order.len());
        let mut duplicates = Vec::new();
        for claim in order {
            // Rows of another family may share the unique surrogate's fields but never its value: it is keyed over
            // fields of one family, and two families give the same fields in the same order for one record only.
            if claim.unique.is_some_and(|unique| !seen.insert((claim.person, unique))) {
                duplicates.push(claim.clone());
            } else {
                kept.push(claim);
            }
        }
        // Without a key the place in the deliveries tells records apart.
        kept.sort_by_key(|claim| (claim.person, claim.month, claim.key, claim.file_rank, claim.line));
        let mut by_key: HashMap<(u32, [u8; 16]), u64> = HashMap::new();
        let mut numbers = HashMap::with_capacity(kept.len());
        let mut next = 0_u64;
        for claim in kept {
            let mut fresh = || {
                next += 1;
                (next - 1) * u64::from(buckets) + u64::from(bucket)
            };
            let number = match claim.key {
                Some(key) => *by_key.entry((claim.person, key)).or_insert_with(fresh),
                None => fresh(),
            };
            numbers.insert((claim.part, claim.record), (number, claim.file_rank));
        }
        Self { numbers, duplicates }
    }

    fn number(&self, part: u32, record: u32) -> Option<(u64, u32)> {
        self.numbers.get(&(part, record)).copied()
    }
}

/// Publishes the rows of one table in one bucket; what derived tables need of them goes to `sources`.
pub(super) fn publish_table(
    shared: &Shared<'_>,
    table: &Table,
    bucket: u32,
    claims: &BucketClaims,
    sources: &mut Sources,
) -> Result<Vec<FileEntry>, FileError> {
    let Some(rows) = shared.spilled.rows(table, bucket)? else { return Ok(Vec::new()) };
    let order = order(&rows, table, claims)?;
    let batch = without_erased(shared, table, lay_out(shared, table, &rows, &order)?)?;
    shared.spilled.drop_rows(table, bucket);
    sources.keep(table, &batch);
    write_years(shared, table, table.is_private().then_some(bucket), &batch)
}

/// Makes and publishes a derived table in one bucket.
pub(super) fn derive_table(
    shared: &Shared<'_>,
    (table, rule): (&Table, &Derivation),
    bucket: u32,
    sources: &Sources,
) -> Result<Vec<FileEntry>, FileError> {
    let (catalogue, period, buckets) = (shared.catalogue, shared.period, shared.buckets);
    let batch = derived::derive(&Context { catalogue, period, bucket, buckets }, table, rule, sources)?;
    write_years(shared, table, Some(bucket), &batch)
}

fn write_years(
    shared: &Shared<'_>,
    table: &Table,
    bucket: Option<u32>,
    batch: &RecordBatch,
) -> Result<Vec<FileEntry>, FileError> {
    by_year(table, batch).into_iter().map(|(year, part)| write(shared, table, bucket, year, &part)).collect()
}

/// A row of the published order: where it was spilled, and its record number.
struct Place {
    row: u32,
    record: u64,
}

fn order(rows: &RecordBatch, table: &Table, claims: &BucketClaims) -> Result<Vec<Place>, FileError> {
    let heads = RowHeads::of(rows)?;
    let months = period_column(table, rows);
    let mut keyed = Vec::with_capacity(rows.num_rows());
    for (row, at) in (0..rows.num_rows()).zip(0_u32..) {
        let (record, rank) = if table.is_private() {
            match claims.number(heads.parts.value(row), heads.records.value(row)) {
                Some(found) => found,
                // A duplicate.
                None => continue,
            }
        } else {
            (0, heads.parts.value(row))
        };
        let day = months.filter(|months| months.is_valid(row)).map_or(i32::MIN, |months| months.value(row));
        keyed.push(((heads.persons.value(row), day, record, rank, heads.lines.value(row)), at));
    }
    keyed.sort_unstable();
    Ok(keyed.into_iter().map(|((_, _, record, _, _), row)| Place { row, record }).collect())
}

fn lay_out(
    shared: &Shared<'_>,
    table: &Table,
    rows: &RecordBatch,
    order: &[Place],
) -> Result<RecordBatch, FileError> {
    let path = PathBuf::from(&table.table);
    let arrow = |source| FileError::Arrow { path: path.clone(), source };
    let indices = UInt32Array::from_iter_values(order.iter().map(|place| place.row));
    let schema: SchemaRef = Arc::new(catalog_model::arrow_schema(table));
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let source = |name: &str| {
            let array = rows.column_by_name(name);
            array.ok_or_else(|| FileError::Column { path: path.clone(), column: name.to_owned() })
        };
        columns.push(match column.class {
            Class::Person => take(source(super::spill::PERSON)?, &indices, None).map_err(arrow)?,
            Class::Record => Arc::new(UInt64Array::from_iter_values(order.iter().map(|place| place.record))),
            class if class.is_unit() => {
                let surrogates = take(source(&column.name)?, &indices, None).map_err(arrow)?;
                let surrogates = surrogates.as_primitive_opt::<UInt64Type>();
                let surrogates = surrogates
                    .ok_or_else(|| FileError::Column { path: path.clone(), column: column.name.clone() })?;
                let number = |surrogate: Option<u64>| shared.facilities.get(&surrogate?).copied();
                Arc::new(surrogates.iter().map(number).collect::<UInt32Array>())
            }
            _ => take(source(&column.name)?, &indices, None).map_err(arrow)?,
        });
    }
    RecordBatch::try_new(schema, columns).map_err(arrow)
}

/// Leaves out the rows of what was erased, which came in deliveries of other months.
fn without_erased(shared: &Shared<'_>, table: &Table, batch: RecordBatch) -> Result<RecordBatch, FileError> {
    let database = table.database.as_str();
    if !shared.erasures.iter().any(|erasure| erasure.database == database) {
        return Ok(batch);
    }
    let is_kept = |year| !shared.erasures.iter().any(|erasure| erasure.covers(database, year));
    let years: Vec<Option<i32>> = match period_column(table, &batch) {
        Some(months) => months.iter().map(|month| month.map(fiscal_year)).collect(),
        None => vec![None; batch.num_rows()],
    };
    let kept = years.into_iter().zip(0_u32..).filter(|(year, _)| is_kept(*year));
    let kept = UInt32Array::from_iter_values(kept.map(|(_, row)| row));
    shared.left_out.fetch_add((batch.num_rows() - kept.len()) as u64, Ordering::Relaxed);
    arrow::compute::take_record_batch(&batch, &kept)
        .map_err(|source| FileError::Arrow { path: PathBuf::from(&table.table), source })
}

fn fiscal_year(days: i32) -> i32 {
    Date::from_days(days).month().fiscal_year()
}

/// Splits rows by the fiscal year of the table's period column, keeping their order.
fn by_year(table: &Table, batch: &RecordBatch) -> Vec<(Option<i32>, RecordBatch)> {
    let Some(months) = period_column(table, batch) else { return vec![(None, batch.clone())] };
    let mut rows: BTreeMap<Option<i32>, Vec<u32>> = BTreeMap::new();
    for (month, row) in months.iter().zip(0_u32..) {
        rows.entry(month.map(fiscal_year)).or_default().push(row);
    }
    let part = |rows: Vec<u32>| arrow::compute::take_record_batch(batch, &UInt32Array::from(rows)).ok();
    rows.into_iter().filter_map(|(year, rows)| Some((year, part(rows)?))).collect()
}

fn period_column<'b>(table: &Table, batch: &'b RecordBatch) -> Option<&'b arrow::array::Date32Array> {
    batch.column_by_name(table.period.as_ref()?)?.as_primitive_opt::<Date32Type>()
}

/// The first and the last month of a table's period column.
fn months_of(table: &Table, batch: &RecordBatch) -> Option<Period> {
    let days = period_column(table, batch)?;
    let month = |days: Option<i32>| days.map(|days| Date::from_days(days).month());
    Some(Period { from: month(arrow::compute::min(days))?, to: month(arrow::compute::max(days))? })
}

/// Writes one file, encrypted, and moves it to its place; a file of an earlier snapshot with this content stays.
pub(super) fn write(
    shared: &Shared<'_>,
    table: &Table,
    bucket: Option<u32>,
    year: Option<i32>,
    batch: &RecordBatch,
) -> Result<FileEntry, FileError> {
    let fingerprint = schema_fingerprint(table);
    let mut digest = ContentDigest::new(shared.content_key, &table.table, &fingerprint);
    let name = format!("{}.{}.{}", table.table, bucket.unwrap_or(shared.buckets), year.unwrap_or(0));
    let temporary = shared.scratch.join(format!("{name}.parquet"));
    let fields = batch.schema();
    let (id, keys, wrapped) = shared
        .file_keys
        .make(&shared.partition(table, year), fields.fields().iter().map(|field| field.name().as_str()))
        .map_err(|source| FileError::Keys { path: temporary.clone(), source: Box::new(source) })?;
    let mut file = ParquetFile::encrypted(&temporary, fields, &keys)?;
    let mut from = 0;
    while from < batch.num_rows() {
        let slice = batch.slice(from, ContentDigest::BATCH.min(batch.num_rows() - from));
        digest.add(&slice);
        file.write(&slice)?;
        from += slice.num_rows();
    }
    let rows = file.finish()?;
    let content = digest.finish();
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| FileError::Io { action, path, source }
    };
    let months = months_of(table, batch);
    let known = shared.known.get(&(table.table.clone(), content.clone()));
    if let Some(known) = known.filter(|known| (known.bucket, known.year) == (bucket, year)) {
        std::fs::remove_file(&temporary).map_err(io("remove", &temporary))?;
        return Ok(FileEntry { months, ..known.clone() });
    }
    // The file's random id ends its name, and so stands in the signed manifest.
    let path = format!("data/{}/{}-{id}.parquet", table.table, content.get(..24).unwrap_or(&content));
    let place = shared.store.join(&path);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    }
    std::fs::rename(&temporary, &place).map_err(io("complete", &place))?;
    let mut hasher = blake3::Hasher::new();
    let mut written = std::fs::File::open(&place).map_err(io("open", &place))?;
    let bytes = std::io::copy(&mut written, &mut hasher).map_err(io("read", &place))?;
    Ok(FileEntry {
        path,
        bucket,
        year,
        months,
        rows,
        bytes,
        content,
        blake3: hasher.finalize().to_hex().to_string(),
        keys: wrapped,
    })
}

#[cfg(test)]
mod tests {
    use catalog_model::Keep;

    use super::super::spill::SpilledClaim;
    use super::BucketClaims;

    fn claim(part: u32, record: u32, line: u32, key: Option<u8>, unique: Option<u8>) -> SpilledClaim {
        SpilledClaim {
            person: 8,
            part,
            record,
            file_rank: part,
            keep: Keep::First,
            line,
            lines: 3,
            month: 24_000,
            key: key.map(|byte| [byte; 16]),
            unique: unique.map(|byte| [byte; 16]),
        }
    }

    #[test]
    fn the_later_of_two_equal_receipts_is_the_duplicate() {
        let claims = [
            claim(1, 0, 5, Some(1), Some(1)),
            claim(0, 0, 9, Some(1), Some(1)),
            claim(0, 1, 2, Some(2), Some(2)),
        ];
        let found = BucketClaims::new(0, 4, &claims);
        assert_eq!(found.duplicates, [claim(1, 0, 5, Some(1), Some(1))]);
        assert_eq!(found.number(1, 0), None);
        assert_ne!(found.number(0, 0), found.number(0, 1));
    }

    #[test]
    fn the_earlier_of_two_forms_is_the_duplicate_where_a_later_one_corrects_it() {
        let form = |part, line| SpilledClaim { keep: Keep::Last, ..claim(part, line, line, None, Some(1)) };
        let found = BucketClaims::new(0, 4, &[form(1, 5), form(0, 9), form(1, 7), form(0, 2)]);
        let dropped: Vec<(u32, u32)> =
            found.duplicates.iter().map(|claim| (claim.part, claim.line)).collect();
        assert_eq!(dropped, [(1, 5), (0, 9), (0, 2)]);
        assert!(found.number(1, 7).is_some());
    }

    #[test]
    fn lines_of_one_stay_share_a_number_and_numbers_tell_the_bucket() {
        let claims =
            [claim(0, 0, 1, Some(7), None), claim(3, 4, 1, Some(7), None), claim(0, 2, 8, None, None)];
        let found = BucketClaims::new(3, 4, &claims);
        let number = |part, record| found.number(part, record).unwrap().0;
        assert_eq!(number(0, 0), number(3, 4));
        assert_ne!(number(0, 0), number(0, 2));
        assert!([number(0, 0), number(0, 2)].iter().all(|number| number % 4 == 3));
    }
}
