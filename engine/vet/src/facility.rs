//! The facility, insurer and municipality behind every row, carried to the release where a query does not hand them on.
//!
//! Rules on how many facilities stand behind a cell, and on how much one of them adds, need the facility of each row. A
//! subquery that leaves it out would switch them off, so it goes along as a column that the query does not see. Where
//! rows of a person become one row, by an aggregation or DISTINCT, the first of their facilities stands for all; under
//! a condition that every aggregate has, the first of those of rows that meet it. Insurers and municipalities go the same
//! way, one after the other, wherever a table names one: whether a rule pack counts them is asked of the evidence.
//!
//! Persons that a condition looks up elsewhere (`person_id IN (SELECT …)`, EXISTS, a semi-join) are of the units of the
//! rows in which they were found: without that a condition would do what a join may not.
//!
//! Columns are added and none is changed, so what was judged of the query's own columns holds as before.

use std::sync::Arc;

use arrow::datatypes::DataType;
use catalog_model::{Class, CountedUnit};
use datafusion_common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion_common::{Column, DataFusionError, ScalarValue};
use datafusion_expr::expr::{Exists, InSubquery};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{
    Aggregate, BinaryExpr, Distinct, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
    Projection, TableScan, Union, lit, when,
};
use datafusion_functions_aggregate::expr_fn::min;

use crate::label::Label;
use crate::refusal::NotVetted;
use crate::relation::{ColumnFact, Judge, Relation};
use crate::rules::semi;
use crate::vet::explain;
use crate::workspace;

/// Rows with the facility and the units behind each, where a table among theirs names one.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) plan: LogicalPlan,
    pub(crate) relation: Relation,
    pub(crate) facility: Option<Column>,
    pub(crate) units: Vec<(CountedUnit, Column)>,
    /// Whether a row may have none since it is of no table that names one.
    pub(crate) has_gaps: bool,
}

/// The number of every facility and unit that a row does not say although its table does, where rows of other tables have
/// none: the last of all, which is given to nobody.
const UNSAID: u32 = u32::MAX;

/// Adds the facility and the units to the rows below the release.
pub(crate) fn behind(
    judge: &Judge<'_>,
    plan: &LogicalPlan,
    relation: &Relation,
) -> Result<Behind, NotVetted> {
    let mut behind = Behind {
        plan: plan.clone(),
        relation: relation.clone(),
        facility: None,
        units: Vec::new(),
        has_gaps: has_gaps(plan),
    };
    behind.facility = behind.carry(judge, Class::Facility)?;
    for unit in CountedUnit::ALL {
        let column = behind.carry(judge, unit.class())?;
        behind.units.extend(column.map(|column| (unit, column)));
    }
    Ok(behind)
}

impl Behind {
    /// Adds the column of a class, where some table names one.
    fn carry(&mut self, judge: &Judge<'_>, class: Class) -> Result<Option<Column>, NotVetted> {
        if !is_named(judge, &self.plan, class) {
            return Ok(None);
        }
        let carried = Carrier { judge, class, has_gaps: self.has_gaps, made: 0 }.carry(&self.plan)?;
        if carried.unit.is_some() {
            self.relation = facts(class, &carried.plan, &self.plan, &self.relation);
            self.plan = carried.plan;
        }
        Ok(carried.unit)
    }
}

