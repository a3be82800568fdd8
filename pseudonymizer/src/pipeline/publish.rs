//! Publishes a snapshot: staged rows by person, bucket and fiscal year, under one signed manifest.
//!
//! Everything before the commit of the manifest can be done again; the commit creates one object. Numbers given to
//! new persons and facilities are kept beside the link table under the snapshot's id, so a publish that was killed
//! before its commit has given none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray, UInt32Array};
use catalog_model::{
    Catalogue, Class, FaultKind, FileEntry, ManifestBody, Month, Period, SnapshotManifest, Table, TableEntry,
    Versions,
};
use catalog_store::{
    DeliveryRecord, Environment, EnvironmentError, FileKeyring, FileState, KeyRole, MetaError, SamePersons,
};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use super::bucket::{self, BucketClaims, Shared};
use super::link::{self, CurrentLinks, LinkError, PartName};
use super::numbering::{self, PersonNumbers};
use super::optout::{self, OptOutError};
use super::rotation;
use super::spill::{FileRank, Spill, Spilled, SpilledClaim};
use super::store::{fresh_folder, sync_filesystem, write_json};
use super::times::{self, Overlap};
use crate::linkage::RULES;
use crate::tables::derived::{Sources, Wanted};
use crate::tables::{FileError, schema_fingerprint};

/// What a publish did.
#[derive(Clone, Debug)]
pub struct Published {
    /// The snapshot.
    pub manifest: SnapshotManifest,
    /// Whether the latest snapshot had this content already.
    pub is_known: bool,
    /// Persons who got a number for the first time.
    pub new_persons: u32,
    /// Numbers that another person took over.
    pub aliases: u64,
    /// Lines of receipts and stays that were read before, by delivery and file.
    pub duplicates: Vec<DuplicateLines>,
    /// Rows of datasets and years that were erased, which came in deliveries of other months.
    pub left_out: u64,
}

/// Lines of a file that repeat a receipt or stay that was read before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateLines {
    /// The delivery's id.
    pub delivery: String,
    /// The file's number in it.
    pub file: u32,
    /// The first line of the repeated receipt or stay.
    pub line: u32,
    /// How many of its lines had been stored.
    pub lines: u32,
}

/// Why a snapshot cannot be published; none is visible.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The link table cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Who opted out cannot be resolved; until then the snapshot answers nothing.
    #[error("who opted out cannot be resolved; until then the snapshot answers nothing")]
    OptOut(#[from] OptOutError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A file of tables cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A delivery was read before its table had all its columns.
    #[error(
        "the delivery {delivery} was read before {table} had the column {column}; read it again: `misu ingest \
         --replay-quarantine` with its folder, then `misu link` and `misu publish`"
    )]
    Older {
        /// The holder's name for the delivery.
        delivery: String,
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A code of a public table holds twice for one day.
    #[error(
        "{table} lists the code {code} twice for one day, in the deliveries {one} and {other}: its figures would be \
         counted twice; recall the one that is outdated (`misu delivery recall`)"
    )]
    Overlap {
        /// The table.
        table: String,
        /// The code.
        code: String,
        /// The holder's name for the delivery of one row.
        one: String,
        /// That of the other; it may be the same.
        other: String,
    },
    /// The snapshot cannot be committed.
    #[error(transparent)]
    Snapshot(#[from] catalog_store::SnapshotError),
    /// A file or directory cannot be used.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No table has a month.
    #[error("the deliveries hold no month of service")]
    NoMonth,
}

/// Publishes what is staged and linked. `now` is the time that the manifest records.
///
/// # Errors
///
/// Nothing is linked, or a file cannot be read or written.
pub fn publish(
    environment: &Environment,
    now: &str,
    progress: &(dyn Fn(u32, u32) + Sync),
) -> Result<Published, PublishError> {
    let publisher = Publisher::open(environment)?;
    let scratch = environment.room("scratch").join("publish");
    fresh_folder(&scratch).map_err(io("create", &scratch))?;
    let published = publisher.run(&scratch, now, progress);
    // The scratch folder holds pseudonymized rows; nothing of it outlives the run.
    std::fs::remove_dir_all(&scratch).map_err(io("remove", &scratch))?;
    published
}

struct Publisher<'a> {
    environment: &'a Environment,
    catalogue: Arc<Catalogue>,
    catalogue_digest: String,
    deliveries: Vec<DeliveryRecord>,
    parts: Vec<PartName>,
    links: CurrentLinks,
    buckets: u32,
}

