//! Takes a delivery in: parts are read by several threads, each part appears at once, the delivery when all are there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catalog_model::Catalogue;
use catalog_store::{
    Account, DeliveryRecord, Environment, EnvironmentError, FileAccount, KeyRole, MetaError, SecretKey,
    Standing, staged,
};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::account::{PartAccount, Place, whole_file};
use super::delivery::{Delivery, Rejection, Stamp};
use super::life::{LifeError, sweep};
use super::parts::{self, CutError, Part, Piece};
use super::store::{self, fresh_folder, read_json, settle_folder, sync_filesystem, write_json, write_whole};
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
    /// The account of each file.
    pub files: Vec<FileAccount>,
}

impl Ingested {
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
    let meta = environment.meta()?;
    let id = Delivery::identify(folder)?;
    let every = meta.every_delivery()?;
    if let Some(known) = every.iter().find(|delivery| delivery.id == id) {
        return Ok(Ingested {
            id,
            name: known.name.clone(),
            is_known: true,
            standing: known.standing.clone(),
            replaces: None,
            files: known.files.clone(),
        });
    }
    let (catalogue, layouts) = environment.catalogue()?;
    let delivery = Delivery::open(folder, &catalogue)?;
    let head = &delivery.manifest.delivery;
    let is_former = |other: &&DeliveryRecord| {
        other.standing.is_held()
            && (&other.database, &other.holder, &other.name) == (&head.database, &head.holder, &head.name)
    };
    let replaces = every.iter().find(is_former).map(|former| former.id.clone());
    let parts = parts::cut(&delivery)?;
    let run = Run::new(environment, &catalogue, &layouts, &delivery, 0, progress)?;
    let files = run.read(&parts)?;
    meta.add_delivery(&record(&delivery, now, &parts, files.clone()), replaces.as_deref())?;
    sweep(environment)?;
    let (name, standing) = (head.name.clone(), Standing::Held);
    Ok(Ingested { id, name, is_known: false, standing, replaces, files })
}

fn record(delivery: &Delivery, now: &str, parts: &[Part], files: Vec<FileAccount>) -> DeliveryRecord {
    let head = &delivery.manifest.delivery;
    DeliveryRecord {
        id: delivery.id.clone(),
        name: head.name.clone(),
        database: head.database.clone(),
        holder: head.holder.clone(),
        month: head.month.to_string(),
        taken_in: now.to_owned(),
        parts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
        generation: 0,
        standing: Standing::Held,
        raw_deleted: None,
        files,
    }
}

pub(super) const ACCOUNT: &str = "account.json";

