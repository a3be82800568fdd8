//! Rows in Arrow and Parquet: staged while persons are not known yet, published by bucket afterwards.

mod builder;
mod canonical;
pub mod derived;
mod files;
mod staged_table;
mod staging;
mod words;

pub use canonical::ContentDigest;
pub use files::{Digests, FileError, ParquetFile, open, open_encrypted, schema_fingerprint};
pub use staging::{StagedClaims, Staging, StagingError, bridge_column, former_column, write_identities};
