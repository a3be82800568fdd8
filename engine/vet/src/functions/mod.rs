//! The scalar functions of our SQL: total, deterministic, with a bounded result. There are no others.
//!
//! A function never raises an error: a missing or impossible argument gives null. One that can be a group key declares
//! its finite domain from its literal arguments alone.

mod add_months;
mod age;
mod age_band;
mod arguments;
mod atc_level;
mod bucket;
mod coalesce;
mod code_prefix;
mod date_trunc;
mod days_between;
mod dpc_part;
mod fiscal_year;
mod icd10;
mod icd_block;
mod icd_chapter;
mod month_number;
mod month_of;
mod months_band;
mod months_between;
mod nullif;
mod prefecture_of;
mod weekday;
mod yj_class;

pub(crate) use age_band::are_bands;

use std::sync::Arc;

use arrow::datatypes::DataType;
use catalog_model::{Catalogue, Period};
use datafusion_expr::ScalarUDF;

use crate::domain::KeyDomain;

/// What a function's argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A birth date: the one place where an exact value may stand.
    BirthDate,
    /// A day or month, a column or a literal.
    Day,
    /// A code: a column of text, or what another function gives.
    Code,
    /// A number: a column, or what another function gives.
    Number,
    /// A code, a day, a number or a flag.
    Any,
    /// A whole number written in the query, within these bounds.
    Literal {
        /// The lowest.
        low: i64,
        /// The highest.
        high: i64,
    },
    /// One of these words, written in the query.
    Word(&'static [&'static str]),
    /// A value written in the query, of the first argument's type.
    Value,
    /// Up to so many ascending whole numbers written in the query; the last argument.
    Cuts(usize),
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// Text.
    Text,
    /// A day.
    Day,
    /// A whole number.
    Number,
    /// What its first argument is.
    First,
}

impl Gives {
    /// The type of the result, given the type of the first argument.
    pub(crate) fn kind(self, first: &DataType) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Day => DataType::Date32,
            Self::Number => DataType::Int64,
            Self::First => first.clone(),
        }
    }
}

/// A value written in the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
    /// A value of another type; it says nothing of a domain.
    Other,
}

/// What a domain is declared from: never a value of the data.
pub(crate) struct Call<'a> {
    /// The values written in the query, in order.
    pub(crate) literals: &'a [Literal],
    /// The domain of the first argument, where it has one.
    pub(crate) first: Option<&'a KeyDomain>,
    /// The permit's period.
    pub(crate) period: Period,
    pub(crate) catalogue: &'a Catalogue,
}

impl Call<'_> {
    /// The whole number at this place among the literals; `fallback` where there is none.
    fn number(&self, at: usize, fallback: i64) -> i64 {
        match self.literals.get(at) {
            Some(Literal::Number(value)) => *value,
            _ => fallback,
        }
    }

    /// The text at this place among the literals; empty where there is none.
    fn text(&self, at: usize) -> &str {
        match self.literals.get(at) {
            Some(Literal::Text(text)) => text,
            _ => "",
        }
    }
}

/// One function of our SQL.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static [Argument],
    /// How many of the last arguments may be left out.
    pub(crate) optional: usize,
    pub(crate) gives: Gives,
    /// The result's domain; none where it cannot be grouped.
    pub(crate) domain: fn(&Call<'_>) -> Option<KeyDomain>,
    pub(crate) udf: fn() -> ScalarUDF,
    pub(crate) doc: FunctionDoc,
}

impl Function {
    /// The least and the largest number of arguments.
    pub(crate) fn arity(&self) -> (usize, usize) {
        let named = self.arguments.len();
        match self.arguments.last() {
            Some(Argument::Cuts(most)) => (named, named - 1 + most),
            _ => (named - self.optional, named),
        }
    }

    /// What the argument at this place may be.
    pub(crate) fn argument(&self, at: usize) -> Option<Argument> {
        let last = self.arguments.last().filter(|last| matches!(last, Argument::Cuts(_)));
        self.arguments.get(at).or(last).copied()
    }
}

