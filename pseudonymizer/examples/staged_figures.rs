//! What an ingest of medical receipts or of an EF file staged, as the bench compares it with its peers:
//! `staged_figures ENV` prints rows, sums of points, and points by receipt or line of each table as JSON.
//!
//! Staged files lie encrypted, so the bench cannot read them as it reads those of the peers. Claims are numbered within
//! each part; the receipts of the parts before are added. Lines are numbered within the file.

use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, UInt32Type};
use catalog_staged::{LINE, RECORD, StagedPart};
use catalog_store::Environment;
use serde_json::{Map, Value, json};

type Error = Box<dyn std::error::Error>;

/// The bench's name of a table, ours, its points, and the numbers that they are told apart by.
const TABLES: [(&str, &str, Option<&str>, &str); 6] = [
    ("receipt", "ndb_receipt", Some("total_points"), RECORD),
    ("diagnosis", "ndb_diagnosis", None, RECORD),
    ("procedure", "ndb_procedure", Some("points"), RECORD),
    ("drug", "ndb_drug", Some("points"), RECORD),
    ("comment", "ndb_comment", None, RECORD),
    ("act", "dpc_act", Some("act_points"), LINE),
];

#[derive(Default)]
struct Figures {
    rows: u64,
    points: i64,
    by_number: i64,
}

impl Figures {
    /// Adds rows; `before` comes to their numbers.
    fn add(
        &mut self,
        batch: &RecordBatch,
        (points, number): (Option<&str>, &str),
        before: i64,
    ) -> Result<(), Error> {
        self.rows += batch.num_rows() as u64;
        let Some(points) = points else { return Ok(()) };
        let numbers = batch.column_by_name(number).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let points = batch.column_by_name(points).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (numbers, points) = numbers.zip(points).ok_or("a column is missing")?;
        for (number, points) in numbers.values().iter().zip(points) {
            let points = points.unwrap_or(0);
            self.points += points;
            self.by_number += points * (i64::from(*number) + before);
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
            for ((_, table, points, number), figures) in TABLES.iter().zip(&mut found) {
                // Claims are numbered from 0 within the part, lines from 1 within the file.
                let before = if *number == RECORD { before + 1 } else { 0 };
                let number_field = Field::new(*number, DataType::UInt32, false);
                let points_field = points.map(|points| Field::new(points, DataType::Int64, true));
                let wanted = [number_field].into_iter().chain(points_field).collect();
                for batch in staged.fields(table, wanted, 65_536)?.into_iter().flatten() {
                    figures.add(&batch?, (*points, *number), before)?;
                }
            }
            for batch in claims {
                before += i64::try_from(batch?.num_rows())?;
            }
        }
    }
    let tables = TABLES.iter().zip(&found).filter(|(_, figures)| figures.rows > 0);
    let tables: Map<String, Value> = tables
        .map(|((name, _, points, number), figures)| {
            let Figures { rows, points: sum, by_number } = figures;
            let value = match (points, *number) {
                (Some(_), LINE) => json!({"rows": rows, "points": sum, "points_by_line": by_number}),
                (Some(_), _) => json!({"rows": rows, "points": sum, "points_by_receipt": by_number}),
                (None, _) => json!({"rows": rows}),
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
