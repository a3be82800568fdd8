//! What a line accepts and refuses, on the shipped layouts.

use catalog_model::Catalogue;

use super::{FamilyTemplates, FieldProblem, Line, WriteError};
use crate::calendar::Calendar;

fn templates(family: &str) -> FamilyTemplates {
    FamilyTemplates::new(&Catalogue::builtin().unwrap(), family).unwrap()
}

fn problem(result: &Result<&mut Line<'_>, WriteError>) -> Option<FieldProblem> {
    match result {
        Err(WriteError::Field { problem, .. }) => Some(*problem),
        _ => None,
    }
}

#[test]
fn a_line_has_the_layouts_columns_and_bytes() {
    let family = templates("ndb-medical");
    let mut line = Line::new(family.record("HO").unwrap());
    line.set("insurer_no", "  139014").unwrap();
    line.set("insured_symbol", "髙国").unwrap();
    line.set("insured_number", "35000001").unwrap();
    line.number("service_days", 2_u32).unwrap().number("total_points", 588_u32).unwrap();
    let line = line.finish().unwrap();
    assert_eq!(line.bytes, b"HO,  139014,\xfb\xfc\x8d\x91,35000001,2,588,,,,,,,,,");
    let kinds: Vec<&str> = line.identities.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["insurer_no", "insured_symbol", "insured_number"]);
}

#[test]
fn what_the_layout_forbids_is_refused() {
    let family = templates("ndb-medical");
    let re = family.record("RE").unwrap();
    let try_set = |key: &str, value: &str| problem(&Line::new(re).set(key, value));
    assert_eq!(try_set("no_such_field", "1"), Some(FieldProblem::Unknown));
    assert_eq!(try_set("receipt_no", "1234567"), Some(FieldProblem::Width));
    assert_eq!(try_set("receipt_no", "12A"), Some(FieldProblem::Characters));
    assert_eq!(try_set("patient_name", "𠮷田"), Some(FieldProblem::Encoding));
    assert_eq!(try_set("patient_name", "a,b"), Some(FieldProblem::Delimiter));
    assert_eq!(try_set("sex", "3"), Some(FieldProblem::Code));
    assert_eq!(try_set("sex", "2"), None);
    assert_eq!(
        problem(&Line::new(family.record("JD").unwrap()).set_nth("day", 31, "1")),
        Some(FieldProblem::Repeat)
    );
    assert!(matches!(
        Line::new(re).finish(),
        Err(WriteError::Field { problem: FieldProblem::Missing, ref field, .. }) if field == "receipt_no"
    ));
}

#[test]
fn an_error_names_the_field_and_never_the_value() {
    let family = templates("ndb-medical");
    let error = Line::new(family.record("RE").unwrap()).set("patient_name", "𠮷田").err().unwrap();
    assert_eq!(error.to_string(), "RE.patient_name: not in the character set of the file");
}

#[test]
fn tags_stand_where_the_framing_says() {
    let first = |family: &str, record: &str| {
        let family = templates(family);
        let template = family.record(record).unwrap();
        template
            .fixed()
            .iter()
            .map(|(at, value)| (*at, String::from_utf8(value.clone()).unwrap()))
            .collect::<Vec<_>>()
    };
    let tag = |parts: &[(usize, &str)]| -> Vec<(usize, String)> {
        parts.iter().map(|(at, part)| (*at, (*part).to_owned())).collect()
    };
    assert_eq!(first("ndb-medical", "RE"), tag(&[(0, "RE")]));
    assert_eq!(first("dpc-ff1", "A000010"), tag(&[(5, "A000010"), (6, "20140401")]));
    assert_eq!(first("care-claim", "detail"), tag(&[(0, "2"), (2, "7131"), (3, "02")]));
    assert_eq!(first("care-claim", "control"), tag(&[(0, "1")]));
    assert_eq!(first("dpc-ff4", "stay"), tag(&[]));
}

#[test]
fn data_lines_of_a_care_claim_are_quoted_from_the_third_item() {
    let family = templates("care-claim").quoted_from(2, &["bill"]);
    let mut line = Line::new(family.record("bill").unwrap());
    line.number("line_no", 2_u32).unwrap().set("office_no", "1370100018").unwrap();
    line.month("service_month", catalog_model::Month::new(2023, 4).unwrap(), Calendar::Western).unwrap();
    let line = line.finish().unwrap();
    assert!(line.bytes.starts_with(br#"2,2,"7111","202304","1370100018","","#));
}