/// What a researcher is told about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionDoc {
    /// How it is called.
    pub call: &'static str,
    /// What it gives, in Japanese.
    pub ja: &'static str,
    /// What it gives, in English.
    pub text: &'static str,
    /// A call as it stands in a query.
    pub example: &'static str,
    /// Calls with literal arguments and what they give; each is a test.
    pub cases: &'static [(&'static str, &'static str)],
}

pub(crate) const FUNCTIONS: [&Function; 21] = [
    &age_band::FUNCTION,
    &months_band::FUNCTION,
    &month_of::FUNCTION,
    &fiscal_year::FUNCTION,
    &add_months::FUNCTION,
    &age::FUNCTION,
    &months_between::FUNCTION,
    &days_between::FUNCTION,
    &date_trunc::FUNCTION,
    &month_number::FUNCTION,
    &weekday::FUNCTION,
    &bucket::FUNCTION,
    &icd_chapter::FUNCTION,
    &icd_block::FUNCTION,
    &atc_level::FUNCTION,
    &yj_class::FUNCTION,
    &dpc_part::FUNCTION,
    &prefecture_of::FUNCTION,
    &code_prefix::FUNCTION,
    &coalesce::FUNCTION,
    &nullif::FUNCTION,
];

/// The function with this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.into_iter().find(|function| function.name == name)
}

/// The code systems that functions take domains from.
pub const FUNCTION_SYSTEMS: [&str; 2] = ["dpc6", "prefecture"];

/// Every function, for a session that executes vetted plans.
pub fn registered() -> Vec<Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(|function| Arc::new((function.udf)())).collect()
}

/// The functions' names with what a researcher is told about them.
pub fn documentation() -> Vec<(&'static str, FunctionDoc)> {
    FUNCTIONS.iter().map(|function| (function.name, function.doc)).collect()
}

/// Declares a function's type for DataFusion.
macro_rules! scalar_function {
    // Of any types: the rule on functions says which fit, and the post-program takes calls on aggregates.
    ($name:ident, $call:literal, $gives:expr, any $count:literal, $invoke:path) => {
        $crate::functions::scalar_function!(
            $name,
            $call,
            $gives,
            signature datafusion_expr::TypeSignature::Any($count),
            $invoke
        );
    };
    ($name:ident, $call:literal, $gives:expr, signature $signature:expr, $invoke:path) => {
        #[derive(Debug, PartialEq, Eq, Hash)]
        struct $name(datafusion_expr::Signature);

        impl $name {
            fn udf() -> datafusion_expr::ScalarUDF {
                let volatility = datafusion_expr::Volatility::Immutable;
                datafusion_expr::ScalarUDF::from($name(datafusion_expr::Signature::new($signature, volatility)))
            }
        }

        impl datafusion_expr::ScalarUDFImpl for $name {
            fn name(&self) -> &str {
                $call
            }

            fn signature(&self) -> &datafusion_expr::Signature {
                &self.0
            }

            fn return_type(
                &self,
                types: &[arrow::datatypes::DataType],
            ) -> datafusion_common::Result<arrow::datatypes::DataType> {
                let first = types.first().unwrap_or(&arrow::datatypes::DataType::Utf8);
                Ok($crate::functions::Gives::kind($gives, first))
            }

            fn invoke_with_args(
                &self,
                args: datafusion_expr::ScalarFunctionArgs,
            ) -> datafusion_common::Result<datafusion_expr::ColumnarValue> {
                $invoke(&args)
            }
        }
    };
    ($name:ident, $call:literal, $gives:expr, $types:expr, $invoke:path) => {
        $crate::functions::scalar_function!(
            $name,
            $call,
            $gives,
            signature datafusion_expr::TypeSignature::OneOf(
                $types.into_iter().map(datafusion_expr::TypeSignature::Exact).collect()
            ),
            $invoke
        );
    };
}
use scalar_function;

#[cfg(test)]
pub(crate) mod tests;
