//! What an ingest of medical receipts staged, as the bench compares it with its peers: `staged_figures ENV` prints rows,
//! sums of points, and points by receipt of each table as JSON.
//!
//! Staged files lie encrypted, so the bench cannot read them as it reads those of the peers. Claims are numbered within
//! each part; the receipts of the parts before are added.

use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, UInt32Type};
use catalog_staged::{RECORD, StagedPart};
use catalog_store::Environment;
use serde_json::{Map, Value, json};

type Error = Box<dyn std::error::Error>;

/// The bench's name of a table, ours, and its points.
const TABLES: [(&str, &str, Option<&str>); 5] = [
    ("receipt", "ndb_receipt", Some("total_points")),
    ("diagnosis", "ndb_diagnosis", None),
    ("procedure", "ndb_procedure", Some("points")),
    ("drug", "ndb_drug", Some("points")),
    ("comment", "ndb_comment", None),
];

#[derive(Default)]
struct Figures {
    rows: u64,
    points: i64,
    by_receipt: i64,
}

impl Figures {
    fn add(&mut self, batch: &RecordBatch, points: Option<&str>, before: i64) -> Result<(), Error> {
        self.rows += batch.num_rows() as u64;
        let Some(points) = points else { return Ok(()) };
        let records = batch.column_by_name(RECORD).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let points = batch.column_by_name(points).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (records, points) = records.zip(points).ok_or("a column is missing")?;
        for (record, points) in records.values().iter().zip(points) {
            let points = points.unwrap_or(0);
            self.points += points;
            self.by_receipt += points * (i64::from(*record) + before + 1);
        }
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let root = PathBuf::from(std::env::args_os().nth(1).ok_or("the environment is missing")?);
    let environment = Environment::open(&root)?;
    let files = environment.staged_files();
    let open = files.opener();
    let mut found: [Figures; TABLES.len()] = Default::default();
    let mut before = 0;
    for folder in folders(&environment.room("store").join("staging"))? {
        for part in folders(&folder)? {
            let claims = pseudonymizer::tables::open(&files, &part.join("claims.parquet"), 65_536)?;
            let staged = StagedPart::new(part, &open);
            for ((_, table, points), figures) in TABLES.iter().zip(&mut found) {
                let record = Field::new(RECORD, DataType::UInt32, false);
                let points_field = points.map(|points| Field::new(points, DataType::Int64, true));
                let wanted = [record].into_iter().chain(points_field).collect();
                for batch in staged.fields(table, wanted, 65_536)?.into_iter().flatten() {
                    figures.add(&batch?, *points, before)?;
                }
            }
            for batch in claims {
                before += i64::try_from(batch?.num_rows())?;
            }
        }
    }
    let tables = TABLES.iter().zip(&found).filter(|(_, figures)| figures.rows > 0);
    let tables: Map<String, Value> = tables
        .map(|((name, _, points), figures)| {
            let Figures { rows, points: sum, by_receipt } = figures;
            let value = match points {
                Some(_) => json!({"rows": rows, "points": sum, "points_by_receipt": by_receipt}),
                None => json!({"rows": rows}),
            };
            ((*name).to_owned(), value)
        })
        .collect();
    #[expect(clippy::print_stdout, reason = "the answer of a program")]
    {
        println!("{}", json!({"tables": tables, "identities": null}));
    }
    Ok(())
}

/// The folders in a folder, by name.
fn folders(of: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(of)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
