//! Questions to begin with, one file each.

/// A question with what it asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example {
    /// Its name in the address.
    pub(super) name: &'static str,
    pub(super) ja: &'static str,
    pub(super) en: &'static str,
    pub(super) sql: &'static str,
}

/// The questions, the first of which stands on an empty workbench.
pub(super) const EXAMPLES: [Example; 5] = [
    Example {
        name: "age-and-sex",
        ja: "糖尿病の人数、年齢階級と性別",
        en: "people with diabetes by age band and sex",
        sql: include_str!("../../questions/age_and_sex.sql"),
    },
    Example {
        name: "care-after-diabetes",
        ja: "糖尿病の診断から要介護までの月数",
        en: "months from diabetes to care need",
        sql: include_str!("../../questions/care_after_diabetes.sql"),
    },
    Example {
        name: "length-of-stay",
        ja: "在院日数、退院時転帰と年齢階級別、小計つき",
        en: "length of stay by outcome and age band, with subtotals",
        sql: include_str!("../../questions/length_of_stay.sql"),
    },
    Example {
        name: "drugs",
        ja: "薬効群ごとの人数と点数、月別",
        en: "people and points by drug class and month",
        sql: include_str!("../../questions/drugs.sql"),
    },
    Example {
        name: "refused",
        ja: "判定が断る例：生年月日ごとの人数",
        en: "one that is refused: people by birth date",
        sql: include_str!("../../questions/refused.sql"),
    },
];

/// The question with this name.
pub(super) fn find(name: &str) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.name == name)
}

/// The questions that read this table.
pub(super) fn about(table: &str) -> Vec<&'static Example> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let reads = |example: &&Example| example.sql.split(|letter| !is_word(letter)).any(|word| word == table);
    EXAMPLES.iter().filter(reads).collect()
}
