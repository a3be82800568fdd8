//! Rows that are provided outside: a project's pseudonyms in the place of person numbers, and in their order.
//!
//! Rows lie by person number, bucket by bucket. In that order two projects' files could be laid beside each other row by
//! row, whatever stands in the person's place; so they become one file, sorted by the pseudonym.
//!
//! A pseudonym ties all rows of a person together, so it is not one row that must be like others', but everything that
//! the file tells of whoever they are: the set of all their combinations of identifying values is that of at least as
//! many persons as the permit's threshold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::compute::{concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use arrow::row::{Row, RowConverter, Rows, SortField};
use catalog_model::{Class, Thresholds, WorkspaceColumn, project_pseudonym};
use datafusion::parquet::arrow::ArrowWriter;
use engine_protocol::{FileKeys, KeptFile, PROVIDED_PERSON, PersonKey, WorkerFault};

use crate::keep;

/// What becomes of the columns, and of how many persons rows must be.
pub(crate) struct Form<'k> {
    /// The place of the person's column.
    person: usize,
    /// The places of the columns that say who somebody is.
    identifying: Vec<usize>,
    key: &'k PersonKey,
    thresholds: Thresholds,
}

impl<'k> Form<'k> {
    /// How rows of these columns are provided.
    pub(crate) fn new(
        columns: &[WorkspaceColumn],
        key: &'k PersonKey,
        thresholds: Thresholds,
    ) -> Result<Self, WorkerFault> {
        let person = columns.iter().position(|column| column.is_person).ok_or(WorkerFault::Vetting)?;
        let is_identifying = |column: &WorkspaceColumn| {
            let mut classes = column.held.iter().chain(&column.told);
            !column.is_person && classes.any(|class| matches!(class, Class::Quasi | Class::Exact))
        };
        let places = columns.iter().enumerate().filter(|(_, column)| is_identifying(column));
        let identifying = places.map(|(place, _)| place).collect();
        Ok(Self { person, identifying, key, thresholds })
    }
}

/// The rows as one encrypted file, where they are of enough persons.
pub(crate) fn file(
    (schema, batches): (&SchemaRef, &[RecordBatch]),
    form: &Form<'_>,
    keys: &FileKeys,
) -> Result<KeptFile, WorkerFault> {
    let rows = arranged((schema, batches), form)?;
    let properties = keep::properties(&rows.schema(), keys)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).map_err(|_| WorkerFault::Data)?;
    writer.write(&rows).map_err(|_| WorkerFault::Data)?;
    let bytes = writer.into_inner().map_err(|_| WorkerFault::Data)?;
    Ok(KeptFile { rows: rows.num_rows() as u64, bytes })
}

fn arranged(
    (schema, batches): (&SchemaRef, &[RecordBatch]),
    form: &Form<'_>,
) -> Result<RecordBatch, WorkerFault> {
    let all = concat_batches(schema, batches).map_err(|_| WorkerFault::Execution)?;
    of_enough(&all, form)?;
    let rows = named(&all, form.person, form.key)?;
    let names = rows.columns().get(form.person).ok_or(WorkerFault::Execution)?;
    let order = sort_to_indices(names.as_ref(), None, None).map_err(|_| WorkerFault::Execution)?;
    take_record_batch(&rows, &order).map_err(|_| WorkerFault::Execution)
}

/// Holds every set of identifying values to the threshold of persons. Nobody at all is a zero, which a permit shows or
/// does not.
fn of_enough(rows: &RecordBatch, form: &Form<'_>) -> Result<(), WorkerFault> {
    let numbers = rows.columns().get(form.person).and_then(|column| column.as_primitive_opt::<UInt32Type>());
    let numbers = numbers.filter(|numbers| numbers.null_count() == 0).ok_or(WorkerFault::Execution)?;
    let values = identifying(rows, &form.identifying)?;
    let mut persons: BTreeMap<u32, BTreeSet<Option<Row<'_>>>> = BTreeMap::new();
    for (at, person) in numbers.values().iter().enumerate() {
        let value = values.as_ref().map(|values| values.row(at));
        persons.entry(*person).or_default().insert(value);
    }
    let mut classes: BTreeMap<&BTreeSet<Option<Row<'_>>>, u32> = BTreeMap::new();
    for values in persons.values() {
        let class = classes.entry(values).or_default();
        *class = class.saturating_add(1);
    }
    let least = classes.into_values().min().unwrap_or(0);
    let is_zero = persons.is_empty() && form.thresholds.zero_shown;
    if is_zero || least >= form.thresholds.persons { Ok(()) } else { Err(WorkerFault::FewPersons) }
}

