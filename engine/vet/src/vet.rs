//! The one maker of [`VettedPlan`].

use std::sync::Arc;

use catalog_model::{Catalogue, Grant, Workspace};
use datafusion_common::{DFSchemaRef, DataFusionError};
use datafusion_expr::{Expr, LogicalPlan, TableSource};
use datafusion_sql::parser::DFParser;
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use engine_protocol::PostExpr;

use crate::canonical;
use crate::domain::{DomainValue, KeyKind};
pub(crate) use crate::explain::explain;
use crate::facility;
use crate::normal::normal;
use crate::places::Places;
use crate::plan::{Aggregate, AggregateKind, KeyColumn, MeasureColumn, PlanShape, RankedColumn, VettedPlan};
use crate::refusal::{NotVetted, Refusal, Rule};
use crate::relation::{ColumnFact, Judge, MeasureFact, Seen};
use crate::rewrite::{self, Wanted};
use crate::rules::aggregate::{Asked, AskedKind, Measured};
use crate::rules::public::Public;
use crate::rules::{aggregate, group_key, root, semi, statement};
use crate::schema::{GrantedSchema, is_small};
use crate::spelled;
use crate::stored::Meant;

/// For whom and over which tables a query is vetted.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The tables and columns that there are.
    pub catalogue: &'a Catalogue,
    /// Those that the permit covers.
    pub grant: &'a Grant,
}

/// Vets a query: plans it against the granted schema, judges the plan, and rewrites it to carry its evidence.
///
/// # Errors
///
/// A refusal names the rule, the place and the nearest allowed form; a denial names what the permit does not cover.
/// Neither depends on data.
pub fn vet(sql: &str, scope: Scope<'_>) -> Result<VettedPlan, NotVetted> {
    vet_in(sql, scope, &Workspace::default())
}

/// Vets a query that may name what the project keeps inside.
///
/// # Errors
///
/// As [`vet()`].
pub fn vet_in(sql: &str, scope: Scope<'_>, workspace: &Workspace) -> Result<VettedPlan, NotVetted> {
    let meant = Meant { catalogue: scope.catalogue, grant: scope.grant, workspace };
    deep(|| vet_here(sql, meant))
}

/// Whether DataFusion by itself parses a text and plans it over what is granted; nothing is judged. What vetting takes
/// is measured beside this.
pub fn is_planned(sql: &str, scope: Scope<'_>, workspace: &Workspace) -> bool {
    let schema = GrantedSchema::new(Meant { catalogue: scope.catalogue, grant: scope.grant, workspace });
    let statement = DFParser::parse_sql(sql).ok().and_then(|mut statements| statements.pop_front());
    let planner = SqlToRel::new_with_options(&schema, options());
    statement.is_some_and(|statement| planner.statement_to_plan(statement).is_ok())
}

/// Runs a judgement on a stack of its own.
pub(crate) fn deep<T: Send>(judge: impl FnOnce() -> Result<T, NotVetted> + Send) -> Result<T, NotVetted> {
    std::thread::scope(|threads| {
        let builder = std::thread::Builder::new().name("vet".to_owned()).stack_size(STACK);
        let running = builder.spawn_scoped(threads, judge).map_err(|_| NotVetted::NoStack)?;
        running.join().unwrap_or_else(|_| {
            let refusal = Refusal::new(Rule::Size, "the query is too deep to be planned");
            Err(refusal.suggest("ask two queries").into())
        })
    })
}

/// Planner and rules descend as deep as the text does: two hundred terms of AND, forty brackets. On a stack of its own
/// a deep query is a refused or a planned one, never the end of the process.
const STACK: usize = 64 << 20;

pub(crate) fn vet_here(sql: &str, meant: Meant<'_>) -> Result<VettedPlan, NotVetted> {
    let judge = Judge::new(sql, meant);
    let plan = plan(&judge, sql)?;
    if !is_small(&plan) {
        return Err(Refusal::new(Rule::Size, "the query reads too many tables")
            .ja("問合せの読む表が多すぎます")
            .at(judge.places.word("FROM"))
            .suggest("ask two queries")
            .into());
    }
    release(judge, sql, meant, &plan)
}