/// The numbers that this publish gives, and those given before.
struct Numbers {
    persons: PersonNumbers,
    persons_before: HashMap<[u8; 32], u32>,
    facilities_before: HashMap<u64, u32>,
}

/// What the person table says of one person.
#[derive(Default)]
struct PersonFacts {
    sexes: BTreeMap<u8, u64>,
    births: BTreeMap<i32, u64>,
    first_month: Option<i32>,
    last_month: Option<i32>,
}

impl<'a> Publisher<'a> {
    fn open(environment: &'a Environment) -> Result<Self, PublishError> {
        let deliveries = environment.meta()?.deliveries()?;
        let parts = link::parts(environment)?;
        let links = link::current(environment, &parts)?;
        let (catalogue, catalogue_digest) = environment.catalogue()?;
        let buckets = environment.config().buckets;
        Ok(Self { environment, catalogue, catalogue_digest, deliveries, parts, links, buckets })
    }

    fn run(
        &self,
        scratch: &Path,
        now: &str,
        progress: &(dyn Fn(u32, u32) + Sync),
    ) -> Result<Published, PublishError> {
        let head = self.environment.snapshots()?.head()?;
        let numbers = self.numbers(head.as_ref().map(|(_, manifest)| manifest))?;
        let offsets = link::offsets(self.environment, &self.parts)?;
        let (spilled, ranks) = self.spill(scratch, &numbers.persons, &offsets)?;
        self.check_times(&spilled)?;
        let facts = self.person_facts(&numbers.persons, &offsets)?;
        let facilities = numbering::number_facilities(&spilled.facilities, &numbers.facilities_before);
        let content_key = self.environment.key(KeyRole::Content)?;
        let store = self.environment.room("store");
        let file_keys = FileKeyring::new(self.environment);
        let known = self.known_files(&store, &file_keys)?;
        let (erasures, left_out) = (self.environment.erasures()?, AtomicU64::new(0));
        let shared = Shared {
            file_keys: &file_keys,
            known: &known,
            spilled: &spilled,
            facilities: &facilities,
            content_key: content_key.as_bytes(),
            scratch,
            store: &store,
            buckets: self.buckets,
            catalogue: &self.catalogue,
            period: self.period()?,
            databases: databases(&self.catalogue),
            erasures: &erasures,
            left_out: &left_out,
        };
        let BucketOutput { files, duplicates } = self.buckets(&shared, &facts, progress)?;
        let body = self.body(files, facts.len() as u64)?;
        let duplicates = self.name_duplicates(&duplicates, &ranks);
        let manifest = self.commit(body, now, &numbers, &facilities, &duplicates)?;
        Ok(Published {
            // The same content may be published again, in files that can be read.
            is_known: head.is_some_and(|(_, head)| head.id == manifest.id && head.body == manifest.body),
            manifest,
            new_persons: numbers.persons.added,
            aliases: numbers.persons.aliases.len() as u64,
            duplicates,
            left_out: left_out.load(Ordering::Relaxed),
        })
    }

    /// The files of earlier snapshots that can still be read and that an erasure would end, by table and content. Those
    /// of an earlier version are written again, under a key of their year.
    fn known_files(
        &self,
        store: &Path,
        keys: &FileKeyring,
    ) -> Result<HashMap<(String, String), FileEntry>, PublishError> {
        let (mut known, states) = (HashMap::new(), keys.states()?);
        for (_, manifest) in self.environment.snapshots()?.all()? {
            for (table, entry) in manifest.body.tables {
                let files = entry.files.into_iter();
                let is_kept =
                    |file: &FileEntry| states.of(file) == FileState::Kept && store.join(&file.path).is_file();
                for file in files.filter(is_kept) {
                    known.insert((table.clone(), file.content.clone()), file);
                }
            }
        }
        Ok(known)
    }

    fn numbers(&self, head: Option<&SnapshotManifest>) -> Result<Numbers, PublishError> {
        let (links, files) = (self.environment.room("links"), self.environment.staged_files());
        let epoch = rotation::linkage_epoch(self.environment)?;
        let (persons_before, facilities_before) = match head {
            None => (HashMap::new(), HashMap::new()),
            Some(head) => (
                numbering::read_persons(&files, &rotation::persons_file(&links, head.id.as_str(), epoch))?,
                numbering::read_facilities(&files, &links.join(format!("facilities-{}.parquet", head.id)))?,
            ),
        };
        let persons = numbering::number_persons(&self.links, &persons_before);
        Ok(Numbers { persons, persons_before, facilities_before })
    }

