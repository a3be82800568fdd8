//! The digest of rows as such: the same rows give the same digest, however they lie in a file.
//!
//! It is keyed, so that a snapshot id tells nothing to somebody who can guess rows.

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;

/// A running digest of one table file's rows.
#[derive(Debug)]
pub struct ContentDigest {
    hasher: blake3::Hasher,
    rows: u64,
}

impl ContentDigest {
    /// Begins the digest of rows of the table with this schema fingerprint.
    pub fn new(key: &[u8; 32], table: &str, schema: &str) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        for part in ["misu/v1/rows", table, schema] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Self { hasher, rows: 0 }
    }

    /// Adds rows, column by column. Batches must be cut at the same rows for the digest to be the same, which the
    /// publisher guarantees by cutting every [`ContentDigest::BATCH`] rows.
    pub fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        let mut bytes = Vec::new();
        for column in batch.columns() {
            bytes.clear();
            for row in 0..column.len() {
                bytes.push(u8::from(column.is_valid(row)));
            }
            add_values(column.as_ref(), &mut bytes);
            self.hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
        }
    }

    /// The digest, hexadecimal.
    pub fn finish(mut self) -> String {
        self.hasher.update(&self.rows.to_le_bytes());
        self.hasher.finalize().to_hex().to_string()
    }

    /// Rows between two cuts.
    pub const BATCH: usize = 65_536;
}

fn add_values(column: &dyn arrow::array::Array, bytes: &mut Vec<u8>) {
    macro_rules! numbers {
        ($kind:ty) => {
            for value in column.as_primitive::<$kind>() {
                bytes.extend_from_slice(&value.unwrap_or_default().to_le_bytes());
            }
        };
    }
    match column.data_type() {
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::Date32 => numbers!(Date32Type),
        DataType::Decimal128(_, _) => numbers!(Decimal128Type),
        DataType::Boolean => {
            bytes.extend(column.as_boolean().iter().map(|value| u8::from(value.unwrap_or_default())));
        }
        // Text is the only other type that arrow_schema gives.
        _ => {
            for value in column.as_string::<i32>() {
                let value = value.unwrap_or_default();
                bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
                bytes.extend_from_slice(value.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::record_batch::RecordBatch;

    use super::ContentDigest;

    fn digest(numbers: Vec<Option<i64>>, texts: Vec<Option<&str>>) -> String {
        let columns: [(&str, ArrayRef); 2] =
            [("n", Arc::new(Int64Array::from(numbers))), ("t", Arc::new(StringArray::from(texts)))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut digest = ContentDigest::new(&[1; 32], "t", "s");
        digest.add(&batch);
        digest.finish()
    }

    #[test]
    fn equal_rows_and_only_those_have_equal_digests() {
        let base = digest(vec![Some(1), None], vec![Some("a"), Some("")]);
        assert_eq!(base, digest(vec![Some(1), None], vec![Some("a"), Some("")]));
        for other in [
            digest(vec![Some(1), Some(0)], vec![Some("a"), Some("")]),
            digest(vec![Some(1), None], vec![Some("a"), None]),
            digest(vec![None, Some(1)], vec![Some("a"), Some("")]),
            digest(vec![Some(1), None], vec![Some(""), Some("a")]),
        ] {
            assert_ne!(base, other);
        }
    }
}