/// The text as the planner reads it, over what is granted and what the project keeps.
pub(crate) fn plan(judge: &Judge<'_>, sql: &str) -> Result<LogicalPlan, NotVetted> {
    let statement = statement::parse(sql, &judge.places)?;
    let schema = GrantedSchema::new(judge.meant);
    let plan = SqlToRel::new_with_options(&schema, options()).statement_to_plan(statement);
    plan.and_then(normal).map_err(|error| explain(judge, &error))
}

/// The plan of a view, which was judged when it was made and is judged again in its place.
pub(crate) fn planned(sql: &str, schema: &GrantedSchema<'_>) -> Result<LogicalPlan, DataFusionError> {
    let statement = statement::parse(sql, &Places::new(sql));
    let statement = statement.map_err(|refusal| DataFusionError::Plan(refusal.to_string()))?;
    SqlToRel::new_with_options(schema, options()).statement_to_plan(statement)
}

pub(crate) fn options() -> ParserOptions {
    ParserOptions::default().with_collect_spans(true).with_parse_float_as_decimal(true)
}

fn release(
    judge: Judge<'_>,
    sql: &str,
    meant: Meant<'_>,
    plan: &LogicalPlan,
) -> Result<VettedPlan, NotVetted> {
    let point = root::release_point(&judge, plan)?;
    let input = point.aggregate.input.as_ref();
    let relation = judge.relation(input)?;
    let domains = point.keys.iter().map(|key| group_key::domain(&judge, key, input.schema(), &relation));
    let domains = domains.collect::<Result<Vec<_>, _>>()?;
    let system = |key: &Expr| group_key::system(&judge, key, input.schema(), &relation);
    let key_systems = point.keys.iter().map(system).collect();
    let ages = point.keys.iter().zip(&domains);
    let ages = ages.map(|key| group_key::is_age(&judge, key, input.schema(), &relation));
    let key_ages = ages.collect::<Result<Vec<_>, _>>()?;
    let asked = point.aggregate.aggr_expr.iter();
    let asked = asked.map(|expr| aggregate::asked(&judge, expr, input.schema(), &relation));
    let asked = asked.collect::<Result<Vec<_>, _>>()?;
    semi::in_values(&judge, point.keys.iter().chain(&point.aggregate.aggr_expr))?;
    if asked.is_empty() {
        return Err(Refusal::new(Rule::Root, "a result counts or sums something")
            .ja("結果には人数・件数・合計などの集計が要ります")
            .at(judge.places.word("SELECT"))
            .suggest("add count(DISTINCT person_id)")
            .into());
    }
    if !relation.iter().any(ColumnFact::is_unit) {
        return Err(Refusal::new(Rule::Join, "the subquery does not hand on the person behind its rows")
            .ja("副問合せが行の人（person_id）を渡していません")
            .at(judge.places.word("SELECT"))
            .suggest("add person_id to the subquery's columns")
            .into());
    }
    let behind = facility::behind(&judge, input, &relation)?;
    let facility = behind.facility.map(Expr::Column);
    let (units, of_units) = behind.units.into_iter().map(|(unit, of)| (unit, Expr::Column(of))).unzip();
    let wanted = Wanted { keys: point.keys, facility, units: of_units, ..Wanted::default() };
    let mut draft = Draft { wanted, seen: vec![Arc::clone(input.schema())], ..Draft::default() };
    for asked in asked {
        draft.add(&judge, asked)?;
    }
    draft.wanted.over(meant, &draft.seen).map_err(|error| explain(&judge, &error))?;
    let named = |at: usize| point.post.columns.iter().find(|column| column.value == PostExpr::Key(at));
    let keys = draft.wanted.keys.iter().zip(domains).enumerate().map(|(at, (key, domain))| KeyColumn {
        name: named(at).map_or_else(|| key.schema_name().to_string(), |column| column.name.clone()),
        domain,
    });
    let public = point.public.as_ref().map(|public| public.executed(meant)).transpose();
    let public = public.map_err(|error| explain(&judge, &error))?;
    let shape = PlanShape {
        keys: keys.collect(),
        sets: point.sets,
        conditions: draft.wanted.conditions.iter().map(ToString::to_string).collect(),
        has_facility: draft.wanted.facility.is_some(),
        units,
        has_gaps: behind.has_gaps,
        measures: draft.measures,
        ranked: draft.ranked,
        aggregates: draft.aggregates,
        post: point.post,
        public: point.public.as_ref().map(Public::shape),
    };
    let evidence = rewrite::evidence(&behind.plan, &behind.relation, &draft.wanted, meant)
        .map_err(|error| explain(&judge, &error))?;
    // What goes along for the rules of a release is nothing that the query asks.
    let asked = match (draft.wanted.facility.take(), std::mem::take(&mut draft.wanted.units)) {
        (None, units) if units.is_empty() => evidence.clone(),
        _ => rewrite::evidence(input, &relation, &draft.wanted, meant)
            .map_err(|error| explain(&judge, &error))?,
    };
    let hash = hash((&evidence, public.as_ref()), meant.grant, &shape);
    let Seen { used, lineage, systems, .. } = judge.into_seen();
    Ok(VettedPlan {
        sql: sql.to_owned(),
        shape,
        evidence,
        asked,
        public,
        used,
        lineage,
        systems,
        key_systems,
        key_ages,
        hash,
    })
}

