//! Figures of public tables beside the aggregates: a query over public tables alone, joined to the aggregated one by its
//! group keys.
//!
//! The join stands above the release: a figure is looked up by the keys of a protected row and computed with like one
//! that the query writes, and nothing of a person's rows meets it (decision 0341). The public query is grouped by exactly
//! what it is joined by, so a row has one row of figures or none.

use catalog_model::Table;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Column, DataFusionError, JoinType, ScalarValue};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{
    Aggregate, BinaryExpr, Distinct, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator,
};
use engine_protocol::PostExpr;

use super::{inner, predicate, projection};
use crate::plan::PublicShape;
use crate::refusal::{Refusal, Rule};
use crate::relation::{Judge, Relation};
use crate::rewrite::{self, KEY_PREFIX, PUBLIC_PREFIX};
use crate::stored::Meant;

/// A rate by a public population; it is the proposal wherever a public table is joined to rows of persons.
pub(crate) const FORM: &str = "SELECT c.prefecture, round(100000.0 * c.patients / q.persons, 1) AS per_100000 FROM (SELECT prefecture, count(DISTINCT person_id) AS patients FROM ndb_receipt GROUP BY prefecture) c JOIN (SELECT m.prefecture, sum(p.persons) AS persons FROM population p JOIN municipality m ON m.municipality = p.municipality WHERE p.year = 2023 AND (m.valid_from IS NULL OR m.valid_from <= p.counted_on) AND (m.valid_to IS NULL OR m.valid_to >= p.counted_on) GROUP BY m.prefecture) q ON q.prefecture = c.prefecture";

/// The two sides of a join above the release.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'p> {
    /// The query over tables of persons.
    pub(crate) private: &'p LogicalPlan,
    /// The query over public tables.
    public: &'p LogicalPlan,
    is_public_first: bool,
    /// Whether rows without figures stay.
    is_outer: bool,
}

/// A public query and how it is joined.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    plan: LogicalPlan,
    /// Its columns that are compared with group keys, and those keys.
    keys: Vec<(Column, usize)>,
    /// Its columns that are figures, with their decimal places.
    figures: Vec<(Column, u32)>,
}

impl Public {
    pub(crate) fn shape(&self) -> PublicShape {
        PublicShape {
            keys: self.keys.iter().map(|(_, key)| *key).collect(),
            scales: self.figures.iter().map(|(_, scale)| *scale).collect(),
        }
    }

    /// The plan as it is executed: a column for each key that it is looked up by, then one for each figure.
    pub(crate) fn executed(&self, meant: Meant<'_>) -> Result<LogicalPlan, DataFusionError> {
        let named = |(at, column): (usize, &Column), prefix: &str| {
            Expr::Column(column.clone()).alias(format!("{prefix}{at}"))
        };
        let keys = self.keys.iter().map(|(column, _)| column).enumerate();
        let keys = keys.map(|column| named(column, KEY_PREFIX));
        let figures = self.figures.iter().map(|(column, _)| column).enumerate();
        let columns: Vec<Expr> = keys.chain(figures.map(|column| named(column, PUBLIC_PREFIX))).collect();
        let plan = LogicalPlanBuilder::from(self.plan.clone()).project(columns)?.build()?;
        rewrite::rows(plan, meant)
    }
}

pub(crate) fn refuse(judge: &Judge<'_>, message: &str, ja: &str) -> Refusal {
    Refusal::new(Rule::Public, message).ja(ja).at(judge.places.word("JOIN")).suggest(FORM)
}

/// The refusal of a table that is about no person among rows of persons, and of one that is not public anywhere.
pub(crate) fn apart(judge: &Judge<'_>, table: &Table) -> Refusal {
    let (message, ja) = match table.is_open() {
        true => (
            "a public table is joined to the aggregates, by a query of its own",
            "公開表は、それだけの問合せにして、集計した結果に結合します",
        ),
        false => (
            "a table of facilities is not public, and nothing protects its figures",
            "施設の表は公開表ではなく、その数値は保護されないため使えません",
        ),
    };
    Refusal::new(Rule::Public, message).ja(ja).at(judge.places.word(&table.table)).suggest(FORM)
}

