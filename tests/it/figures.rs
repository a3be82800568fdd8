//! Figures of the catalogue: each number that it shows is of a release, and goes with it.

use engine_protocol::{
    CaseKind, CatalogueTable, CellValue, ClientReply, ClientRequest, FieldValue, Figure, FigureReply,
    FigureWish, Govern, Governed, PublicAsk, PublicReply, ReleasedTable, VerdictKind,
};

use crate::airlock::House;

const OFFICER: &str = "demo-officer";
/// A table with many columns of few values each.
const TABLE: &str = "care_certification";

/// A table of the catalogue as anybody sees it.
fn table(house: &House) -> CatalogueTable {
    let ClientReply::Catalogue(view) = house.guard.answer(&ClientRequest::Catalogue) else { panic!() };
    view.tables.into_iter().find(|table| table.name == TABLE).unwrap()
}

fn released(house: &House, column: &str) -> ReleasedTable {
    match house.query(&table(house).figure(column).unwrap()) {
        ClientReply::Released(table) => table,
        other => panic!("{column}: {other:?}"),
    }
}

fn show(house: &House, user: &str, column: &str, released: &ReleasedTable) -> FigureReply {
    let wish = FigureWish {
        user: user.to_owned(),
        project: "demo".to_owned(),
        table: TABLE.to_owned(),
        column: column.to_owned(),
        released: released.clone(),
    };
    match house.guard.answer(&ClientRequest::Figure(wish)) {
        ClientReply::Figure { reply } => reply,
        other => panic!("{other:?}"),
    }
}

fn figures(house: &House) -> Vec<Figure> {
    let ask = PublicAsk::Figures { table: TABLE.to_owned() };
    match house.guard.answer(&ClientRequest::Public(ask)) {
        ClientReply::Public(PublicReply::Figures { figures }) => figures,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_figure_is_the_release_of_its_own_question_and_a_rare_value_is_hidden() {
    let house = House::new("");
    let is_hidden = |table: &ReleasedTable| table.rows.iter().any(|row| row[1] == CellValue::Suppressed);
    let groups = table(&house).columns.into_iter().filter(|column| column.usage == "filter, group");
    let described = table(&house);
    let asked = groups.filter_map(|column| match house.query(&described.figure(&column.name)?) {
        ClientReply::Released(released) => Some((column.name, released)),
        _ => None,
    });
    let mut asked = asked.filter(|(_, released)| is_hidden(released));
    let (column, released) = asked.next().unwrap();
    let column = column.as_str();
    assert_eq!(figures(&house), [], "what is released is no figure by itself");

    // Who may, of which column, and not a digit more or less.
    assert_eq!(show(&house, "demo-researcher", column, &released), FigureReply::NotAllowed);
    assert_eq!(show(&house, OFFICER, "minutes_eating", &released), FigureReply::OtherQuestion);
    assert_eq!(show(&house, OFFICER, "person_id", &released), FigureReply::OtherQuestion);
    let mut changed = released.clone();
    let at = changed.rows.iter().position(|row| row[1] == CellValue::Suppressed).unwrap();
    changed.rows[at][1] = CellValue::Integer(3);
    assert_eq!(show(&house, OFFICER, column, &changed), FigureReply::NotReleased);
    let invented = ReleasedTable { query: "q999".to_owned(), ..released.clone() };
    assert_eq!(show(&house, OFFICER, column, &invented), FigureReply::NotReleased);
    assert_eq!(figures(&house), []);

    assert_eq!(show(&house, OFFICER, column, &released), FigureReply::Shown);
    let all = figures(&house);
    let [figure] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(figure.column, column);
    assert_eq!(figure.released, ReleasedTable { certificate: None, ..released });
    // Rows of which a rare value is one are hidden in the catalogue as in every release.
    let persons = figure.released.columns.iter().position(|column| column.name == "persons").unwrap();
    let shown = |row: &Vec<CellValue>| match row[persons] {
        CellValue::Integer(number) => Some(number),
        _ => None,
    };
    let numbers: Vec<i64> = figure.released.rows.iter().filter_map(shown).collect();
    assert!(numbers.len() < figure.released.rows.len() && numbers.iter().all(|n| *n == 0 || *n >= 10));
    // It stands in the record which release was put where.
    let log = std::fs::read_to_string(house.env.join("audit/log.jsonl")).unwrap();
    assert!(log.contains(&format!("\"figure\":\"{TABLE}.{column}\"")));
}

#[test]
fn a_figure_goes_when_its_release_is_called_back() {
    let house = House::new("");
    let released = released(&house, "minutes_eating");
    assert_eq!(show(&house, OFFICER, "minutes_eating", &released), FigureReply::Shown);
    let shown = |column: &str| figures(&house).iter().any(|figure| figure.column == column);
    assert!(shown("minutes_eating"));
    let fields = |pairs: &[(&str, &str)]| {
        let value = |text: &str| FieldValue::Text(text.to_owned());
        pairs.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
    };
    let kind = CaseKind::Output;
    let opened = fields(&[("project", "demo"), ("query", &released.query)]);
    house.govern(OFFICER, Govern::Begin { kind, fields: opened });
    let id = format!("demo-{}", released.query);
    let reason = fields(&[("reason", "表題の誤り")]);
    let revoke = Govern::Move { kind, id, action: "revoke".to_owned(), fields: reason, seen: None };
    assert!(matches!(house.govern(OFFICER, revoke), Governed::Case(_)));
    assert!(!shown("minutes_eating"));
    assert_eq!(show(&house, OFFICER, "minutes_eating", &released), FigureReply::NotReleased);
}

#[test]
fn every_column_that_may_be_counted_has_its_question_and_every_question_runs() {
    let house = House::new("");
    let table = table(&house);
    let mut granted = 0;
    for column in &table.columns {
        let usage = column.usage.as_str();
        let is_counted = usage.starts_with("filter");
        let Some(sql) = table.figure(&column.name) else {
            assert!(!is_counted, "{} has no figure", column.name);
            continue;
        };
        let question = ClientRequest::Vet(House::question(&sql));
        let ClientReply::Verdict(verdict) = house.guard.answer(&question) else { panic!("{sql}") };
        // What the permit does not grant is denied; nothing is refused.
        assert_ne!(verdict.verdict, VerdictKind::Refused, "{sql}: {verdict:?}");
        granted += usize::from(verdict.verdict == VerdictKind::Vetted);
    }
    assert!(granted >= 6, "{granted}");
}
