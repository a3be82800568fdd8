//! What the files of a sealed delivery must be, before any of it counts.
//!
//! A holder is trusted with what its own rows say, not with the form of the environment's store: a file too many, a
//! column too many, or a row that cannot be read would stop every later publish. So each file is compared with what a
//! reading here would have left, and each table is read once from end to end.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::RecordBatchReader as _;
use arrow::datatypes::{DataType, Field, Schema};
use catalog_model::{Catalogue, Table};
use catalog_staged::{
    COUNT, LINE, PHRASE, RECORD, StagedPart, WORD, heads_file, phrases_file, rows_file, staged_schema,
    stored_field, words_file,
};

use catalog_store::StagedFiles;

use super::Contents;
use super::accept::SealedError;
use crate::pipeline::ingest::{IngestError, RunPlaces};
use crate::tables::{FileError, former_column, open};

const BATCH: usize = 65_536;
const CLAIMS: &str = "claims";
const WORDS: &str = "words";

/// A column's name and type, which is what a file's form is made of.
type Columns = Vec<(String, DataType)>;

/// Every name is one that a reading makes, and none occurs twice: a holder names no other places.
pub(super) fn are_plain(contents: &Contents) -> bool {
    let is_part = |part: &str| {
        part.len() == 5
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u32>().is_ok_and(|number| number < contents.parts)
    };
    let is_file = |file: &str| {
        file == "account.json"
            || file.strip_suffix(".parquet").is_some_and(|name| {
                let name = table_of(name);
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
    };
    let is_plain = |name: &String| match name.split('/').collect::<Vec<_>>().as_slice() {
        ["staging", part, file] => is_part(part) && is_file(file),
        ["links", file] => file.strip_suffix(".parquet").is_some_and(is_part),
        _ => false,
    };
    contents.names.iter().collect::<BTreeSet<_>>().len() == contents.names.len()
        && contents.names.iter().all(is_plain)
}

/// Every unpacked file has the columns that this environment's layouts stage, and every table can be read.
pub(super) fn check(
    catalogue: &Catalogue,
    contents: &Contents,
    places: &RunPlaces,
) -> Result<(), IngestError> {
    for name in &contents.names {
        match name.strip_prefix("staging/") {
            Some(rest) if rest.ends_with(".parquet") => {
                check_name(catalogue, name)?;
            }
            Some(_) => {}
            None => check_identities(catalogue, name, places)?,
        }
    }
    for part in 0..contents.parts {
        let folder = places.staging.join(format!("{part:05}"));
        check_apart(&places.files, &folder, part)?;
        for table in catalogue.tables.values() {
            check_table(&places.files, table, &folder, part)?;
        }
    }
    Ok(())
}

/// A staged file is of a table of the catalogue, or of the claims or words.
fn check_name(catalogue: &Catalogue, name: &str) -> Result<(), SealedError> {
    let stem = name.rsplit('/').next().and_then(|file| file.strip_suffix(".parquet")).unwrap_or_default();
    let is_known = [CLAIMS, WORDS].contains(&stem) || catalogue.tables.contains_key(table_of(stem));
    if is_known { Ok(()) } else { Err(SealedError::Columns(name.to_owned())) }
}

/// The table of a file's name without its ending.
fn table_of(stem: &str) -> &str {
    stem.strip_suffix(".heads").or_else(|| stem.strip_suffix(".phrases")).unwrap_or(stem)
}

/// Identities have numbers and keys, and nothing else.
fn check_identities(catalogue: &Catalogue, name: &str, places: &RunPlaces) -> Result<(), IngestError> {
    let path = places.links.join(name.trim_start_matches("links/"));
    let schemes = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone());
    let keys: BTreeSet<String> = schemes.flat_map(|scheme| [former_column(&scheme), scheme]).collect();
    let is_right = columns(&places.files, &path)?.iter().all(|(name, kind)| {
        let is_number = matches!(kind, DataType::UInt8 | DataType::UInt32 | DataType::Int32)
            || (name == "months" && *kind == DataType::UInt64);
        is_number || (keys.contains(name) && *kind == DataType::FixedSizeBinary(32))
    });
    if is_right { Ok(()) } else { Err(SealedError::Columns(name.to_owned()).into()) }
}

/// The claims have no texts, and the words have nothing else.
fn check_apart(files: &StagedFiles, folder: &Path, part: u32) -> Result<(), IngestError> {
    let wrong = |name: &str| SealedError::Columns(format!("staging/{part:05}/{name}.parquet"));
    let is_text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::Binary);
    if columns(files, &folder.join("claims.parquet"))?.iter().any(|(_, kind)| is_text(kind)) {
        return Err(wrong(CLAIMS).into());
    }
    let words = words_file(folder);
    if words.exists() && columns(files, &words)? != [(WORD.to_owned(), DataType::Utf8)] {
        return Err(wrong(WORDS).into());
    }
    Ok(())
}

/// Heads, phrases and rows of a table share its columns between them, and make whole rows.
fn check_table(files: &StagedFiles, table: &Table, folder: &Path, part: u32) -> Result<(), IngestError> {
    let (rows, heads) = (rows_file(folder, &table.table), heads_file(folder, &table.table));
    let phrases = phrases_file(folder, &table.table);
    if ![&rows, &heads, &phrases].iter().any(|file| file.exists()) {
        return Ok(());
    }
    let name = format!("staging/{part:05}/{}.parquet", table.table);
    let apart = match phrases.exists() {
        true => Some(columns(files, &phrases)?),
        false => None,
    };
    let is_there = rows.exists() && heads.exists();
    if !is_there || !are_shared_out(table, &columns(files, &rows)?, &columns(files, &heads)?, apart.as_ref())
    {
        return Err(SealedError::Columns(name).into());
    }
    let open = files.opener();
    let staged = StagedPart::new(folder.to_owned(), &open);
    let unreadable = |_| SealedError::Form(name.clone());
    for batch in staged.rows(table, BATCH).map_err(unreadable)?.into_iter().flatten() {
        batch.map_err(unreadable)?;
    }
    Ok(())
}

/// Whether each staged column of the table stands either with the rows, with the heads or with the phrases, in the
/// table's order.
fn are_shared_out(table: &Table, rows: &Columns, heads: &Columns, phrases: Option<&Columns>) -> bool {
    let schema = staged_schema(table);
    let stored: Columns = schema.fields().iter().skip(2).map(|field| column(&stored_field(field))).collect();
    let with = |numbers: &[&str], is_here: &dyn Fn(&(String, DataType)) -> bool| -> Columns {
        let numbers = numbers.iter().map(|name| ((*name).to_owned(), DataType::UInt32));
        numbers.chain(stored.iter().filter(|column| is_here(column)).cloned()).collect()
    };
    let is_said = |column: &(String, DataType)| phrases.is_some_and(|phrases| phrases.contains(column));
    let numbers = if phrases.is_some() { [LINE, PHRASE].as_slice() } else { &[LINE] };
    *rows == with(numbers, &|column| !heads.contains(column) && !is_said(column))
        && *heads == with(&[RECORD, COUNT], &|column| heads.contains(column) && !is_said(column))
        && phrases.is_none_or(|phrases| *phrases == with(&[], &is_said))
}

fn columns(files: &StagedFiles, path: &Path) -> Result<Columns, FileError> {
    let schema: std::sync::Arc<Schema> = open(files, path, 1)?.schema();
    Ok(schema.fields().iter().map(|field| column(field)).collect())
}

fn column(field: &Field) -> (String, DataType) {
    (field.name().clone(), field.data_type().clone())
}