/// Whether a table below, or in a condition, may have a column of this class; of what a project kept it is seen when it
/// is reached.
fn is_named(judge: &Judge<'_>, plan: &LogicalPlan, class: Class) -> bool {
    let has = |node: &LogicalPlan| {
        let LogicalPlan::TableScan(scan) = node else { return false };
        judge.table(&scan.table_name).is_none_or(|table| table.unit_column(class).is_some())
    };
    let mut is_named = false;
    let visited = plan.apply_with_subqueries(|node| {
        is_named |= has(node);
        Ok(if is_named { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    is_named || visited.is_err()
}

/// Whether rows may come to stand without those of a table: beside an outer join's other side, or in a union's branch.
fn has_gaps(plan: &LogicalPlan) -> bool {
    let leaves = |node: &LogicalPlan| match node {
        LogicalPlan::Join(join) => {
            matches!(join.join_type, JoinType::Left | JoinType::Right | JoinType::Full)
        }
        LogicalPlan::Union(_) => true,
        _ => false,
    };
    plan.exists(|node| Ok(leaves(node))).unwrap_or(true)
}

/// The first column of a class.
fn column(plan: &LogicalPlan, relation: &Relation, class: Class) -> Option<Column> {
    let is_unit = |fact: &ColumnFact| fact.class() == class && fact.kind == DataType::UInt32;
    let at = relation.iter().position(is_unit)?;
    Some(Column::from(plan.schema().qualified_field(at)))
}

/// What is known of the columns with those that were added.
fn facts(class: Class, plan: &LogicalPlan, before: &LogicalPlan, known: &Relation) -> Relation {
    let before = before.schema().columns();
    let fact = |column: Column| {
        let found = before.iter().position(|own| *own == column).and_then(|at| known.get(at));
        found.cloned().unwrap_or_else(|| ColumnFact::made(Label::of(class), DataType::UInt32))
    };
    plan.schema().columns().into_iter().map(fact).collect()
}

struct Carrier<'j, 'a> {
    judge: &'j Judge<'a>,
    /// Of which class the column is that goes along.
    class: Class,
    /// Whether a table's rows say a number where they have none.
    has_gaps: bool,
    /// How many columns were made so far: each has a name of its own.
    made: usize,
}

/// A plan with all columns that it had, and its column with the unit behind the row: facility, insurer or municipality.
struct Carried {
    plan: LogicalPlan,
    /// None where no table names one; the plan is as it was then.
    unit: Option<Column>,
}

/// Rows in which persons are looked up: the column of the person who is looked for, and that of the person there.
struct Elsewhere {
    outer: Column,
    inner: Column,
    rows: LogicalPlan,
}

impl Carrier<'_, '_> {
    /// Exhaustive on purpose.
    fn carry(&mut self, plan: &LogicalPlan) -> Result<Carried, NotVetted> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(plan, scan),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.carry(&alias.input)?;
                let named = |column: Column| Column::new(Some(alias.alias.clone()), column.name);
                let unit = input.unit.map(named);
                Ok(Carried { plan: self.over(plan, vec![input.plan])?, unit })
            }
            LogicalPlan::Filter(filter) => self.filter(plan, filter),
            LogicalPlan::Window(window) => self.along(plan, &window.input),
            LogicalPlan::Projection(projection) => self.projection(plan, projection),
            LogicalPlan::Join(join) => self.join(plan, join),
            LogicalPlan::Union(union) => self.union(plan, union),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(plan, aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(plan, input),
            // No vetted plan has one of these below its release.
            LogicalPlan::Distinct(Distinct::On(_))
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
            | LogicalPlan::Extension(_) => Ok(Carried { plan: plan.clone(), unit: None }),
        }
    }

    /// The facility of a table's rows is the table's own: a ward is none, nor is another office that it names. Of what a
    /// project kept the column's class is all that is known.
    fn scan(&mut self, plan: &LogicalPlan, scan: &TableScan) -> Result<Carried, NotVetted> {
        let unit = match self.judge.table(&scan.table_name) {
            Some(table) => table
                .unit_column(self.class)
                .and_then(|own| plan.schema().columns().into_iter().find(|column| column.name == own.name)),
            None => column(plan, &self.judge.relation(plan)?, self.class),
        };
        match unit {
            Some(unit) => self.said(Carried { unit: Some(unit), plan: plan.clone() }),
            None => Ok(Carried { unit: None, plan: plan.clone() }),
        }
    }

    /// Rows of a table that names a unit name one each, where other rows may have none.
    fn said(&mut self, carried: Carried) -> Result<Carried, NotVetted> {
        let Carried { plan, unit: Some(unit) } = carried else { return Ok(carried) };
        if !self.has_gaps {
            return Ok(Carried { plan, unit: Some(unit) });
        }
        let (columns, unit) = (plan.schema().columns(), Expr::Column(unit));
        let unsaid = lit(ScalarValue::UInt32(Some(UNSAID)));
        let said = when(unit.clone().is_null(), unsaid).otherwise(unit);
        let said = said.map_err(|error| self.explain(&error))?;
        self.with(plan, columns, said)
    }

    /// A node that hands on the columns of its input under their names.
    fn along(&mut self, plan: &LogicalPlan, input: &LogicalPlan) -> Result<Carried, NotVetted> {
        let input = self.carry(input)?;
        Ok(Carried { plan: self.over(plan, vec![input.plan])?, unit: input.unit })
    }

    /// Rows of persons that a condition looks up elsewhere are of the units of the rows there as well.
    fn filter(&mut self, plan: &LogicalPlan, filter: &Filter) -> Result<Carried, NotVetted> {
        let mut carried = self.along(plan, &filter.input)?;
        for condition in split_conjunction(&filter.predicate) {
            if let Some(elsewhere) = self.looked_up(condition)? {
                carried = self.beside(carried, elsewhere)?;
            }
        }
        Ok(carried)
    }

    /// Where a condition looks up persons.
    fn looked_up(&self, condition: &Expr) -> Result<Option<Elsewhere>, NotVetted> {
        match condition {
            Expr::InSubquery(InSubquery { expr, subquery, negated: false }) => {
                let rows = subquery.subquery.as_ref();
                let first = rows.schema().columns().into_iter().next();
                match (expr.as_ref(), first) {
                    (Expr::Column(outer), Some(inner)) if workspace::list_of(rows).is_none() => {
                        Ok(Some(Elsewhere { outer: outer.clone(), inner, rows: rows.clone() }))
                    }
                    _ => Ok(None),
                }
            }
            Expr::Exists(Exists { subquery, negated: false }) => match semi::correlated(&subquery.subquery) {
                Some(filter) => self.correlated(filter),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The rows of a correlated condition, less what it asks of them together with the rows outside.
    fn correlated(&self, filter: &Filter) -> Result<Option<Elsewhere>, NotVetted> {
        let inside = self.judge.apart(&filter.input)?;
        let (mut found, mut rest) = (None, Vec::new());
        for condition in split_conjunction(&filter.predicate) {
            match semi::equated(condition) {
                Some((inner, outer))
                    if self.judge.column(inner, filter.input.schema(), &inside)?.is_unit() =>
                {
                    found = Some((inner.clone(), outer.clone()));
                }
                _ if !condition.contains_outer() => rest.push(condition.clone()),
                _ => {}
            }
        }
        let Some((inner, outer)) = found else { return Ok(None) };
        let rows = match conjunction(rest) {
            Some(rest) => {
                let filter = Filter::try_new(rest, Arc::clone(&filter.input));
                LogicalPlan::Filter(filter.map_err(|error| self.explain(&error))?)
            }
            None => filter.input.as_ref().clone(),
        };
        Ok(Some(Elsewhere { outer, inner, rows }))
    }

    /// The rows of a semi-join's other side, by their person.
    fn met(&self, join: &Join, far: &LogicalPlan) -> Result<Option<Elsewhere>, NotVetted> {
        let relation = self.judge.apart(far)?;
        let is_person = |column: &Column| {
            let at = far.schema().maybe_index_of_column(column);
            at.and_then(|at| relation.get(at)).is_some_and(ColumnFact::is_unit)
        };
        let equal = |condition: Expr| match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => Some((*left, *right)),
            _ => None,
        };
        let conditions = join.filter.iter().flat_map(split_conjunction).cloned().filter_map(equal);
        for pair in join.on.iter().cloned().chain(conditions) {
            let (Expr::Column(one), Expr::Column(two)) = pair else { continue };
            for (inner, outer) in [(&one, &two), (&two, &one)] {
                if is_person(inner) && !far.schema().has_column(outer) {
                    let (inner, outer) = (inner.clone(), outer.clone());
                    return Ok(Some(Elsewhere { outer, inner, rows: far.clone() }));
                }
            }
        }
        Ok(None)
    }

    /// Rows with the first unit of a person's rows elsewhere, where they have none of their own.
    fn beside(&mut self, carried: Carried, elsewhere: Elsewhere) -> Result<Carried, NotVetted> {
        let Elsewhere { outer, inner, rows } = elsewhere;
        let Carried { plan: rows, unit: Some(unit) } = self.carry(&rows)? else { return Ok(carried) };
        let (of, name) = (self.name(), self.name());
        let inner = Expr::Column(inner);
        let first = min(Expr::Column(unit)).alias(&name);
        let own = carried.plan.schema().columns();
        let column = |name: &str| Expr::Column(Column::new_unqualified(name));
        let build = || {
            let rows = LogicalPlanBuilder::from(rows).aggregate([inner.clone()], [first])?;
            let rows = rows.project([inner.alias(&of), column(&name)])?.build()?;
            let condition = Expr::Column(outer).eq(column(&of));
            LogicalPlanBuilder::from(carried.plan).join_on(rows, JoinType::Left, [condition])?.build()
        };
        let plan: Result<LogicalPlan, DataFusionError> = build();
        let plan = plan.map_err(|error| self.explain(&error))?;
        match carried.unit {
            Some(unit) => self.either(plan, own, unit, Column::new_unqualified(name)),
            None => self.with(plan, own, column(&name)),
        }
    }

    fn projection(&mut self, plan: &LogicalPlan, projection: &Projection) -> Result<Carried, NotVetted> {
        let input = self.carry(&projection.input)?;
        let unit = input.unit.map(Expr::Column);
        let Some(unit) = unit else { return Ok(Carried { plan: plan.clone(), unit: None }) };
        let own = projection.expr.iter().position(|expr| expr.clone().unalias() == unit);
        if let Some(at) = own {
            return Ok(handed_on(plan, at));
        }
        let exprs = projection.expr.iter().cloned().chain([unit.alias(self.name())]).collect();
        let plan = Projection::try_new(exprs, Arc::new(input.plan)).map_err(|error| self.explain(&error))?;
        Ok(handed_on(&LogicalPlan::Projection(plan), projection.expr.len()))
    }

    /// Where both sides name a unit, that of the first counts (decision 0114), and where it has none the other's.
    fn join(&mut self, plan: &LogicalPlan, join: &Join) -> Result<Carried, NotVetted> {
        if matches!(join.join_type, JoinType::LeftSemi | JoinType::RightSemi) {
            return self.semi(plan, join);
        }
        let (left, right) = (self.carry(&join.left)?, self.carry(&join.right)?);
        let (first, other) = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (left.unit, None),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (right.unit, None),
            JoinType::Right => (right.unit, left.unit),
            JoinType::Inner | JoinType::Left | JoinType::Full => (left.unit, right.unit),
        };
        let plan = self.over(plan, vec![left.plan, right.plan])?;
        match (first, other) {
            (Some(first), Some(other)) => {
                let columns = plan.schema().columns();
                self.either(plan, columns, first, other)
            }
            (first, other) => Ok(Carried { unit: first.or(other), plan }),
        }
    }

    /// A semi-join hands on the columns of one side, and looks up persons in the other.
    fn semi(&mut self, plan: &LogicalPlan, join: &Join) -> Result<Carried, NotVetted> {
        let is_left = join.join_type == JoinType::LeftSemi;
        let (near, far) = if is_left { (&join.left, &join.right) } else { (&join.right, &join.left) };
        let near = self.carry(near)?;
        let other = far.as_ref().clone();
        let inputs = if is_left { vec![near.plan, other] } else { vec![other, near.plan] };
        let carried = Carried { plan: self.over(plan, inputs)?, unit: near.unit };
        match self.met(join, far)? {
            Some(elsewhere) => self.beside(carried, elsewhere),
            None => Ok(carried),
        }
    }

    /// These columns, and the unit of one side or the other.
    fn either(
        &mut self,
        plan: LogicalPlan,
        columns: Vec<Column>,
        first: Column,
        other: Column,
    ) -> Result<Carried, NotVetted> {
        let (first, other) = (Expr::Column(first), Expr::Column(other));
        let either = when(first.clone().is_null(), other).otherwise(first);
        let either = either.map_err(|error| self.explain(&error))?;
        self.with(plan, columns, either)
    }

    /// These columns, and the unit.
    fn with(&mut self, plan: LogicalPlan, columns: Vec<Column>, unit: Expr) -> Result<Carried, NotVetted> {
        let at = columns.len();
        let exprs = columns.into_iter().map(Expr::Column).chain([unit.alias(self.name())]).collect();
        let plan = Projection::try_new(exprs, Arc::new(plan)).map_err(|error| self.explain(&error))?;
        Ok(handed_on(&LogicalPlan::Projection(plan), at))
    }

    /// Every branch with the unit behind its rows; a branch of which no table names one has none.
    fn union(&mut self, plan: &LogicalPlan, union: &Union) -> Result<Carried, NotVetted> {
        let branches = union.inputs.iter().map(|input| self.carry(input));
        let branches = branches.collect::<Result<Vec<_>, _>>()?;
        if branches.iter().all(|branch| branch.unit.is_none()) {
            return Ok(Carried { plan: plan.clone(), unit: None });
        }
        let name = self.name();
        let mut inputs = Vec::with_capacity(branches.len());
        for (input, branch) in union.inputs.iter().zip(branches) {
            let unit = branch.unit.map_or_else(|| lit(ScalarValue::UInt32(None)), Expr::Column);
            let own = input.schema().columns().into_iter().map(Expr::Column);
            let exprs = own.chain([unit.alias(&name)]).collect();
            let branch = Projection::try_new(exprs, Arc::new(branch.plan));
            inputs.push(Arc::new(LogicalPlan::Projection(branch.map_err(|error| self.explain(&error))?)));
        }
        let union = Union::try_new_with_loose_types(inputs).map_err(|error| self.explain(&error))?;
        Ok(handed_on(&LogicalPlan::Union(union), plan.schema().fields().len()))
    }

    fn aggregate(&mut self, plan: &LogicalPlan, aggregate: &Aggregate) -> Result<Carried, NotVetted> {
        let input = self.carry(&aggregate.input)?;
        let unit = input.unit.map(Expr::Column);
        let Some(unit) = unit else { return Ok(Carried { plan: plan.clone(), unit: None }) };
        let key = aggregate.group_expr.iter().position(|key| key.clone().unalias() == unit);
        if let Some(at) = key {
            return Ok(handed_on(plan, at));
        }
        let condition = condition(&aggregate.aggr_expr);
        let first = first(unit, condition);
        let aggregates = aggregate.aggr_expr.iter().cloned().chain([first]).collect();
        let grouped = self.grouped(input.plan, (aggregate.group_expr.clone(), aggregates), plan)?;
        // Of a person none of whose rows meets the condition there are rows all the same.
        if condition.is_some() { self.said(grouped) } else { Ok(grouped) }
    }

    fn distinct(&mut self, plan: &LogicalPlan, input: &LogicalPlan) -> Result<Carried, NotVetted> {
        let carried = self.carry(input)?;
        let Some(unit) = carried.unit else {
            return Ok(Carried { plan: plan.clone(), unit: None });
        };
        let columns = input.schema().columns();
        if let Some(at) = columns.iter().position(|column| *column == unit) {
            return Ok(handed_on(plan, at));
        }
        let first = min(Expr::Column(unit));
        self.grouped(carried.plan, (columns.into_iter().map(Expr::Column).collect(), vec![first]), plan)
    }

    /// Rows that become one, with the first of their units behind the columns of `before`.
    fn grouped(
        &mut self,
        input: LogicalPlan,
        (keys, aggregates): (Vec<Expr>, Vec<Expr>),
        before: &LogicalPlan,
    ) -> Result<Carried, NotVetted> {
        let plan = Aggregate::try_new(Arc::new(input), keys, aggregates);
        let plan = LogicalPlan::Aggregate(plan.map_err(|error| self.explain(&error))?);
        let columns = plan.schema().columns();
        // Under its name within the aggregation the engine would not see that distinct values are counted alone.
        let (columns, unit) = columns.split_at(before.schema().fields().len());
        let unit = unit.first().cloned().map_or_else(|| lit(ScalarValue::UInt32(None)), Expr::Column);
        self.with(plan, columns.to_vec(), unit)
    }

    /// A name for a column of ours.
    fn name(&mut self) -> String {
        self.made += 1;
        format!("#{} {}", self.class.as_str(), self.made)
    }

    fn over(&self, plan: &LogicalPlan, inputs: Vec<LogicalPlan>) -> Result<LogicalPlan, NotVetted> {
        plan.with_new_exprs(plan.expressions(), inputs).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &DataFusionError) -> NotVetted {
        explain(self.judge, error)
    }
}

/// The first unit of rows that meet a condition.
fn first(unit: Expr, condition: Option<&Expr>) -> Expr {
    match min(unit) {
        Expr::AggregateFunction(mut call) => {
            call.params.filter = condition.cloned().map(Box::new);
            Expr::AggregateFunction(call)
        }
        other => other,
    }
}

/// The condition that all aggregates take their rows by, where there is one.
fn condition(aggregates: &[Expr]) -> Option<&Expr> {
    let mut conditions = aggregates.iter().map(taken_by);
    let first = conditions.next()??;
    conditions.all(|other| other == Some(first)).then_some(first)
}

fn taken_by(aggregate: &Expr) -> Option<&Expr> {
    match aggregate {
        Expr::Alias(alias) => taken_by(&alias.expr),
        Expr::AggregateFunction(call) => call.params.filter.as_deref(),
        _ => None,
    }
}

/// A plan whose column of this number is the unit.
fn handed_on(plan: &LogicalPlan, at: usize) -> Carried {
    Carried { unit: Some(Column::from(plan.schema().qualified_field(at))), plan: plan.clone() }
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, Class, Column, CountedUnit};

    use crate::functions::tests::{grant_of_all, plan};
    use crate::vet::{Scope, vet};

    #[test]
    fn the_facility_goes_along_whatever_stands_between() {
        let catalogue = Catalogue::builtin().unwrap();
        for below in [
            "ndb_receipt",
            "(SELECT person_id, prefecture FROM ndb_receipt)",
            "(SELECT person_id, prefecture FROM (SELECT * FROM ndb_receipt) x WHERE x.setting = 'inpatient')",
            "(SELECT DISTINCT person_id, prefecture FROM ndb_receipt)",
            "(SELECT DISTINCT person_id, facility_id, prefecture FROM ndb_receipt)",
            "(SELECT person_id, prefecture, sum(total_points) AS s FROM ndb_receipt GROUP BY person_id, prefecture)",
            "(SELECT person_id, facility_id AS f, prefecture FROM ndb_receipt GROUP BY person_id, facility_id, prefecture)",
            "(SELECT person_id, prefecture FROM ndb_receipt GROUP BY person_id, facility_id, prefecture HAVING count(*) > 1)",
            "(SELECT person_id, prefecture, row_number() OVER (PARTITION BY person_id ORDER BY service_month) AS n FROM ndb_receipt)",
            "(SELECT person_id, prefecture FROM ndb_receipt UNION ALL SELECT person_id, prefecture FROM ndb_drug)",
            "(SELECT person_id, prefecture FROM ndb_receipt UNION SELECT person_id, sex AS prefecture FROM person)",
            "(SELECT p.person_id, x.prefecture FROM person p LEFT JOIN (SELECT person_id, prefecture FROM ndb_receipt) x ON x.person_id = p.person_id)",
            "(SELECT a.person_id, b.prefecture FROM (SELECT person_id FROM ndb_drug) a JOIN (SELECT person_id, prefecture FROM ndb_receipt) b ON a.person_id = b.person_id)",
        ] {
            let sql = format!("SELECT count(*) AS n, count(DISTINCT t.person_id) AS p FROM {below} t");
            assert!(plan(&catalogue, &sql).shape().has_facility, "{sql}");
        }
    }

    #[test]
    fn the_municipality_goes_along_beside_the_facility() {
        let catalogue = Catalogue::builtin().unwrap();
        for below in [
            "care_claim",
            "(SELECT p.person_id, p.sex FROM person p JOIN care_claim c ON c.person_id = p.person_id)",
            "(SELECT DISTINCT person_id, prefecture FROM care_claim)",
            "(SELECT person_id, count(*) AS k FROM care_claim GROUP BY person_id)",
            "(SELECT person_id, prefecture FROM ndb_receipt UNION ALL SELECT person_id, prefecture FROM care_claim)",
        ] {
            let sql = format!("SELECT count(DISTINCT t.person_id) AS p FROM {below} t");
            let plan = plan(&catalogue, &sql);
            let shape = plan.shape();
            assert_eq!((shape.has_facility, &shape.units), (true, &vec![CountedUnit::Municipality]), "{sql}");
            let text = plan.evidence().display_indent().to_string();
            assert!(text.contains(" AS facility, ") && text.contains(" AS unit_0"), "{sql}\n{text}");
        }
    }

    #[test]
    fn every_care_table_about_persons_names_the_municipality() {
        let catalogue = Catalogue::builtin().unwrap();
        let is_care = |table: &&catalog_model::Table| table.database == "care" && table.is_private();
        for table in catalogue.tables.values().filter(is_care) {
            let sql = format!("SELECT count(DISTINCT person_id) AS n FROM {}", table.table);
            assert_eq!(plan(&catalogue, &sql).shape().units, [CountedUnit::Municipality], "{sql}");
        }
        let sql = "SELECT care_level, count(DISTINCT person_id) FROM care_need_interval GROUP BY care_level";
        assert_eq!(plan(&catalogue, sql).shape().units, [CountedUnit::Municipality]);
    }

    #[test]
    fn units_of_rows_in_which_persons_are_looked_up_go_along() {
        let catalogue = Catalogue::builtin().unwrap();
        let some = "c.prefecture = '14'";
        for from in [
            "person p WHERE p.person_id IN (SELECT person_id FROM care_claim WHERE prefecture = '14')".to_owned(),
            "person p WHERE p.sex = '1' AND p.person_id IN (SELECT c.person_id FROM care_claim c)".to_owned(),
            format!("person p WHERE EXISTS (SELECT 1 FROM care_claim c WHERE c.person_id = p.person_id AND {some})"),
            "person p WHERE EXISTS (SELECT 1 FROM care_claim c WHERE c.person_id = p.person_id AND c.service_month >= p.first_month)".to_owned(),
            "person p WHERE p.person_id IN (SELECT x.person_id FROM person x WHERE x.person_id IN (SELECT person_id FROM care_claim))".to_owned(),
            format!("(SELECT q.person_id FROM person q WHERE q.person_id IN (SELECT c.person_id FROM care_claim c WHERE {some})) p"),
            "(SELECT person_id FROM person WHERE person_id IN (SELECT person_id FROM care_claim UNION ALL SELECT person_id FROM care_service)) p".to_owned(),
            "(SELECT person_id, count(*) AS k FROM person GROUP BY person_id HAVING person_id IN (SELECT person_id FROM care_claim)) p".to_owned(),
            format!("person p LEFT SEMI JOIN care_claim c ON c.person_id = p.person_id AND {some}"),
            "care_claim c RIGHT SEMI JOIN person p ON c.person_id = p.person_id".to_owned(),
        ] {
            let sql = format!("SELECT count(DISTINCT p.person_id) AS n FROM {from}");
            let plan = plan(&catalogue, &sql);
            let shape = plan.shape();
            assert_eq!((shape.has_facility, &shape.units), (true, &vec![CountedUnit::Municipality]), "{sql}");
        }
        let own = "SELECT count(DISTINCT c.person_id) AS n FROM care_claim c \
            WHERE c.person_id IN (SELECT person_id FROM care_claim)";
        let own = plan(&catalogue, own).evidence().display_indent().to_string();
        assert!(own.contains("CASE WHEN c.municipality_id IS NULL THEN #municipality 3"), "{own}");
        let not = "SELECT count(DISTINCT p.person_id) AS n FROM person p \
            WHERE p.person_id NOT IN (SELECT person_id FROM care_claim)";
        assert!(plan(&catalogue, not).shape().units.is_empty(), "who is not there is of no unit there");
    }

    #[test]
    fn an_insurer_goes_along_where_a_table_names_one_and_each_unit_is_its_own() {
        let mut catalogue = Catalogue::builtin().unwrap();
        let sql = "SELECT count(DISTINCT r.person_id) AS p FROM (SELECT person_id FROM ndb_receipt) r \
            JOIN (SELECT person_id FROM care_claim) c ON c.person_id = r.person_id";
        let before = plan(&catalogue, "SELECT count(*) AS n FROM ndb_receipt");
        assert!(before.shape().units.is_empty());
        assert_eq!(plan(&catalogue, sql).shape().units, [CountedUnit::Municipality]);
        let receipts = catalogue.tables.get_mut("ndb_receipt").unwrap();
        let facility = receipts.facility_column().unwrap().clone();
        let insurer = Column { name: "insurer_id".to_owned(), class: Class::Insurer, ..facility };
        receipts.columns.push(insurer);
        let both = plan(&catalogue, sql);
        assert_eq!(both.shape().units, CountedUnit::ALL);
        let text = both.evidence().display_indent().to_string();
        for carried in
            ["ndb_receipt.insurer_id AS #insurer 1", "care_claim.municipality_id AS #municipality 1"]
        {
            assert!(text.contains(carried), "{text}");
        }
        assert_ne!(plan(&catalogue, "SELECT count(*) AS n FROM ndb_receipt").hash(), before.hash());
    }

    #[test]
    fn a_permit_without_the_municipality_carries_none() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut grant = grant_of_all(&catalogue);
        grant.tables.get_mut("care_claim").unwrap().remove("municipality_id");
        let sql = "SELECT count(DISTINCT person_id) AS n FROM care_claim";
        let plan = vet(sql, Scope { catalogue: &catalogue, grant: &grant }).unwrap();
        assert!(plan.shape().has_facility && plan.shape().units.is_empty());
    }

    #[test]
    fn neither_a_ward_nor_another_office_is_the_facility() {
        let catalogue = Catalogue::builtin().unwrap();
        for (from, carried) in [
            (
                "(SELECT person_id, ward_id FROM dpc_nursing_need)",
                "dpc_nursing_need.facility_id AS #facility 1",
            ),
            ("(SELECT person_id, ward_id FROM dpc_act)", "dpc_act.facility_id AS #facility 1"),
            (
                "(SELECT person_id, service_office_id FROM care_management)",
                "care_management.office_id AS #facility 1",
            ),
        ] {
            let sql = format!("SELECT count(DISTINCT x.person_id) AS n FROM {from} x");
            let text = plan(&catalogue, &sql).evidence().display_indent().to_string();
            assert!(text.contains(carried) && text.contains("x.#facility 1 AS facility"), "{sql}\n{text}");
        }
    }

    #[test]
    fn the_first_facility_is_of_rows_that_every_aggregate_takes() {
        let catalogue = Catalogue::builtin().unwrap();
        let inpatient = "FILTER (WHERE setting = 'inpatient')";
        for (aggregates, is_under) in [
            (format!("sum(total_points) {inpatient} AS s, count(*) {inpatient} AS n"), true),
            (format!("sum(total_points) {inpatient} AS s, count(*) AS n"), false),
            ("sum(total_points) AS s".to_owned(), false),
        ] {
            let sql = format!(
                "SELECT count(DISTINCT x.person_id) AS p, sum(x.s) AS s FROM \
                (SELECT person_id, {aggregates} FROM ndb_receipt GROUP BY person_id) x"
            );
            let text = plan(&catalogue, &sql).evidence().display_indent().to_string();
            let (_, of_ours) = text.split_once("min(ndb_receipt.facility_id)").unwrap();
            assert_eq!(of_ours.starts_with(" FILTER"), is_under, "{sql}\n{text}");
        }
    }

    #[test]
    fn a_permit_without_the_facility_gives_no_ward_in_its_place() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut grant = grant_of_all(&catalogue);
        grant.tables.get_mut("dpc_nursing_need").unwrap().remove("facility_id");
        let sql = "SELECT count(DISTINCT person_id) AS n FROM dpc_nursing_need";
        let plan = vet(sql, Scope { catalogue: &catalogue, grant: &grant }).unwrap();
        assert!(!plan.shape().has_facility);
    }

    #[test]
    fn a_facility_that_is_null_in_every_row_stands_for_no_other() {
        let catalogue = Catalogue::builtin().unwrap();
        let nowhere = "(SELECT person_id, facility_id FROM dpc_stay WHERE admission_month > DATE '2099-01-01') x \
            ON x.person_id = r.person_id";
        let receipts = "(SELECT person_id, prefecture, total_points FROM ndb_receipt) r";
        for (from, carried) in [
            (
                format!("{receipts} LEFT JOIN {nowhere}"),
                "CASE WHEN r.#facility 2 IS NULL THEN x.#facility 4 ELSE r.#facility 2 END AS #facility 5",
            ),
            (
                format!("ndb_receipt r LEFT JOIN {nowhere}"),
                "CASE WHEN r.#facility 1 IS NULL THEN x.#facility 3 ELSE r.#facility 1 END AS #facility 4",
            ),
            (
                format!(
                    "(SELECT r.person_id, x.facility_id FROM person r LEFT JOIN {nowhere}) y \
                    JOIN {receipts} ON r.person_id = y.person_id"
                ),
                "CASE WHEN y.#facility 3 IS NULL THEN r.#facility 5 ELSE y.#facility 3 END AS #facility 6",
            ),
        ] {
            let sql = format!(
                "SELECT r.prefecture, count(DISTINCT r.person_id) AS n, sum(r.total_points) AS s FROM {from} \
                GROUP BY r.prefecture"
            );
            let text = plan(&catalogue, &sql).evidence().display_indent().to_string();
            assert!(text.contains(carried), "{sql}\n{text}");
        }
    }

    #[test]
    fn where_rows_of_other_tables_have_no_unit_those_of_its_table_have_one_each() {
        let catalogue = Catalogue::builtin().unwrap();
        let care = "(SELECT person_id, count(*) FILTER (WHERE care_level = '25') AS k FROM care_claim GROUP BY person_id) c";
        let said = "CASE WHEN care_claim.municipality_id IS NULL THEN UInt32(4294967295) ELSE";
        for (from, has_gaps) in [
            ("person p JOIN care_claim c ON c.person_id = p.person_id".to_owned(), false),
            ("person p LEFT JOIN care_claim ON care_claim.person_id = p.person_id".to_owned(), true),
            (format!("person p LEFT JOIN {care} ON c.person_id = p.person_id"), true),
            ("(SELECT person_id FROM person UNION ALL SELECT person_id FROM care_claim) p".to_owned(), true),
        ] {
            let plan = plan(&catalogue, &format!("SELECT count(DISTINCT p.person_id) AS n FROM {from}"));
            let text = plan.evidence().display_indent().to_string();
            assert_eq!((plan.shape().has_gaps, text.contains(said)), (has_gaps, has_gaps), "{from}\n{text}");
            // A person of whose rows none meets the condition of an aggregate is of a table that names a unit.
            let is_twice = text.matches("THEN UInt32(4294967295) ELSE").count() > 2;
            assert_eq!(is_twice, from.contains("FILTER"), "{text}");
        }
    }

    #[test]
    fn rows_without_a_facility_have_none_and_nothing_that_was_asked_changes() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |sql: &str| plan(&catalogue, sql);
        let bare = of("SELECT count(*) AS n FROM (SELECT DISTINCT person_id, sex FROM person) x");
        assert!(!bare.shape().has_facility);
        let sql = "SELECT x.prefecture, sum(x.s) AS s FROM (SELECT person_id, prefecture, sum(total_points) AS s \
            FROM ndb_receipt GROUP BY person_id, prefecture) x WHERE x.s > 100 GROUP BY x.prefecture";
        let grouped = of(sql);
        let used: Vec<&String> = grouped.used()["ndb_receipt"].iter().collect();
        assert_eq!(used, ["person_id", "prefecture", "total_points"]);
    }
}
