//! Japanese beside the words of the catalogue's files.

use engine_protocol::CatalogueView;

/// A thing's Japanese and English name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'n> {
    pub(crate) ja: &'n str,
    pub(crate) en: &'n str,
}

/// Databases in the order in which they are shown; others follow by name.
const ORDER: [&str; 5] = ["ndb", "dpc", "care", "person", "public"];

/// The catalogue's databases in the order in which they are shown.
pub(super) fn databases(view: &CatalogueView) -> Vec<&str> {
    let mut names: Vec<&str> = view.tables.iter().map(|table| table.database.as_str()).collect();
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    names.sort_unstable_by_key(|name| (place(name), *name));
    names.dedup();
    names
}

/// A database's names; its own name where it has no other.
pub(super) fn database(name: &str) -> Named<'_> {
    named(
        name,
        match name {
            "ndb" => ("医療レセプト（NDB）", "medical claims (NDB)"),
            "dpc" => ("DPC（急性期入院）", "DPC, acute inpatient care"),
            "care" => ("介護（介護DB）", "long-term care"),
            "person" => ("個人（連結の結果）", "persons, made by linkage"),
            "public" => ("公開統計", "public statistics"),
            _ => ("", ""),
        },
    )
}

/// What a class of columns is called.
pub(super) fn class(name: &str) -> Named<'_> {
    named(
        name,
        match name {
            "person" => ("個人番号", "person"),
            "record" => ("記録番号", "record"),
            "facility" => ("施設番号", "facility"),
            "exact" => ("正確な値", "exact value"),
            "quasi" => ("準識別子", "quasi-identifier"),
            "sensitive" => ("要配慮", "sensitive"),
            "measure" => ("数量", "measure"),
            "plain" => ("一般", "plain"),
            _ => ("", ""),
        },
    )
}

/// What the classes mean, for the foot of a table's page.
pub(super) const CLASSES: [(&str, &str, &str); 8] = [
    (
        "person",
        "連結された個人の番号。結合と人数の数え上げだけに使え、出力されません。",
        "A linked person’s number: for joins and for counting persons, never shown.",
    ),
    (
        "record",
        "レセプトや入院の番号。結合だけに使えます。",
        "A receipt’s or a stay’s number: for joins only.",
    ),
    ("facility", "医療機関や事業所の番号。結合だけに使えます。", "A facility’s number: for joins only."),
    (
        "exact",
        "生年月日のような正確な値。年齢階級などの関数を通してだけ使えます。",
        "A value such as a birth date: only through functions such as age_band.",
    ),
    (
        "quasi",
        "値の範囲が決まっていれば、集計の区分に使えます。",
        "For groups, where its set of values is declared.",
    ),
    ("sensitive", "診療や生活の内容。条件に使えます。", "Clinical or social content: for conditions."),
    (
        "measure",
        "合計や平均をとる数量。上限と下限で丸めてから足します。",
        "For sums and means; clamped to its bounds first.",
    ),
    ("plain", "上のどれでもない項目。", "None of the above."),
];

/// What a column's type is called.
pub(super) fn kind(name: &str) -> Named<'_> {
    named(
        name,
        match name {
            "number (pseudonym)" => ("番号（仮名）", "number (pseudonym)"),
            "text" => ("文字列", "text"),
            "date" => ("日付", "date"),
            "date (first of the month)" => ("年月（月の初日）", "month, as its first day"),
            "whole number" => ("整数", "whole number"),
            "decimal number" => ("小数", "decimal number"),
            "true or false" => ("真偽", "true or false"),
            "days of the month (bits)" => ("月の日の集合", "set of days of the month"),
            _ => ("", ""),
        },
    )
}

/// How a column may be used.
pub(super) fn usage(name: &str) -> Named<'_> {
    named(
        name,
        match name {
            "public" => ("自由", "free"),
            "join, count(DISTINCT …)" => ("結合、人数", "join, count(DISTINCT …)"),
            "join" => ("結合", "join"),
            "age_band(…)" => ("age_band(…) の中だけ", "only in age_band(…)"),
            "filter, group" => ("条件、区分", "filter, group"),
            "filter" => ("条件", "filter"),
            "filter, sum, avg" => ("条件、合計、平均", "filter, sum, avg"),
            "not stored" => ("保存されない", "not stored"),
            "not queried" => ("問いに使えない", "not queried"),
            _ => ("", ""),
        },
    )
}

