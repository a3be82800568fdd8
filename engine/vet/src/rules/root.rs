//! The top of a query: the outermost aggregation, and what is computed from it.
//!
//! Whatever stands above the aggregation (the SELECT list, HAVING, ORDER BY, LIMIT, an outer query that only computes)
//! becomes the post-program and is executed on protected values; it never reaches the worker (attack 29).

use datafusion_common::ScalarValue;
use datafusion_expr::expr::GroupingSet;
use datafusion_expr::{Aggregate, Expr, Join, Limit, LogicalPlan, Sort};
use engine_protocol::{Post, PostColumn, PostExpr, PostOrder};

use super::post;
use super::public::{self, Public};
use crate::refusal::{Refusal, Rule};
use crate::relation::Judge;

/// The release point of a query: its aggregation, its grouping sets, and what is computed from it.
pub(crate) struct ReleasePoint<'p> {
    pub(crate) aggregate: &'p Aggregate,
    pub(crate) keys: Vec<Expr>,
    pub(crate) sets: Vec<u32>,
    pub(crate) post: Post,
    /// The query over public tables that stands beside it.
    pub(crate) public: Option<Public>,
}

const MAX_KEYS: usize = 4;

/// Finds the release point.
pub(crate) fn release_point<'p>(
    judge: &Judge<'_>,
    plan: &'p LogicalPlan,
) -> Result<ReleasePoint<'p>, Refusal> {
    let (aggregate, above) = above(judge, plan)?;
    let (keys, sets) = grouping(judge, aggregate)?;
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    let columns = names.zip(above.columns).map(|(name, value)| match value {
        Some(value) => Ok(PostColumn { name, value }),
        None => Err(Refusal::new(Rule::Root, format!("{name} cannot be shown"))
            .ja(format!("{name} は結果に出せません"))),
    });
    let columns = columns.collect::<Result<_, _>>()?;
    let (post, public) = (Post { columns, ..above.post }, above.public);
    Ok(ReleasePoint { aggregate, keys, sets, post, public })
}

/// What is computed so far, by column of the plan's schema.
struct Above {
    columns: Vec<Option<PostExpr>>,
    post: Post,
    public: Option<Public>,
}

/// Reads the plan down to its aggregation. Exhaustive on purpose.
fn above<'p>(judge: &Judge<'_>, plan: &'p LogicalPlan) -> Result<(&'p Aggregate, Above), Refusal> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Ok((aggregate, columns(aggregate))),
        LogicalPlan::SubqueryAlias(alias) => above(judge, &alias.input),
        LogicalPlan::Projection(projection) => {
            let (aggregate, below) = above(judge, &projection.input)?;
            let schema = projection.input.schema();
            let columns =
                projection.expr.iter().map(|expr| post::column(judge, expr, schema, &below.columns));
            let columns = columns.collect::<Result<_, _>>()?;
            Ok((aggregate, Above { columns, ..below }))
        }
        LogicalPlan::Filter(filter) => {
            let (aggregate, mut below) = above(judge, &filter.input)?;
            refuse_above_limit(judge, &below)?;
            let schema = filter.input.schema();
            let condition = post::expression(judge, &filter.predicate, schema, &below.columns)?;
            below.keep_where(condition);
            Ok((aggregate, below))
        }
        LogicalPlan::Sort(sort) => sorted(judge, sort),
        LogicalPlan::Limit(limit) => limited(judge, limit),
        LogicalPlan::Join(join) => joined(judge, join),
        LogicalPlan::TableScan(_) => Err(rows(judge)),
        LogicalPlan::Distinct(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::Extension(_) => Err(super::node::refuse(judge, plan)),
    }
}

impl Above {
    /// Keeps only rows for which a condition is true.
    fn keep_where(&mut self, condition: PostExpr) {
        self.post.having = Some(match self.post.having.take() {
            Some(known) => PostExpr::And(Box::new(known), Box::new(condition)),
            None => condition,
        });
    }
}

/// An aggregated query beside one over public tables.
fn joined<'p>(judge: &Judge<'_>, join: &'p Join) -> Result<(&'p Aggregate, Above), Refusal> {
    let Some(sides) = public::sides(judge, join)? else { return Err(rows(judge)) };
    let (aggregate, mut below) = above(judge, sides.private)?;
    refuse_above_limit(judge, &below)?;
    if below.public.is_some() {
        return Err(public::refuse(
            judge,
            "one query over public tables stands beside the aggregates",
            "集計した結果に結合できる公開表の問合せは一つです",
        ));
    }
    let (found, columns) = public::joined(judge, (join, sides), &below.columns)?;
    if let Some(staying) = public::staying(sides) {
        below.keep_where(staying);
    }
    Ok((aggregate, Above { columns, public: Some(found), ..below }))
}

