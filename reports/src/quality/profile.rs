//! What staged rows are like, beside what became of the lines: the figures that `misu-quality` counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The figures of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What deserves a look, the gravest kinds first.
    pub remarks: Vec<Remark>,
    /// Each delivery, by month and name.
    pub deliveries: Vec<DeliveryProfile>,
    /// Rows by table and month, beside the months before.
    pub drift: Vec<TableMonth>,
    /// Persons by prefecture and age.
    pub coverage: Coverage,
}

/// One delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryProfile {
    /// The holder's name for it.
    pub name: String,
    /// The database.
    pub database: String,
    /// The month it is for.
    pub month: String,
    /// Receipts, stays, claims: what its lines form.
    pub records: u64,
    /// Records that were read before, in this delivery or an earlier one.
    pub repeated: u64,
    /// Faults by kind.
    pub faults: BTreeMap<String, FaultCount>,
    /// Each table that it feeds.
    pub tables: BTreeMap<String, TableProfile>,
    /// How many identities carry a key of each scheme.
    pub hashes: HashCoverage,
}

/// How often a kind of fault was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Places where something is wrong by itself: a line, a file, a repeated record.
    pub found: u64,
    /// Further lines that went with them: those of a receipt without its first line, of a cut file's last receipt.
    pub consequences: u64,
}

/// One delivery's rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableProfile {
    /// Rows.
    pub rows: u64,
    /// Rows of another month than the delivery's, as late claims are.
    pub other_months: u64,
    /// Its columns, in order.
    pub columns: Vec<ColumnProfile>,
}

/// One column of one delivery's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// The column.
    pub column: String,
    /// Rows without a value.
    pub nulls: u64,
    /// How its codes stand against their code system, where it has one.
    pub codes: Option<CodeCheck>,
}

/// How a column's codes stand against their code system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCheck {
    /// The code system.
    pub system: String,
    /// Rows with a code.
    pub checked: u64,
    /// Rows whose code the system does not have.
    pub unknown: u64,
    /// Rows whose code the system has, but not in force in the row's month.
    pub expired: u64,
}

/// How many identities carry a key of each scheme.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashCoverage {
    /// Identities, as distinct key sets per part of a delivery.
    pub identities: u64,
    /// Records that they stand for.
    pub records: u64,
    /// Each scheme.
    pub schemes: Vec<SchemeCoverage>,
}

/// How many identities carry a key of one scheme.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeCoverage {
    /// The scheme.
    pub scheme: String,
    /// Identities with a key.
    pub identities: u64,
    /// Records of these identities.
    pub records: u64,
}

/// One table's rows in the deliveries for one month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMonth {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// The month that the deliveries are for.
    pub month: String,
    /// Rows.
    pub rows: u64,
    /// The mean of up to three months before, where there is any.
    pub usual: Option<u64>,
    /// How far it lies from the usual, in thousandths of it.
    pub change: Option<i64>,
}

/// Persons in the snapshot by prefecture and by age, beside the population where a denominator was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The month at whose first day ages are counted.
    pub month: Option<String>,
    /// By database and prefecture of the facility or insurer.
    pub prefectures: Vec<PrefectureCoverage>,
    /// By sex and age band.
    pub ages: Vec<AgeCoverage>,
}

/// Persons of one database in one prefecture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefectureCoverage {
    /// The database.
    pub database: String,
    /// The prefecture's code.
    pub code: String,
    /// Its Japanese name.
    pub ja: String,
    /// Its English name.
    pub en: String,
    /// Linked persons with a record there.
    pub persons: u64,
    /// The prefecture's population in the latest year of the denominator.
    pub population: Option<u64>,
}

/// Persons of one sex and age band.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeCoverage {
    /// The sex's code.
    pub sex: String,
    /// The age band; `?` where no birth date is known.
    pub band: String,
    /// Linked persons.
    pub persons: u64,
    /// The population of that sex and band.
    pub population: Option<u64>,
}

/// Something that deserves a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// What about.
    pub kind: RemarkKind,
    /// The database.
    pub database: String,
    /// The month.
    pub month: String,
    /// The table, where one is meant.
    pub table: String,
    /// The column, where one is meant.
    pub column: String,
    /// What was found.
    pub found: u64,
    /// What it is compared with: the usual rows, the usual thousandths, the rows with a code.
    pub beside: u64,
}

/// What a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkKind {
    /// A month between two delivered ones has no delivery.
    MissingMonth,
    /// A table has a fifth more or fewer rows than in the months before.
    Rows,
    /// A column's share of empty values moved by more than five points.
    Nulls,
    /// More than one code in a hundred is not in its code system.
    UnknownCodes,
    /// Codes that were not in force in the month.
    ExpiredCodes,
}
