//! Files of any registry, linked outside every environment: `misu link-files`.
//!
//! The files are declared in TOML. Records are linked by exact keys, or by agreements that are weighed; either way
//! each value becomes hashes under a random key of the run as soon as it is read, and nothing else is compared. What
//! comes out is file, record number and cluster number. Benchmark files of others can be run through it.

mod declaration;
mod hash;
mod keys;
mod read;
mod tokens;
mod tolerant;
mod weights;

use std::path::{Path, PathBuf};

pub use declaration::{Field, FieldKind, Key, Registry, TextEncoding, Tolerance, Tolerant};

use crate::linkage::exact;
use hash::RunKey;
use tokens::Tokens;

/// Why files were not linked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The declaration is not of the expected form.
    #[error("{path} is no declaration of a registry")]
    Declaration {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: toml::de::Error,
    },
    /// The declaration refers to a field that it does not declare.
    #[error("the declaration refers to the field {0}, which it does not declare")]
    UnknownField(String),
    /// The declaration says neither keys nor tolerance.
    #[error("the declaration has neither a [[key]] nor a [tolerant]")]
    NoKeys,
    /// A file is not as declared.
    #[error("{path}: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: FileFault,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The heading has no such column.
    #[error("no column {0}")]
    NoColumn(String),
    /// A record has too few fields.
    #[error("record {record} has too few fields")]
    Short {
        /// The record, counted from 1 behind the heading.
        record: u64,
    },
}

/// Records of several files with their clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkedFiles {
    /// The number of records of each file, in the order of the files.
    pub records: Vec<usize>,
    /// The cluster of each record, all files one after the other; numbered from 1 in the order of their first record.
    pub cluster_of: Vec<u32>,
    /// The number of clusters.
    pub clusters: u32,
}

/// Reads a declaration.
///
/// # Errors
///
/// It cannot be read, or does not hang together.
pub fn declaration(path: &Path) -> Result<Registry, RegistryError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| RegistryError::Read { path: path.to_owned(), source })?;
    let registry: Registry = toml::from_str(&text)
        .map_err(|source| RegistryError::Declaration { path: path.to_owned(), source })?;
    match registry.undeclared().first() {
        Some(name) => Err(RegistryError::UnknownField((*name).to_owned())),
        None if registry.keys.is_empty() && registry.tolerant.is_none() => Err(RegistryError::NoKeys),
        None => Ok(registry),
    }
}

/// Links the records of files. The hashes and their key are gone when this returns.
///
/// # Errors
///
/// A file cannot be read or is not as declared.
pub fn link_files(registry: &Registry, files: &[PathBuf]) -> Result<LinkedFiles, RegistryError> {
    let run = RunKey::random().ok_or(RegistryError::Random)?;
    let mut linked = LinkedFiles::default();
    let mut tokens: Vec<Tokens> = Vec::new();
    let mut columns: Vec<Vec<u64>> = vec![Vec::new(); registry.keys.len()];
    for file in files {
        let mut records = 0;
        read::records(registry, file, &mut |values| {
            records += 1;
            if registry.tolerant.is_some() {
                tokens.push(Tokens::new(registry, &run, values));
                return;
            }
            for (number, (key, column)) in registry.keys.iter().zip(&mut columns).enumerate() {
                column.push(keys::hash(registry, number, key, &run, values).unwrap_or(exact::NONE));
            }
        })?;
        linked.records.push(records);
    }
    let named = match &registry.tolerant {
        Some(tolerant) => tolerant::clusters(registry, tolerant, &tokens),
        None => exact::components(columns),
    };
    let mut numbers = vec![0_u32; named.len()];
    for name in &named {
        // A cluster is named by its smallest record, which comes first.
        if let Some(number) = numbers.get_mut(*name as usize)
            && *number == 0
        {
            linked.clusters += 1;
            *number = linked.clusters;
        }
        linked.cluster_of.push(numbers.get(*name as usize).copied().unwrap_or(0));
    }
    Ok(linked)
}
