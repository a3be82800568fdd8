//! Takes a delivery in: parts are read by several threads, each part appears at once, the delivery when all are there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use catalog_model::{Catalogue, DeliveryManifest, Month};
use catalog_store::{
    Account, DeliveryRecord, Environment, EnvironmentError, FileAccount, KeyError, KeyId, KeyRing, KeyRole,
    MetaError, SecretKey, StagedFiles, Standing, staged,
};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use super::account::{PartAccount, Place, READER, is_covered, whole_file};
use super::delivery::{Delivery, Rejection, Stamp};
use super::life::{LifeError, erased_at, sweep};
use super::parts::{self, CutError, Part, Piece};
use super::sealed::SealedError;
use super::spent::Spent;
use super::store::{fresh_folder, read_json, settle_folder, sync_filesystem, write_json, write_whole};
use crate::formats::{FilePart, Program, ProgramError, Reader};
use crate::keying::{KeyCache, Keyer, Surrogates};
use crate::tables::{FileError, Staging, StagingError, write_identities};

/// What an ingest did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// The delivery's id.
    pub id: String,
    /// The holder's name for it.
    pub name: String,
    /// Whether it was taken in before, so that nothing was done.
    pub is_known: bool,
    /// Whether its rows count; of a known one perhaps not.
    pub standing: Standing,
    /// The id of the former delivery that this one corrects and takes the place of.
    pub replaces: Option<String>,
    /// The months that a known delivery counts for and that its list says now, where they differ.
    pub months: Option<(String, String)>,
    /// The account of each file.
    pub files: Vec<FileAccount>,
    /// What keying took, where identities were keyed here and now.
    pub spent: Option<Spent>,
}

impl Ingested {
    /// What taking in a delivery again does: nothing.
    pub(crate) fn known(known: &DeliveryRecord) -> Self {
        Self {
            id: known.id.clone(),
            name: known.name.clone(),
            is_known: true,
            standing: known.standing.clone(),
            replaces: None,
            months: None,
            files: known.files.clone(),
            spent: None,
        }
    }

    /// The same, where the list in hand may have been corrected since.
    pub(crate) fn known_by(known: &DeliveryRecord, list: &DeliveryManifest) -> Self {
        let listed = list.delivery.month.to_string();
        let months = (listed != known.month).then(|| (known.month.clone(), listed));
        Self { months, ..Self::known(known) }
    }

    /// The account of the whole delivery.
    pub fn account(&self) -> Account {
        self.files.iter().fold(Account::default(), |mut sum, file| {
            sum.add(&file.account);
            sum
        })
    }
}

/// How far an ingest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub done: u64,
    /// Bytes of the delivery.
    pub total: u64,
}

/// Why a delivery was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The delivery was rejected; it is the holder's to mend.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// What no longer counts cannot be removed.
    #[error("what no longer counts cannot be removed")]
    Life(#[source] Box<LifeError>),
    /// A layout cannot be compiled.
    #[error(transparent)]
    Layout(#[from] ProgramError),
    /// The delivery cannot be cut into parts.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// Rows cannot be staged.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The link table cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file or directory of the environment cannot be used.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// A sealed delivery was rejected.
    #[error("the sealed delivery was rejected")]
    Sealed(#[from] SealedError),
    /// An overlap needs two intake keys.
    #[error(
        "there is no former intake key to key this delivery under; rotate first: `misu keys rotate intake`"
    )]
    NoFormerKey,
    /// A delivery of a year that was erased is not taken in.
    #[error("{name} is of {month}, and the data of {database} of that fiscal year were erased at {at}")]
    Erased {
        /// The delivery's name.
        name: String,
        /// The database.
        database: String,
        /// The month that it is for.
        month: Month,
        /// When, as RFC 3339 text.
        at: String,
    },
    /// A delivery that was never taken in cannot be read again.
    #[error("the delivery {0} is not in the environment; run `misu ingest` on it")]
    NotHeld(String),
    /// Reading again would lose what is good.
    #[error(
        "reading {name} again would store {after} lines where {before} are stored; the layouts got worse, nothing was changed"
    )]
    Worse {
        /// The delivery's name.
        name: String,
        /// Lines stored now.
        before: u64,
        /// Lines that the new reading would store.
        after: u64,
    },
    /// The parts of a file are not the whole of it: a defect of ours, and nothing was kept.
    #[error("the parts of {path} are not its {bytes} bytes; nothing was taken in")]
    Uncovered {
        /// The delivered file.
        path: String,
        /// Its bytes.
        bytes: u64,
    },
    /// More or fewer lines were read than the file has: a defect of ours, and nothing was kept.
    #[error("{path} has {lines} lines and {read} were read; nothing was taken in")]
    Lines {
        /// The delivered file.
        path: String,
        /// Its lines.
        lines: u64,
        /// Lines read.
        read: u64,
    },
    /// An account does not close: a defect of ours, and nothing was kept.
    #[error("the account of {path} does not close: {read} lines read, {booked} booked")]
    Bug {
        /// The delivered file.
        path: String,
        /// Lines read.
        read: u64,
        /// Lines stored, dropped or in quarantine.
        booked: u64,
    },
}