/// One reading of a delivery.
pub(super) struct Run<'a> {
    catalogue: &'a Catalogue,
    /// The digest of the catalogue: a part that an earlier run read by other layouts is read again.
    layouts: &'a str,
    delivery: &'a Delivery,
    staging: PathBuf,
    links: PathBuf,
    quarantine: PathBuf,
    intake: SecretKey,
    surrogates: Surrogates,
    /// Key sets of identities that any part has met.
    cache: Arc<KeyCache>,
    total: u64,
    done: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        environment: &Environment,
        catalogue: &'a Catalogue,
        layouts: &'a str,
        delivery: &'a Delivery,
        generation: u32,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self, IngestError> {
        let name = staged(&delivery.id, generation);
        let staging = environment.room("store").join("staging").join(&name);
        let links = environment.room("links").join("staging").join(&name);
        for folder in [&staging, &links] {
            std::fs::create_dir_all(folder).map_err(io("create", folder))?;
        }
        Ok(Self {
            catalogue,
            layouts,
            delivery,
            staging,
            links,
            quarantine: environment.room("quarantine").join(format!("{name}.csv")),
            intake: environment.key(KeyRole::Intake)?,
            surrogates: Surrogates::new(*environment.key(KeyRole::Surrogate)?.as_bytes()),
            cache: Arc::new(KeyCache::new(random()?)),
            total: delivery.files.iter().map(|file| file.bytes).sum(),
            done: AtomicU64::new(0),
            progress,
        })
    }

    /// Reads every part; the accounts of the files, which close.
    pub(super) fn read(&self, parts: &[Part]) -> Result<Vec<FileAccount>, IngestError> {
        if let Err(error) = parts.par_iter().try_for_each(|part| self.part(part)) {
            if matches!(error, IngestError::Rejected(_)) {
                self.discard();
            }
            return Err(error);
        }
        self.close(parts)
    }

    /// Removes what was staged of a delivery that turned out to be another than the one looked over.
    fn discard(&self) {
        for folder in [&self.staging, &self.links] {
            // What cannot be removed is invisible all the same, and is overwritten when the delivery comes again.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    /// Reads a part, unless an earlier run left it whole.
    fn part(&self, part: &Part) -> Result<(), IngestError> {
        let folder = self.staging.join(format!("{:05}", part.number));
        if !self.is_whole(part, &folder) {
            fresh_folder(&folder)
                .and_then(|()| std::fs::remove_dir(&folder))
                .map_err(io("clear", &folder))?;
            let temporary = folder.with_extension("writing");
            fresh_folder(&temporary).map_err(io("create", &temporary))?;
            self.read_part(part, &temporary)?;
            settle_folder(&temporary, &folder).map_err(io("complete", &folder))?;
        }
        let bytes: u64 = part.pieces.iter().map(|piece| piece.to - piece.from).sum();
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(Progress { done, total: self.total });
        Ok(())
    }

    fn read_part(&self, part: &Part, folder: &Path) -> Result<(), IngestError> {
        let Some(program) = self.delivery.programs.get(&part.family) else { return Ok(()) };
        let cache = Arc::clone(&self.cache);
        let seed = [random()?, random()?].map(u64::from_le_bytes);
        let keyer = Keyer::new(self.catalogue, program.encoding(), self.intake.as_bytes(), cache);
        let mut staging = Staging::new(folder, self.catalogue, program, (keyer, seed), &self.surrogates)?;
        let mut account = PartAccount::default();
        let mut first_record = 0;
        for piece in &part.pieces {
            let mut reader = Reader::new(program, first_record);
            let summary = self.read_piece(&part.family, piece, &mut reader, &mut staging)?;
            first_record = reader.next_record();
            account.add(piece.file, &summary, program);
            staging.check()?;
        }
        let identities = staging.finish()?;
        let schemes: Vec<String> =
            self.catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
        write_identities(&self.identities(part), &schemes, &identities)?;
        account.layouts = self.layouts.to_owned();
        account.digests = self.digests(part, folder).map_err(io("read", folder))?;
        let path = folder.join(ACCOUNT);
        write_json(&path, &account).map_err(io("write", &path))
    }

    /// Whether an earlier run left this part whole.
    fn is_whole(&self, part: &Part, folder: &Path) -> bool {
        let account = read_json::<PartAccount>(&folder.join(ACCOUNT));
        let digests = self.digests(part, folder);
        account.is_ok_and(|account| {
            account.layouts == self.layouts && digests.is_ok_and(|digests| digests == account.digests)
        })
    }

    fn digests(&self, part: &Part, folder: &Path) -> std::io::Result<BTreeMap<String, String>> {
        let mut digests = store::digests(folder)?;
        digests.remove(ACCOUNT);
        digests.insert("identities".to_owned(), store::digest(&self.identities(part))?);
        Ok(digests)
    }

    fn identities(&self, part: &Part) -> PathBuf {
        self.links.join(format!("{:05}.parquet", part.number))
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

    /// Puts the parts' accounts together, checks that they close, and writes the places of the faults.
    fn close(&self, parts: &[Part]) -> Result<Vec<FileAccount>, IngestError> {
        let mut accounts = Vec::with_capacity(parts.len());
        for part in parts {
            let path = self.staging.join(format!("{:05}", part.number)).join(ACCOUNT);
            let account: PartAccount = read_json(&path).map_err(io("read", &path))?;
            accounts.push(account);
        }
        let mut files = Vec::with_capacity(self.delivery.files.len());
        let mut quarantine = String::from("file,line,record,field,kind\n");
        for (number, listed) in self.delivery.manifest.files.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let (account, places) = whole_file(accounts.iter().filter_map(|part| part.files.get(&number)));
            if !account.closes() {
                let booked = account.stored + account.dropped_lines() + account.quarantined_lines();
                return Err(IngestError::Bug { path: listed.path.clone(), read: account.read, booked });
            }
            places.iter().for_each(|place| quarantine.push_str(&quarantine_line(&listed.path, place)));
            let (path, family) = (listed.path.clone(), listed.family.clone());
            files.push(FileAccount { path, family, bytes: listed.bytes, account });
        }
        write_whole(&self.quarantine, quarantine.as_bytes()).map_err(io("write", &self.quarantine))?;
        sync_filesystem(&self.staging).map_err(io("flush", &self.staging))?;
        Ok(files)
    }
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