/// What is wanted of the relation, and what the result makes of it, while the aggregates are gone through.
#[derive(Default)]
struct Draft {
    wanted: Wanted,
    measures: Vec<MeasureColumn>,
    ranked: Option<RankedColumn>,
    aggregates: Vec<Aggregate>,
    /// What the aggregates are over.
    seen: Vec<DFSchemaRef>,
}

const MOST_PARTS: usize = 16;
const MOST_MEASURES: usize = 16;

impl Draft {
    fn add(&mut self, judge: &Judge<'_>, asked: Asked) -> Result<(), Refusal> {
        let part = self.part(judge, asked.condition)?;
        let kind = match asked.kind {
            AskedKind::Rows => AggregateKind::Rows,
            AskedKind::Persons => AggregateKind::Persons,
            AskedKind::Sum(measured) => AggregateKind::Sum(self.measure(judge, measured, part, false)?),
            AskedKind::Average(measured) => {
                AggregateKind::Average(self.measure(judge, measured, part, false)?)
            }
            AskedKind::Variance(measured) => {
                AggregateKind::Variance(self.measure(judge, measured, part, true)?)
            }
            AskedKind::Deviation(measured) => {
                AggregateKind::Deviation(self.measure(judge, measured, part, true)?)
            }
            AskedKind::Quantile(measured, rank) => {
                AggregateKind::Quantile(self.quantile(judge, measured, part, rank)?)
            }
        };
        self.aggregates.push(Aggregate { part, kind });
        Ok(())
    }

    fn part(&mut self, judge: &Judge<'_>, condition: Option<Expr>) -> Result<usize, Refusal> {
        let condition = condition.map(|condition| canonical::condition(condition, &self.seen));
        let Some(condition) = condition else { return Ok(0) };
        let conditions = &mut self.wanted.conditions;
        if let Some(at) = conditions.iter().position(|known| *known == condition) {
            return Ok(at + 1);
        }
        if conditions.len() >= MOST_PARTS {
            return Err(too_many(judge, "conditions in its aggregates", "集計の中の条件", MOST_PARTS));
        }
        conditions.push(condition);
        Ok(conditions.len())
    }