/// What a rule of the vetter asks for, in Japanese; nothing where this program does not know the rule. The verdict's
/// own message, in English, stands below it.
pub(super) fn rule(name: &str) -> Option<&'static str> {
    Some(match name {
        "size" => "問いの長さには上限があります。",
        "syntax" => "SQL として読めません。",
        "one-select" => "問いは一つの SELECT 文です。",
        "names" => "その名前の表・列・関数はありません。",
        "root" => "結果は、区分と集計値の表に限られます。",
        "node" => "この構文は使えません。",
        "join" => "個人の表どうしは person_id で結合します。",
        "identity" => "個人・記録・施設の番号は結合と数え上げだけに使い、比較や出力はできません。",
        "predicate" => "条件は、値と値、または値と定数の比較に限られます。",
        "group-key" => "区分に使えるのは、値の範囲が宣言された列と関数だけです。",
        "aggregate" => "集計は count(*)、count(DISTINCT person_id)、sum、avg に限られます。",
        "function" => "関数は misu のものだけを、決められた引数で使えます。",
        "default" => "承認された申出書に記載がありません。",
        _ => return None,
    })
}

fn named<'n>(name: &'n str, (ja, en): (&'n str, &'n str)) -> Named<'n> {
    if ja.is_empty() { Named { ja: name, en: "" } } else { Named { ja, en } }
}

/// What a kind of entry of the record is called in Japanese; its own word where this program does not know it.
pub(super) fn entry(word: &str) -> &'static str {
    match word {
        "environment-created" => "環境の作成",
        "delivery-accepted" => "提供データの受入れ",
        "delivery-rejected" => "提供データの差戻し",
        "ingest-finished" => "読込みと仮名化の完了",
        "delivery-replayed" => "再読込",
        "delivery-recalled" => "提供データの取下げ",
        "delivery-deleted" => "原データの廃棄",
        "delivery-moved" => "提供データの対象月の訂正",
        "data-erased" => "データの暗号学的消去",
        "master-imported" => "マスターの取込み",
        "link-finished" => "名寄せの完了",
        "snapshot-published" => "スナップショットの公開",
        "snapshot-removed" => "スナップショットの削除",
        "pipeline-finished" => "処理手順の完了",
        "catalogue-changed" => "カタログの変更",
        "environment-upgraded" => "環境の更新",
        "permit-registered" => "利用許可の登録",
        "permit-withdrawn" => "利用許可の停止",
        "application-moved" => "申請の手続",
        "output-moved" => "出力審査の手続",
        "incident-moved" => "事故・ヒヤリハットの手続",
        "person-changed" => "利用者登録の変更",
        "table-opened" => "統計の公開",
        "checkpoint-signed" => "署名つき要約",
        "query-opened" => "照会の開始",
        "query-closed" => "照会の終了",
        "query-refused" => "不可となった問い",
        "query-denied" => "不許可となった問い",
        "key-created" => "鍵の作成",
        "key-used" => "鍵の使用",
        "key-rotated" => "鍵の更新",
        "key-act-requested" => "鍵の操作の申出",
        "key-exported" => "鍵の交付",
        "officer-registered" => "鍵管理責任者の登録",
        "rows-provided" => "行データの提供",
        "provision-failed" => "行データの提供の不成立",
        "opt-out-changed" => "利用停止の反映",
        "key-destroyed" => "鍵の廃棄",
        "session-begun" => "サインイン",
        "session-ended" => "サインアウト",
        "sign-in-failed" => "サインインの失敗",
        "token-issued" => "API トークンの発行",
        "token-revoked" => "API トークンの失効",
        "account-changed" => "アカウントの変更",
        "certificate-signed" => "提供証明書の署名",
        "checkpoint-countersigned" => "署名つき要約への連署",
        "evidence-viewed" => "根拠資料の閲覧",
        "release-recalled" => "公表の回収",
        "use-halted" => "停止",
        "use-resumed" => "再開",
        "project-destroyed" => "研究課題の消去",
        "view" => "閲覧",
        "log-recovered" => "記録の回復",
        "outside-plan" => "計画外の提供",
        "clock-set-back" => "時計の逆行",
        _ => "その他の記録",
    }
}
