//! Tables that a project keeps inside: what may be kept, and when it may be read again.
//!
//! A kept table has one person behind each row, and its columns carry their labels, so a later query is judged as if it
//! read the tables behind. It is read under the grant that it was made under: another snapshot or permit is another
//! project's worth of rights.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use catalog_model::{Class, WorkspaceColumn};
use datafusion_expr::LogicalPlan;

use crate::refusal::{Refusal, Rule};
use crate::relation::{ColumnFact, Judge, Relation};
use crate::workspace::{self, PERSON, SCHEMA};

/// Columns of a kept table.
const MOST_COLUMNS: usize = 100;
const FORM: &str =
    "CREATE TABLE ws.cohort AS SELECT person_id, min(service_month) AS index_month FROM … GROUP BY person_id";

/// The facts of a kept table's columns.
pub(crate) fn scan(judge: &Judge<'_>, name: &str) -> Result<Relation, Refusal> {
    let place = judge.places.phrase(&[SCHEMA, ".", name]);
    let Some(table) = judge.meant.workspace.tables.get(name) else {
        return Err(Refusal::new(Rule::Names, format!("there is no table {SCHEMA}.{name}"))
            .ja(format!("{SCHEMA}.{name} という表はありません"))
            .at(place));
    };
    if table.grant != workspace::grant_digest(judge.grant) {
        return Err(Refusal::new(
            Rule::Workspace,
            format!("{SCHEMA}.{name} was made under another permit or snapshot"),
        )
        .ja(format!("{SCHEMA}.{name} は別の許可またはスナップショットのもとで作られました"))
        .at(place)
        .suggest(format!("DROP TABLE {SCHEMA}.{name}, and make it again")));
    }
    judge.use_own(name, table);
    Ok(table.columns.iter().map(|column| workspace::fact(name, column)).collect())
}

/// The columns of a query whose rows are kept.
pub(crate) fn columns(judge: &Judge<'_>, plan: &LogicalPlan) -> Result<Vec<WorkspaceColumn>, Refusal> {
    let relation = judge.relation(plan)?;
    let fields = plan.schema().fields();
    if fields.len() > MOST_COLUMNS {
        return Err(Refusal::new(Rule::Size, format!("a kept table has at most {MOST_COLUMNS} columns"))
            .ja(format!("保存する表の列は {MOST_COLUMNS} 個までです"))
            .at(judge.places.word("SELECT"))
            .suggest(FORM));
    }
    one_person(judge, fields.iter().map(|field| field.name().as_str()), &relation)?;
    one_of_each_unit(judge, fields.iter().map(|field| field.name().as_str()), &relation)?;
    let mut columns: Vec<WorkspaceColumn> = Vec::with_capacity(fields.len());
    for (field, fact) in fields.iter().zip(&relation) {
        let name = field.name();
        if !is_plain(name) || columns.iter().any(|known| known.name == *name) {
            return Err(refuse(
                judge,
                format!("{name} is not a name of its own for a kept column"),
                format!("{name} は保存する列の名前として使えません"),
            ));
        }
        columns.push(kept(judge, name, field.data_type(), fact)?);
    }
    Ok(columns)
}

fn kept(
    judge: &Judge<'_>,
    name: &str,
    kind: &DataType,
    fact: &ColumnFact,
) -> Result<WorkspaceColumn, Refusal> {
    let unknown = || {
        refuse(judge, format!("{name} has a type that is not kept"), format!("{name} の型は保存できません"))
    };
    workspace::column(name, kind, fact).ok_or_else(unknown)
}

/// One column is the person behind the row, under its own name, and no other column is a person.
fn one_person<'n>(
    judge: &Judge<'_>,
    names: impl Iterator<Item = &'n str>,
    relation: &Relation,
) -> Result<(), Refusal> {
    let is_person = |fact: &ColumnFact| fact.class() == Class::Person;
    let persons: Vec<(&str, &ColumnFact)> = names.zip(relation).filter(|(_, fact)| is_person(fact)).collect();
    match persons.as_slice() {
        [(PERSON, fact)] if fact.is_unit() => Ok(()),
        _ => Err(refuse(
            judge,
            format!("a kept table has the person behind each row once, as {PERSON}"),
            format!("保存する表は、行の人を {PERSON} として一列だけ持ちます"),
        )),
    }
}

/// At most one column is a facility, an insurer or a municipality: rules on them count the one behind the row, and nobody
/// chooses which that is.
fn one_of_each_unit<'n>(
    judge: &Judge<'_>,
    names: impl Iterator<Item = &'n str>,
    relation: &Relation,
) -> Result<(), Refusal> {
    let mut known = BTreeSet::new();
    let units = names.zip(relation).filter(|(_, fact)| fact.class().is_unit());
    for (second, fact) in units {
        let class = fact.class();
        if known.insert(class) {
            continue;
        }
        let (word, ja) = (class.as_str(), ja(class));
        return Err(Refusal::new(
            Rule::Workspace,
            format!("{second} is a second {word}; a kept table names one"),
        )
        .ja(format!("{second} は二つ目の{ja}です。保存する表の{ja}は一列だけです"))
        .at(judge.places.word(second))
        .suggest(format!("keep two tables, each with a {word} of its own, and join them by person_id")));
    }
    Ok(())
}

const fn ja(class: Class) -> &'static str {
    match class {
        Class::Insurer => "保険者",
        Class::Municipality => "市区町村",
        _ => "施設",
    }
}

fn refuse(judge: &Judge<'_>, message: String, ja: String) -> Refusal {
    Refusal::new(Rule::Workspace, message).ja(ja).at(judge.places.word("SELECT")).suggest(FORM)
}

/// Whether a name needs no quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.len() <= 60
        && name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}
