//! Clauses of the text: those that we know, and no others.
//!
//! The planner drops some clauses without a word (TABLESAMPLE, hints), and a query that means something else than it
//! says is worse than a refused one. Structures are taken apart field by field, so that a clause that the parser learns
//! one day does not compile here instead of slipping through.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Cte, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, NamedWindowDefinition, NamedWindowExpr,
    Query, Select, SetExpr, TableFactor, TableWithJoins, WindowSpec, WindowType, With, visit_expressions,
};

use super::window;
use crate::places::Places;
use crate::refusal::{Refusal, Rule};

const MAX_JOINS: usize = 8;

/// Refuses a query with a clause that is not known.
pub(crate) fn check(query: &Query, places: &Places<'_>) -> Result<(), Refusal> {
    let Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    let root = |message: &str, words: &[&str], suggestion: &str| {
        Err(Refusal::new(Rule::Root, message).at(places.phrase(words)).suggest(suggestion))
    };
    if let Some(With { recursive, cte_tables, with_token: _ }) = with {
        if *recursive {
            return root("recursive queries are not allowed", &["RECURSIVE"], "drop RECURSIVE");
        }
        for Cte { alias: _, query, from, materialized, closing_paren_token: _ } in cte_tables {
            refuse_if(from.is_some() || materialized.is_some(), "MATERIALIZED", places)?;
            check(query, places)?;
        }
    }
    // ORDER BY and LIMIT are judged on the plan: they belong above the outermost aggregate.
    let (_, _) = (order_by, limit_clause);
    refuse_if(fetch.is_some(), "FETCH", places)?;
    refuse_if(!locks.is_empty() || for_clause.is_some(), "FOR", places)?;
    refuse_if(settings.is_some(), "SETTINGS", places)?;
    refuse_if(format_clause.is_some(), "FORMAT", places)?;
    refuse_if(!pipe_operators.is_empty(), "|>", places)?;
    set_expression(body, places)
}

