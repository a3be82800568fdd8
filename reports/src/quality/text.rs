//! The quality report for a terminal.

use super::summary::{self, Lines};
use super::{LinkageEstimate, LinkageQuality, Quality, rows, truth, words};
use crate::Language;
use crate::grid::{Grid, Side, clean};
use crate::number::{count, share};

/// Remarks that a screen shows.
const SCREEN: usize = 12;

/// The report as text: totals, each database and month, quarantine by kind, linkage by scheme, rows by table.
pub fn text(quality: &Quality, language: Language) -> String {
    let sections = [
        totals(quality, language),
        months(quality, language),
        remarks(quality, language),
        reasons(quality, language),
        linkage(quality, language),
        quality.truth.as_ref().map_or_else(String::new, |known| truth::text(known, language)),
        truth::planted_text(quality, language),
        tables(quality, language),
    ];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    sections.join("\n")
}

fn totals(quality: &Quality, language: Language) -> String {
    let lines = Lines::of(&quality.total);
    let snapshot = quality.snapshot.as_deref().unwrap_or(language.pick("（未公開）", "(none published)"));
    let mut text = format!("{} {}\n", language.pick("スナップショット", "snapshot"), clean(snapshot));
    if let Some((from, to)) = summary::period(quality) {
        text.push_str(&format!("{} {} – {}\n", language.pick("期間", "period"), clean(from), clean(to)));
    }
    text.push_str(&format!(
        "{} {}\n\n",
        language.pick("連結された人数", "linked persons"),
        count(quality.persons)
    ));
    let mut grid = Grid::new([
        (language.pick("行の行方", "what became of lines"), Side::Left),
        (language.pick("行", "lines"), Side::Right),
        ("%", Side::Right),
    ]);
    for (label, number) in [
        (language.pick("読込", "read"), lines.read),
        (language.pick("格納", "stored"), lines.stored),
        (language.pick("除外（分類による）", "dropped by class"), lines.dropped),
        (language.pick("隔離", "in quarantine"), lines.quarantined),
    ] {
        grid.row([label.to_owned(), count(number), share(number, lines.read)]);
    }
    text.push_str(&grid.text());
    text.push_str(match (summary::closes(quality), language) {
        (true, Language::Japanese) => "収支一致：すべてのファイルで 読込 = 格納 + 除外 + 隔離\n",
        (true, Language::English) => {
            "the account closes: in every file read = stored + dropped + quarantined\n"
        }
        (false, Language::Japanese) => "収支不一致：読込 ≠ 格納 + 除外 + 隔離 のファイルがある\n",
        (false, Language::English) => {
            "THE ACCOUNT DOES NOT CLOSE: read ≠ stored + dropped + quarantined somewhere\n"
        }
    });
    text
}

fn months(quality: &Quality, language: Language) -> String {
    let cells = summary::by_database_and_month(quality);
    if cells.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new([
        (language.pick("データベース", "database"), Side::Left),
        (language.pick("年月", "month"), Side::Left),
        (language.pick("納品", "deliveries"), Side::Right),
        (language.pick("読込", "read"), Side::Right),
        (language.pick("格納", "stored"), Side::Right),
        (language.pick("除外", "dropped"), Side::Right),
        (language.pick("隔離", "quarantined"), Side::Right),
        (language.pick("収支", "closes"), Side::Left),
    ]);
    for ((database, month), cell) in cells {
        let (ja, en) = words::database(database);
        grid.row([
            language.pick(ja, en).to_owned(),
            month.to_owned(),
            count(cell.deliveries),
            count(cell.lines.read),
            count(cell.lines.stored),
            count(cell.lines.dropped),
            count(cell.lines.quarantined),
            if cell.closes { language.pick("一致", "yes") } else { language.pick("不一致", "NO") }.to_owned(),
        ]);
    }
    grid.text()
}

/// What deserves a look, as far as a screen goes; the page and the JSON have more.
fn remarks(quality: &Quality, language: Language) -> String {
    let remarks = quality.profile.as_ref().map(|profile| profile.remarks.as_slice()).unwrap_or_default();
    if remarks.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new([
        (language.pick("年月", "month"), Side::Left),
        (language.pick("気になる点", "what deserves a look"), Side::Left),
        ("", Side::Left),
    ]);
    for row in remarks.iter().take(SCREEN).map(rows::remark) {
        grid.row([row.month, row.place.as_str(), language.pick(&row.ja, &row.en)]);
    }
    if remarks.len() > SCREEN {
        grid.row(["", "", &format!("… {}", count((remarks.len() - SCREEN) as u64))]);
    }
    grid.text()
}