    /// Spreads every part over the buckets; also the (delivery, file) of each file rank.
    fn spill(
        &self,
        scratch: &Path,
        persons: &PersonNumbers,
        offsets: &[usize],
    ) -> Result<(Spilled, Vec<(String, u32)>), PublishError> {
        let mut ranks = Vec::new();
        let mut file_ranks: BTreeMap<&str, Vec<FileRank>> = BTreeMap::new();
        for delivery in &self.deliveries {
            for (file, number) in delivery.files.iter().zip(0_u32..) {
                let rank = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
                let keep = self.catalogue.families.get(&file.family).map(|family| family.keep);
                let keep = keep.unwrap_or_default();
                file_ranks.entry(delivery.id.as_str()).or_default().push(FileRank { rank, keep });
                ranks.push((delivery.id.clone(), number));
            }
        }
        let files = self.environment.staged_files();
        let mut spill =
            Spill::new(scratch, &files, &self.catalogue, self.buckets).map_err(EnvironmentError::from)?;
        for ((part, number), offset) in self.parts.iter().zip(0_u32..).zip(offsets) {
            let folder = self
                .environment
                .room("store")
                .join("staging")
                .join(&part.folder)
                .join(format!("{:05}", part.number));
            let person_of = |identity: u32| {
                let cluster = self.links.of_mention.get(offset + identity as usize)?;
                persons.of_cluster.get(*cluster as usize).copied()
            };
            let of_delivery = file_ranks.get(part.delivery.as_str()).map(Vec::as_slice).unwrap_or_default();
            let file_rank = |file: u32| of_delivery.get(file as usize).copied().unwrap_or_default();
            spill.part(number, &folder, &person_of, &file_rank).map_err(|error| match error {
                FileError::Older { table, column } => {
                    PublishError::Older { delivery: self.name_of(&part.delivery), table, column }
                }
                other => PublishError::File(other),
            })?;
        }
        Ok((spill.finish()?, ranks))
    }

    /// A code that public rows list twice for one day would be counted twice.
    fn check_times(&self, spilled: &Spilled) -> Result<(), PublishError> {
        for table in self.catalogue.tables.values() {
            let Some(times) = &table.times else { continue };
            let Some(rows) = spilled.rows(table, 0)? else { continue };
            if let Some(Overlap { code, parts: (one, other) }) = times::overlap(times, &rows)? {
                let (table, [one, other]) =
                    (table.table.clone(), [one, other].map(|part| self.of_part(part)));
                return Err(PublishError::Overlap { table, code, one, other });
            }
        }
        Ok(())
    }

    /// The holder's name for the delivery of a part.
    fn of_part(&self, part: u32) -> String {
        let part = self.parts.get(part as usize);
        part.map_or_else(String::new, |part| self.name_of(&part.delivery))
    }

    /// The holder's name for a delivery, or its id.
    fn name_of(&self, id: &str) -> String {
        let named = self.deliveries.iter().find(|delivery| delivery.id == id);
        named.map_or(id, |delivery| delivery.name.as_str()).to_owned()
    }

    fn person_facts(
        &self,
        persons: &PersonNumbers,
        offsets: &[usize],
    ) -> Result<BTreeMap<u32, PersonFacts>, PublishError> {
        let mut facts: BTreeMap<u32, PersonFacts> = BTreeMap::new();
        for (part, offset) in self.parts.iter().zip(offsets) {
            for (identity, at) in link::read_identities(self.environment, part)?.into_iter().zip(*offset..) {
                let cluster = self.links.of_mention.get(at).copied().unwrap_or(u32::MAX);
                let Some(person) = persons.of_cluster.get(cluster as usize) else { continue };
                facts.entry(*person).or_default().add(&identity);
            }
        }
        Ok(facts)
    }

