//! The post-program: what a query computes from its aggregates, executed on protected values only.
//!
//! HAVING, ORDER BY, LIMIT, ratios, rates and percentages never reach the worker. They are data, so that disclosure
//! control needs no query engine: `engine_disclosure::post` runs them after everything that must be hidden is hidden.

use serde::{Deserialize, Serialize};

/// What becomes of the protected cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// The columns of the result, in order.
    pub columns: Vec<PostColumn>,
    /// A row is shown where this is known to be true.
    pub having: Option<PostExpr>,
    /// The order; rows that it cannot tell apart stay in the order of their keys.
    pub order: Vec<PostOrder>,
    /// Rows that are passed over.
    pub skip: u64,
    /// Rows that are shown at most.
    pub fetch: Option<u64>,
}

/// One column of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostColumn {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: PostExpr,
}

/// One criterion of the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostOrder {
    /// What is compared.
    pub by: PostExpr,
    /// Largest first.
    pub is_descending: bool,
}

/// An expression over keys and aggregates. What is hidden makes every expression over it hidden.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PostExpr {
    /// The group key of this number.
    Key(usize),
    /// The aggregate of this number.
    Aggregate(usize),
    /// The public figure of this number, looked up by the row's keys; no value where there is none.
    Public(usize),
    /// There are public figures for the row's keys.
    HasPublic,
    /// A number: a whole one, scaled by so many decimal places.
    Number(i128, u32),
    /// A text, compared with a key's code.
    Text(String),
    /// No value.
    Empty,
    /// Arithmetic; a division by zero gives no value.
    Arithmetic(PostOperator, Box<Self>, Box<Self>),
    /// Rounded half away from zero to so many decimal places.
    Round(Box<Self>, u32),
    /// A comparison.
    Compare(PostComparison, Box<Self>, Box<Self>),
    /// Both are true.
    And(Box<Self>, Box<Self>),
    /// One is true.
    Or(Box<Self>, Box<Self>),
    /// It is false.
    Not(Box<Self>),
    /// It has no value, or is a total.
    IsEmpty(Box<Self>),
    /// The value of the first condition that is true, else the last one.
    Case(Vec<(Self, Self)>, Box<Self>),
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostOperator {
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient, to six decimal places.
    Divide,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostComparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
}