fn reasons(quality: &Quality, language: Language) -> String {
    let mut text = String::new();
    if !quality.total.quarantined.is_empty() {
        let kind = (language.pick("隔離の種別", "kind of fault"), Side::Left);
        let meaning = (language.pick("意味", "meaning"), Side::Left);
        let mut grid = Grid::new([kind, (language.pick("行", "lines"), Side::Right), meaning]);
        for (kind, lines) in summary::ranked(&quality.total.quarantined) {
            let (ja, en) = words::fault(kind);
            grid.row([kind, &count(lines), language.pick(ja, en)]);
        }
        text.push_str(&grid.text());
    }
    if !quality.total.dropped.is_empty() {
        let reason = (language.pick("除外の理由", "why dropped"), Side::Left);
        let mut grid = Grid::new([reason, (language.pick("行", "lines"), Side::Right)]);
        for (reason, lines) in summary::ranked(&quality.total.dropped) {
            grid.row([reason, &count(lines)]);
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&grid.text());
    }
    text
}

fn linkage(quality: &Quality, language: Language) -> String {
    let linkage = &quality.linkage;
    let mut grid = Grid::new([
        (language.pick("照合方式", "identity scheme"), Side::Left),
        (language.pick("照合対象", "identities"), Side::Right),
        (language.pick("被覆率", "coverage"), Side::Right),
        (language.pick("キー", "keys"), Side::Right),
        (language.pick("一人に複数", "several a person"), Side::Right),
        (language.pick("複数人に一つ", "of several persons"), Side::Right),
    ]);
    for scheme in &linkage.schemes {
        grid.row([
            scheme.scheme.clone(),
            count(scheme.mentions),
            share(scheme.mentions, linkage.mentions),
            count(scheme.keys),
            count(scheme.several),
            count(scheme.shared),
        ]);
    }
    let (mentions, persons) = (count(linkage.mentions), count(linkage.persons));
    let result = match language {
        Language::Japanese => format!("照合対象 {mentions}件から {persons}人\n"),
        Language::English => format!("{mentions} identities became {persons} persons\n"),
    };
    let mut text = grid.text() + &result;
    if !linkage.rules.is_empty() {
        text.push('\n');
        text.push_str(&rules(linkage, language));
    }
    if !linkage.conflicts.is_empty() {
        text.push('\n');
        text.push_str(&conflicts(linkage, language));
    }
    if !linkage.sizes.is_empty() {
        text.push('\n');
        text.push_str(&sizes(linkage, language));
    }
    text
}

fn sizes(linkage: &LinkageQuality, language: Language) -> String {
    let mut grid = Grid::new([
        (language.pick("一人あたりの書き方の数", "key sets of a person"), Side::Left),
        (language.pick("人数", "persons"), Side::Right),
    ]);
    summary::sizes(linkage).into_iter().for_each(|row| grid.row(row));
    grid.text()
}

fn rules(linkage: &LinkageQuality, language: Language) -> String {
    let mut grid = Grid::new([
        (language.pick("連結の規則", "rule of linkage"), Side::Left),
        (language.pick("結合", "joins"), Side::Right),
        (language.pick("人数", "persons"), Side::Right),
        (language.pick("意味", "meaning"), Side::Left),
    ]);
    for rule in &linkage.rules {
        let (ja, en) = words::rule(&rule.rule);
        let meaning = language.pick(ja, en).to_owned();
        grid.row([rule.rule.clone(), count(rule.joins), count(rule.persons), meaning]);
    }
    grid.text()
}

fn conflicts(linkage: &LinkageQuality, language: Language) -> String {
    let mut grid = Grid::new([
        (language.pick("結合しなかったキー", "keys held apart"), Side::Left),
        (language.pick("件数", "keys"), Side::Right),
        (language.pick("意味", "meaning"), Side::Left),
    ]);
    for (kind, keys) in &linkage.conflicts {
        let (ja, en) = words::conflict(kind);
        grid.row([kind.clone(), count(*keys), language.pick(ja, en).to_owned()]);
    }
    let LinkageEstimate { perhaps_merged, perhaps_split } = linkage.estimate;
    let (merged, split) = (count(perhaps_merged), count(perhaps_split));
    let estimate = match language {
        Language::Japanese => {
            format!("誤りの上限の目安: 二人かもしれない人 {merged}、一人かもしれない組 {split}\n")
        }
        Language::English => {
            format!("upper ends of errors: {merged} persons may be two, {split} groups may be parts of one\n")
        }
    };
    grid.text() + &estimate
}

