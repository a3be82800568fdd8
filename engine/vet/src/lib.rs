//! SQL → [`VettedPlan`] or a [`Refusal`].
//!
//! A query is planned against the granted tables and columns only and then judged on the logical plan, by an
//! allow-list: every match over plan nodes and expressions is exhaustive and has no wildcard arm, so what DataFusion
//! adds one day does not compile here instead of slipping through. What passes is rewritten into an evidence plan that
//! carries the person behind every row; the guard and the worker both do this, and their plans' hashes must agree.
//!
//! No I/O, no catalogue of its own, no DataFusion session: [`vet`] takes text, a catalogue and a grant.

mod canonical;
mod checked_mean;
mod checked_sum;
mod domain;
mod explain;
mod facility;
mod functions;
mod keep;
mod label;
mod metadata;
mod normal;
mod places;
mod plan;
mod planned;
mod refusal;
mod relation;
mod rewrite;
mod rules;
mod said;
mod schema;
mod spelled;
mod stored;
mod tier;
mod vet;
mod workspace;

pub use domain::{DomainValue, KeyDomain, KeyKind};
pub use functions::{FUNCTION_SYSTEMS, FunctionDoc, documentation, registered};
pub use keep::{Statement, VettedRows, VettedView, vet_statement};
pub use metadata::{MetadataTable, metadata};
pub use plan::{
    Aggregate, AggregateKind, KeyColumn, MeasureColumn, PlanShape, PublicShape, RankedColumn, VettedPlan,
};
pub use refusal::{Denial, NotVetted, Refusal, Rule};
pub use rewrite::{
    FACILITY, KEY_PREFIX, MEASURE_PREFIX, NUM_PREFIX, PART_PREFIX, PERSON, PUBLIC_PREFIX, RANKED, ROWS,
    ROWS_PREFIX, SQUARE_PREFIX, SUM_PREFIX, UNIT_PREFIX, of_period,
};
pub use said::{Said, SaidCondition, SaidPart, SaidTakes};
pub use schema::{aggregates, granted_schema, windows};
pub use tier::is_there;
pub use vet::{Scope, is_planned, vet, vet_in};
pub use workspace::{fields as workspace_fields, grant_digest, schema as workspace_schema, stored_name};
