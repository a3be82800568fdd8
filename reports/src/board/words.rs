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
        "persons" => ("最小人数", "smallest number of persons"),
        "margins" => ("周辺計からの逆算防止", "derivable from margins"),
        "ledger" => ("過去の開示との差", "difference from earlier releases"),
        "dominance" => ("少数者の支配", "dominance"),
        "facilities" => ("施設数", "facilities"),
        "class" => ("全員が同じ区分", "class disclosure"),
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

/// A database's name.
pub(super) fn database(id: &str, language: Language) -> String {
    let (ja, en) = crate::quality::database(id);
    language.pick(ja, en).to_owned()
}
