//! Encrypted Parquet both ways between misu and PyArrow, in two test profiles.
//!
//! Under one key for all, misu's own writer and reader are on our side: each file is bound to a place that does not
//! stand in it, and PyArrow is given key and place directly. Under a key for each column, PyArrow takes keys from a
//! key service alone, so the keys lie in the file as the standard key material, no file is bound to a place, and on our
//! side is misu's library with properties of the test. Files of a snapshot have a key for each column, and their keys
//! stand in the manifest and nowhere else, which PyArrow's interface has no words for.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array, StringArray, UInt32Array};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use catalog_model::ColumnKeys;
use catalog_staged::encrypted;
use catalog_store::{from_hex, hex};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use serde_json::{Value, json};

use crate::doors::installed;

/// The one key of the uniform profile.
static KEY: [u8; 32] = [7; 32];
/// What its files are bound to.
const PLACE: &str = "test-dataset/test-file";

const MASTER: &str = "test-master";

/// The keys of the columns' profile, wrapped as their own digits.
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

/// The keys of the uniform profile as misu's own files have theirs, with the same key everywhere.
fn uniform<'a>(schema: &'a Schema, place: &'a str) -> ColumnKeys<'a> {
    let columns = schema.fields().iter().map(|field| (field.name().as_str(), &KEY[..])).collect();
    ColumnKeys { bound_to: place.as_bytes(), footer: &KEY, columns }
}

/// The properties of the columns' profile.
fn by_column(schema: &Schema) -> WriterProperties {
    let footer = [7; 16];
    let mut keys =
        FileEncryptionProperties::builder(footer.to_vec()).with_footer_key_metadata(material(&footer, true));
    for (column, number) in schema.fields().iter().zip(11_u8..) {
        let key = [number; 16];
        keys = keys.with_column_key_and_metadata(column.name(), key.to_vec(), material(&key, false));
    }
    layout().with_file_encryption_properties(keys.build().unwrap()).build()
}

fn layout() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()))
}

fn write(path: &Path, rows: &RecordBatch, properties: WriterProperties) {
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

fn read(path: &Path, options: ArrowReaderOptions) -> Result<RecordBatch, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path).unwrap(), options)?;
    Ok(builder.build()?.next().unwrap()?)
}

#[test]
fn pyarrow_reads_what_we_write_and_we_read_what_it_writes() {
    let (folder, rows) = (tempfile::tempdir().unwrap(), rows());
    let place = |name: &str| folder.path().join(name);
    let schema = rows.schema();
    let ours = encrypted::writing(layout(), &schema, &uniform(&schema, PLACE)).unwrap();
    write(&place("misu-uniform.parquet"), &rows, ours);
    write(&place("misu-columns.parquet"), &rows, by_column(&schema));
    let output = Command::new(installed("adbc", "python"))
        .arg(crate::root().join("tests/clients/parquet_keys.py"))
        .arg(folder.path())
        .args([hex(&KEY).as_str(), PLACE])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = ["1 2024-04-01 13 9223372036854775807", "2 2024-05-01 None -1", "3 2024-06-01 東京 None"];
    let expected = ["uniform", "columns"].map(|kind| expected.map(|row| format!("{kind} {row}\n")).concat());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.concat());
    let ours = |place| encrypted::reading(Some(&uniform(&schema, place))).unwrap();
    let material = FileDecryptionProperties::with_key_retriever(Arc::new(Material)).build().unwrap();
    let material = ArrowReaderOptions::new().with_file_decryption_properties(material);
    for (kind, options) in [("uniform", ours(PLACE)), ("columns", material)] {
        let path = place(&format!("pyarrow-{kind}.parquet"));
        assert_eq!(read(&path, options).unwrap().columns(), rows.columns(), "{kind}");
        // Nothing of it lies in clear, and without keys it is no file.
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"PARE") && !bytes.windows(6).any(|window| window == "東京".as_bytes()));
        assert!(read(&path, ArrowReaderOptions::new()).is_err());
    }
    // In another's place it does not open.
    assert!(read(&place("pyarrow-uniform.parquet"), ours("test-dataset/another-file")).is_err());
}
