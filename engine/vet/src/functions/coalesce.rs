//! `coalesce(value, literal)`: a value, or the literal where it is missing.

use arrow::compute::is_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::pair;
use super::{Argument, Call, Function, FunctionDoc, Gives, Literal, scalar_function};
use crate::domain::{DomainValue, KeyDomain};

pub(super) static FUNCTION: Function = Function {
    name: "coalesce",
    arguments: &[Argument::Any, Argument::Value],
    optional: 0,
    gives: Gives::First,
    domain,
    udf: Coalesce::udf,
    doc: FunctionDoc {
        call: "coalesce(value, literal)",
        ja: "値。欠けていれば、問いに書いた値",
        text: "a value, or one written in the query where it is missing",
        example: "coalesce(d.outcome, '9') = '9'",
        cases: &[
            ("coalesce('1', '9')", "1"),
            ("coalesce(nullif('1', '1'), '9')", "9"),
            ("coalesce(5, 0)", "5"),
        ],
    },
};

scalar_function!(
    Coalesce,
    "coalesce",
    Gives::First,
    [DataType::Utf8, DataType::Date32, DataType::Int64, DataType::Boolean]
        .map(|kind| vec![kind.clone(), kind]),
    invoke
);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let (value, literal) = pair(args)?;
    let missing = is_null(&value)?;
    Ok(ColumnarValue::Array(zip(&missing, &literal, &value)?))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    let mut domain = call.first?.clone();
    if let Some(Literal::Text(code)) = call.literals.first()
        && domain.values.iter().all(|value| value.code != *code)
    {
        let (code, ja, en) = (code.clone(), code.clone(), code.clone());
        domain.values.push(DomainValue { code, days: None, ja, en });
    }
    Some(domain)
}
