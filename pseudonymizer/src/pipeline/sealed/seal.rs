//! Seals a delivery at the data holder: read, key, pack, encrypt, sign.

use std::path::{Path, PathBuf};

use catalog_store::{KeyError, SecretKey, StagedFiles, encrypt, hex};
use zeroize::Zeroizing;

use super::envelope::{EnvelopeError, seal_to};
use super::holder::{Bundle, Holder, HolderError};
use super::{Contents, HEADER, Header, PackedFile, SIGNATURE, VERSION, What, bound_to, packed_name};
use crate::pipeline::delivery::Delivery;
use crate::pipeline::ingest::{IngestError, Ingested, KeyedUnder, Progress, Run, RunKeys, RunPlaces, record};
use crate::pipeline::optout::OptOutError;
use crate::pipeline::parts;
use crate::pipeline::store::{fresh_folder, settle_folder, write_whole};

/// Why a delivery, or a list of who opted out, cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The delivery cannot be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The list cannot be read.
    #[error(transparent)]
    List(#[from] OptOutError),
    /// The holder's folder cannot be used.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The content key cannot be sealed.
    #[error("the content key cannot be sealed to the environment")]
    Envelope(#[from] EnvelopeError),
    /// There is something where what is sealed would lie.
    #[error("{0} exists; what is sealed is written to a place of its own")]
    Taken(PathBuf),
    /// The delivery is another holder's.
    #[error("the delivery says that it is of {0}")]
    Other(String),
    /// A file cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Seals the delivery in `folder` into the new folder `out`; under both intake keys where `is_overlap`.
///
/// # Errors
///
/// The delivery is rejected, the holder's keys cannot be opened, or something cannot be written.
pub fn seal(
    holder: &Holder,
    folder: &Path,
    out: &Path,
    is_overlap: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Ingested, SealError> {
    if out.exists() {
        return Err(SealError::Taken(out.to_owned()));
    }
    let scratch = holder.scratch();
    fresh_folder(&scratch).map_err(io(&scratch))?;
    let sealed = read_and_pack(holder, folder, &scratch, out, is_overlap, progress);
    // What was made on the way has no names in it, and goes all the same.
    std::fs::remove_dir_all(&scratch).map_err(io(&scratch))?;
    sealed
}

fn read_and_pack(
    holder: &Holder,
    folder: &Path,
    scratch: &Path,
    out: &Path,
    is_overlap: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Ingested, SealError> {
    let bundle = holder.bundle()?;
    let catalogue = bundle.catalogue()?;
    let delivery = Delivery::open(folder, &catalogue).map_err(IngestError::from)?;
    if delivery.manifest.delivery.holder != holder.card.name {
        return Err(SealError::Other(delivery.manifest.delivery.holder.clone()));
    }
    let parts = parts::cut(&delivery).map_err(IngestError::from)?;
    let places = || RunPlaces {
        staging: scratch.join("staging"),
        links: scratch.join("links"),
        quarantine: scratch.join("quarantine.csv"),
        // The delivery itself lies here in clear, and all of this goes when it is packed.
        files: StagedFiles::Clear,
    };
    let keys = RunKeys::open(&holder.keys, is_overlap)?;
    let keyed = keys.ids(&catalogue);
    let run = Run::new((&catalogue, "sealed"), &delivery, places(), keys, progress)?;
    let (files, spent) = (run.read(&parts)?, Some(run.spent()));
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let contents = Contents {
        manifest: delivery.manifest.clone(),
        parts: count,
        names: names(&places()).map_err(io(scratch))?,
    };
    let packing = Packing::begin((holder, &bundle), What::Delivery, keyed, (out, &delivery.id))?;
    pack(packing, &contents, scratch)?;
    let record = record(&delivery.id, &delivery.manifest, "", count, files);
    Ok(Ingested { is_known: false, spent, ..Ingested::known(&record) })
}

/// The files that a reading left, as paths below its scratch folder: parts first, each with its identities.
fn names(places: &RunPlaces) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for part in std::fs::read_dir(&places.staging)? {
        let part = part?;
        for file in std::fs::read_dir(part.path())? {
            let (part, file) = (part.file_name(), file?.file_name());
            names.push(format!("staging/{}/{}", part.to_string_lossy(), file.to_string_lossy()));
        }
    }
    for file in std::fs::read_dir(&places.links)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".parquet") {
            names.push(format!("links/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

fn pack(mut packing: Packing<'_>, contents: &Contents, scratch: &Path) -> Result<(), SealError> {
    let list = serde_json::to_vec(contents).map_err(|error| io(scratch)(error.into()))?;
    packing.add(&list)?;
    for name in &contents.names {
        let path = scratch.join(name);
        let clear = Zeroizing::new(std::fs::read(&path).map_err(io(&path))?);
        packing.add(&clear)?;
    }
    packing.sign()
}

/// A folder that is being packed: file by file under one content key, then signed, and there only then.
pub(super) struct Packing<'p> {
    holder: &'p Holder,
    bundle: &'p Bundle,
    header: Header,
    id: &'p str,
    key: SecretKey,
    out: &'p Path,
    temporary: PathBuf,
}

impl<'p> Packing<'p> {
    /// Begins the folder `out` for what has this id.
    pub(super) fn begin(
        (holder, bundle): (&'p Holder, &'p Bundle),
        what: What,
        keyed: KeyedUnder,
        (out, id): (&'p Path, &'p str),
    ) -> Result<Self, SealError> {
        let header = Header {
            version: VERSION,
            what,
            holder: holder.card.name.clone(),
            group: bundle.group.clone(),
            sealed_to: bundle.environment_key.clone(),
            keyed,
            key: String::new(),
            files: Vec::new(),
        };
        let temporary = out.with_extension("writing");
        fresh_folder(&temporary).map_err(io(&temporary))?;
        Ok(Self { holder, bundle, header, id, key: SecretKey::random()?, out, temporary })
    }

    /// Encrypts the next file.
    pub(super) fn add(&mut self, clear: &[u8]) -> Result<(), SealError> {
        let number = self.header.files.len();
        let sealed = encrypt(&self.key, &bound_to(self.id, number), clear)?;
        let path = self.temporary.join(packed_name(number));
        std::fs::write(&path, &sealed).map_err(io(&path))?;
        let blake3 = blake3::hash(&sealed).to_hex().to_string();
        self.header.files.push(PackedFile { bytes: sealed.len() as u64, blake3 });
        Ok(())
    }

    /// Seals the content key to the environment, signs the whole and gives it its name.
    pub(super) fn sign(mut self) -> Result<(), SealError> {
        let (purpose, sealed_for) =
            (self.header.what.purpose(), format!("{}/{}", self.id, self.header.holder));
        let key = seal_to(&self.bundle.environment, purpose, sealed_for.as_bytes(), self.key.as_bytes())?;
        // The id stands in clear beside the key, since the key is bound to it.
        self.header.key = format!("{}:{key}", self.id);
        let text = serde_json::to_vec_pretty(&self.header).map_err(|error| io(self.out)(error.into()))?;
        let signature = hex(self.holder.signer()?.sign(&text).as_ref());
        for (name, bytes) in [(HEADER, text.as_slice()), (SIGNATURE, signature.as_bytes())] {
            let path = self.temporary.join(name);
            write_whole(&path, bytes).map_err(io(&path))?;
        }
        settle_folder(&self.temporary, self.out).map_err(io(self.out))
    }
}

pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> SealError + '_ {
    move |source| SealError::Io { path: path.to_owned(), source }
}
