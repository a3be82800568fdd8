//! `code_prefix(code, characters)`: the first characters of a code, for conditions and joins.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{from_texts, literal};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "code_prefix",
    arguments: &[Argument::Code, Argument::Literal { low: 1, high: 12 }],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: CodePrefix::udf,
    doc: FunctionDoc {
        call: "code_prefix(code, characters)",
        ja: "コードの先頭の文字（条件に使う）",
        text: "the first characters of a code, for conditions",
        example: "code_prefix(d.icd10, 3) IN ('I60', 'I61', 'I63')",
        cases: &[
            ("code_prefix('I639', 3)", "I63"),
            ("code_prefix('I6', 3)", "I6"),
            ("code_prefix('糖尿病', 2)", "糖尿"),
        ],
    },
};

scalar_function!(CodePrefix, "code_prefix", Gives::Text, [vec![DataType::Utf8, DataType::Int64]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let length = usize::try_from(literal(args, 1, 1).clamp(1, 12)).unwrap_or(1);
    from_texts(args, 0, |code| Some(code.chars().take(length).collect::<String>()))
}

// The first characters of an open list of codes are no declared set of values.
fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    None
}
