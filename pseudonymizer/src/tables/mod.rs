//! Rows in Arrow and Parquet: staged while persons are not known yet, published by bucket afterwards.

mod builder;
mod canonical;
mod files;
mod staging;

pub use canonical::ContentDigest;
pub use files::{FileError, ParquetFile, open, schema_fingerprint};
pub use staging::{
    LINE, RECORD, StagedClaims, Staging, StagingError, former_column, staged_schema, write_identities,
};
