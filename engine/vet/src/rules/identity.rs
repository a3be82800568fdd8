//! Identities may be joined and counted; they are never compared with a value, shown or grouped.
//!
//! A condition on a person's number isolates one person, a group by it lists all (attacks 6 and 19 of the list).

use catalog_model::Class;

use crate::refusal::{Refusal, Rule};
use crate::relation::ColumnFact;

/// Refuses a column whose values must not take part in a condition, a group or a result.
pub(crate) fn check(fact: &ColumnFact, name: &str) -> Result<(), Refusal> {
    let (message, ja, suggestion) = match fact.class() {
        Class::Person => (
            "identifies a person and may only be joined and counted",
            "は人を識別します。結合と人数の計数だけに使えます",
            "count(DISTINCT person_id)",
        ),
        Class::Record => (
            "identifies a receipt or a stay and may only be joined",
            "はレセプトや入院を識別します。結合だけに使えます",
            "ON a.person_id = b.person_id AND a.receipt_id = b.receipt_id",
        ),
        Class::Facility => (
            "identifies a facility and may only be joined",
            "は施設を識別します。結合だけに使えます",
            "group by prefecture",
        ),
        Class::Insurer => (
            "identifies an insurer and may only be joined",
            "は保険者を識別します。結合だけに使えます",
            "group by prefecture",
        ),
        Class::Municipality => (
            "identifies a municipality and may only be joined",
            "は市区町村を識別します。結合だけに使えます",
            "group by prefecture",
        ),
        Class::Exact => (
            "is an exact value",
            "は正確な値です。年齢階級などの関数を通して使います",
            "age_band(birth_date, DATE '2024-04-01')",
        ),
        // Never stored; listed so that the match stays exhaustive.
        Class::Direct | Class::Link | Class::Text => {
            ("is not stored", "は保存されていません", "leave it out")
        }
        Class::Quasi | Class::Sensitive | Class::Measure | Class::Plain => return Ok(()),
    };
    Err(Refusal::new(Rule::Identity, format!("{name} {message}"))
        .ja(format!("{name} {ja}"))
        .suggest(suggestion))
}