/// The sides of a join of which one reads public tables alone; nothing where it is another join.
pub(crate) fn sides<'p>(judge: &Judge<'_>, join: &'p Join) -> Result<Option<Sides<'p>>, Refusal> {
    let (left, right) = (join.left.as_ref(), join.right.as_ref());
    if let Some(table) = closed(judge, left).or_else(|| closed(judge, right)) {
        return Err(apart(judge, table));
    }
    let (private, public, is_public_first) = match (is_public(judge, left), is_public(judge, right)) {
        (true, false) => (right, left, true),
        (false, true) => (left, right, false),
        (true, true) | (false, false) => return Ok(None),
    };
    let is_outer = match (join.join_type, is_public_first) {
        (JoinType::Inner, _) => false,
        (JoinType::Left, false) | (JoinType::Right, true) => true,
        (
            JoinType::Left
            | JoinType::Right
            | JoinType::Full
            | JoinType::LeftSemi
            | JoinType::RightSemi
            | JoinType::LeftAnti
            | JoinType::RightAnti
            | JoinType::LeftMark
            | JoinType::RightMark,
            _,
        ) => {
            return Err(refuse(
                judge,
                "figures of public tables are joined to the aggregates by JOIN or LEFT JOIN",
                "公開表の数値は、集計した結果に JOIN か LEFT JOIN で結合します",
            ));
        }
    };
    Ok(Some(Sides { private, public, is_public_first, is_outer }))
}

/// Whether a query reads public tables and no others, in its subqueries as well.
fn is_public(judge: &Judge<'_>, plan: &LogicalPlan) -> bool {
    let (mut tables, mut are_public) = (0, true);
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            tables += 1;
            are_public &= judge.table(&scan.table_name).is_some_and(Table::is_open);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.is_ok() && are_public && tables > 0
}

