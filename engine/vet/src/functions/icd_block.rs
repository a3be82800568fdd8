//! `icd_block(icd10)`: the block of an ICD-10 code, named by its first and last category.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::from_texts;
use super::{Argument, Call, Function, FunctionDoc, Gives, icd10, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "icd_block",
    arguments: &[Argument::Code],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: IcdBlock::udf,
    doc: FunctionDoc {
        call: "icd_block(icd10)",
        ja: "ICD-10（2013年版）の中間分類（E10-E14 など）",
        text: "the block of an ICD-10 (2013) code, such as E10-E14",
        example: "icd_block(d.icd10) = 'E10-E14'",
        cases: &[
            ("icd_block('E119')", "E10-E14"),
            ("icd_block('C509')", "C50"),
            ("icd_block('I63.9')", "I60-I69"),
            ("icd_block('E11X?')", "E10-E14"),
            ("icd_block('1119')", "null"),
        ],
    },
};

scalar_function!(IcdBlock, "icd_block", Gives::Text, [vec![DataType::Utf8]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    from_texts(args, 0, icd10::block)
}

fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::labels(icd10::BLOCKS.iter().map(|block| (*block).to_owned())))
}
