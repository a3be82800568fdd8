//! Seals a delivery at the data holder: read, key, pack, encrypt, sign.

use std::path::{Path, PathBuf};

use catalog_store::{KeyError, SecretKey, StagedFiles, encrypt, hex};
use zeroize::Zeroizing;

use super::envelope::{EnvelopeError, seal_to};
use super::holder::{Bundle, Holder, HolderError};
use super::{Contents, HEADER, Header, PackedFile, SIGNATURE, VERSION, bound_to, packed_name};
use crate::pipeline::delivery::Delivery;
use crate::pipeline::ingest::{IngestError, Ingested, Progress, Run, RunKeys, RunPlaces, record};
use crate::pipeline::parts;
use crate::pipeline::store::{fresh_folder, settle_folder, write_whole};

pub(super) const PURPOSE: &str = "misu/sealed/v1";

/// Why a delivery cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The delivery cannot be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The holder's folder cannot be used.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The content key cannot be sealed.
    #[error("the content key cannot be sealed to the environment")]
    Envelope(#[from] EnvelopeError),
    /// There is something where the sealed delivery would lie.
    #[error("{0} exists; a sealed delivery is written to a place of its own")]
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
    let header = Header {
        version: VERSION,
        holder: holder.card.name.clone(),
        group: bundle.group.clone(),
        sealed_to: bundle.environment_key.clone(),
        keyed,
        key: String::new(),
        files: Vec::new(),
    };
    let temporary = out.with_extension("writing");
    fresh_folder(&temporary).map_err(io(&temporary))?;
    pack(holder, &bundle, header, &contents, (scratch, &temporary), &delivery.id)?;
    settle_folder(&temporary, out).map_err(io(out))?;
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

fn pack(
    holder: &Holder,
    bundle: &Bundle,
    mut header: Header,
    contents: &Contents,
    (scratch, out): (&Path, &Path),
    id: &str,
) -> Result<(), SealError> {
    let content_key = SecretKey::random()?;
    let mut packed = |number: usize, clear: &[u8]| -> Result<(), SealError> {
        let sealed = encrypt(&content_key, &bound_to(id, number), clear)?;
        let path = out.join(packed_name(number));
        std::fs::write(&path, &sealed).map_err(io(&path))?;
        let blake3 = blake3::hash(&sealed).to_hex().to_string();
        header.files.push(PackedFile { bytes: sealed.len() as u64, blake3 });
        Ok(())
    };
    let list = serde_json::to_vec(contents).map_err(|error| io(out)(error.into()))?;
    packed(0, &list)?;
    for (number, name) in contents.names.iter().enumerate() {
        let path = scratch.join(name);
        let clear = Zeroizing::new(std::fs::read(&path).map_err(io(&path))?);
        packed(number + 1, &clear)?;
    }
    let sealed_for = format!("{id}/{}", header.holder);
    header.key = seal_to(&bundle.environment, PURPOSE, sealed_for.as_bytes(), content_key.as_bytes())?;
    // The id stands in clear beside the key, since the key is bound to it.
    header.key = format!("{id}:{}", header.key);
    let text = serde_json::to_vec_pretty(&header).map_err(|error| io(out)(error.into()))?;
    let signature = hex(holder.signer()?.sign(&text).as_ref());
    for (name, bytes) in [(HEADER, text.as_slice()), (SIGNATURE, signature.as_bytes())] {
        let path = out.join(name);
        write_whole(&path, bytes).map_err(io(&path))?;
    }
    Ok(())
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> SealError + '_ {
    move |source| SealError::Io { path: path.to_owned(), source }
}