/// A table that a query reads and that is about no person, yet not public.
fn closed<'a>(judge: &Judge<'a>, plan: &LogicalPlan) -> Option<&'a Table> {
    let mut found = None;
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = judge.table(&scan.table_name);
            found = found.or(table.filter(|table| !table.is_private() && !table.is_open()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found.filter(|_| visited.is_ok())
}

/// The public query of a join, and what the columns of the join are; `private` are those of its other side.
pub(crate) fn joined(
    judge: &Judge<'_>,
    (join, sides): (&Join, Sides<'_>),
    private: &[Option<PostExpr>],
) -> Result<(Public, Vec<Option<PostExpr>>), Refusal> {
    let facts = relation(judge, sides.public)?;
    let Some(own) = keys(sides.public) else { return Err(not_grouped(judge)) };
    let by = pairs(judge, (join, sides), private, &own)?;
    let columns = sides.public.schema().columns();
    let mut found = Public { plan: sides.public.clone(), keys: by, figures: Vec::new() };
    let mut told = Vec::with_capacity(own.len());
    for ((column, fact), own) in columns.into_iter().zip(&facts).zip(&own) {
        let key = found.keys.iter().find(|(known, _)| *known == column).map(|(_, key)| *key);
        told.push(match (key, &fact.measure) {
            (Some(key), _) => Some(of_key(key, sides.is_outer)),
            (None, Some(measure)) if own.is_none() => {
                found.figures.push((column, measure.scale));
                Some(PostExpr::Public(found.figures.len() - 1))
            }
            (None, _) => None,
        });
    }
    if found.figures.is_empty() {
        return Err(refuse(
            judge,
            "a public query hands on figures: sums, means or counts",
            "公開表の問合せは、合計・平均・件数などの数値を渡します",
        ));
    }
    let (mut first, mut second) = (private.to_vec(), told);
    if sides.is_public_first {
        std::mem::swap(&mut first, &mut second);
    }
    first.append(&mut second);
    Ok((found, first))
}

/// The rows that stay: those with figures, or all.
pub(crate) fn staying(sides: Sides<'_>) -> Option<PostExpr> {
    (!sides.is_outer).then_some(PostExpr::HasPublic)
}

/// A key as the public side has it.
fn of_key(key: usize, is_outer: bool) -> PostExpr {
    match is_outer {
        true => PostExpr::Case(vec![(PostExpr::HasPublic, PostExpr::Key(key))], Box::new(PostExpr::Empty)),
        false => PostExpr::Key(key),
    }
}

fn not_grouped(judge: &Judge<'_>) -> Refusal {
    refuse(
        judge,
        "a query over public tables is grouped by exactly what it is joined by",
        "公開表の問合せは、結合に使う列だけで GROUP BY します",
    )
}

/// For each group key of the public query its column and the group key that it is compared with.
fn pairs(
    judge: &Judge<'_>,
    (join, sides): (&Join, Sides<'_>),
    private: &[Option<PostExpr>],
    own: &[Option<usize>],
) -> Result<Vec<(Column, usize)>, Refusal> {
    let groups = own.iter().flatten().max().map_or(0, |last| last + 1);
    let mut by: Vec<Option<(Column, usize)>> = vec![None; groups];
    for (one, two) in terms(judge, join)? {
        let Some((public, of)) = pair(sides, (one, two)) else { return Err(by_keys(judge)) };
        let key = match private.get(of) {
            Some(Some(PostExpr::Key(key))) => *key,
            _ => return Err(by_keys(judge)),
        };
        let are_texts = [(sides.public, public), (sides.private, of)].iter().all(|(plan, at)| {
            plan.schema().fields().get(*at).is_some_and(|field| predicate::is_text(field.data_type()))
        });
        let group = own.get(public).copied().flatten().and_then(|group| by.get_mut(group));
        match group {
            Some(group) if group.is_none() && are_texts => {
                *group = Some((Column::from(sides.public.schema().qualified_field(public)), key));
            }
            Some(_) => return Err(by_keys(judge)),
            None => return Err(not_grouped(judge)),
        }
    }
    by.into_iter().collect::<Option<_>>().ok_or_else(|| not_grouped(judge))
}

fn by_keys(judge: &Judge<'_>) -> Refusal {
    refuse(
        judge,
        "figures of public tables are joined by equalities with group keys that are codes, each once",
        "公開表の数値は、集計の群（コードの列）との等号で、列ごとに一度だけ結合します",
    )
}

/// What a join compares: equalities and nothing else.
fn terms<'j>(judge: &Judge<'_>, join: &'j Join) -> Result<Vec<(&'j Expr, &'j Expr)>, Refusal> {
    let mut terms: Vec<(&Expr, &Expr)> = join.on.iter().map(|(one, two)| (one, two)).collect();
    for conjunct in join.filter.iter().flat_map(split_conjunction) {
        match conjunct {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                terms.push((left.as_ref(), right.as_ref()));
            }
            Expr::Literal(ScalarValue::Boolean(Some(true)), _) => {}
            _ => return Err(by_keys(judge)),
        }
    }
    Ok(terms)
}

/// The places of the two columns of an equality: on the public side, and on the other.
fn pair(sides: Sides<'_>, (one, two): (&Expr, &Expr)) -> Option<(usize, usize)> {
    let (Expr::Column(one), Expr::Column(two)) = (one, two) else { return None };
    let public = |column: &Column| sides.public.schema().maybe_index_of_column(column);
    let private = |column: &Column| sides.private.schema().maybe_index_of_column(column);
    match (public(one), private(one), public(two), private(two)) {
        (Some(public), None, None, Some(private)) | (None, Some(private), Some(public), None) => {
            Some((public, private))
        }
        _ => None,
    }
}

/// For each column of an aggregated query the number of the group key that it is; nothing where the query is not
/// aggregated, so that its groups may come more than once.
fn keys(plan: &LogicalPlan) -> Option<Vec<Option<usize>>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => keys(&alias.input),
        LogicalPlan::Filter(filter) => keys(&filter.input),
        LogicalPlan::Projection(projection) => {
            let below = keys(&projection.input)?;
            let schema = projection.input.schema();
            let key = |expr: &Expr| match expr.clone().unalias() {
                Expr::Column(column) => {
                    schema.maybe_index_of_column(&column).and_then(|at| below.get(at).copied().flatten())
                }
                _ => None,
            };
            let kept: Vec<Option<usize>> = projection.expr.iter().map(key).collect();
            // A key that is not handed on would leave several rows for one of the others.
            below.iter().flatten().all(|key| kept.contains(&Some(*key))).then_some(kept)
        }
        LogicalPlan::Aggregate(aggregate) => {
            let groups = aggregate.group_expr.len();
            let has_sets = aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)));
            let key = |at: usize| (at < groups).then_some(at);
            (!has_sets).then(|| (0..aggregate.schema.fields().len()).map(key).collect())
        }
        LogicalPlan::TableScan(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
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
        | LogicalPlan::Extension(_) => None,
    }
}

