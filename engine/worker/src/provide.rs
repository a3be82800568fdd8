//! Rows that are provided outside: a project's pseudonyms in the place of person numbers, and in their order.
//!
//! Rows lie by person number, bucket by bucket. In that order two projects' files could be laid beside each other row by
//! row, whatever stands in the person's place; so they become one file, sorted by the pseudonym.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, StringArray};
use arrow::compute::{concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use catalog_model::project_pseudonym;
use datafusion::parquet::arrow::ArrowWriter;
use engine_protocol::{FileKeys, KeptFile, PROVIDED_PERSON, PersonKey, WorkerFault};

use crate::keep;

/// The rows as one encrypted file; `person` is the place of the person's column.
pub(crate) fn file(
    (schema, batches): (&SchemaRef, &[RecordBatch]),
    person: (usize, &PersonKey),
    keys: &FileKeys,
) -> Result<KeptFile, WorkerFault> {
    let rows = arranged((schema, batches), person)?;
    let properties = keep::properties(&rows.schema(), keys)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).map_err(|_| WorkerFault::Data)?;
    writer.write(&rows).map_err(|_| WorkerFault::Data)?;
    let bytes = writer.into_inner().map_err(|_| WorkerFault::Data)?;
    Ok(KeptFile { rows: rows.num_rows() as u64, bytes })
}

fn arranged(
    (schema, batches): (&SchemaRef, &[RecordBatch]),
    (person, key): (usize, &PersonKey),
) -> Result<RecordBatch, WorkerFault> {
    let all = concat_batches(schema, batches).map_err(|_| WorkerFault::Execution)?;
    let rows = named(&all, person, key)?;
    let names = rows.columns().get(person).ok_or(WorkerFault::Execution)?;
    let order = sort_to_indices(names.as_ref(), None, None).map_err(|_| WorkerFault::Execution)?;
    take_record_batch(&rows, &order).map_err(|_| WorkerFault::Execution)
}

/// The rows with pseudonyms, in hexadecimal digits.
fn named(rows: &RecordBatch, person: usize, key: &PersonKey) -> Result<RecordBatch, WorkerFault> {
    let numbers = rows.columns().get(person).and_then(|column| column.as_primitive_opt::<UInt32Type>());
    let numbers = numbers.ok_or(WorkerFault::Execution)?;
    let name = |person| format!("{:032x}", u128::from_be_bytes(project_pseudonym(key.as_bytes(), person)));
    let names: StringArray = numbers.iter().map(|number| number.map(name)).collect();
    let names: ArrayRef = Arc::new(names);
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (at, (field, column)) in rows.schema().fields().iter().zip(rows.columns()).enumerate() {
        if at == person {
            fields.push(Arc::new(Field::new(PROVIDED_PERSON, DataType::Utf8, false)));
            columns.push(Arc::clone(&names));
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|_| WorkerFault::Execution)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use arrow::array::{AsArray as _, Int64Array, UInt32Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use arrow::record_batch::RecordBatch;
    use engine_protocol::{PROVIDED_PERSON, PersonKey};

    use super::arranged;

    /// Rows of one person each, in two buckets as they lie in a snapshot: the names, and which person each row was of.
    fn provided(key: u8) -> (Vec<String>, Vec<i64>) {
        let schema = Arc::new(Schema::new(vec![
            Field::new("person_id", DataType::UInt32, false),
            Field::new("of", DataType::Int64, true),
        ]));
        let bucket = |rest: u32| {
            let persons: Vec<u32> = (0..200).filter(|person| person % 2 == rest).collect();
            let of = Int64Array::from_iter_values(persons.iter().map(|person| i64::from(*person)));
            let persons = UInt32Array::from(persons);
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(persons), Arc::new(of)]).unwrap()
        };
        let rows = arranged((&schema, &[bucket(0), bucket(1)]), (0, &PersonKey::new([key; 32]))).unwrap();
        assert_eq!(rows.schema().field(0).name(), PROVIDED_PERSON);
        let names = rows.column(0).as_string::<i32>().iter().map(|name| name.unwrap().to_owned()).collect();
        (names, rows.column(1).as_primitive::<Int64Type>().values().to_vec())
    }

    #[test]
    fn neither_names_nor_the_order_of_rows_match_another_projects() {
        let (names, order) = provided(7);
        assert_eq!(provided(7), (names.clone(), order.clone()), "one provision is always the same");
        assert!(names.is_sorted() && names.iter().collect::<BTreeSet<_>>().len() == 200);
        let (others, other_order) = provided(8);
        assert!(others.iter().all(|name| !names.contains(name)));
        // Were rows in the order of persons, or in the same order twice, every place would match.
        let same = order.iter().zip(&other_order).filter(|(one, other)| one == other).count();
        let by_number = order.iter().zip(0..).filter(|(one, place)| **one == *place).count();
        assert!(same < 10 && by_number < 10, "{same} {by_number}");
    }
}
