//! `nullif(value, literal)`: a value, or nothing where it is the literal.

use arrow::compute::kernels::cmp::eq;
use arrow::compute::nullif as without;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::pair;
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "nullif",
    arguments: &[Argument::Any, Argument::Value],
    optional: 0,
    gives: Gives::First,
    domain,
    udf: Nullif::udf,
    doc: FunctionDoc {
        call: "nullif(value, literal)",
        ja: "値。問いに書いた値と同じなら、なし",
        text: "a value, or nothing where it is the one written in the query",
        example: "nullif(d.outcome, '9') IS NULL",
        cases: &[("nullif('1', '9')", "1"), ("nullif('9', '9')", "null"), ("nullif(0, 0)", "null")],
    },
};

scalar_function!(Nullif, "nullif", Gives::First, any 2, invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let (value, literal) = pair(args)?;
    let equal = eq(&value, &literal)?;
    Ok(ColumnarValue::Array(without(&value, &equal)?))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    call.first.cloned()
}
