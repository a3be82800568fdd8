//! Takes a sealed delivery in: who sealed it, under which keys, is every file what it should be; then it counts.

use std::path::{Path, PathBuf};

use catalog_model::Catalogue;
use catalog_store::{Environment, KeyEntry, KeyError, KeyRole, KeyState, SecretKey, decrypt, from_hex, hex};
use ring::signature::{ED25519, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::envelope::{EnvelopeError, open_to};
use super::form::{self, are_plain};
use super::holder::known;
use super::{Contents, HEADER, Header, SIGNATURE, VERSION, What, bound_to, packed_name};
use crate::pipeline::delivery::identify;
use crate::pipeline::ingest::{
    IngestError, Ingested, KEYED_UNDER, RunPlaces, book, close, not_erased, record,
};
use crate::pipeline::store::{fresh_folder, write_json};

/// Why what was sealed is not taken in; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// A file of it is not there or cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file of it is not of the expected form.
    #[error("{0} is not of the expected form")]
    Form(String),
    /// It is a list of who opted out.
    #[error("it is a list of who opted out; `misu optout add` takes it in")]
    List,
    /// It is a delivery.
    #[error("it is a delivery; `misu ingest` takes it in")]
    Delivery,
    /// It was sealed by a later build.
    #[error("it was sealed in version {0}; use a newer program")]
    Version(u32),
    /// Nobody of this name was registered.
    #[error("its holder is not registered here, or is in another group; `misu keys export` registers one")]
    Stranger,
    /// The signature is not the holder's.
    #[error("its signature is not the registered holder's")]
    Signature,
    /// It was sealed under a key that is not known here, or is not its holder's to use.
    #[error(
        "it was made under the {} key {id}, which is not one that its holder's group has here", role.as_str()
    )]
    Key {
        /// The role.
        role: KeyRole,
        /// The id of the key.
        id: String,
    },
    /// It was made by other rules of normalisation.
    #[error(
        "it was normalised by {0}, which is not this environment's profile; give the holder a new bundle"
    )]
    Profile(String),
    /// A file differs from what the header says.
    #[error("{0} is not the file that was sealed")]
    Changed(String),
    /// A key or file does not open.
    #[error("it does not open")]
    Envelope(#[from] EnvelopeError),
    /// The list of its content is not what the header says.
    #[error("its content is not what its header names")]
    Content,
    /// A table file has other columns than the environment's layouts give.
    #[error("{0} has other columns than this environment's layouts give; give the holder a new bundle")]
    Columns(String),
    /// A key of the environment cannot be used.
    #[error(transparent)]
    KeyStore(#[from] KeyError),
}

/// Whether the folder is something that was sealed.
pub fn is_sealed(folder: &Path) -> bool {
    folder.join(HEADER).is_file()
}

/// The id of the sealed delivery in `folder`, whose signature is its registered holder's; its files are not looked at.
pub(crate) fn identify_sealed(environment: &Environment, folder: &Path) -> Result<String, SealedError> {
    let header = read_header(environment, folder, What::Delivery)?;
    Ok(id_and_key(&header)?.0.to_owned())
}

/// Takes the sealed delivery in `folder` into the environment. The same delivery twice, sealed or not, changes nothing.
///
/// # Errors
///
/// It is rejected, or something cannot be written; in both cases nothing of it counts.
pub fn ingest_sealed(environment: &Environment, folder: &Path, now: &str) -> Result<Ingested, IngestError> {
    let sealed = Sealed::open(environment, folder)?;
    let meta = environment.meta()?;
    if let Some(known) = meta.delivery(&sealed.id)? {
        return Ok(Ingested::known_by(&known, &sealed.contents.manifest));
    }
    let (catalogue, _) = environment.catalogue()?;
    if sealed.header.keyed.profile != catalogue.profile.as_str() {
        return Err(SealedError::Profile(sealed.header.keyed.profile).into());
    }
    not_erased(environment, &sealed.contents.manifest)?;
    let places = RunPlaces::of(environment, &sealed.id, 0);
    let unpacked = sealed.unpack(&catalogue, &places);
    if let Err(error) = unpacked {
        for folder in [&places.staging, &places.links] {
            // What stays is invisible all the same, and is overwritten when the delivery comes again.
            let _ = std::fs::remove_dir_all(folder);
        }
        return Err(error);
    }
    let files = close(&places, &sealed.contents.manifest, sealed.contents.parts)?;
    book(environment, record(&sealed.id, &sealed.contents.manifest, now, sealed.contents.parts, files))
}

/// Something sealed whose signature, holder and keys were found right, with its first file.
pub(super) struct Opened {
    pub(super) header: Header,
    pub(super) id: String,
    key: SecretKey,
    pub(super) first: Zeroizing<Vec<u8>>,
}

impl Opened {
    pub(super) fn of(environment: &Environment, folder: &Path, what: What) -> Result<Self, SealedError> {
        let header = read_header(environment, folder, what)?;
        check_keys(environment, &header)?;
        let (id, key) = id_and_key(&header)?;
        let private = environment.keys().with_id(KeyRole::Delivery, header.sealed_to.as_str())?;
        let bound = format!("{id}/{}", header.holder);
        let opened = open_to(&private, what.purpose(), bound.as_bytes(), key)?;
        let key = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| EnvelopeError::Open)?;
        let (id, key) = (id.to_owned(), SecretKey::new(*Zeroizing::new(key)));
        let first = unpack_file(folder, &header, &id, &key, 0)?;
        Ok(Self { header, id, key, first })
    }
}