    fn measure(
        &mut self,
        judge: &Judge<'_>,
        measured: Measured,
        part: usize,
        squares: bool,
    ) -> Result<usize, Refusal> {
        if squares && !are_added_up(largest(&measured.fact)) {
            return Err(too_large(judge));
        }
        let known = self.wanted.measures.iter_mut().zip(&mut self.measures).position(
            |((expr, _, known, has), column)| {
                let is_same = *expr == measured.expr && *known == part;
                *has |= is_same && squares;
                column.squares |= is_same && squares;
                is_same
            },
        );
        if let Some(at) = known {
            return Ok(at);
        }
        if self.measures.len() >= MOST_MEASURES {
            return Err(too_many(judge, "measures", "数量", MOST_MEASURES));
        }
        let Measured { expr, name, fact } = measured;
        let (scale, unit) = (fact.scale, fact.unit.clone());
        let same = self.wanted.measures.iter().zip(&self.measures).find(|((known, ..), _)| *known == expr);
        let of = same.map(|(_, column)| column.of);
        let of = of.unwrap_or_else(|| self.measures.iter().map(|measure| measure.of + 1).max().unwrap_or(0));
        self.measures.push(MeasureColumn {
            column: name,
            part,
            of,
            scale,
            largest: largest(&fact),
            squares,
            unit,
        });
        self.wanted.measures.push((expr, fact, part, squares));
        Ok(self.measures.len() - 1)
    }

    fn quantile(
        &mut self,
        judge: &Judge<'_>,
        measured: Measured,
        part: usize,
        rank: u32,
    ) -> Result<usize, Refusal> {
        let is_other =
            |(expr, _, known): &(Expr, MeasureFact, usize)| *expr != measured.expr || *known != part;
        if self.wanted.ranked.as_ref().is_some_and(is_other) {
            return Err(Refusal::new(Rule::Aggregate, "a query asks the quantiles of one column")
                .ja("一つの問合せで分位点を求められる列は一つです")
                .at(judge.places.word("median").or_else(|| judge.places.word("quantile")))
                .suggest("ask the other column's quantiles in a query of its own"));
        }
        let Measured { expr, fact, .. } = measured;
        let ranked = self.ranked.get_or_insert_with(|| RankedColumn {
            part,
            scale: fact.scale,
            ranks: Vec::new(),
            largest: largest(&fact),
            unit: fact.unit.clone(),
        });
        self.wanted.ranked = Some((expr, fact, part));
        if let Some(at) = ranked.ranks.iter().position(|known| *known == rank) {
            return Ok(at);
        }
        ranked.ranks.push(rank);
        Ok(ranked.ranks.len() - 1)
    }
}

fn too_many(judge: &Judge<'_>, what: &str, ja: &str, most: usize) -> Refusal {
    Refusal::new(Rule::Size, format!("a query has at most {most} {what}"))
        .ja(format!("{ja}は一つの問合せに {most} 個までです"))
        .at(judge.places.word("SELECT"))
        .suggest("ask two queries")
}

/// Rows over which squares are added up, at their largest, without an end of the numbers: more than any join has.
const MOST_SQUARED: i128 = 10_000_000_000;

/// Whether the squares of values up to this one are added up in 128 bits. Asked of the declared bounds, so that no value
/// of any row ends a run.
fn are_added_up(largest: i64) -> bool {
    let square = i128::from(largest).checked_pow(2);
    square.and_then(|square| square.checked_mul(MOST_SQUARED)).is_some()
}

fn too_large(judge: &Judge<'_>) -> Refusal {
    let places = &judge.places;
    Refusal::new(Rule::Aggregate, "the squares of these values may be more than is added up")
        .ja("この値の二乗の合計は大きくなりすぎることがあります")
        .at(places.word("stddev").or_else(|| places.word("variance")))
        .suggest("stddev of a column as it stands, of a count, or of a sum of whole numbers; median and quantile of any")
}

/// The largest absolute value, scaled.
fn largest(fact: &MeasureFact) -> i64 {
    let largest = fact.bounds.low.saturating_abs().max(fact.bounds.high.saturating_abs());
    largest.saturating_mul(10_i64.saturating_pow(fact.scale))
}

