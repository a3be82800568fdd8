//! What a subquery may hand on: identities as they are, and values.

use datafusion_common::DFSchema;
use datafusion_expr::Expr;

use super::{picked, value};
use crate::refusal::Refusal;
use crate::relation::{ColumnFact, Judge, Relation};

/// The facts of one projected expression. An identity may be handed on bare and under another name, never as a part of
/// something else: `person_id + 1` would be a person that nobody counted (attack 24).
pub(crate) fn fact(
    judge: &Judge<'_>,
    expr: &Expr,
    schema: &DFSchema,
    relation: &Relation,
) -> Result<ColumnFact, Refusal> {
    match expr {
        Expr::Column(column) => judge.column(column, schema, relation).cloned(),
        Expr::Alias(alias) => fact(judge, &alias.expr, schema, relation),
        other => {
            let fact = value::fact(judge, other, schema, relation)?;
            Ok(ColumnFact { describing: picked::describing(judge, other, schema, relation)?, ..fact })
        }
    }
}