/// A sealed delivery whose signature, holder and keys were found right.
struct Sealed {
    folder: PathBuf,
    header: Header,
    id: String,
    key: SecretKey,
    contents: Contents,
}

impl Sealed {
    fn open(environment: &Environment, folder: &Path) -> Result<Self, SealedError> {
        let Opened { header, id, key, first } = Opened::of(environment, folder, What::Delivery)?;
        let contents: Contents = serde_json::from_slice(&first).map_err(|_| SealedError::Content)?;
        let is_same = identify(&contents.manifest) == id
            && contents.manifest.delivery.holder == header.holder
            && contents.names.len() + 1 == header.files.len();
        if !is_same || !are_plain(&contents) {
            return Err(SealedError::Content);
        }
        Ok(Self { folder: folder.to_owned(), header, id, key, contents })
    }

    fn unpack(&self, catalogue: &Catalogue, places: &RunPlaces) -> Result<(), IngestError> {
        let io = |path: &Path, source| IngestError::Io { action: "write", path: path.to_owned(), source };
        for folder in [&places.staging, &places.links] {
            fresh_folder(folder).map_err(|source| io(folder, source))?;
        }
        for (number, name) in self.contents.names.iter().enumerate() {
            let clear = unpack_file(&self.folder, &self.header, &self.id, &self.key, number + 1)?;
            let path = match name.strip_prefix("staging/") {
                Some(rest) => places.staging.join(rest),
                None => places.links.join(name.trim_start_matches("links/")),
            };
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
            }
            match name.ends_with(".parquet") {
                true => places.files.write(&path, &clear)?,
                false => std::fs::write(&path, &*clear).map_err(|source| io(&path, source))?,
            }
        }
        form::check(catalogue, &self.contents, places)?;
        let path = places.links.join(KEYED_UNDER);
        write_json(&path, &self.header.keyed).map_err(|source| io(&path, source))
    }
}

fn read_header(environment: &Environment, folder: &Path, what: What) -> Result<Header, SealedError> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|source| SealedError::Read { path, source })
    };
    let (text, signature) = (read(HEADER)?, read(SIGNATURE)?);
    let form = |name: &str| SealedError::Form(name.to_owned());
    let header: Header = serde_json::from_slice(&text).map_err(|_| form(HEADER))?;
    if header.version != VERSION {
        return Err(SealedError::Version(header.version));
    }
    let known = known(environment, &header.holder).ok_or(SealedError::Stranger)?;
    if known.group != header.group || known.card.name != header.holder {
        return Err(SealedError::Stranger);
    }
    let signer = from_hex(&known.card.signer).ok_or_else(|| form("the holder's registration"))?;
    let signed = std::str::from_utf8(&signature).ok().and_then(from_hex).ok_or(SealedError::Signature)?;
    // One signature has one written form, so that no byte of a sealed delivery can change unnoticed.
    if hex(&signed).as_bytes() != signature {
        return Err(SealedError::Signature);
    }
    UnparsedPublicKey::new(&ED25519, signer).verify(&text, &signed).map_err(|_| SealedError::Signature)?;
    match header.what {
        found if found == what => Ok(header),
        What::OptOut => Err(SealedError::List),
        What::Delivery => Err(SealedError::Delivery),
    }
}

/// The delivery's id, and the content key that is sealed for it.
fn id_and_key(header: &Header) -> Result<(&str, &str), SealedError> {
    header.key.split_once(':').ok_or_else(|| SealedError::Form(HEADER.to_owned()))
}

/// The keys that made the content must be those of the holder's group, or one that the holder itself was given before,
/// and not destroyed.
fn check_keys(environment: &Environment, header: &Header) -> Result<(), SealedError> {
    let (index, keyed) = (environment.keys().index()?, &header.keyed);
    let holder = known(environment, &header.holder).ok_or(SealedError::Stranger)?;
    // What ties groups to each other is made here, from clear deliveries alone.
    if !keyed.groups.is_empty() {
        return Err(SealedError::Form(HEADER.to_owned()));
    }
    let is_its = |key: &KeyEntry| {
        key.role != KeyRole::Intake
            || key.group.as_ref() == Some(&holder.group)
            || [Some(&holder.intake), holder.former.as_ref()].contains(&Some(&key.id))
    };
    let used = [(KeyRole::Intake, &keyed.intake), (KeyRole::Surrogate, &keyed.surrogate)];
    let used = used.into_iter().chain(keyed.former.iter().map(|former| (KeyRole::Intake, former)));
    for (role, id) in used {
        let found = index.find(role, id.as_str());
        if !found.is_ok_and(|key| key.state != KeyState::Destroyed && is_its(key)) {
            return Err(SealedError::Key { role, id: id.to_string() });
        }
    }
    Ok(())
}

