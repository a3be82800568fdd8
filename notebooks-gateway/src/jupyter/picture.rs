//! The picture beside a table: the same that the portal shows, hidden values drawn as a lowered blind.
//!
//! It goes to the notebook as a display of its own before the table, because a notebook shows only one form of one
//! output. Nothing is computed here: what a table shows fits, `reports::chart` says.

use engine_protocol::ReleasedTable;
use reports::Language;
use reports::chart::{self, ChartKind, Plan};
use serde_json::{Value, json};

/// Keys of a table that gets a picture unasked; a picture of more would hold the others still.
const KEYS: usize = 2;

/// Which picture a kernel puts beside a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pictures {
    /// The one that fits, where the table has one or two keys.
    #[default]
    Fitting,
    /// None.
    Off,
    /// This kind, or the one that fits where this one does not.
    As(ChartKind),
}

impl Pictures {
    /// The words that [`Pictures::parse`] knows.
    pub(super) const WORDS: &'static str = "auto, off, bar, line, heat-map or survival";

    /// What a word asks for.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Fitting),
            "off" => Some(Self::Off),
            kind => ChartKind::parse(kind).map(Self::As),
        }
    }

    /// The picture of a table by media type; none where there is nothing to draw.
    pub(super) fn of(self, table: &ReleasedTable, language: Language) -> Option<Value> {
        let guessed = Plan::guess(table)?;
        let plan = match self {
            Self::Off => return None,
            Self::Fitting if Plan::keys(table).count() > KEYS => return None,
            Self::Fitting => guessed,
            Self::As(kind) => guessed.shown_as(kind, table).unwrap_or(guessed),
        };
        let svg = chart::svg(table, &plan, language)?;
        let summary = chart::summary(table, &plan, language)?;
        Some(json!({"image/svg+xml": svg, "text/plain": summary}))
    }
}

#[cfg(test)]
mod tests {
    use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};
    use reports::Language;
    use reports::chart::ChartKind;

    use super::Pictures;

    /// A table of so many keys with the values 1 and 2 each, and one number that is hidden in the first row.
    fn table(keys: u32) -> ReleasedTable {
        let column = |name: &str, kind| TableColumn { name: name.to_owned(), kind, unit: None };
        let key =
            |code: String| CellValue::Key { ja: "<b>男</b>".to_owned() + &code, en: code.clone(), code };
        let row = |at: u32| {
            let keys = (0..keys).map(|place| key((1 + (at >> place & 1)).to_string()));
            let number =
                if at == 0 { CellValue::Suppressed } else { CellValue::Integer(100 + i64::from(at)) };
            keys.chain([number]).collect()
        };
        let names = (0..keys).map(|at| column(&format!("key{at}"), TableColumnKind::Key));
        ReleasedTable {
            query: "q1".to_owned(),
            snapshot: "5a".to_owned(),
            columns: names.chain([column("persons", TableColumnKind::Persons)]).collect(),
            rows: (0..1 << keys).map(row).collect(),
            suppressed: 1,
            threshold: 10,
            rules: "r".to_owned(),
            certificate: None,
        }
    }

    fn svg(pictures: Pictures, keys: u32) -> Option<String> {
        let shown = pictures.of(&table(keys), Language::Japanese)?;
        assert!(shown["text/plain"].as_str().unwrap().contains("非表示1"), "{shown}");
        Some(shown["image/svg+xml"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_hidden_value_is_a_lowered_blind_and_a_name_stays_text() {
        for keys in [1, 2] {
            let svg = svg(Pictures::Fitting, keys).unwrap();
            // One for the value, one in the legend.
            assert_eq!(svg.matches("url(#misu-veil)").count(), 2, "{svg}");
            assert!(
                svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && !svg.contains("<b>"),
                "{svg}"
            );
            for active in ["<script", "<style", "href", "onload", "<foreignObject"] {
                assert!(!svg.contains(active), "{active}");
            }
        }
    }

    #[test]
    fn a_word_says_which_picture_there_is() {
        assert_eq!(svg(Pictures::Off, 1), None);
        assert_eq!(svg(Pictures::Fitting, 3), None);
        assert!(svg(Pictures::As(ChartKind::Bar), 3).is_some());
        let of = |word: &str| svg(Pictures::parse(word).unwrap(), 2).unwrap();
        assert_ne!(of("line"), of("heat-map"));
        assert_eq!(of("auto"), of("bar"));
        // A share of nothing is no survival curve: the picture that fits is there.
        assert_eq!(of("survival"), of("auto"));
        assert_eq!(Pictures::parse("pie"), None);
    }

    #[test]
    fn a_table_without_a_number_has_no_picture() {
        let mut table = table(1);
        table.columns.truncate(1);
        table.rows.iter_mut().for_each(|row| row.truncate(1));
        assert_eq!(Pictures::Fitting.of(&table, Language::English), None);
    }
}