/// The facts of a query over public tables. Nothing of it is secret; what it may say is what a worker may run.
/// Exhaustive on purpose.
fn relation(judge: &Judge<'_>, plan: &LogicalPlan) -> Result<Relation, Refusal> {
    match plan {
        LogicalPlan::TableScan(scan) => judge.public(scan),
        LogicalPlan::SubqueryAlias(alias) => relation(judge, &alias.input),
        LogicalPlan::Distinct(Distinct::All(input)) => relation(judge, input),
        LogicalPlan::Filter(filter) => {
            let facts = relation(judge, &filter.input)?;
            predicate::check(judge, &filter.predicate, filter.input.schema(), &facts)?;
            Ok(facts)
        }
        LogicalPlan::Projection(projection) => {
            let facts = relation(judge, &projection.input)?;
            let schema = projection.input.schema();
            projection.expr.iter().map(|expr| projection::fact(judge, expr, schema, &facts)).collect()
        }
        LogicalPlan::Join(join) => of_join(judge, join),
        LogicalPlan::Aggregate(aggregate) => of_aggregate(judge, aggregate),
        LogicalPlan::Distinct(Distinct::On(_))
        | LogicalPlan::Window(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
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
        | LogicalPlan::Extension(_) => Err(refuse(
            judge,
            "a query over public tables joins, filters and groups them",
            "公開表の問合せで使えるのは、結合・条件・GROUP BY です",
        )),
    }
}

fn of_join(judge: &Judge<'_>, join: &Join) -> Result<Relation, Refusal> {
    let is_plain = matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right);
    if !is_plain || !has_equality(join) {
        return Err(refuse(
            judge,
            "public tables are joined with each other by an equality of their columns, inner or left",
            "公開表どうしは、両方の列の等号による JOIN か LEFT JOIN で結合します",
        ));
    }
    let mut both = relation(judge, &join.left)?;
    both.extend(relation(judge, &join.right)?);
    for (one, two) in &join.on {
        predicate::check(judge, &one.clone().eq(two.clone()), &join.schema, &both)?;
    }
    if let Some(filter) = &join.filter {
        predicate::check(judge, filter, &join.schema, &both)?;
    }
    Ok(both)
}

/// Whether one column of each side are equal in every pair of rows: a worker runs no other join.
fn has_equality(join: &Join) -> bool {
    let sides = [join.left.schema(), join.right.schema()];
    let crosses = |one: &Expr, two: &Expr| {
        let (Expr::Column(one), Expr::Column(two)) = (one, two) else { return false };
        let [left, right] = sides;
        let is_pair = |one: &Column, two: &Column| left.has_column(one) && right.has_column(two);
        is_pair(one, two) || is_pair(two, one)
    };
    let is_equality = |term: &Expr| match term {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => crosses(left, right),
        _ => false,
    };
    join.on.iter().any(|(one, two)| crosses(one, two))
        || join.filter.iter().flat_map(split_conjunction).any(is_equality)
}

