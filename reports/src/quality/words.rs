//! Names of databases and kinds of fault for readers.

/// A database's Japanese and English name; its own name where it has no other.
pub(crate) fn database(name: &str) -> (&str, &str) {
    match name {
        "ndb" => ("医療レセプト（NDB）", "medical claims (NDB)"),
        "dpc" => ("DPC", "DPC inpatient data"),
        "care" => ("介護", "long-term care"),
        "public" => ("公開統計", "public statistics"),
        other => (other, other),
    }
}

/// What a rule of linkage says, in Japanese and English.
pub(crate) fn rule(rule: &str) -> (&str, &str) {
    match rule {
        "one-number" => ("一人の番号が同じ", "they carry one person's number"),
        "misread-birth" => ("番号が同じで生年月日の書き誤り", "one number, a birth date written wrong"),
        "name-and-card" => ("氏名と証の番号が同じ", "name and card are the same"),
        "card-in-sequence" => ("証が続き氏名が変わる（婚姻など）", "the card stays, the name changes"),
        "name-in-sequence" => {
            ("氏名が続き証が変わる（保険者異動、75歳）", "the name stays, the card changes")
        }
        "given-name" => ("名と場所が続き姓と証が変わる", "given name and place stay, name and card change"),
        "unnumbered" => ("証のない記録の氏名が一人だけに合う", "a record without a card fits one name"),
        "same-stay" => ("施設・入院日・生年月日・性別が同じ", "the same stay in hospital"),
        other => (other, other),
    }
}

/// Why holders of one key stay apart, in Japanese and English.
pub(crate) fn conflict(kind: &str) -> (&str, &str) {
    match kind {
        "twins" => ("同性の双子", "twins of one sex"),
        "namesakes" => ("同姓同名・同生年月日", "namesakes born on one day"),
        "reused-number" => ("番号の再使用", "a number given again"),
        "newborn" => ("親の番号での新生児", "a newborn on a parent's number"),
        "contradiction" => ("性別または生年月が矛盾", "another sex or month of birth"),
        "ambiguous" => ("どちらの人か決められない", "it cannot be said whose it is"),
        "overgrown" => ("証または氏名が多すぎる", "more cards or names than a life has"),
        other => (other, other),
    }
}

/// A way to link, in Japanese and English.
pub(super) fn method(method: &str) -> (&str, &str) {
    match method {
        "all" => ("misu（全記録）", "misu, all records"),
        "misu" => ("misu（両IDのある記録）", "misu, records with both ids"),
        "id1" => ("ID1のみ", "ID1 alone"),
        "id2" => ("ID2のみ", "ID2 alone"),
        "id0" => ("ID0（いずれか）", "ID0 (either)"),
        other => (other, other),
    }
}

/// Why persons were split or merged, in Japanese and English.
pub(super) fn cause(cause: &str) -> (&str, &str) {
    match cause {
        "name-and-card-at-once" => ("氏名と証が同時に変わった", "name and card changed at once"),
        "name-change" => ("氏名が変わった", "the name changed"),
        "card-change" => ("証が変わった", "the card changed"),
        "writing" => ("書き誤り・記載不足", "written wrong, or too little"),
        "twins" => ("双子", "twins"),
        "namesakes" => ("同姓同名・同生年月日", "namesakes born on one day"),
        "others" => ("その他の人", "other persons"),
        other => (other, other),
    }
}

/// What a kind of fault means, in Japanese and English; the kind itself where this program does not know it.
pub(super) fn fault(kind: &str) -> (&str, &str) {
    match kind {
        "encoding" => ("文字コードが違う", "bytes of another encoding"),
        "columns" => ("列数が仕様と違う", "a number of columns that the layout does not know"),
        "unknown-record" => ("未知のレコード種別", "an unknown record type"),
        "missing" => ("必須項目が空", "a required field is empty"),
        "width" => ("桁数が仕様と違う", "a field too wide or too narrow"),
        "characters" => ("使えない文字がある", "characters that the field does not allow"),
        "number" => ("数値でない、または範囲外", "not a number, or out of range"),
        "date" => ("存在しない日付", "a day that does not exist"),
        "month" => ("存在しない年月", "a month that does not exist"),
        "code" => ("コード表にない", "a code outside its closed list"),
        "unexpected" => ("空欄であるべき項目に値がある", "a value where the layout has an empty position"),
        "revision" => ("仕様の対象年月の外", "a date outside the months that the layout is for"),
        "orphan" => ("先頭行が隔離または欠落", "its group's first line is missing or in quarantine"),
        "no-identity" => ("照合キーを作れない", "no identity scheme can be built"),
        "duplicate" => ("重複", "read before"),
        "truncated" => ("途中で切れている", "the file or the line ends too early"),
        "totals" => ("合計が一致しない", "the trailer's totals are not those of the file"),
        "markup" => ("XMLとして正しくない", "an XML document is not well-formed"),
        "heading" => ("見出し行がレイアウトと合わない", "the heading is not what the layout knows"),
        other => (other, other),
    }
}