fn unpack_file(
    folder: &Path,
    header: &Header,
    id: &str,
    key: &SecretKey,
    number: usize,
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let name = packed_name(number);
    let path = folder.join(&name);
    let listed = header.files.get(number).ok_or(SealedError::Content)?;
    let sealed = std::fs::read(&path).map_err(|source| SealedError::Read { path, source })?;
    if sealed.len() as u64 != listed.bytes || blake3::hash(&sealed).to_hex().as_str() != listed.blake3 {
        return Err(SealedError::Changed(name));
    }
    decrypt(key, &bound_to(id, number), &sealed).ok_or(SealedError::Changed(name))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use catalog_model::Catalogue;
    use catalog_store::{Config, Environment};
    use synthetic::Options;

    use super::super::{HEADER, Holder, SIGNATURE, packed_name, register, seal};
    use super::{Sealed, SealedError, unpack_file};

    /// An environment, and a delivery that was sealed to it.
    fn sealed(folder: &Path) -> (Environment, PathBuf) {
        let options = Options {
            persons: 20,
            months: 1,
            first_month: "2023-04".parse().unwrap(),
            seed: 5,
            fault_rate: 0.0,
        };
        synthetic::write(&Catalogue::builtin().unwrap(), &options, folder, &mut |_| {}).unwrap();
        let mut deliveries =
            std::fs::read_dir(folder.join("deliveries")).unwrap().map(|entry| entry.unwrap());
        let delivery = deliveries.find(|entry| entry.file_name().to_string_lossy().starts_with("ndb"));
        let delivery = delivery.unwrap().path();
        let list = std::fs::read_to_string(delivery.join("delivery.toml")).unwrap();
        let name = list.lines().find_map(|line| line.strip_prefix("holder = ")).unwrap().trim_matches('"');
        let environment = Environment::create(&folder.join("env"), Config::new(2, Some(5))).unwrap();
        let holder = Holder::create(&folder.join("holder"), name, None).unwrap();
        let bundle = register(&environment, holder.card(), "g1").unwrap();
        let path = folder.join("bundle.json");
        std::fs::write(&path, serde_json::to_vec(&bundle).unwrap()).unwrap();
        holder.accept(&path).unwrap();
        let out = folder.join("sealed");
        seal(&holder, &delivery, &out, false, &|_| {}).unwrap();
        (environment, out)
    }

    /// Opens everything, as taking it in does before anything counts.
    fn open(environment: &Environment, folder: &Path) -> Result<(), SealedError> {
        let sealed = Sealed::open(environment, folder)?;
        for number in 0..sealed.header.files.len() {
            unpack_file(folder, &sealed.header, &sealed.id, &sealed.key, number)?;
        }
        Ok(())
    }

    /// Ways to change a file: each of these bytes in one bit, one byte less, one byte more.
    fn changes(bytes: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
        let flipped = (0..bytes.len()).step_by(step).chain(bytes.len().checked_sub(1)).map(|at| {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << (at % 8);
            changed
        });
        let shorter = bytes[..bytes.len() - 1].to_vec();
        let longer = [bytes, b"\n"].concat();
        flipped.chain([shorter, longer])
    }

    #[test]
    fn no_byte_of_a_sealed_delivery_changes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let (environment, sealed) = sealed(folder.path());
        open(&environment, &sealed).unwrap();
        let packed = std::fs::read_dir(&sealed).unwrap().count() - 2;
        assert!(packed > 2, "{packed}");
        let heads = [(HEADER.to_owned(), 5), (SIGNATURE.to_owned(), 1)];
        for (name, step) in
            heads.into_iter().chain((0..packed).map(|number| (packed_name(number), usize::MAX)))
        {
            let path = sealed.join(&name);
            let whole = std::fs::read(&path).unwrap();
            let step = step.min(whole.len() / 3).max(1);
            for changed in changes(&whole, step) {
                std::fs::write(&path, &changed).unwrap();
                let error = open(&environment, &sealed).unwrap_err();
                let is_told = match (&error, name.as_str()) {
                    (SealedError::Form(_) | SealedError::Version(_), HEADER) => true,
                    (SealedError::Stranger, HEADER) => true,
                    (SealedError::Signature, HEADER | SIGNATURE) => true,
                    (SealedError::Changed(file), _) => *file == name,
                    _ => false,
                };
                assert!(is_told, "{name}: {error}");
            }
            std::fs::write(&path, &whole).unwrap();
        }
        open(&environment, &sealed).unwrap();
    }
}
