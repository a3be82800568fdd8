//! `prefecture_of(code)`: the prefecture that a municipality or facility code begins with.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::from_texts;
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "prefecture_of",
    arguments: &[Argument::Code],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: PrefectureOf::udf,
    doc: FunctionDoc {
        call: "prefecture_of(code)",
        ja: "市区町村コード（5・6桁）や医療機関コード（10桁）の都道府県",
        text: "the prefecture of a municipality code (5 or 6 digits) or a facility code (10 digits)",
        example: "prefecture_of(c.municipality) = '13'",
        cases: &[
            ("prefecture_of('131016')", "13"),
            ("prefecture_of('01100')", "01"),
            ("prefecture_of('4711234567')", "47"),
            ("prefecture_of('481016')", "null"),
            ("prefecture_of('13')", "null"),
        ],
    },
};

scalar_function!(PrefectureOf, "prefecture_of", Gives::Text, [vec![DataType::Utf8]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let prefecture = |code: &str| {
        let is_code = matches!(code.len(), 5 | 6 | 10) && code.bytes().all(|byte| byte.is_ascii_digit());
        let prefecture = code.get(..2).filter(|_| is_code)?;
        ("01"..="47").contains(&prefecture).then(|| prefecture.to_owned())
    };
    from_texts(args, 0, prefecture)
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    KeyDomain::of_codes("prefecture", call.catalogue)
}
