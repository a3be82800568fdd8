//! Linked persons by prefecture and by age, beside the population.
//!
//! A person lies in one bucket in all tables, so persons are counted bucket by bucket and the counts add up. The
//! prefecture is that of the facility or insurer, which is not where a person lives: the share says how much of the
//! expected data arrived, not how ill a prefecture is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Date32Type;
use catalog_model::{Catalogue, Date, FileEntry, SnapshotManifest, Table};
use catalog_store::{FileKeyring, FileState};
use polars::prelude::{
    DataFrame, DataType, IntoLazy as _, JoinArgs, JoinType, LazyFrame, UnionArgs, col, concat, df, len,
};
use reports::quality::profile::{AgeCoverage, Coverage, PrefectureCoverage};

use crate::bridge;
use crate::failure::Failure;
use crate::files;
use crate::rows::{number, string};

const PREFECTURE: &str = "prefecture";

/// Counts over a snapshot whose files lie below `store`.
pub(crate) fn coverage(
    store: &Path,
    keys: &FileKeyring,
    catalogue: &Catalogue,
    snapshot: &SnapshotManifest,
) -> Result<Coverage, Failure> {
    let month = snapshot.body.period.to;
    let snapshot = &readable(keys, snapshot)?;
    let reading = Reading { store, keys, catalogue, snapshot };
    let population = reading.population()?;
    Ok(Coverage {
        month: Some(month.to_string()),
        prefectures: reading.prefectures(population.as_ref())?,
        ages: reading.ages(month.first_day(), population.as_ref())?,
    })
}

/// The snapshot without the files of what was erased since.
fn readable(keys: &FileKeyring, snapshot: &SnapshotManifest) -> Result<SnapshotManifest, Failure> {
    let (mut snapshot, states) = (snapshot.clone(), keys.states()?);
    for table in snapshot.body.tables.values_mut() {
        table.files.retain(|file| states.of(file) != FileState::Erased);
    }
    Ok(snapshot)
}

struct Reading<'a> {
    store: &'a Path,
    keys: &'a FileKeyring,
    catalogue: &'a Catalogue,
    snapshot: &'a SnapshotManifest,
}

impl Reading<'_> {
    /// The files of a table, by bucket.
    fn files(&self, table: &str) -> BTreeMap<Option<u32>, Vec<&FileEntry>> {
        let mut files: BTreeMap<Option<u32>, Vec<&FileEntry>> = BTreeMap::new();
        for file in self.snapshot.body.tables.get(table).iter().flat_map(|table| &table.files) {
            files.entry(file.bucket).or_default().push(file);
        }
        files
    }

    fn whole(&self, table: &str, columns: &[&str]) -> Result<Option<LazyFrame>, Failure> {
        let mut frames = Vec::new();
        for file in self.files(table).values().flatten() {
            files::each_published_batch(self.store, self.keys, file, columns, |batch| {
                frames.push(bridge::frame(batch)?.lazy());
                Ok(())
            })?;
        }
        union(frames)
    }

    /// The population by prefecture, sex and age band in the latest year of the denominator.
    fn population(&self) -> Result<Option<DataFrame>, Failure> {
        let facts = self.whole("population", &["municipality", "year", "sex", "age_band", "persons"])?;
        let places = self.whole("municipality", &["municipality", PREFECTURE])?;
        let (Some(facts), Some(places)) = (facts, places) else { return Ok(None) };
        let key = || [col("municipality")];
        // A code whose name or area changed is in the list once for each time, in one prefecture.
        let places = places.group_by(key()).agg([col(PREFECTURE).first()]);
        let joined = facts
            .filter(col("year").eq(col("year").max()))
            .join(places, key(), key(), JoinArgs::new(JoinType::Inner))
            .group_by([col(PREFECTURE), col("sex"), col("age_band")])
            .agg([col("persons").cast(DataType::UInt64).sum()]);
        Ok(Some(joined.collect()?))
    }

    fn prefectures(&self, population: Option<&DataFrame>) -> Result<Vec<PrefectureCoverage>, Failure> {
        let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
        let tables = self.catalogue.tables.values().filter_map(|table| Some((table, person(table)?)));
        let mut databases: BTreeMap<&str, Vec<(&Table, &str)>> = BTreeMap::new();
        for (table, person) in tables.filter(|(table, _)| table.column(PREFECTURE).is_some()) {
            databases.entry(table.database.as_str()).or_default().push((table, person));
        }
        for (database, tables) in databases {
            let buckets: BTreeSet<Option<u32>> =
                tables.iter().flat_map(|(table, _)| self.files(&table.table).into_keys()).collect();
            for bucket in buckets {
                let counts = self.bucket(&tables, bucket)?;
                for row in 0..counts.height() {
                    let key = (database.to_owned(), string(&counts, PREFECTURE, row));
                    *seen.entry(key).or_default() += number(&counts, "persons", row);
                }
            }
        }
        let inhabitants = sums(population, &[PREFECTURE])?;
        let names = self.catalogue.codes.get(PREFECTURE);
        let coverage = seen.into_iter().map(|((database, code), persons)| {
            let name = names.and_then(|names| names.get(&code));
            PrefectureCoverage {
                ja: name.map_or_else(String::new, |name| name.ja.clone()),
                en: name.map_or_else(String::new, |name| name.en.clone()),
                population: inhabitants.get(&code).copied(),
                database,
                code,
                persons,
            }
        });
        Ok(coverage.collect())
    }

    /// The persons of one bucket by prefecture, over the tables of a database.
    fn bucket(&self, tables: &[(&Table, &str)], bucket: Option<u32>) -> Result<DataFrame, Failure> {
        let mut frames = Vec::new();
        for (table, person) in tables {
            for file in self.files(&table.table).get(&bucket).into_iter().flatten() {
                files::each_published_batch(self.store, self.keys, file, &[person, PREFECTURE], |batch| {
                    let pairs = bridge::frame(batch)?
                        .lazy()
                        .group_by([col(*person).alias("person"), col(PREFECTURE)])
                        .agg([len().alias("rows")]);
                    frames.push(pairs.collect()?.lazy());
                    Ok(())
                })?;
            }
        }
        let Some(pairs) = union(frames)? else { return Ok(DataFrame::empty()) };
        let persons = col("person").n_unique().cast(DataType::UInt64).alias("persons");
        Ok(pairs.group_by([col(PREFECTURE)]).agg([persons]).collect()?)
    }

    fn ages(&self, on: Date, population: Option<&DataFrame>) -> Result<Vec<AgeCoverage>, Failure> {
        let Some(person) = self.catalogue.tables.get("person") else { return Ok(Vec::new()) };
        let mut frames = Vec::new();
        for file in self.files(&person.table).values().flatten() {
            files::each_published_batch(self.store, self.keys, file, &["sex", "birth_date"], |batch| {
                frames.push(banded(batch, on)?.lazy());
                Ok(())
            })?;
        }
        let Some(persons) = union(frames)? else { return Ok(Vec::new()) };
        let persons = persons
            .group_by([col("sex"), col("age_band")])
            .agg([len().cast(DataType::UInt64).alias("persons")])
            .collect()?;
        let seen = sums(Some(&persons), &["sex", "age_band"])?;
        let inhabitants = sums(population, &["sex", "age_band"])?;
        let keys: BTreeSet<&String> = seen.keys().chain(inhabitants.keys()).collect();
        let mut ages: Vec<AgeCoverage> = keys
            .into_iter()
            .map(|key| {
                let (sex, band) = key.split_once(SEPARATOR).unwrap_or((key, "?"));
                AgeCoverage {
                    sex: sex.to_owned(),
                    band: band.to_owned(),
                    persons: seen.get(key).copied().unwrap_or(0),
                    population: inhabitants.get(key).copied(),
                }
            })
            .collect();
        ages.sort_by_key(|age| (age.sex.clone(), first_year(&age.band)));
        Ok(ages)
    }
}

