//! CSV as RFC 4180 has it: UTF-8, CRLF, quotes where they are needed.

use engine_protocol::ReleasedTable;

use super::flat;

/// The table as CSV: codes and names of keys in columns of their own, `***` for what is hidden.
pub fn csv(table: &ReleasedTable) -> String {
    let columns = flat::columns(table);
    let mut text = String::new();
    line(&mut text, columns.iter().map(|column| column.name.clone()));
    for row in &table.rows {
        line(&mut text, columns.iter().map(|column| column.text(row)));
    }
    text
}

fn line(text: &mut String, values: impl Iterator<Item = String>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        if value.contains([',', '"', '\r', '\n']) {
            text.push_str(&format!("\"{}\"", value.replace('"', "\"\"")));
        } else {
            text.push_str(&value);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::csv;
    use crate::table::tests::sample;

    #[test]
    fn keys_have_code_and_names_and_commas_are_quoted() {
        expect![[r#"
            prefecture,prefecture_ja,prefecture_en,month,month_ja,month_en,persons,"points, total",mean
            13,東京都,Tokyo,2024-04,2024-04,2024-04,12345,-9876543,-800.05
            14,神奈川県,Kanagawa,(other),その他,other,***,***,***
            (total),合計,total,(total),合計,total,0,0,
        "#]]
        .assert_eq(&csv(&sample()).replace("\r\n", "\n"));
        assert_eq!(csv(&sample()).matches("\r\n").count(), 4);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut table = sample();
        table.columns[2].name = "month_ja".to_owned();
        table.columns[3].name = "say \"so\"\n".to_owned();
        let text = csv(&table);
        let heading = text.split("\r\n").next().unwrap();
        assert_eq!(
            heading,
            "prefecture,prefecture_ja,prefecture_en,month,month_ja_2,month_en,month_ja,\"say \"\"so\"\"\n\",mean",
        );
    }
}