fn tables(quality: &Quality, language: Language) -> String {
    if quality.tables.is_empty() {
        return String::new();
    }
    let name = (language.pick("表", "table"), Side::Left);
    let mut grid = Grid::new([name, (language.pick("行", "rows"), Side::Right)]);
    for (name, rows) in &quality.tables {
        grid.row([name, &count(*rows)]);
    }
    grid.text()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::text;
    use crate::Language;
    use crate::quality::tests::{account, sample};

    #[test]
    fn a_report_reads_in_english() {
        expect![[r#"
            snapshot 5a5a5a5a
            period 2024-04 – 2024-05
            linked persons 1,234

            what became of lines      lines        %
            ────────────────────  ─────────  ───────
            read                  1,214,157  100.0 %
            stored                1,210,000   99.7 %
            dropped by class          4,100    0.3 %
            in quarantine                57  < 0.1 %
            the account closes: in every file read = stored + dropped + quarantined

            database              month    deliveries     read   stored  dropped  quarantined  closes
            ────────────────────  ───────  ──────────  ───────  ───────  ───────  ───────────  ──────
            long-term care        2024-04           1   10,100   10,000      100            0  yes
            medical claims (NDB)  2024-04           1  702,057  700,000    2,000           57  yes
            medical claims (NDB)  2024-05           1  502,000  500,000    2,000            0  yes

            kind of fault  lines  meaning
            ─────────────  ─────  ─────────────────────────────────────────────────
            duplicate         50  read before
            columns            7  a number of columns that the layout does not know

            why dropped                                           lines
            ────────────────────────────────────────────────────  ─────
            header: its fields go into the rows of every receipt  4,100

            identity scheme  identities  coverage   keys  several a person  of several persons
            ───────────────  ──────────  ────────  ─────  ────────────────  ──────────────────
            id1                  18,000    90.0 %  1,300               900                   2
            care                    200     1.0 %    180                20                   2
            20,000 identities became 1,234 persons

            rule of linkage  joins  persons  meaning
            ───────────────  ─────  ───────  ──────────────────────────
            name-and-card    1,100      800  name and card are the same

            keys held apart  keys  meaning
            ───────────────  ────  ────────────────
            twins               3  twins of one sex
            upper ends of errors: 17 persons may be two, 6 groups may be parts of one

            key sets of a person  persons
            ────────────────────  ───────
            1                         400
            2                           0
            3–5                       600
            6–10                      234
            11–                         0

            table          rows
            ───────────  ──────
            ndb_receipt  98,765
            person        1,234
        "#]]
        .assert_eq(&text(&sample(), Language::English));
    }

    #[test]
    fn a_report_reads_in_japanese() {
        expect![[r#"
            スナップショット 5a5a5a5a
            期間 2024-04 – 2024-05
            連結された人数 1,234

            行の行方                   行        %
            ──────────────────  ─────────  ───────
            読込                1,214,157  100.0 %
            格納                1,210,000   99.7 %
            除外（分類による）      4,100    0.3 %
            隔離                       57  < 0.1 %
            収支一致：すべてのファイルで 読込 = 格納 + 除外 + 隔離

            データベース         年月     納品     読込     格納   除外  隔離  収支
            ───────────────────  ───────  ────  ───────  ───────  ─────  ────  ────
            介護                 2024-04     1   10,100   10,000    100     0  一致
            医療レセプト（NDB）  2024-04     1  702,057  700,000  2,000    57  一致
            医療レセプト（NDB）  2024-05     1  502,000  500,000  2,000     0  一致

            隔離の種別  行  意味
            ──────────  ──  ────────────────
            duplicate   50  重複
            columns      7  列数が仕様と違う

            除外の理由                                               行
            ────────────────────────────────────────────────────  ─────
            header: its fields go into the rows of every receipt  4,100

            照合方式  照合対象  被覆率   キー  一人に複数  複数人に一つ
            ────────  ────────  ──────  ─────  ──────────  ────────────
            id1         18,000  90.0 %  1,300         900             2
            care           200   1.0 %    180          20             2
            照合対象 20,000件から 1,234人

            連結の規則      結合  人数  意味
            ─────────────  ─────  ────  ────────────────────
            name-and-card  1,100   800  氏名と証の番号が同じ

            結合しなかったキー  件数  意味
            ──────────────────  ────  ──────────
            twins                  3  同性の双子
            誤りの上限の目安: 二人かもしれない人 17、一人かもしれない組 6

            一人あたりの書き方の数  人数
            ──────────────────────  ────
            1                        400
            2                          0
            3–5                      600
            6–10                     234
            11–                        0

            表               行
            ───────────  ──────
            ndb_receipt  98,765
            person        1,234
        "#]]
        .assert_eq(&text(&sample(), Language::Japanese));
    }

    #[test]
    fn an_account_that_does_not_close_anywhere_is_said_aloud() {
        let mut quality = sample();
        quality.deliveries[1].files[0].account.closes = false;
        assert!(text(&quality, Language::English).contains("THE ACCOUNT DOES NOT CLOSE"));
    }

    #[test]
    fn an_environment_without_deliveries_has_a_report() {
        let mut quality = sample();
        quality.snapshot = None;
        quality.deliveries.clear();
        quality.tables = BTreeMap::new();
        quality.total = account(0, 0, &[]);
        quality.total.dropped.clear();
        assert!(text(&quality, Language::English).starts_with("snapshot (none published)\nlinked persons"));
    }
}