    /// Publishes bucket by bucket, several at a time.
    fn buckets(
        &self,
        shared: &Shared<'_>,
        facts: &BTreeMap<u32, PersonFacts>,
        progress: &(dyn Fn(u32, u32) + Sync),
    ) -> Result<BucketOutput, PublishError> {
        let done = AtomicU32::new(0);
        let wanted = Wanted::of(&self.catalogue);
        let outputs: Vec<BucketOutput> = (0..self.buckets)
            .into_par_iter()
            .map(|bucket| {
                let output = self.bucket(shared, facts, &wanted, bucket);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, self.buckets);
                output
            })
            .collect::<Result<_, _>>()?;
        let mut all = BucketOutput { files: Vec::new(), duplicates: Vec::new() };
        for output in outputs {
            all.files.extend(output.files);
            all.duplicates.extend(output.duplicates);
        }
        for table in self.catalogue.tables.values().filter(|table| !table.is_private()) {
            let claims = BucketClaims::new(0, self.buckets, &[]);
            let mut nothing = Sources::new(Wanted::default());
            let written = bucket::publish_table(shared, table, 0, &claims, &mut nothing)?;
            all.files.extend(written.into_iter().map(|file| (table.table.clone(), file)));
        }
        Ok(all)
    }

    fn bucket(
        &self,
        shared: &Shared<'_>,
        facts: &BTreeMap<u32, PersonFacts>,
        wanted: &Wanted,
        number: u32,
    ) -> Result<BucketOutput, PublishError> {
        let claims = shared.spilled.claims.get(number as usize).map(Vec::as_slice).unwrap_or_default();
        let claims = BucketClaims::new(number, self.buckets, claims);
        let mut files = Vec::new();
        let mut sources = Sources::new(wanted.clone());
        let tables = || self.catalogue.tables.values();
        for table in tables().filter(|table| table.is_private() && table.derive.is_none()) {
            let written = if is_person_table(table) {
                let batch =
                    person_rows(table, facts.iter().filter(|(person, _)| *person % self.buckets == number))?;
                vec![bucket::write(shared, table, Some(number), None, &batch)?]
            } else {
                bucket::publish_table(shared, table, number, &claims, &mut sources)?
            };
            files.extend(written.into_iter().map(|file| (table.table.clone(), file)));
        }
        for (table, rule) in tables().filter_map(|table| Some((table, table.derive.as_ref()?))) {
            let written = bucket::derive_table(shared, (table, rule), number, &sources)?;
            files.extend(written.into_iter().map(|file| (table.table.clone(), file)));
        }
        Ok(BucketOutput { files, duplicates: claims.duplicates })
    }

    fn body(&self, files: Vec<(String, FileEntry)>, persons: u64) -> Result<ManifestBody, PublishError> {
        let mut tables: BTreeMap<String, TableEntry> = BTreeMap::new();
        for table in self.catalogue.tables.values() {
            let entry = TableEntry {
                schema: schema_fingerprint(table),
                period_column: table.period.clone(),
                rows: 0,
                files: Vec::new(),
            };
            tables.insert(table.table.clone(), entry);
        }
        for (table, file) in files {
            if let Some(entry) = tables.get_mut(&table) {
                entry.rows += file.rows;
                entry.files.push(file);
            }
        }
        for entry in tables.values_mut() {
            entry.files.sort_by_key(|file| (file.bucket, file.year));
        }
        Ok(ManifestBody {
            format: 1,
            buckets: self.buckets,
            period: self.period()?,
            persons,
            versions: Versions {
                catalogue: self.catalogue_digest.clone(),
                normalisation: self.catalogue.profile.as_str().to_owned(),
                linkage: RULES.to_owned(),
            },
            tables,
        })
    }

    /// The months that deliveries of persons' data are for.
    fn period(&self) -> Result<Period, PublishError> {
        let is_private = |delivery: &&DeliveryRecord| delivery.database != "public";
        let months: BTreeSet<Month> = self
            .deliveries
            .iter()
            .filter(is_private)
            .filter_map(|delivery| delivery.month.parse().ok())
            .collect();
        match (months.first(), months.last()) {
            (Some(from), Some(to)) => Ok(Period { from: *from, to: *to }),
            _ => Err(PublishError::NoMonth),
        }
    }

    fn name_duplicates(&self, duplicates: &[SpilledClaim], ranks: &[(String, u32)]) -> Vec<DuplicateLines> {
        let mut named: Vec<DuplicateLines> = duplicates
            .iter()
            .filter_map(|claim| {
                let (delivery, file) = ranks.get(claim.file_rank as usize)?;
                Some(DuplicateLines {
                    delivery: delivery.clone(),
                    file: *file,
                    line: claim.line,
                    lines: claim.lines,
                })
            })
            .collect();
        named.sort_by(|one, two| {
            (&one.delivery, one.file, one.line).cmp(&(&two.delivery, two.file, two.line))
        });
        named
    }

    fn commit(
        &self,
        body: ManifestBody,
        now: &str,
        numbers: &Numbers,
        facilities: &HashMap<u64, u32>,
        duplicates: &[DuplicateLines],
    ) -> Result<SnapshotManifest, PublishError> {
        self.environment.still_held()?;
        let snapshots = self.environment.snapshots()?;
        let id = snapshots.id_of(&body);
        let (links, files) = (self.environment.room("links"), self.environment.staged_files());
        let persons = rotation::persons_file(&links, id.as_str(), rotation::linkage_epoch(self.environment)?);
        numbering::write_persons(&files, &persons, &self.links, &numbers.persons, &numbers.persons_before)?;
        numbering::write_facilities(&files, &links.join(format!("facilities-{id}.parquet")), facilities)?;
        let reports = self.environment.room("reports");
        // The ledger knows them before anybody can ask the snapshot.
        SamePersons::of(self.environment).add(numbers.persons.same.iter().copied())?;
        let path = reports.join(format!("duplicates-{id}.json"));
        write_json(&path, &duplicates).map_err(io("write", &path))?;
        // The manifest names files that must be on disk before it is.
        let store = self.environment.room("store");
        sync_filesystem(&store).map_err(io("flush", &store))?;
        let key = self.environment.key(KeyRole::Manifest)?;
        let states = FileKeyring::new(self.environment).states()?;
        self.environment.still_held()?;
        let manifest = snapshots.commit_over(body, now, &key, &|head| states.all_kept(head))?;
        // A snapshot whose opt-outs are not resolved answers nothing, so a kill in between is safe.
        optout::resolve(self.environment)?;
        Ok(manifest)
    }
}

