//! `atc_level(atc, level)`: an ATC code cut at a level from 1 to 5.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{from_texts, literal};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

/// The anatomical main groups (WHO Collaborating Centre for Drug Statistics Methodology, ATC classification).
const GROUPS: [(&str, &str, &str); 14] = [
    ("A", "消化管及び代謝", "alimentary tract and metabolism"),
    ("B", "血液及び造血器", "blood and blood-forming organs"),
    ("C", "循環器系", "cardiovascular system"),
    ("D", "皮膚", "dermatologicals"),
    ("G", "泌尿生殖器系及び性ホルモン", "genito-urinary system and sex hormones"),
    ("H", "全身ホルモン製剤", "systemic hormonal preparations"),
    ("J", "全身抗感染薬", "anti-infectives for systemic use"),
    ("L", "抗悪性腫瘍薬及び免疫調節薬", "antineoplastic and immunomodulating agents"),
    ("M", "筋骨格系", "musculoskeletal system"),
    ("N", "神経系", "nervous system"),
    ("P", "抗寄生虫薬", "antiparasitic products"),
    ("R", "呼吸器系", "respiratory system"),
    ("S", "感覚器", "sensory organs"),
    ("V", "その他", "various"),
];

pub(super) static FUNCTION: Function = Function {
    name: "atc_level",
    arguments: &[Argument::Code, Argument::Literal { low: 1, high: 5 }],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: AtcLevel::udf,
    doc: FunctionDoc {
        call: "atc_level(atc, level)",
        ja: "ATCコードを1から5の段階で切ったもの（1段階目だけ集計の軸にできる）",
        text: "an ATC code cut at a level from 1 to 5; level 1 can be a group",
        example: "atc_level(m.atc, 3) = 'C10A'",
        cases: &[
            ("atc_level('C10AA05', 1)", "C"),
            ("atc_level('C10AA05', 2)", "C10"),
            ("atc_level('C10AA05', 4)", "C10AA"),
            ("atc_level('C10AA05', 5)", "C10AA05"),
            ("atc_level('C10', 4)", "null"),
        ],
    },
};

scalar_function!(AtcLevel, "atc_level", Gives::Text, [vec![DataType::Utf8, DataType::Int64]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let length = match literal(args, 1, 1) {
        1 => 1,
        2 => 3,
        3 => 4,
        4 => 5,
        _ => 7,
    };
    from_texts(args, 0, |code| code.get(..length).map(str::to_owned))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    (call.number(0, 0) == 1).then(|| KeyDomain::named(GROUPS))
}
