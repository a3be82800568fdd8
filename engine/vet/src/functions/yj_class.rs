//! `yj_class(code, digits)`: the drug effect class (薬効分類) that a YJ or price-list code begins with.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::arguments::{from_texts, literal};
use super::{Argument, Call, Function, FunctionDoc, Gives, scalar_function};
use crate::domain::KeyDomain;

/// The classes of two digits (日本標準商品分類 87 医薬品及び関連製品).
const CLASSES: [(&str, &str, &str); 36] = [
    ("11", "中枢神経系用薬", "central nervous system"),
    ("12", "末梢神経系用薬", "peripheral nervous system"),
    ("13", "感覚器官用薬", "sensory organs"),
    ("19", "その他の神経系及び感覚器官用医薬品", "other nervous system and sensory organs"),
    ("21", "循環器官用薬", "circulatory organs"),
    ("22", "呼吸器官用薬", "respiratory organs"),
    ("23", "消化器官用薬", "digestive organs"),
    ("24", "ホルモン剤", "hormones"),
    ("25", "泌尿生殖器官及び肛門用薬", "urogenital and anal organs"),
    ("26", "外皮用薬", "skin"),
    ("27", "歯科口腔用薬", "dental and oral"),
    ("29", "その他の個々の器官系用医薬品", "other individual organs"),
    ("31", "ビタミン剤", "vitamins"),
    ("32", "滋養強壮薬", "nutrients and tonics"),
    ("33", "血液・体液用薬", "blood and body fluids"),
    ("34", "人工透析用薬", "dialysis"),
    ("39", "その他の代謝性医薬品", "other metabolic agents"),
    ("41", "細胞賦活用薬", "cell activation"),
    ("42", "腫瘍用薬", "antineoplastics"),
    ("43", "放射性医薬品", "radiopharmaceuticals"),
    ("44", "アレルギー用薬", "allergy"),
    ("49", "その他の組織細胞機能用医薬品", "other cell functions"),
    ("51", "生薬", "crude drugs"),
    ("52", "漢方製剤", "Kampo preparations"),
    ("59", "その他の生薬及び漢方処方に基づく医薬品", "other crude drugs and Kampo"),
    ("61", "抗生物質製剤", "antibiotics"),
    ("62", "化学療法剤", "chemotherapeutics"),
    ("63", "生物学的製剤", "biologicals"),
    ("64", "寄生動物用薬", "antiparasitics"),
    ("69", "その他の病原生物に対する医薬品", "other agents against pathogens"),
    ("71", "調剤用薬", "dispensing"),
    ("72", "診断用薬", "diagnostics"),
    ("73", "公衆衛生用薬", "public health"),
    ("79", "その他の治療を主目的としない医薬品", "other agents not mainly for treatment"),
    ("81", "アルカロイド系麻薬", "alkaloid narcotics"),
    ("82", "非アルカロイド系麻薬", "other narcotics"),
];

pub(super) static FUNCTION: Function = Function {
    name: "yj_class",
    arguments: &[Argument::Code, Argument::Literal { low: 2, high: 4 }],
    optional: 0,
    gives: Gives::Text,
    domain,
    udf: YjClass::udf,
    doc: FunctionDoc {
        call: "yj_class(code, digits)",
        ja: "YJコード・薬価基準コードの薬効分類（上2桁から4桁。2桁だけ集計の軸にできる）",
        text: "the drug effect class of a YJ or price-list code, 2 to 4 digits; 2 digits can be a group",
        example: "yj_class(m.yj_code, 3) = '396'",
        cases: &[
            ("yj_class('3962002F1015', 2)", "39"),
            ("yj_class('3962002F1015', 3)", "396"),
            ("yj_class('3962002F1015', 4)", "3962"),
            ("yj_class('F', 2)", "null"),
            ("yj_class('A962002F1015', 2)", "null"),
        ],
    },
};

scalar_function!(YjClass, "yj_class", Gives::Text, [vec![DataType::Utf8, DataType::Int64]], invoke);

fn invoke(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let digits = usize::try_from(literal(args, 1, 2).clamp(2, 4)).unwrap_or(2);
    let class = |code: &str| {
        let class = code.get(..digits)?;
        class.bytes().all(|byte| byte.is_ascii_digit()).then(|| class.to_owned())
    };
    from_texts(args, 0, class)
}

fn domain(call: &Call<'_>) -> Option<KeyDomain> {
    (call.number(0, 0) == 2).then(|| KeyDomain::named(CLASSES))
}
