//! Encrypted Parquet both ways between misu's library and PyArrow, in a test profile: keys lie in the file as the
//! standard key material, and no file is bound to a place.
//!
//! Files of a snapshot are not of this profile: their keys stand in the manifest and nowhere else, and every piece is
//! bound to its file, which PyArrow's key tools have no words for.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array, StringArray, UInt32Array};
use arrow::record_batch::RecordBatch;
use catalog_store::{from_hex, hex};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::doors::installed;

const MASTER: &str = "test-master";

/// The keys of this profile, wrapped as their own digits.
struct Material;

impl KeyRetriever for Material {
    fn retrieve_key(&self, metadata: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let material: Value = serde_json::from_slice(metadata).unwrap();
        assert_eq!(material["keyMaterialType"], "PKMT1");
        assert_eq!(
            (&material["internalStorage"], &material["doubleWrapping"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(material["masterKeyID"], MASTER);
        Ok(from_hex(material["wrappedDEK"].as_str().unwrap()).unwrap())
    }
}

fn material(key: &[u8], is_footer: bool) -> Vec<u8> {
    let mut material = json!({
        "keyMaterialType": "PKMT1", "internalStorage": true, "isFooterKey": is_footer,
        "masterKeyID": MASTER, "wrappedDEK": hex(key), "doubleWrapping": false,
    });
    if is_footer {
        material["kmsInstanceID"] = json!("DEFAULT");
        material["kmsInstanceURL"] = json!("DEFAULT");
    }
    serde_json::to_vec(&material).unwrap()
}

fn rows() -> RecordBatch {
    let persons = Arc::new(UInt32Array::from(vec![1, 2, 3]));
    let months = Arc::new(Date32Array::from(vec![19_814, 19_844, 19_875]));
    let areas = Arc::new(StringArray::from(vec![Some("13"), None, Some("東京")]));
    let points = Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(-1), None]));
    RecordBatch::try_from_iter_with_nullable([
        ("person_id", persons as _, false),
        ("service_month", months as _, false),
        ("prefecture", areas as _, true),
        ("total_points", points as _, true),
    ])
    .unwrap()
}

/// Writes the rows under one key for all, or one for each column and one for the footer.
fn write(path: &Path, rows: &RecordBatch, is_uniform: bool) {
    let footer = [7; 16];
    let mut keys =
        FileEncryptionProperties::builder(footer.to_vec()).with_footer_key_metadata(material(&footer, true));
    let columns = rows.schema();
    let columns = columns.fields().iter().zip(11_u8..).filter(|_| !is_uniform);
    for (column, number) in columns {
        let key = [number; 16];
        keys = keys.with_column_key_and_metadata(column.name(), key.to_vec(), material(&key, false));
    }
    let properties =
        WriterProperties::builder().with_file_encryption_properties(keys.build().unwrap()).build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

fn read(path: &Path) -> RecordBatch {
    let keys = FileDecryptionProperties::with_key_retriever(Arc::new(Material)).build().unwrap();
    let options = ArrowReaderOptions::new().with_file_decryption_properties(keys);
    let file = File::open(path).unwrap();
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap().build().unwrap();
    reader.next().unwrap().unwrap()
}

#[test]
fn pyarrow_reads_what_we_write_and_we_read_what_it_writes() {
    let (folder, rows) = (tempfile::tempdir().unwrap(), rows());
    let place = |name: &str| folder.path().join(name);
    write(&place("misu-uniform.parquet"), &rows, true);
    write(&place("misu-columns.parquet"), &rows, false);
    let output = Command::new(installed("adbc", "python"))
        .arg(crate::root().join("tests/clients/parquet_keys.py"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = ["1 2024-04-01 13 9223372036854775807", "2 2024-05-01 None -1", "3 2024-06-01 東京 None"];
    let expected = ["uniform", "columns"].map(|kind| expected.map(|row| format!("{kind} {row}\n")).concat());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.concat());
    for kind in ["uniform", "columns"] {
        let found = read(&place(&format!("pyarrow-{kind}.parquet")));
        assert_eq!(found.columns(), rows.columns(), "{kind}");
        // Nothing of it lies in clear, and without keys it is no file.
        let bytes = std::fs::read(place(&format!("pyarrow-{kind}.parquet"))).unwrap();
        assert!(bytes.starts_with(b"PARE") && !bytes.windows(6).any(|window| window == "東京".as_bytes()));
        let file = File::open(place(&format!("pyarrow-{kind}.parquet"))).unwrap();
        assert!(ParquetRecordBatchReaderBuilder::try_new(file).is_err());
    }
}
