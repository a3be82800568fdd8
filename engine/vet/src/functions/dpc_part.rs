//! `dpc_part(dpc_code, part)`: a part of the fourteen digits of a DPC code.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{from_texts, word};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

/// Where each part lies (診断群分類番号の構成, DPC 電子点数表).
const PARTS: [(&str, usize, usize); 9] = [
    ("mdc", 0, 2),
    ("classification", 0, 6),
    ("condition", 6, 7),
    ("age", 7, 8),
    ("surgery", 8, 10),
    ("procedure1", 10, 11),
    ("procedure2", 11, 12),
    ("comorbidity", 12, 13),
    ("severity", 13, 14),
];

const MDC: [(&str, &str, &str); 18] = [
    ("01", "神経系疾患", "nervous system"),
    ("02", "眼科系疾患", "eye"),
    ("03", "耳鼻咽喉科系疾患", "ear, nose and throat"),
    ("04", "呼吸器系疾患", "respiratory system"),
    ("05", "循環器系疾患", "circulatory system"),
    ("06", "消化器系疾患、肝臓・胆道・膵臓疾患", "digestive system, liver, biliary tract, pancreas"),
    ("07", "筋骨格系疾患", "musculoskeletal system"),
    ("08", "皮膚・皮下組織の疾患", "skin and subcutaneous tissue"),
    ("09", "乳房の疾患", "breast"),
    ("10", "内分泌・栄養・代謝に関する疾患", "endocrine, nutritional and metabolic diseases"),
    ("11", "腎・尿路系疾患及び男性生殖器系疾患", "kidney, urinary tract and male genital system"),
    ("12", "女性生殖器系疾患及び産褥期疾患・異常妊娠分娩", "female genital system, pregnancy and childbirth"),
    ("13", "血液・造血器・免疫臓器の疾患", "blood, blood-forming and immune organs"),
    ("14", "新生児疾患、先天性奇形", "newborns and congenital anomalies"),
    ("15", "小児疾患", "childhood diseases"),
    ("16", "外傷・熱傷・中毒", "injuries, burns and poisoning"),
    ("17", "精神疾患", "mental diseases"),
    ("18", "その他", "other"),
];

pub(super) static FUNCTION: Function = Function {
    name: "dpc_part",
    arguments: &[
        Argument::Code,
        Argument::Word(&[
            "mdc",
            "classification",
            "condition",
            "age",
            "surgery",
            "procedure1",
            "procedure2",
            "comorbidity",
            "severity",
        ]),
    ],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: DpcPart::udf,
    doc: FunctionDoc {
        call: "dpc_part(dpc_code, part)",
        ja: "診断群分類番号14桁の一部（MDC、分類、病態、年齢等、手術、処置等1・2、副傷病、重症度等）",
        text: "a part of a DPC code: mdc, classification (six digits), condition, age, surgery, procedure1, procedure2, \
               comorbidity or severity",
        example: "dpc_part(s.dpc_code, 'mdc') = '05'",
        cases: &[
            ("dpc_part('050130xx9900x0', 'mdc')", "05"),
            ("dpc_part('050130xx9900x0', 'classification')", "050130"),
            ("dpc_part('050130xx9900x0', 'surgery')", "99"),
            ("dpc_part('050130xx9900x0', 'comorbidity')", "x"),
            ("dpc_part('050130xx9900x0', 'severity')", "0"),
            ("dpc_part('050130', 'surgery')", "null"),
        ],
    },
};

scalar_function!(DpcPart, "dpc_part", Gives::Text, [vec![DataType::Utf8, DataType::Utf8]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let (from, to) = place(&word(args, 1));
    from_texts(args, 0, |code| code.get(from..to).map(str::to_owned))
}

fn place(part: &str) -> (usize, usize) {
    PARTS.iter().find(|(name, _, _)| *name == part).map_or((0, 2), |(_, from, to)| (*from, *to))
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    let digits = || (0..=9).map(|digit| digit.to_string());
    match call.text(0) {
        "mdc" => Some(KeyDomain::named(MDC)),
        "classification" => KeyDomain::of_codes("dpc6", call.catalogue),
        "surgery" => {
            let numbers = (0..100).map(|number| format!("{number:02}"));
            Some(KeyDomain::labels(numbers.chain(["xx".to_owned()])))
        }
        _ => Some(KeyDomain::labels(digits().chain(["x".to_owned()]))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Argument;
    use super::{FUNCTION, PARTS};

    #[test]
    fn every_word_has_a_place() {
        let Argument::Word(words) = FUNCTION.arguments[1] else { panic!("the part is a word") };
        assert_eq!(words, PARTS.map(|(name, _, _)| name));
    }
}