impl From<LifeError> for IngestError {
    fn from(error: LifeError) -> Self {
        Self::Life(Box::new(error))
    }
}

/// Takes the delivery in `folder` into the environment. The same delivery twice changes nothing.
///
/// `now` is the time that is recorded, `progress` is called from several threads.
///
/// # Errors
///
/// The delivery is rejected, or something cannot be written; in both cases nothing of it is visible.
pub fn ingest(
    environment: &Environment,
    folder: &Path,
    now: &str,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Ingested, IngestError> {
    take_in(environment, folder, now, false, progress)
}

/// Takes a delivery in under the present and the former intake key, so that the persons in it are known under both.
///
/// # Errors
///
/// As [`ingest`]; or no former intake key is left.
pub fn ingest_overlap(
    environment: &Environment,
    folder: &Path,
    now: &str,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Ingested, IngestError> {
    take_in(environment, folder, now, true, progress)
}

fn take_in(
    environment: &Environment,
    folder: &Path,
    now: &str,
    is_overlap: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Ingested, IngestError> {
    let meta = environment.meta()?;
    let id = Delivery::identify(folder)?;
    if let Some(known) = meta.delivery(&id)? {
        return Ok(Ingested::known_by(&known, &Delivery::read_list(folder)?));
    }
    let (catalogue, layouts) = environment.catalogue()?;
    let delivery = Delivery::open(folder, &catalogue)?;
    not_erased(environment, &delivery.manifest)?;
    let parts = parts::cut(&delivery)?;
    let places = RunPlaces::of(environment, &delivery.id, 0);
    let corrected = former_of_corrected(environment, &delivery.manifest)?;
    let keys = RunKeys::open(environment.keys(), is_overlap && corrected.is_none())?.beside(corrected);
    let run = Run::new((&catalogue, &layouts), &delivery, places, keys, progress)?;
    let files = run.read(&parts)?;
    let parts = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let taken = book(environment, record(&delivery.id, &delivery.manifest, now, parts, files))?;
    Ok(Ingested { spent: Some(run.spent()), ..taken })
}

/// The key under which the delivery is known that this one corrects, as [`former_of`] has it.
fn former_of_corrected(
    environment: &Environment,
    manifest: &DeliveryManifest,
) -> Result<Option<SecretKey>, IngestError> {
    let (meta, head) = (environment.meta()?, &manifest.delivery);
    let Some(id) = meta.held_as(&head.database, &head.holder, &head.name)? else { return Ok(None) };
    let Some(corrected) = meta.delivery(&id)? else { return Ok(None) };
    match former_of(environment, &RunPlaces::of(environment, &id, corrected.generation)) {
        // Under a key that is gone nothing is keyed any more.
        Err(IngestError::Key(KeyError::Destroyed { .. } | KeyError::Unknown { .. })) => Ok(None),
        found => found,
    }
}

/// The key that a reading was keyed under in the place of the present intake key or beside it, a group's as well: a new
/// reading under both leaves its persons who they were.
pub(super) fn former_of(
    environment: &Environment,
    places: &RunPlaces,
) -> Result<Option<SecretKey>, IngestError> {
    let path = places.links.join(KEYED_UNDER);
    let keyed: KeyedUnder = match read_json(&path) {
        Ok(keyed) => keyed,
        // Of deliveries from before keys had ids.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(IngestError::Io { action: "read", path, source }),
    };
    let keys = environment.keys();
    let is_present = keys.index()?.current(KeyRole::Intake)?.id == keyed.intake;
    let former = if is_present { keyed.former } else { Some(keyed.intake) };
    match former.map(|id| keys.with_id(KeyRole::Intake, id.as_str())).transpose() {
        // Its persons are known under the present key as well.
        Err(KeyError::Destroyed { .. } | KeyError::Unknown { .. }) if is_present => Ok(None),
        found => found.map_err(IngestError::Key),
    }
}

/// Refuses a delivery of a year that was erased: no snapshot would get its rows.
pub(crate) fn not_erased(environment: &Environment, manifest: &DeliveryManifest) -> Result<(), IngestError> {
    let head = &manifest.delivery;
    match erased_at(environment, &head.database, head.month)? {
        None => Ok(()),
        Some(at) => {
            let (name, database) = (head.name.clone(), head.database.clone());
            Err(IngestError::Erased { name, database, month: head.month, at })
        }
    }
}

/// Makes a delivery that was read count, in the place of the one that it corrects, if any.
pub(crate) fn book(environment: &Environment, record: DeliveryRecord) -> Result<Ingested, IngestError> {
    let meta = environment.meta()?;
    let replaces = meta.held_as(&record.database, &record.holder, &record.name)?;
    meta.add_delivery(&record, replaces.as_deref())?;
    sweep(environment)?;
    let DeliveryRecord { id, name, files, .. } = record;
    let standing = Standing::Held;
    Ok(Ingested { id, name, is_known: false, standing, replaces, months: None, files, spent: None })
}

pub(crate) fn record(
    id: &str,
    manifest: &DeliveryManifest,
    now: &str,
    parts: u32,
    files: Vec<FileAccount>,
) -> DeliveryRecord {
    let head = &manifest.delivery;
    DeliveryRecord {
        id: id.to_owned(),
        name: head.name.clone(),
        database: head.database.clone(),
        holder: head.holder.clone(),
        month: head.month.to_string(),
        taken_in: now.to_owned(),
        parts,
        generation: 0,
        standing: Standing::Held,
        raw_deleted: None,
        files,
    }
}

pub(super) const ACCOUNT: &str = "account.json";
/// The file beside a delivery's identities that says which keys made them.
pub(crate) const KEYED_UNDER: &str = "keys.json";

/// Under which keys and by which rules a delivery's identities were keyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyedUnder {
    /// The intake key.
    pub(crate) intake: KeyId,
    /// The former intake key, of a delivery that is keyed under both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) former: Option<KeyId>,
    /// The intake keys of groups of data holders to which a clear delivery is tied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<KeyId>,
    /// The surrogate key.
    pub(crate) surrogate: KeyId,
    /// The profile of normalisation.
    pub(crate) profile: String,
}

/// The keys that a reading uses.
#[derive(Debug)]
pub(crate) struct RunKeys {
    intake: SecretKey,
    // A delivery that is keyed under both ties the persons of a former intake key to those of the present one.
    former: Option<SecretKey>,
    // A clear delivery is tied to every group of data holders that has a key of its own.
    groups: Vec<(KeyId, SecretKey)>,
    bridge: Option<SecretKey>,
    surrogates: Surrogates,
    surrogate_id: KeyId,
}

impl RunKeys {
    /// Opens the present keys, and for an overlap the former intake key as well.
    pub(crate) fn open(keys: &KeyRing, is_overlap: bool) -> Result<Self, IngestError> {
        let surrogate = keys.current(KeyRole::Surrogate)?;
        let former = match is_overlap {
            true => Some(keys.former(KeyRole::Intake)?.into_iter().next().ok_or(IngestError::NoFormerKey)?.1),
            false => None,
        };
        let groups = keys.of_groups()?;
        let bridge = match groups.is_empty() {
            true => None,
            false => Some(keys.current(KeyRole::Bridge)?),
        };
        Ok(Self {
            intake: keys.current(KeyRole::Intake)?,
            former,
            groups,
            bridge,
            surrogate_id: surrogate.id(),
            surrogates: Surrogates::new(*surrogate.as_bytes()),
        })
    }

    /// Takes another intake key beside the present one, where there is one.
    pub(super) fn beside(self, former: Option<SecretKey>) -> Self {
        Self { former: former.or(self.former), ..self }
    }

    /// A keyer under these keys, which shares a cache with others under them.
    fn keyer(&self, catalogue: &Catalogue, program: &Program, cache: &Arc<KeyCache>) -> Keyer {
        let mut keyer = Keyer::new(catalogue, program.encoding(), self.intake.as_bytes(), Arc::clone(cache));
        if let Some(former) = &self.former {
            keyer = keyer.under_both(former.as_bytes());
        }
        if let Some(bridge) = &self.bridge {
            let groups = self.groups.iter().map(|(id, key)| (id.as_str(), key.as_bytes()));
            keyer = keyer.bridged(bridge.as_bytes(), groups);
        }
        keyer
    }

    /// The ids of the keys, which lie beside what was made with them.
    pub(crate) fn ids(&self, catalogue: &Catalogue) -> KeyedUnder {
        KeyedUnder {
            intake: self.intake.id(),
            former: self.former.as_ref().map(SecretKey::id),
            groups: self.groups.iter().map(|(id, _)| id.clone()).collect(),
            surrogate: self.surrogate_id.clone(),
            profile: catalogue.profile.as_str().to_owned(),
        }
    }

    /// The intake keys with their ids, the present one first.
    pub(crate) fn intake(self) -> impl Iterator<Item = (KeyId, SecretKey)> {
        std::iter::once(self.intake).chain(self.former).map(|key| (key.id(), key))
    }
}

/// Where a reading leaves what it makes.
#[derive(Debug)]
pub(crate) struct RunPlaces {
    /// Rows and claims, a folder for each part.
    pub(crate) staging: PathBuf,
    /// The identities of each part.
    pub(crate) links: PathBuf,
    /// The places of the faults.
    pub(crate) quarantine: PathBuf,
    /// How rows, claims and identities are written.
    pub(crate) files: StagedFiles,
}

impl RunPlaces {
    /// The places of a reading in an environment.
    pub(crate) fn of(environment: &Environment, id: &str, generation: u32) -> Self {
        let name = staged(id, generation);
        Self {
            staging: environment.room("store").join("staging").join(&name),
            links: environment.room("links").join("staging").join(&name),
            quarantine: environment.room("quarantine").join(format!("{name}.csv")),
            files: environment.staged_files(),
        }
    }
}

/// One reading of a delivery.
pub(crate) struct Run<'a> {
    catalogue: &'a Catalogue,
    /// The digest of the catalogue: a part that an earlier run read by other layouts is read again.
    layouts: &'a str,
    delivery: &'a Delivery,
    places: RunPlaces,
    keys: RunKeys,
    /// Key sets of identities that any part has met.
    cache: Arc<KeyCache>,
    total: u64,
    done: AtomicU64,
    /// Nanoseconds that reading parts took, in all threads.
    reading: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        (catalogue, layouts): (&'a Catalogue, &'a str),
        delivery: &'a Delivery,
        places: RunPlaces,
        keys: RunKeys,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self, IngestError> {
        let path = places.links.join(KEYED_UNDER);
        // Parts that a killed run left count only if they were keyed under the same keys.
        let is_same = read_json::<KeyedUnder>(&path).is_ok_and(|left| left == keys.ids(catalogue));
        for folder in [&places.staging, &places.links] {
            let made = if is_same { std::fs::create_dir_all(folder) } else { fresh_folder(folder) };
            made.map_err(io("create", folder))?;
        }
        write_json(&path, &keys.ids(catalogue)).map_err(io("write", &path))?;
        let total = delivery.files.iter().map(|file| file.bytes).sum();
        let cache = Arc::new(KeyCache::new(random()?));
        let done = AtomicU64::new(0);
        let reading = AtomicU64::new(0);
        Ok(Self { catalogue, layouts, delivery, places, keys, cache, total, done, reading, progress })
    }

    /// What keying took so far of reading.
    pub(crate) fn spent(&self) -> Spent {
        let all = Duration::from_nanos(self.reading.load(Ordering::Relaxed));
        Spent { keying: self.cache.spent(), all }
    }

    /// Reads every part; the accounts of the files, which close.
    pub(crate) fn read(&self, parts: &[Part]) -> Result<Vec<FileAccount>, IngestError> {
        if let Err(error) = parts.par_iter().try_for_each(|part| self.part(part)) {
            if matches!(error, IngestError::Rejected(_)) {
                self.discard();
            }
            return Err(error);
        }
        let count = parts.len().try_into().unwrap_or(u32::MAX);
        let files = close(&self.places, &self.delivery.manifest, count)?;
        self.compare_lines(&files)?;
        Ok(files)
    }

    /// What was read is every line that was counted while the delivery was looked over; a package has documents instead.
    fn compare_lines(&self, files: &[FileAccount]) -> Result<(), IngestError> {
        for (file, scanned) in files.iter().zip(&self.delivery.files) {
            let is_package = self.delivery.programs.get(&file.family).is_some_and(Program::is_package);
            let (lines, read) = (scanned.lines(), file.account.read);
            if !is_package && lines != read {
                return Err(IngestError::Lines { path: file.path.clone(), lines, read });
            }
        }
        Ok(())
    }

    /// Removes what was staged of a delivery that turned out to be another than the one looked over.
    fn discard(&self) {
        for folder in [&self.places.staging, &self.places.links] {
            // What cannot be removed is invisible all the same, and is overwritten when the delivery comes again.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    /// Reads a part, unless an earlier run left it whole.
    fn part(&self, part: &Part) -> Result<(), IngestError> {
        let folder = self.places.staging.join(format!("{:05}", part.number));
        if !self.is_whole(part, &folder) {
            fresh_folder(&folder)
                .and_then(|()| std::fs::remove_dir(&folder))
                .map_err(io("clear", &folder))?;
            let temporary = folder.with_extension("writing");
            fresh_folder(&temporary).map_err(io("create", &temporary))?;
            let begun = Instant::now();
            self.read_part(part, &temporary)?;
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.reading.fetch_add(nanos, Ordering::Relaxed);
            settle_folder(&temporary, &folder).map_err(io("complete", &folder))?;
        }
        let bytes: u64 = part.pieces.iter().map(|piece| piece.to - piece.from).sum();
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(Progress { done, total: self.total });
        Ok(())
    }

    fn read_part(&self, part: &Part, folder: &Path) -> Result<(), IngestError> {
        let Some(program) = self.delivery.programs.get(&part.family) else { return Ok(()) };
        let seed = [random()?, random()?].map(u64::from_le_bytes);
        let keyer = self.keys.keyer(self.catalogue, program, &self.cache);
        let mut staging = Staging::new(
            (&self.places.files, folder),
            self.catalogue,
            program,
            (keyer, seed),
            &self.keys.surrogates,
        )?;
        let mut account = PartAccount::default();
        // One reader for all, so that lines of one file are known in the next.
        let mut reader = Reader::new(program, 0);
        for piece in &part.pieces {
            let summary = self.read_piece(&part.family, piece, &mut reader, &mut staging)?;
            account.add(piece.file, &summary, program);
            staging.check()?;
        }
        let (identities, digests) = staging.finish()?;
        let schemes: Vec<String> =
            self.catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
        let groups = self.keys.ids(self.catalogue).groups;
        let path = self.identities(part);
        let of_identities = write_identities(
            &self.places.files,
            &path,
            (schemes.as_slice(), groups.as_slice()),
            &identities,
        )?;
        account.layouts = self.layouts.to_owned();
        account.reader = READER.to_owned();
        account.pieces.clone_from(&part.pieces);
        account.digests = digests.into_map();
        account.digests.insert("identities".to_owned(), of_identities.to_hex().to_string());
        let path = folder.join(ACCOUNT);
        write_json(&path, &account).map_err(io("write", &path))
    }

    /// Whether an earlier run left this part whole.
    fn is_whole(&self, part: &Part, folder: &Path) -> bool {
        let account = read_json::<PartAccount>(&folder.join(ACCOUNT));
        account.is_ok_and(|account| {
            account.layouts == self.layouts
                && account.reader == READER
                && account.pieces == part.pieces
                && self.digests(part, folder).is_ok_and(|digests| digests == account.digests)
        })
    }

    /// The digest of what each file of a part says, by name.
    fn digests(&self, part: &Part, folder: &Path) -> Result<BTreeMap<String, String>, IngestError> {
        let digest = |path: &Path| -> Result<String, EnvironmentError> {
            Ok(blake3::hash(&self.places.files.read(path)?).to_hex().to_string())
        };
        let mut digests = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(io("read", folder))? {
            let entry = entry.map_err(io("read", folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != ACCOUNT {
                digests.insert(name, digest(&entry.path())?);
            }
        }
        digests.insert("identities".to_owned(), digest(&self.identities(part))?);
        Ok(digests)
    }

    fn identities(&self, part: &Part) -> PathBuf {
        self.places.links.join(format!("{:05}.parquet", part.number))
    }

    fn read_piece(
        &self,
        family: &str,
        piece: &Piece,
        reader: &mut Reader<'_>,
        staging: &mut Staging<'_>,
    ) -> Result<crate::formats::FileSummary, IngestError> {
        let Some(file) = self.delivery.files.get(piece.file as usize) else { return Ok(Default::default()) };
        let name = || self.delivery.manifest.files.get(piece.file as usize).map(|file| file.path.clone());
        let preamble = parts::read_header(file, piece.header).map_err(io("read", &file.path))?;
        let mut source = File::open(&file.path).map_err(io("open", &file.path))?;
        source.seek(SeekFrom::Start(piece.from)).map_err(io("read", &file.path))?;
        let part = FilePart {
            file: piece.file,
            lines_before: piece.lines_before,
            preamble: &preamble,
            is_last: piece.is_last,
        };
        let bytes = piece.to - piece.from;
        let read = match self.delivery.programs.get(family).is_some_and(Program::is_package) {
            true => reader.read_package(&mut source, &part, staging).map_err(|source| {
                IngestError::Rejected(Rejection::Package { path: name().unwrap_or_default(), source })
            }),
            false => reader.read((&mut source).take(bytes), &part, staging).map_err(io("read", &file.path)),
        };
        // What was read is what was looked over, or nothing of it is kept.
        if Stamp::of(&source).map_err(io("read", &file.path))? != file.stamp {
            return Err(Rejection::Changed(name().unwrap_or_default()).into());
        }
        read
    }
}

/// Puts the parts' accounts together, checks that they close, and writes the places of the faults.
pub(crate) fn close(
    places: &RunPlaces,
    manifest: &DeliveryManifest,
    parts: u32,
) -> Result<Vec<FileAccount>, IngestError> {
    let mut accounts = Vec::new();
    for part in 0..parts {
        let path = places.staging.join(format!("{part:05}")).join(ACCOUNT);
        let account: PartAccount = read_json(&path).map_err(io("read", &path))?;
        accounts.push(account);
    }
    let mut files = Vec::with_capacity(manifest.files.len());
    let mut quarantine = String::from("file,line,record,field,kind\n");
    for (number, listed) in manifest.files.iter().enumerate() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let pieces = accounts.iter().flat_map(|part| &part.pieces).filter(|piece| piece.file == number);
        if !is_covered(pieces, listed.bytes) {
            return Err(IngestError::Uncovered { path: listed.path.clone(), bytes: listed.bytes });
        }
        let (account, faults) = whole_file(accounts.iter().filter_map(|part| part.files.get(&number)));
        if !account.closes() {
            let booked = account.stored + account.dropped_lines() + account.quarantined_lines();
            return Err(IngestError::Bug { path: listed.path.clone(), read: account.read, booked });
        }
        faults.iter().for_each(|place| quarantine.push_str(&quarantine_line(&listed.path, place)));
        let (path, family) = (listed.path.clone(), listed.family.clone());
        files.push(FileAccount { path, family, bytes: listed.bytes, account });
    }
    write_whole(&places.quarantine, quarantine.as_bytes()).map_err(io("write", &places.quarantine))?;
    sync_filesystem(&places.staging).map_err(io("flush", &places.staging))?;
    Ok(files)
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], IngestError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| IngestError::Random)?;
    Ok(bytes)
}

fn quarantine_line(path: &str, place: &Place) -> String {
    let path = if path.contains([',', '"']) {
        format!("\"{}\"", path.replace('"', "\"\""))
    } else {
        path.to_owned()
    };
    format!("{path},{},{},{},{}\n", place.line, place.record, place.field, place.kind)
}

pub(super) fn io<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl FnOnce(std::io::Error) -> IngestError + 'p {
    move |source| IngestError::Io { action, path: path.to_owned(), source }
}