struct BucketOutput {
    files: Vec<(String, FileEntry)>,
    duplicates: Vec<SpilledClaim>,
}

impl PersonFacts {
    fn add(&mut self, identity: &link::PartIdentity) {
        let weight = u64::from(identity.claims);
        if let Some(sex) = identity.sex {
            *self.sexes.entry(sex).or_default() += weight;
        }
        if let Some(birth) = identity.birth {
            *self.births.entry(birth).or_default() += weight;
        }
        self.first_month = [self.first_month, identity.first_month].into_iter().flatten().min();
        self.last_month = self.last_month.max(identity.last_month);
    }
}

/// The value that most records carry; of equally frequent ones the smallest.
fn most_frequent<T: Copy + Ord>(values: &BTreeMap<T, u64>) -> Option<T> {
    values.iter().max_by_key(|(value, count)| (**count, std::cmp::Reverse(**value))).map(|(value, _)| *value)
}

/// The databases whose rows each table has: its own, and those of the tables that it is derived from.
pub(super) fn databases(catalogue: &Catalogue) -> BTreeMap<&str, BTreeSet<String>> {
    let of = |table: &Table| {
        let sources = table.derive.iter().flat_map(|rule| rule.sources(table));
        let sources = sources.filter_map(|(source, _)| catalogue.tables.get(source));
        std::iter::once(table).chain(sources).map(|table| table.database.clone()).collect()
    };
    catalogue.tables.values().map(|table| (table.table.as_str(), of(table))).collect()
}

fn is_person_table(table: &Table) -> bool {
    table.feeds.iter().all(|feed| feed.family.is_none())
}

fn person_rows<'f>(
    table: &Table,
    facts: impl Iterator<Item = (&'f u32, &'f PersonFacts)>,
) -> Result<RecordBatch, FileError> {
    let facts: Vec<(u32, &PersonFacts)> = facts.map(|(person, facts)| (*person, facts)).collect();
    let month = |month: Option<i32>| month.map(|month| Month::from_index(month).first_day().days());
    let dates = |of: &dyn Fn(&PersonFacts) -> Option<i32>| {
        Arc::new(facts.iter().map(|(_, facts)| of(facts)).collect::<Date32Array>()) as ArrayRef
    };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        columns.push(match (column.class, column.name.as_str()) {
            (Class::Person, _) => {
                Arc::new(UInt32Array::from_iter_values(facts.iter().map(|(person, _)| *person)))
            }
            (_, "sex") => {
                let sexes =
                    facts.iter().map(|(_, facts)| most_frequent(&facts.sexes).map(|sex| sex.to_string()));
                Arc::new(sexes.collect::<StringArray>())
            }
            (_, "birth_date") => dates(&|facts| most_frequent(&facts.births)),
            (_, "first_month") => dates(&|facts| month(facts.first_month)),
            (_, "last_month") => dates(&|facts| month(facts.last_month)),
            (_, unknown) => {
                return Err(FileError::Column {
                    path: PathBuf::from(&table.table),
                    column: unknown.to_owned(),
                });
            }
        });
    }
    let schema = Arc::new(catalog_model::arrow_schema(table));
    RecordBatch::try_new(schema, columns)
        .map_err(|source| FileError::Arrow { path: PathBuf::from(&table.table), source })
}

/// The kind under which duplicates are booked.
pub(super) const DUPLICATE: FaultKind = FaultKind::Duplicate;

fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> PublishError + 'p {
    move |source| PublishError::Io { action, path: path.to_owned(), source }
}
