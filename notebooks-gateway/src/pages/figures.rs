//! Figures of the catalogue as the page of a table shows them: each is a released table, and nothing else is.

use engine_protocol::{
    CatalogueColumn, CellValue, ClientReply, ClientRequest, Figure, FrameError, PublicAsk, PublicReply,
    ReleasedTable,
};
use reports::chart::{self, Plan};
use reports::{Language, number};

use crate::gateway::Gateway;
use crate::guard::AskError;

/// What is released of one column.
#[derive(Debug)]
pub(super) struct FigureShown {
    pub(super) column: String,
    pub(super) ja: String,
    pub(super) en: String,
    /// How its values are spread, already SVG; none where they are no groups.
    pub(super) picture: Option<String>,
    pub(super) missing: Missing,
    pub(super) query: String,
    pub(super) snapshot: String,
    pub(super) day: String,
}

/// How many rows have no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// So many of so many rows, and the share in per cent.
    Known { rows: String, of: String, share: String },
    /// It is hidden.
    Hidden,
    /// The table does not say.
    Unsaid,
}

/// The figures of a table, as the guard has them; none where it gives no answer, since the page can do without.
pub(super) async fn of_table(gateway: &Gateway, table: &str) -> Vec<Figure> {
    match ask(gateway, table).await {
        Ok(figures) => figures,
        Err(error) => {
            tracing::warn!(%error, "the guard gave no figures");
            Vec::new()
        }
    }
}

async fn ask(gateway: &Gateway, table: &str) -> Result<Vec<Figure>, AskError> {
    let ask = PublicAsk::Figures { table: table.to_owned() };
    match gateway.ask_publicly(ClientRequest::Public(ask)).await? {
        ClientReply::Public(PublicReply::Figures { figures }) => Ok(figures),
        _ => Err(AskError::Broken(FrameError::Form.into())),
    }
}

impl FigureShown {
    pub(super) fn of(figure: Figure, column: &CatalogueColumn, language: Language) -> Self {
        let Figure { column: name, day, released } = figure;
        let plan = Plan::guess(&released);
        Self {
            column: name,
            ja: column.ja.clone(),
            en: column.en.clone(),
            picture: plan.and_then(|plan| chart::svg(&released, &plan, language)),
            missing: Missing::of(&released),
            query: released.query,
            snapshot: released.snapshot.chars().take(12).collect(),
            day,
        }
    }
}

impl Missing {
    fn of(table: &ReleasedTable) -> Self {
        // The row of all rows: the total where there are groups, the only one where there are none.
        let is_all = |row: &&Vec<CellValue>| {
            row.iter().all(|value| !matches!(value, CellValue::Key { .. } | CellValue::Other))
        };
        let Some(all) = table.rows.iter().find(is_all) else { return Self::Unsaid };
        let at = |name: &str| {
            let place = table.columns.iter().position(|column| column.name == name)?;
            all.get(place)
        };
        match (at("missing"), at("rows")) {
            (Some(CellValue::Integer(missing)), Some(CellValue::Integer(rows))) => {
                match (u64::try_from(*missing), u64::try_from(*rows)) {
                    (Ok(missing), Ok(rows)) if rows > 0 => Self::Known {
                        rows: number::count(missing),
                        of: number::count(rows),
                        share: number::share(missing, rows),
                    },
                    _ => Self::Unsaid,
                }
            }
            (Some(CellValue::Suppressed), _) | (_, Some(CellValue::Suppressed)) => Self::Hidden,
            _ => Self::Unsaid,
        }
    }
}

#[cfg(test)]
mod tests {
    use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};

    use super::Missing;

    fn missing(keys: &[CellValue], missing: &CellValue) -> Missing {
        let column = |name: &str, kind| TableColumn { name: name.to_owned(), kind, unit: None };
        let row = |key: &CellValue| vec![key.clone(), CellValue::Integer(4_000), missing.clone()];
        Missing::of(&ReleasedTable {
            query: "q1".to_owned(),
            snapshot: "5a".to_owned(),
            columns: vec![
                column("sex", TableColumnKind::Key),
                column("rows", TableColumnKind::Rows),
                column("missing", TableColumnKind::Rows),
            ],
            rows: keys.iter().map(row).collect(),
            suppressed: 0,
            threshold: 10,
            rules: "r".to_owned(),
            certificate: None,
        })
    }

    #[test]
    fn a_share_is_of_the_total_and_of_nothing_else() {
        let key = CellValue::Key { code: "1".to_owned(), ja: "男".to_owned(), en: "male".to_owned() };
        let known = missing(&[key.clone(), CellValue::Other, CellValue::Total], &CellValue::Integer(100));
        let Missing::Known { rows, of, share } = known else { panic!("{known:?}") };
        assert_eq!((rows.as_str(), of.as_str(), share.as_str()), ("100", "4,000", "2.5 %"));
        // A share of one group is none of the column.
        assert_eq!(missing(&[key, CellValue::Other], &CellValue::Integer(100)), Missing::Unsaid);
        assert_eq!(missing(&[CellValue::Total], &CellValue::Suppressed), Missing::Hidden);
    }
}