/// Refuses such a clause in the subqueries of expressions, and a window that goes on from another by its name.
pub(crate) fn inside(query: &Query, places: &Places<'_>) -> Result<(), Refusal> {
    let found = visit_expressions(query, |expr| match expression(expr, places) {
        Ok(()) => ControlFlow::Continue(()),
        Err(refusal) => ControlFlow::Break(refusal),
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

fn expression(expr: &Expr, places: &Places<'_>) -> Result<(), Refusal> {
    match expr {
        Expr::Subquery(query) => check(query, places),
        Expr::InSubquery { subquery, .. } | Expr::Exists { subquery, .. } => check(subquery, places),
        Expr::Function(call) => match &call.over {
            // OVER (w ROWS …): the planner takes the name for nothing.
            Some(WindowType::WindowSpec(WindowSpec { window_name: Some(_), .. })) => {
                Err(Refusal::new(Rule::Window, "a window does not go on from another one")
                    .ja("ウィンドウは別のウィンドウを引き継げません")
                    .at(places.word("OVER"))
                    .suggest(window::FORM))
            }
            Some(WindowType::WindowSpec(_) | WindowType::NamedWindow(_)) | None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn set_expression(body: &SetExpr, places: &Places<'_>) -> Result<(), Refusal> {
    match body {
        SetExpr::Select(inner) => select(inner, places),
        SetExpr::Query(query) => check(query, places),
        // Judged on the plan, where they have no allowed form yet.
        SetExpr::SetOperation { left, op: _, set_quantifier: _, right } => {
            set_expression(left, places)?;
            set_expression(right, places)
        }
        SetExpr::Values(_) => Ok(()),
        SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_)
        | SetExpr::Table(_) => Err(Refusal::new(Rule::OneSelect, "a query is one SELECT statement")),
    }
}

fn select(select: &Select, places: &Places<'_>) -> Result<(), Refusal> {
    let Select {
        select_token: _,
        optimizer_hints,
        // Distinct rows are judged on the plan.
        distinct: _,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection: _,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        // A condition on aggregates is judged on the plan.
        having: _,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor: _,
    } = select;
    refuse_if(!optimizer_hints.is_empty(), "/*+", places)?;
    refuse_if(select_modifiers.is_some(), "SELECT", places)?;
    refuse_if(top.is_some(), "TOP", places)?;
    refuse_if(exclude.is_some(), "EXCLUDE", places)?;
    refuse_if(into.is_some(), "INTO", places)?;
    refuse_if(!lateral_views.is_empty(), "LATERAL", places)?;
    refuse_if(prewhere.is_some(), "PREWHERE", places)?;
    refuse_if(!connect_by.is_empty(), "CONNECT", places)?;
    refuse_if(!cluster_by.is_empty(), "CLUSTER", places)?;
    refuse_if(!distribute_by.is_empty(), "DISTRIBUTE", places)?;
    refuse_if(!sort_by.is_empty(), "SORT", places)?;
    for NamedWindowDefinition(_, window) in named_window {
        // The planner puts a window in brackets in the place of its name, and no other form.
        let is_whole = matches!(window, NamedWindowExpr::WindowSpec(WindowSpec { window_name: None, .. }));
        refuse_if(!is_whole, "WINDOW", places)?;
    }
    refuse_if(qualify.is_some(), "QUALIFY", places)?;
    refuse_if(value_table_mode.is_some(), "AS", places)?;
    match group_by {
        GroupByExpr::All(_) => return Err(refusal("ALL", places)),
        GroupByExpr::Expressions(_, modifiers) => refuse_if(!modifiers.is_empty(), "WITH", places)?,
    }
    let tables: usize = from.iter().map(|table| table.joins.len() + 1).sum();
    if tables > MAX_JOINS + 1 {
        return Err(Refusal::new(Rule::Size, format!("a query has at most {MAX_JOINS} joins"))
            .at(places.word("JOIN").or_else(|| places.word("FROM"))));
    }
    for TableWithJoins { relation, joins } in from {
        factor(relation, places)?;
        for join in joins {
            self::join(join, places)?;
        }
    }
    Ok(())
}

fn join(join: &Join, places: &Places<'_>) -> Result<(), Refusal> {
    let Join { relation, global, join_operator } = join;
    refuse_if(*global, "GLOBAL", places)?;
    match join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => match constraint {
            // Which columns a natural join takes depends on the catalogue, not on the query.
            JoinConstraint::Natural => {
                return Err(refusal("NATURAL", places).suggest("ON a.person_id = b.person_id"));
            }
            JoinConstraint::On(_) | JoinConstraint::Using(_) | JoinConstraint::None => {}
        },
        JoinOperator::CrossApply
        | JoinOperator::OuterApply
        | JoinOperator::AsOf { .. }
        | JoinOperator::StraightJoin(_)
        | JoinOperator::ArrayJoin
        | JoinOperator::LeftArrayJoin
        | JoinOperator::InnerArrayJoin => return Err(refusal("JOIN", places)),
    }
    factor(relation, places)
}

fn factor(factor: &TableFactor, places: &Places<'_>) -> Result<(), Refusal> {
    match factor {
        TableFactor::Table {
            name: _,
            alias: _,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            refuse_if(sample.is_some(), "TABLESAMPLE", places)?;
            refuse_if(args.is_some(), "FROM", places)?;
            refuse_if(!with_hints.is_empty() || !index_hints.is_empty(), "WITH", places)?;
            refuse_if(version.is_some() || json_path.is_some() || !partitions.is_empty(), "FROM", places)?;
            refuse_if(*with_ordinality, "ORDINALITY", places)
        }
        TableFactor::Derived { lateral, subquery, alias: _, sample } => {
            refuse_if(*lateral, "LATERAL", places)?;
            refuse_if(sample.is_some(), "TABLESAMPLE", places)?;
            check(subquery, places)
        }
        TableFactor::NestedJoin { table_with_joins, alias: _ } => {
            self::factor(&table_with_joins.relation, places)?;
            table_with_joins.joins.iter().try_for_each(|inner| join(inner, places))
        }
        _ => Err(Refusal::new(Rule::Node, "only tables and subqueries are read").at(places.word("FROM"))),
    }
}

fn refuse_if(is_there: bool, word: &str, places: &Places<'_>) -> Result<(), Refusal> {
    if is_there { Err(refusal(word, places)) } else { Ok(()) }
}

fn refusal(word: &str, places: &Places<'_>) -> Refusal {
    Refusal::new(Rule::Root, format!("the clause {word} is not available"))
        .at(places.word(word))
        .suggest("drop it")
}