fn sorted<'p>(judge: &Judge<'_>, sort: &'p Sort) -> Result<(&'p Aggregate, Above), Refusal> {
    let (aggregate, mut below) = above(judge, &sort.input)?;
    refuse_above_limit(judge, &below)?;
    let schema = sort.input.schema();
    let order = sort.expr.iter().map(|sort| {
        let by = post::expression(judge, &sort.expr, schema, &below.columns)?;
        Ok(PostOrder { by, is_descending: !sort.asc })
    });
    below.post.order = order.collect::<Result<_, Refusal>>()?;
    below.post.fetch = sort.fetch.map(|fetch| fetch as u64);
    Ok((aggregate, below))
}

fn limited<'p>(judge: &Judge<'_>, limit: &'p Limit) -> Result<(&'p Aggregate, Above), Refusal> {
    let (aggregate, mut below) = above(judge, &limit.input)?;
    refuse_above_limit(judge, &below)?;
    let number = |expr: Option<&Expr>| match expr {
        None => Ok(None),
        Some(Expr::Literal(ScalarValue::Int64(Some(rows)), _)) if *rows >= 0 => Ok(u64::try_from(*rows).ok()),
        Some(_) => Err(Refusal::new(Rule::Post, "LIMIT and OFFSET take a number written in the query")
            .ja("LIMIT・OFFSET には数を書きます")
            .at(judge.places.word("LIMIT"))
            .suggest("LIMIT 20")),
    };
    below.post.skip = number(limit.skip.as_deref())?.unwrap_or_default();
    below.post.fetch = number(limit.fetch.as_deref())?;
    Ok((aggregate, below))
}

fn refuse_above_limit(judge: &Judge<'_>, below: &Above) -> Result<(), Refusal> {
    if below.post.fetch.is_none() && below.post.skip == 0 {
        return Ok(());
    }
    Err(Refusal::new(Rule::Post, "LIMIT stands last")
        .ja("LIMIT は一番外側の最後に書きます")
        .at(judge.places.word("LIMIT"))
        .suggest("put HAVING and ORDER BY before LIMIT"))
}

/// The aggregation's own columns: keys, the planner's number of the grouping set, aggregates.
fn columns(aggregate: &Aggregate) -> Above {
    let first = aggregate.schema.fields().len().saturating_sub(aggregate.aggr_expr.len());
    let keys = keys_of(aggregate).len();
    let column = |at: usize| match at.checked_sub(first) {
        Some(number) => Some(PostExpr::Aggregate(number)),
        None => (at < keys).then_some(PostExpr::Key(at)),
    };
    let columns = (0..aggregate.schema.fields().len()).map(column).collect();
    Above { columns, post: Post::default(), public: None }
}

/// The distinct group keys, in the order of the aggregation's schema.
fn keys_of(aggregate: &Aggregate) -> Vec<Expr> {
    match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(set)] => set.distinct_expr().into_iter().cloned().collect(),
        keys => keys.to_vec(),
    }
}

fn rows(judge: &Judge<'_>) -> Refusal {
    Refusal::new(Rule::Root, "rows never leave; a result consists of groups and aggregates")
        .ja("行は外に出せません。結果は群と集計からなる表です")
        .at(judge.places.word("*").or_else(|| judge.places.word("SELECT")))
        .suggest("SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex")
}

/// The group keys and the grouping sets over them.
fn grouping(judge: &Judge<'_>, aggregate: &Aggregate) -> Result<(Vec<Expr>, Vec<u32>), Refusal> {
    let keys = keys_of(aggregate);
    if keys.len() > MAX_KEYS {
        return Err(Refusal::new(Rule::Size, format!("a table has at most {MAX_KEYS} group keys"))
            .ja(format!("群の列は {MAX_KEYS} 個までです"))
            .at(judge.places.phrase(&["GROUP", "BY"]))
            .suggest("ask two tables, each with fewer keys"));
    }
    let whole = (1_u32 << keys.len()) - 1;
    let bits = |set: &[Expr]| {
        keys.iter().zip(0_u32..).fold(0, |bits, (key, at)| bits | u32::from(set.contains(key)) << at)
    };
    let mut sets = match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(GroupingSet::Rollup(order))] => {
            (0..=order.len()).rev().map(|width| bits(order.get(..width).unwrap_or_default())).collect()
        }
        [Expr::GroupingSet(GroupingSet::Cube(_))] => (0..=whole).rev().collect(),
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().map(|set| bits(set)).collect(),
        keys if keys.iter().any(|key| matches!(key, Expr::GroupingSet(_))) => {
            return Err(Refusal::new(Rule::Root, "ROLLUP, CUBE and GROUPING SETS stand alone in GROUP BY")
                .ja("ROLLUP・CUBE・GROUPING SETS は GROUP BY に単独で書きます")
                .at(judge.places.phrase(&["GROUP", "BY"]))
                .suggest("GROUP BY ROLLUP (a, b), or GROUPING SETS ((a, b), (a), ())"));
        }
        _ => vec![whole],
    };
    sets.sort_unstable_by_key(|set: &u32| (std::cmp::Reverse(set.count_ones()), *set));
    sets.dedup();
    Ok((keys, sets))
}
