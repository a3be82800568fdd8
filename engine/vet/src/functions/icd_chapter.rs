//! `icd_chapter(icd10)`: the chapter of an ICD-10 code.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::from_texts;
use super::{Argument, Call, Function, FunctionDoc, Gives, icd10, scalar_function};
use crate::domain::KeyDomain;

pub(super) static FUNCTION: Function = Function {
    name: "icd_chapter",
    arguments: &[Argument::Code],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: IcdChapter::udf,
    doc: FunctionDoc {
        call: "icd_chapter(icd10)",
        ja: "ICD-10（2013年版）の章（01から22）",
        text: "the chapter of an ICD-10 (2013) code, from 01 to 22",
        example: "icd_chapter(d.icd10) = '09'",
        cases: &[
            ("icd_chapter('E119')", "04"),
            ("icd_chapter('D48.9')", "02"),
            ("icd_chapter('D50')", "03"),
            ("icd_chapter('Y99')", "null"),
            ("icd_chapter('')", "null"),
        ],
    },
};

scalar_function!(IcdChapter, "icd_chapter", Gives::Text, [vec![DataType::Utf8]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    from_texts(args, 0, icd10::chapter)
}

fn domain(_call: &Call<'_>) -> Option<KeyDomain> {
    Some(KeyDomain::named(icd10::CHAPTERS.map(|chapter| (chapter.code, chapter.ja, chapter.en))))
}