fn of_aggregate(judge: &Judge<'_>, aggregate: &Aggregate) -> Result<Relation, Refusal> {
    let input = relation(judge, &aggregate.input)?;
    let schema = aggregate.input.schema();
    let keys = aggregate.group_expr.iter().map(|key| match key {
        Expr::GroupingSet(_) => Err(not_grouped(judge)),
        key => projection::fact(judge, key, schema, &input),
    });
    let mut facts = keys.collect::<Result<Relation, _>>()?;
    for expr in &aggregate.aggr_expr {
        facts.push(inner::aggregate_fact(judge, expr, schema, &input)?);
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;
    use engine_protocol::PostExpr;

    use super::FORM;
    use crate::functions::tests::grant_of_all;
    use crate::plan::VettedPlan;
    use crate::refusal::{NotVetted, Rule};
    use crate::vet::{Scope, vet};

    fn vetted(catalogue: &Catalogue, sql: &str) -> Result<VettedPlan, NotVetted> {
        let grant = grant_of_all(catalogue);
        vet(sql, Scope { catalogue, grant: &grant })
    }

    const COUNTED: &str = "(SELECT prefecture, setting, count(DISTINCT person_id) AS n FROM ndb_receipt GROUP BY prefecture, setting) c";

    #[test]
    fn a_public_query_is_looked_up_by_what_it_is_grouped_by() {
        let catalogue = Catalogue::builtin().unwrap();
        let plan = vetted(&catalogue, FORM).unwrap_or_else(|error| panic!("{error:?}"));
        let shape = plan.shape();
        let public = shape.public.as_ref().unwrap();
        assert_eq!((public.keys.as_slice(), public.scales.as_slice()), ([0].as_slice(), [0].as_slice()));
        assert_eq!(shape.post.having, Some(PostExpr::HasPublic));
        assert!(plan.public().is_some());
        let tables: Vec<&String> = plan.used().keys().collect();
        assert_eq!(tables, ["municipality", "ndb_receipt", "population"]);
        assert_eq!(plan.lineage().iter().collect::<Vec<_>>(), ["ndb_receipt"]);
        let other = vetted(&catalogue, &FORM.replace("2023", "2024")).unwrap();
        assert_ne!(plan.hash(), other.hash(), "figures of another year are another question");
    }

    #[test]
    fn whatever_could_choose_among_figures_is_refused() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |public: &str, on: &str| {
            let sql = format!("SELECT c.setting, c.n / q.f AS rate FROM {COUNTED} JOIN ({public}) q {on}");
            match vetted(&catalogue, &sql) {
                Ok(_) => None,
                Err(NotVetted::Refused(refusal)) => Some(refusal.rule()),
                Err(other) => panic!("{other:?}"),
            }
        };
        let by_place = "SELECT prefecture, count(*) AS f FROM municipality GROUP BY prefecture";
        let on = "ON q.prefecture = c.prefecture";
        assert_eq!(of(by_place, on), None);
        assert_eq!(of(by_place, "ON c.prefecture = q.prefecture"), None);
        assert_eq!(of("SELECT count(*) AS f FROM municipality", "ON true"), None);
        let refused = Some(Rule::Public);
        for (public, on) in [
            (by_place, "ON q.prefecture = c.setting AND q.prefecture = c.prefecture"),
            (by_place, "ON q.prefecture < c.prefecture"),
            (by_place, "ON q.prefecture = c.prefecture AND q.f > c.n"),
            (by_place, "ON true"),
            (
                "SELECT prefecture, medical_area, count(*) AS f FROM municipality GROUP BY prefecture, medical_area",
                on,
            ),
            ("SELECT prefecture, 1 AS f FROM municipality", on),
            ("SELECT DISTINCT prefecture, 1 AS f FROM municipality", on),
            (
                "SELECT max(prefecture) AS prefecture, count(*) AS f FROM municipality GROUP BY medical_area",
                on,
            ),
            (
                "SELECT a.prefecture, count(*) AS f FROM municipality a CROSS JOIN municipality b GROUP BY a.prefecture",
                on,
            ),
        ] {
            assert_eq!(of(public, on), refused, "{public} {on}");
        }
    }
}
