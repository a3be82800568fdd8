//! Lists of codes: `icd10 IN (SELECT code FROM lists.NAME)`, on a column of the list's own code system.
//!
//! A list is a column of codes of one declared system, so it can say which diseases or drugs are meant and cannot
//! single out persons: no identity, no day and no number has a code system.

use datafusion_common::DFSchema;
use datafusion_expr::Expr;
use datafusion_expr::expr::InSubquery;

use super::{identity, picked};
use crate::label::Label;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};
use crate::workspace::LISTS;

const FORM: &str = "d.icd10 IN (SELECT code FROM lists.NAME)";

/// `column IN (SELECT code FROM lists.NAME)`.
pub(crate) fn check(
    judge: &Judge<'_>,
    condition: &InSubquery,
    name: &str,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<Label, Refusal> {
    let Expr::Column(column) = condition.expr.as_ref() else { return Err(alone(judge, name)) };
    let fact = judge.column(column, schema, relation)?;
    let place = judge.places.column(column);
    identity::check(fact, &column.name).map_err(|refusal| refusal.at(place))?;
    let system = judge.meant.workspace.lists.get(name).map(|list| list.system.as_str());
    if system.is_none() || fact.system.as_deref() != system {
        let system = system.unwrap_or_default();
        return Err(Refusal::new(Rule::List, format!("{} holds no codes of {system}", column.name))
            .ja(format!("{} は {system} のコードの列ではありません", column.name))
            .at(place)
            .suggest(format!("a column of {system}: {FORM}")));
    }
    judge.use_list(name);
    picked::by(judge, &condition.expr, schema, relation)?;
    Ok(fact.label.outcome())
}

/// The refusal of a list anywhere else.
pub(crate) fn alone(judge: &Judge<'_>, name: &str) -> Refusal {
    Refusal::new(Rule::List, "a list of codes is looked up by a column of its code system, and nothing else")
        .ja("コードの一覧は、同じコード体系の列の条件 IN の中だけで使えます")
        .at(judge.places.phrase(&[LISTS, ".", name]).or_else(|| judge.places.word(LISTS)))
        .suggest(FORM)
}
