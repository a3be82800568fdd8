//! Zip packages of XML documents: looked over before anything is taken in, then read line by line.
//!
//! A package is refused whole where it could harm its reader or where it is not what it seems: names that leave it,
//! links, two entries of one name or of the same bytes, entries that expand beyond measure, document type definitions.
//! Entries are named by their number: a name is the sender's and may say anything. Nothing is ever written to disk.

use std::collections::HashSet;
use std::io::{self, Read, Seek};

use catalog_model::{FaultKind, PackageLimits};
use zeroize::Zeroizing;
use zip::CompressionMethod;
use zip::read::ZipArchive;
use zip::result::ZipError;

use super::elements::Elements;
use super::program::Program;
use super::reader::{Claims, FilePart, FileSummary, Reader};
use super::xml::{self, Attack, Document};

/// Why a package is refused whole.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file cannot be read.
    #[error("cannot read the package")]
    Io(#[from] io::Error),
    /// It is not a zip file, or a damaged one.
    #[error("not a whole zip file")]
    Zip(#[source] ZipError),
    /// It has too many entries.
    #[error("{found} entries, more than {limit}")]
    Entries {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two entries have one name.
    #[error("two entries have the same name")]
    Twice,
    /// Two entries share bytes.
    #[error("entries overlap")]
    Overlap,
    /// An entry's name leaves the package.
    #[error("entry {0}: its name does not stay in the package")]
    Name(usize),
    /// An entry is a link or another special file.
    #[error("entry {0}: not a plain file")]
    Special(usize),
    /// An entry is encrypted or compressed in another way than deflate.
    #[error("entry {0}: encrypted, or compressed by another method than deflate")]
    Method(usize),
    /// An entry is damaged.
    #[error("entry {0}: damaged, its bytes are not those that the package lists")]
    Damaged(usize),
    /// An entry is too large when expanded.
    #[error("entry {entry}: expands to more than {limit} bytes")]
    Large {
        /// Which entry.
        entry: usize,
        /// How many bytes there may be.
        limit: u64,
    },
    /// All entries together are too large when expanded.
    #[error("expands to more than {0} bytes")]
    Total(u64),
    /// An entry expands too far.
    #[error("entry {entry}: expands more than {limit} times")]
    Ratio {
        /// Which entry.
        entry: usize,
        /// How many times it may.
        limit: u64,
    },
    /// A document brings a document type definition.
    #[error("entry {0}: has a document type definition, by which entities expand")]
    Doctype(usize),
    /// A document's elements are too deep inside each other.
    #[error("entry {entry}: more than {limit} elements inside each other")]
    Depth {
        /// Which entry.
        entry: usize,
        /// How many there may be.
        limit: usize,
    },
    /// An element has too many attributes.
    #[error("entry {entry}: an element with more than {limit} attributes")]
    Attributes {
        /// Which entry.
        entry: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Too many elements of a document make lines.
    #[error("entry {entry}: more than {limit} elements that make lines")]
    Lines {
        /// Which entry.
        entry: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A document that the package must have is not there.
    #[error("no {0} document")]
    Missing(String),
    /// Files of the layout are not packages: a defect of ours.
    #[error("the layout does not describe packages")]
    NotAPackage,
}

/// Looks a package over: its list of entries, and every document to its end.
///
/// # Errors
///
/// The package is refused.
pub fn inspect(program: &Program, source: impl Read + Seek) -> Result<(), PackageError> {
    let elements = program.package.as_ref().ok_or(PackageError::NotAPackage)?;
    let mut roots = HashSet::new();
    each_entry(elements, source, |content| {
        if let Content::Document(document) = content
            && let Some(root) = document.lines.first()
        {
            let name = root.split(|byte| *byte == program.delimiter).next().unwrap_or_default();
            roots.insert(name.to_vec());
        }
    })?;
    match elements.required.iter().find(|name| !roots.contains(name.as_bytes())) {
        Some(name) => Err(PackageError::Missing(name.clone())),
        None => Ok(()),
    }
}

impl Reader<'_> {
    /// Reads one package to its end. Lines are numbered through all its documents, in the order of depth and name.
    ///
    /// # Errors
    ///
    /// The package is refused; whoever looked it over before sees this only where it was changed since.
    pub fn read_package(
        &mut self,
        source: impl Read + Seek,
        part: &FilePart<'_>,
        claims: &mut impl Claims,
    ) -> Result<FileSummary, PackageError> {
        let elements = self.program.package.as_ref().ok_or(PackageError::NotAPackage)?;
        self.begin(part);
        each_entry(elements, source, |content| match content {
            Content::Document(document) => self.document(&document, claims),
            Content::Other(tag) => self.package_line(tag.as_bytes(), claims),
        })?;
        self.end(true, claims);
        Ok(std::mem::take(&mut self.summary))
    }

    fn document(&mut self, document: &Document, claims: &mut impl Claims) {
        let Some(kind) = document.broken else {
            document.lines.iter().for_each(|line| self.package_line(line, claims));
            return;
        };
        // Nothing of a broken document is trusted: its lines and the break itself, one line more, go to quarantine.
        for line in &document.lines {
            self.next_line();
            let Some(record) = self.recognise(line) else {
                self.unplaced(FaultKind::UnknownRecord, claims);
                continue;
            };
            self.count(record);
            self.quarantine(self.line_no, record, "".into(), kind);
        }
        self.next_line();
        self.unplaced(kind, claims);
    }

    fn package_line(&mut self, line: &[u8], claims: &mut impl Claims) {
        self.line_no += 1;
        self.line(super::lines::Line { bytes: line, is_ended: true, missing: 0, inner: 0 }, true, claims);
    }

    fn next_line(&mut self) {
        self.line_no += 1;
        self.summary.read += 1;
    }
}

/// What an entry holds.
enum Content {
    Document(Document),
    /// A file that is not XML, by its extension; its bytes are not looked at.
    Other(String),
}

fn each_entry<S: Read + Seek>(
    elements: &Elements,
    source: S,
    mut visit: impl FnMut(Content),
) -> Result<(), PackageError> {
    let mut archive = ZipArchive::new(source).map_err(zip_error)?;
    let entries = list(&mut archive, &elements.limits)?;
    let mut total = 0_u64;
    for entry in &entries {
        if !entry.name.ends_with(b".xml") {
            visit(Content::Other(extension(&entry.name)));
            continue;
        }
        let bytes = expand(&mut archive, entry, &elements.limits)?;
        total = total.saturating_add(bytes.len() as u64);
        if total > elements.limits.bytes {
            return Err(PackageError::Total(elements.limits.bytes));
        }
        let document =
            xml::read(elements, &bytes).map_err(|attack| refused(attack, entry, &elements.limits))?;
        visit(Content::Document(document));
    }
    Ok(())
}

/// A plain file in the package.
struct Entry {
    /// Its place in the package's list, from 0.
    index: usize,
    /// Its name in lower case.
    name: Vec<u8>,
    size: u64,
    compressed: u64,
}

impl Entry {
    /// Its number for messages, from 1.
    const fn number(&self) -> usize {
        self.index + 1
    }
}

/// The package's files in the order in which they are read: those in the outermost folder first, so that the index
/// stands before the documents, then by name.
fn list<S: Read + Seek>(
    archive: &mut ZipArchive<S>,
    limits: &PackageLimits,
) -> Result<Vec<Entry>, PackageError> {
    if archive.len() > limits.entries {
        return Err(PackageError::Entries { found: archive.len(), limit: limits.entries });
    }
    if archive.has_duplicate_names() {
        return Err(PackageError::Twice);
    }
    let mut entries = Vec::with_capacity(archive.len());
    let mut names = HashSet::new();
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let Some(entry) = plain_file(archive, index, limits)? else { continue };
        total = total.saturating_add(entry.size);
        if !names.insert(entry.name.clone()) {
            return Err(PackageError::Twice);
        }
        entries.push(entry);
    }
    if total > limits.bytes {
        return Err(PackageError::Total(limits.bytes));
    }
    if archive.has_overlapping_entries().map_err(zip_error)? {
        return Err(PackageError::Overlap);
    }
    let depth = |entry: &Entry| entry.name.iter().filter(|byte| **byte == b'/').count();
    entries.sort_by(|one, two| (depth(one), &one.name).cmp(&(depth(two), &two.name)));
    Ok(entries)
}

/// The entry, or nothing where it is a folder.
fn plain_file<S: Read + Seek>(
    archive: &mut ZipArchive<S>,
    index: usize,
    limits: &PackageLimits,
) -> Result<Option<Entry>, PackageError> {
    let number = index + 1;
    let entry = archive.by_index_data(index).map_err(zip_error)?;
    let name = entry.name_raw();
    let is_folder = name.ends_with(b"/");
    if !is_inside(name.strip_suffix(b"/").unwrap_or(name)) {
        return Err(PackageError::Name(number));
    }
    // The upper bits of a Unix mode say the kind of file; 0 is what writers on other systems leave.
    let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
    if entry.is_symlink() || !matches!(kind, 0 | 0o100_000 | 0o040_000) || (kind == 0o040_000 && !is_folder) {
        return Err(PackageError::Special(number));
    }
    let is_known = matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated);
    if entry.encrypted() || !is_known {
        return Err(PackageError::Method(number));
    }
    let found = Entry {
        index,
        name: name.to_ascii_lowercase(),
        size: entry.size(),
        compressed: entry.compressed_size(),
    };
    if found.size > limits.entry_bytes {
        return Err(PackageError::Large { entry: number, limit: limits.entry_bytes });
    }
    // Small files may compress as they like; a bomb needs room.
    if found.size > SMALL && found.size / limits.ratio.max(1) > found.compressed {
        return Err(PackageError::Ratio { entry: number, limit: limits.ratio });
    }
    Ok((!is_folder).then_some(found))
}

const SMALL: u64 = 1 << 16;

fn is_inside(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| *byte >= 0x20 && !matches!(byte, b'\\' | b':');
    name.iter().all(is_plain)
        && name.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

/// Expands an entry; whatever its list says, no more than it says.
fn expand<S: Read + Seek>(
    archive: &mut ZipArchive<S>,
    entry: &Entry,
    limits: &PackageLimits,
) -> Result<Zeroizing<Vec<u8>>, PackageError> {
    let damaged = PackageError::Damaged(entry.number());
    let Ok(source) = archive.by_index(entry.index) else { return Err(damaged) };
    let size = usize::try_from(entry.size).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    let read = source.take(entry.size.min(limits.entry_bytes) + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() != size {
        return Err(damaged);
    }
    Ok(bytes)
}

fn extension(name: &[u8]) -> String {
    let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let at = last.iter().rposition(|byte| *byte == b'.').unwrap_or(last.len());
    String::from_utf8_lossy(last.get(at..).unwrap_or_default()).into_owned()
}

const fn refused(attack: Attack, entry: &Entry, limits: &PackageLimits) -> PackageError {
    let entry = entry.number();
    match attack {
        Attack::Doctype => PackageError::Doctype(entry),
        Attack::Depth => PackageError::Depth { entry, limit: limits.depth },
        Attack::Lines => PackageError::Lines { entry, limit: limits.lines },
        Attack::Attributes => PackageError::Attributes { entry, limit: limits.attributes },
    }
}

fn zip_error(error: ZipError) -> PackageError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => PackageError::Io(error),
        other => PackageError::Zip(other),
    }
}
