//! What bodies look like: the API's own types, so that a change inside does not change it unseen.

use engine_protocol::{Budget, CatalogueColumn, CatalogueTable, ReleasedTable, Verdict, VerdictKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Place;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The text.
    #[schema(example = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex")]
    pub(super) sql: String,
}

/// What vetting says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(super) struct VerdictShape {
    /// `vetted`, `refused` or `denied`.
    verdict: &'static str,
    /// The rule that is broken, or the policy that denies.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// What is wrong, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What is wrong, in plain Japanese.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_ja: Option<String>,
    /// Where in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    /// The nearest allowed form.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    /// Whether it may run and people look at its answer first, because it breaks `rule`, which holds "in principle".
    people_first: bool,
    /// The tables that the question reads.
    tables: Vec<String>,
    /// The columns that it touches, as `table.column`.
    columns: Vec<String>,
}

impl VerdictShape {
    pub(super) fn of(verdict: &Verdict, sql: &str) -> Self {
        Self {
            verdict: match verdict.verdict {
                VerdictKind::Vetted => "vetted",
                VerdictKind::Refused => "refused",
                VerdictKind::Denied => "denied",
            },
            rule: verdict.rule.clone(),
            message: verdict.message.clone(),
            message_ja: verdict.message_ja.clone(),
            place: verdict.span.and_then(|span| Place::of(sql, span)),
            suggestion: verdict.suggestion.clone(),
            people_first: verdict.goes_to_people(),
            tables: verdict.tables.clone(),
            columns: verdict.columns.clone(),
        }
    }
}

/// What vetting says, and what the question would cost where it may run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Estimate {
    /// The verdict.
    pub(super) verdict: VerdictShape,
    /// What it would cost, from what is known of the snapshot without looking at data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget: Option<BudgetShape>,
}

/// What a question would cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
pub(super) struct BudgetShape {
    /// Rows that are read, rounded to two digits.
    rows: u64,
    /// Bytes that are read, rounded to two digits.
    bytes: u64,
    /// Cells of the answer.
    cells: u64,
    /// At least so many of a hundred rows of the answer are hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_percent: Option<u8>,
    /// Whether the answer is within what one question may have.
    is_within: bool,
}

impl From<Budget> for BudgetShape {
    fn from(budget: Budget) -> Self {
        let Budget { rows, bytes, cells, hidden_percent, is_within } = budget;
        Self { rows, bytes, cells, hidden_percent, is_within }
    }
}

/// A table of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Table)]
pub(super) struct TableShape {
    /// Its name in SQL.
    name: String,
    /// The database that it belongs to.
    database: String,
    /// Its Japanese name.
    ja: String,
    /// Its English name.
    en: String,
    /// What a row is, in Japanese.
    row_ja: String,
    /// What a row is, in English.
    row_en: String,
    /// The document that defines it.
    source: String,
    /// How many columns it has.
    columns: usize,
}

impl From<&CatalogueTable> for TableShape {
    fn from(table: &CatalogueTable) -> Self {
        Self {
            name: table.name.clone(),
            database: table.database.clone(),
            ja: table.ja.clone(),
            en: table.en.clone(),
            row_ja: table.row.0.clone(),
            row_en: table.row.1.clone(),
            source: table.source.clone(),
            columns: table.columns.len(),
        }
    }
}

/// A column of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Column)]
pub(super) struct ColumnShape {
    /// Its name in SQL.
    name: String,
    /// Its Japanese name.
    ja: String,
    /// Its English name.
    en: String,
    /// Its class.
    class: String,
    /// Its type.
    kind: String,
    /// Its unit, if it is a measure.
    unit: Option<String>,
    /// How it may be used.
    usage: String,
    /// What a reader must know.
    note: Option<String>,
    /// Its codes, where a code system names them.
    codes: Vec<CodeShape>,
}

/// A code with its names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Code)]
pub(super) struct CodeShape {
    code: String,
    ja: String,
    en: String,
}

impl From<&CatalogueColumn> for ColumnShape {
    fn from(column: &CatalogueColumn) -> Self {
        let code = |(code, ja, en): &(String, String, String)| CodeShape {
            code: code.clone(),
            ja: ja.clone(),
            en: en.clone(),
        };
        Self {
            name: column.name.clone(),
            ja: column.ja.clone(),
            en: column.en.clone(),
            class: column.class.clone(),
            kind: column.kind.clone(),
            unit: column.unit.clone(),
            usage: column.usage.clone(),
            note: column.note.clone(),
            codes: column.codes.iter().map(code).collect(),
        }
    }
}

/// A protected table. Each value is one of `{"key": {"code", "ja", "en"}}`, `"other"`, `"total"`, `{"integer": 12}`,
/// `{"decimal": "1.5"}`, `"empty"`, `"suppressed"`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Released)]
pub(super) struct ReleasedShape {
    /// The query's id in the record.
    query: String,
    /// The snapshot that it was asked of.
    snapshot: String,
    /// The columns.
    columns: Vec<ReleasedColumn>,
    /// The rows; each has a value for every column.
    rows: Vec<Vec<serde_json::Value>>,
    /// How many rows are hidden; why is not said.
    suppressed: u64,
    /// The smallest number of persons that a shown row stands for.
    threshold: u32,
    /// The rule pack that was applied.
    rules: String,
    /// The signed certificate of the release; it is about the table without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

/// A column of a protected table.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleasedColumn {
    /// Its name.
    name: String,
    /// What it shows: key, rows, persons, sum, average, spread, quantile or computed.
    kind: serde_json::Value,
    /// The unit of a measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

impl ReleasedShape {
    pub(super) fn of(table: &ReleasedTable) -> Result<Self, serde_json::Error> {
        let columns = table.columns.iter().map(|column| {
            let kind = serde_json::to_value(column.kind)?;
            Ok(ReleasedColumn { name: column.name.clone(), kind, unit: column.unit.clone() })
        });
        let row = |row: &Vec<_>| row.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            query: table.query.clone(),
            snapshot: table.snapshot.clone(),
            columns: columns.collect::<Result<_, serde_json::Error>>()?,
            rows: table.rows.iter().map(row).collect::<Result<_, _>>()?,
            suppressed: table.suppressed,
            threshold: table.threshold,
            rules: table.rules.clone(),
            certificate: table.certificate.clone(),
        })
    }
}