fn hash(
    (evidence, public): (&LogicalPlan, Option<&LogicalPlan>),
    grant: &Grant,
    shape: &PlanShape,
) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 vetted plan");
    let parts = [
        spelled::plan(evidence),
        public.map(spelled::plan).unwrap_or_default(),
        format!("{grant:?}"),
        without_values(shape),
        env!("CARGO_PKG_VERSION").to_owned(),
    ];
    let mut bytes = Vec::new();
    parts.iter().for_each(|part| add(&mut bytes, part));
    // Of these there may be thousands.
    for value in shape.keys.iter().flat_map(|key| &key.domain.values) {
        let DomainValue { code, days, ja, en } = value;
        bytes.extend_from_slice(&days.map_or(i64::MIN, i64::from).to_le_bytes());
        [code, ja, en].into_iter().for_each(|text| add(&mut bytes, text));
    }
    hasher.update(&bytes).finalize().to_hex().to_string()
}

/// A text with its length before it.
fn add(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// What a shape is, apart from the values of its keys, of which only their number is said.
fn without_values(shape: &PlanShape) -> String {
    // Whether it has gaps is a matter of its plan.
    let PlanShape {
        keys,
        sets,
        conditions,
        measures,
        ranked,
        has_facility,
        units,
        has_gaps: _,
        aggregates,
        post,
        public,
    } = shape;
    let key = |KeyColumn { name, domain }: &KeyColumn| (name.clone(), domain.kind, domain.values.len());
    let keys: Vec<(String, KeyKind, usize)> = keys.iter().map(key).collect();
    // The plan has the conditions; their text has what the query calls its tables.
    let conditions = conditions.len();
    format!("{:?}", (keys, sets, conditions, measures, ranked, has_facility, units, aggregates, post, public))
}

impl VettedPlan {
    /// The evidence plan over other sources: one bucket's files.
    ///
    /// # Errors
    ///
    /// `source` does not know a table that the plan reads.
    pub fn evidence_over(
        &self,
        source: &dyn Fn(&str) -> Option<Arc<dyn TableSource>>,
    ) -> Result<LogicalPlan, DataFusionError> {
        rewrite::with_sources(&self.evidence, source)
    }

    /// The plan of the public figures over other sources: the files of public tables.
    ///
    /// # Errors
    ///
    /// As [`VettedPlan::evidence_over`], or the query has no public figures.
    pub fn public_over(
        &self,
        source: &dyn Fn(&str) -> Option<Arc<dyn TableSource>>,
    ) -> Result<LogicalPlan, DataFusionError> {
        let none = || DataFusionError::Plan("a query without public figures".to_owned());
        rewrite::with_sources(self.public.as_ref().ok_or_else(none)?, source)
    }

    /// The rows that the evidence plan groups, as they stand: its keys, person, facility, units, ranked value, parts and
    /// measures.
    ///
    /// # Errors
    ///
    /// As [`VettedPlan::evidence_over`].
    pub fn rows_over(
        &self,
        source: &dyn Fn(&str) -> Option<Arc<dyn TableSource>>,
    ) -> Result<LogicalPlan, DataFusionError> {
        let inputs = self.evidence.inputs();
        let rows = inputs.first().ok_or_else(|| DataFusionError::Plan("evidence is of rows".to_owned()))?;
        rewrite::with_sources(rows, source)
    }
}

#[cfg(test)]
mod tests {
    use super::are_added_up;

    #[test]
    fn squares_of_what_is_declared_are_added_up_and_no_larger_ones() {
        // The largest columns: whole numbers of nine digits, decimals of eight before and five after the point.
        for largest in [0, 999_999_999, 9_999_999_900_000, 1_000_000_000_000, 99_999_999_900_000] {
            assert!(are_added_up(largest), "{largest}");
        }
        for largest in [1_000_000_000_000_000, i64::MAX] {
            assert!(!are_added_up(largest), "{largest}");
        }
    }
}
