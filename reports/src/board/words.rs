//! Words of the record as a board reads them.

use crate::Language;

/// What a question was not answered for: how it ended, in words.
pub(super) fn outcome(word: &str, language: Language) -> String {
    let known = match word {
        "released" => ("開示", "released"),
        "withheld" => ("保留（出力安全性）", "withheld"),
        "stopped" => ("停止（許可の終了等）", "stopped"),
        "failed" => ("失敗（当方の障害）", "failed (our fault)"),
        "abandoned" => ("中断", "abandoned"),
        "open" => ("終了の記録なし", "no end recorded"),
        "refused" => ("拒否（照会の規則）", "refused (a rule)"),
        "denied" => ("不許可（許可の範囲外）", "denied (the permit)"),
        _ => return word.to_owned(),
    };
    language.pick(known.0, known.1).to_owned()
}

/// A rule that hides values.
pub(super) fn hiding(rule: &str, language: Language) -> String {
    let known = match rule {
        "few-persons" => ("最小人数に満たない", "too few persons"),
        "few-facilities" => ("施設が少ない", "too few facilities"),
        "few-insurers" => ("保険者が少ない", "too few insurers"),
        "few-municipalities" => ("市区町村が少ない", "too few municipalities"),
        "dominance" => ("少数の者による支配", "dominance"),
        "estimate" => ("隣の値から推定できる", "can be estimated"),
        "class-disclosure" => ("ほぼ全員が同じ区分", "class disclosure"),
        "degrees-of-freedom" => ("自由度が足りない", "too few degrees of freedom"),
        "negative" => ("負の値を含む", "negative values"),
        "ledger" => ("過去の開示との差", "difference from earlier releases"),
        "margins" => ("周辺計からの逆算防止", "derivable from margins"),
        _ => return rule.to_owned(),
    };
    format!("{}（{rule}）", language.pick(known.0, known.1))
}

/// A state of an application.
pub(super) fn state(word: &str, language: Language) -> String {
    let known = match word {
        "draft" => ("下書き", "draft"),
        "submitted" => ("提出", "submitted"),
        "accepted" => ("受理", "accepted"),
        "in-review" | "review" | "under-review" => ("審査中", "in review"),
        "approved" => ("承認", "approved"),
        "refused" | "rejected" => ("不承認", "rejected"),
        "active" => ("利用中", "in use"),
        "suspended" => ("停止", "suspended"),
        "closed" => ("終了", "closed"),
        "expired" => ("期限切れ", "expired"),
        "withdrawn" => ("取消", "withdrawn"),
        "not-yet" => ("開始前", "not yet valid"),
        _ => return word.to_owned(),
    };
    language.pick(known.0, known.1).to_owned()
}

/// A rule that joins records of a person.
pub(super) fn joining(rule: &str, language: Language) -> String {
    let (ja, en) = crate::quality::rule(rule);
    format!("{}（{rule}）", language.pick(ja, en))
}

/// Why holders of a key stay apart.
pub(super) fn apart(kind: &str, language: Language) -> String {
    let (ja, en) = crate::quality::conflict(kind);
    format!("{}（{kind}）", language.pick(ja, en))
}

/// A database's name.
pub(super) fn database(id: &str, language: Language) -> String {
    let (ja, en) = crate::quality::database(id);
    language.pick(ja, en).to_owned()
}