const SEPARATOR: char = '|';

/// The sum of `persons` by the joined key columns.
fn sums(frame: Option<&DataFrame>, keys: &[&str]) -> Result<BTreeMap<String, u64>, Failure> {
    let Some(frame) = frame else { return Ok(BTreeMap::new()) };
    let by: Vec<_> = keys.iter().map(|key| col(*key)).collect();
    let sums = frame.clone().lazy().group_by(by).agg([col("persons").sum()]).collect()?;
    let row = |row| {
        let key: Vec<String> = keys.iter().map(|key| string(&sums, key, row)).collect();
        (key.join(&SEPARATOR.to_string()), number(&sums, "persons", row))
    };
    Ok((0..sums.height()).map(row).collect())
}

/// Sex and age band of the persons of a batch.
fn banded(batch: &RecordBatch, on: Date) -> Result<DataFrame, Failure> {
    let sexes = batch.column_by_name("sex").and_then(|column| column.as_string_opt::<i32>());
    let births =
        batch.column_by_name("birth_date").and_then(|column| column.as_primitive_opt::<Date32Type>());
    let rows = 0..batch.num_rows();
    let sex = |row| sexes.filter(|sexes| sexes.is_valid(row)).map_or("?", |sexes| sexes.value(row));
    let band = |row| {
        let birth = births.filter(|births| births.is_valid(row)).map(|births| births.value(row));
        birth.map_or_else(|| "?".to_owned(), |birth| age_band(Date::from_days(birth).years_until(on)))
    };
    let sexes: Vec<&str> = rows.clone().map(sex).collect();
    let bands: Vec<String> = rows.map(band).collect();
    Ok(df!("sex" => sexes, "age_band" => bands)?)
}

/// Five years each, as the denominator has them; a person not born yet counts with the youngest.
fn age_band(age: i32) -> String {
    let first = age.max(0) / 5 * 5;
    if first >= 95 { "95+".to_owned() } else { format!("{first}-{}", first + 4) }
}

fn first_year(band: &str) -> u32 {
    band.split(['-', '+']).next().and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}

fn person(table: &Table) -> Option<&str> {
    table.person_column().map(|column| column.name.as_str())
}

fn union(frames: Vec<LazyFrame>) -> Result<Option<LazyFrame>, Failure> {
    if frames.is_empty() { Ok(None) } else { Ok(Some(concat(frames, UnionArgs::default())?)) }
}

#[cfg(test)]
mod tests {
    use super::{age_band, first_year};

    #[test]
    fn bands_are_those_of_the_denominator() {
        let found = [-1, 0, 4, 5, 94, 95, 110].map(age_band);
        assert_eq!(found, ["0-4", "0-4", "0-4", "5-9", "90-94", "95+", "95+"]);
        assert!(first_year("95+") > first_year("5-9") && first_year("?") > first_year("95+"));
    }
}