/// The identifying values of each row; nothing where no column has any.
fn identifying(rows: &RecordBatch, places: &[usize]) -> Result<Option<Rows>, WorkerFault> {
    if places.is_empty() {
        return Ok(None);
    }
    let columns: Option<Vec<ArrayRef>> = places.iter().map(|at| rows.columns().get(*at).cloned()).collect();
    let columns = columns.ok_or(WorkerFault::Execution)?;
    let kinds = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(kinds).map_err(|_| WorkerFault::Execution)?;
    converter.convert_columns(&columns).map(Some).map_err(|_| WorkerFault::Execution)
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
    use catalog_model::Thresholds;
    use engine_protocol::{PROVIDED_PERSON, PersonKey, WorkerFault};

    use super::{Form, arranged, of_enough};

    /// Rows whose first column is the person, where three persons must be alike in the columns at these places.
    fn form<'k>(key: &'k PersonKey, identifying: &[usize]) -> Form<'k> {
        let thresholds = Thresholds { persons: 3, zero_shown: false };
        Form { person: 0, identifying: identifying.to_vec(), key, thresholds }
    }

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
        let key = PersonKey::new([key; 32]);
        let rows = arranged((&schema, &[bucket(0), bucket(1)]), &form(&key, &[])).unwrap();
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

    #[test]
    fn whoever_is_told_of_is_told_of_like_enough_others() {
        let key = PersonKey::new([7; 32]);
        let schema = Arc::new(Schema::new(vec![
            Field::new("person_id", DataType::UInt32, false),
            Field::new("sex", DataType::Int64, true),
            Field::new("points", DataType::Int64, true),
        ]));
        let found = |rows: &[(u32, Option<i64>)], form: &Form<'_>| {
            let persons = UInt32Array::from_iter_values(rows.iter().map(|row| row.0));
            let sex: Int64Array = rows.iter().map(|row| row.1).collect();
            let points = Int64Array::from_iter_values((0..).take(rows.len()));
            let columns: Vec<arrow::array::ArrayRef> =
                vec![Arc::new(persons), Arc::new(sex), Arc::new(points)];
            of_enough(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap(), form)
        };
        let few = Err(WorkerFault::FewPersons);
        let (alone, by_sex) = (form(&key, &[]), form(&key, &[1]));
        let three = [(1, Some(1)), (2, Some(1)), (3, Some(1)), (3, Some(1))];
        assert_eq!(found(&three, &alone), Ok(()));
        assert_eq!(found(&three, &by_sex), Ok(()));
        // Many rows of two persons are two persons.
        assert_eq!(found(&[(1, Some(1)), (1, Some(1)), (2, Some(1)), (2, Some(1))], &alone), few);
        // One that is like nobody, one without a value, and one whose rows together are like nobody's.
        for (person, value) in [(4, Some(2)), (4, None), (3, Some(2))] {
            let rows: Vec<(u32, Option<i64>)> = three.into_iter().chain([(person, value)]).collect();
            assert_eq!(found(&rows, &alone), Ok(()));
            assert_eq!(found(&rows, &by_sex), few, "{person} {value:?}");
        }
        let both: Vec<(u32, Option<i64>)> =
            (1..4).flat_map(|person| [(person, Some(1)), (person, Some(2))]).collect();
        assert_eq!(found(&both, &by_sex), Ok(()), "each value, and the two together, stand for three");
        assert_eq!(found(&[], &by_sex), few);
        let shown = Form { thresholds: Thresholds { persons: 3, zero_shown: true }, ..form(&key, &[1]) };
        assert_eq!(found(&[], &shown), Ok(()), "nobody, where a zero is shown");
    }
}
