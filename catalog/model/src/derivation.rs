//! Tables that are made from other tables when a snapshot is published, person by person.
//!
//! A table's TOML names the rule and its parameters; what a rule needs of other tables and what it gives stands here, so
//! that a catalogue that asks for more is refused before anything is read. The rules themselves are the pseudonymizer's.

use serde::Deserialize;

use crate::table::ColumnKind::{self, Bool, Date, Id, Int, Month, String as Text};
use crate::table::Table;

/// How a table is made from others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Derivation {
    /// Inpatient receipts of one stay, merged over months and payers.
    Admission {
        /// Two stays at different facilities are a transfer where so many days or fewer lie between them.
        transfer_days: u32,
    },
    /// Supplies of one drug that follow each other.
    DrugEpisode {
        /// The attribute of the drug code by which drugs are one; the code itself where the master has none.
        by: Option<String>,
        /// How many of the attribute's first characters count.
        prefix: Option<usize>,
        /// Classes of service (診療識別) whose times are days of supply.
        service_classes: Vec<String>,
        /// Dosage forms (剤形) of pharmacy receipts whose quantity is days of supply.
        dosage_forms: Vec<String>,
        /// Days without supply that do not end an episode.
        grace_days: u32,
        /// Whether what is left of an earlier supply is used up before a later one begins.
        carry_over: bool,
    },
    /// Periods of one care level.
    CareNeed {},
    /// Stays of DPC form 1 and the inpatient receipts that billed them.
    StayReceipt {
        /// How many days the two admission dates may lie apart.
        tolerance_days: u32,
    },
    /// Deaths, with what says so.
    Death {
        /// Codes of 退所（院）後の状態 and of 中止理由 in care claims that say death.
        care_codes: Vec<String>,
        /// Outcomes at discharge, of DPC receipts and form 1, that say death.
        dpc_codes: Vec<String>,
        /// A record of so many months or more after the death contradicts it.
        contradicted_after_months: u32,
    },
    /// One row for each run of lines that are charged together.
    Run {
        /// Classes of service whose points are yen.
        yen_classes: Vec<String>,
    },
    /// One row for each line and day of service.
    ServiceDate {
        /// The tables whose lines are spread over their days.
        lines: Vec<String>,
        /// The classes of service that are wanted; all where none is named.
        #[serde(default)]
        service_classes: Vec<String>,
    },
}

/// A table that a rule reads, with the columns that it needs.
pub type DerivationSource = (&'static str, &'static [&'static str]);

const RECEIPT: DerivationSource = (
    "ndb_receipt",
    &[
        "receipt_id",
        "facility_id",
        "service_month",
        "prefecture",
        "receipt_form",
        "setting",
        "insurer_kind",
        "admission_date",
        "service_days",
        "total_points",
        "visit_days",
        "is_summed",
    ],
);
const DIAGNOSIS: DerivationSource = (
    "ndb_diagnosis",
    &[
        "receipt_id",
        "disease_code",
        "icd10",
        "outcome",
        "is_main",
        "is_suspected",
        "dpc_disease_class",
        "dpc_icd10",
    ],
);
const DPC_GROUP: DerivationSource =
    ("ndb_dpc_group", &["receipt_id", "dpc_code", "dpc6", "discharge_date", "outcome"]);
const DISPENSING: DerivationSource = (
    "ndb_dispensing",
    &[
        "receipt_id",
        "facility_id",
        "service_month",
        "claim_run",
        "dispensed_date",
        "quantity",
        "fee_points",
        "drug_points",
    ],
);
const PRESCRIPTION: DerivationSource = ("ndb_prescription", &["receipt_id", "claim_run", "form_code"]);
const DRUG_SUPPLY: DerivationSource = (
    "ndb_drug",
    &[
        "receipt_id",
        "service_month",
        "service_class",
        "claim_run",
        "drug_code",
        "drug_class",
        "times",
        "service_days",
    ],
);
const STAY: DerivationSource =
    ("dpc_stay", &["stay_id", "facility_id", "admission_date", "discharge_date", "outcome"]);
const CARE_CLAIM: DerivationSource = (
    "care_claim",
    &[
        "service_month",
        "care_level",
        "certified_from",
        "certified_to",
        "discharge_date",
        "state_after_discharge",
        "stop_date",
        "stop_reason",
    ],
);
const CERTIFICATION: DerivationSource =
    ("care_certification", &["application_month", "previous_care_level", "previous_from", "previous_to"]);
/// Who insures, where the table says it: a catalogue from before these columns asks for none.
const CARE_MUNICIPALITY: [DerivationSource; 2] =
    [("care_claim", &["municipality_id"]), ("care_certification", &["municipality_id"])];
const LIFE_USER: DerivationSource = ("life_service_user", &["death_date"]);

/// The tables of lines, each with the columns that runs and days of service need.
const LINES: [DerivationSource; 3] = [
    ("ndb_procedure", &line_columns("procedure_code")),
    ("ndb_drug", &line_columns("drug_code")),
    ("ndb_material", &line_columns("material_code")),
];

const fn line_columns(code: &'static str) -> [&'static str; 9] {
    [
        code,
        "receipt_id",
        "facility_id",
        "service_month",
        "prefecture",
        "setting",
        "service_class",
        "claim_run",
        "run_points",
    ]
}

/// Columns that a rule gives besides the person, with their types.
type Outputs = &'static [(&'static str, ColumnKind)];

const ADMISSION: Outputs = &[
    ("admission_id", Id),
    ("facility_id", Id),
    ("prefecture", Text),
    ("first_month", Month),
    ("last_month", Month),
    ("start_date", Date),
    ("start_known", Text),
    ("end_date", Date),
    ("end_known", Text),
    ("is_open", Bool),
    ("is_transferred_in", Bool),
    ("is_transferred_out", Bool),
    ("receipts", Int),
    ("payers", Int),
    ("length_of_stay", Int),
    ("bed_days", Int),
    ("total_points", Int),
    ("is_dpc", Bool),
    ("dpc_code", Text),
    ("dpc6", Text),
    ("main_disease_code", Text),
    ("main_icd10", Text),
    ("outcome", Text),
];
const DRUG_EPISODE: Outputs = &[
    ("episode_id", Id),
    ("drug_key", Text),
    ("drug_code", Text),
    ("drug_class", Text),
    ("first_month", Month),
    ("start_date", Date),
    ("end_date", Date),
    ("days", Int),
    ("supplied_days", Int),
    ("supplies", Int),
    ("is_dated", Bool),
    ("is_open", Bool),
];
const CARE_NEED: Outputs = &[
    ("interval_id", Id),
    ("first_month", Month),
    ("care_level", Text),
    ("start_date", Date),
    ("end_date", Date),
    ("days", Int),
    ("certifications", Int),
    ("is_billed", Bool),
    ("is_cut", Bool),
    ("is_open", Bool),
    ("municipality_id", Id),
];
const STAY_RECEIPT: Outputs = &[
    ("stay_id", Id),
    ("receipt_id", Id),
    ("admission_id", Id),
    ("facility_id", Id),
    ("service_month", Month),
    ("receipt_form", Text),
    ("days_apart", Int),
    ("is_ambiguous", Bool),
];
const DEATH: Outputs = &[
    ("facility_id", Id),
    ("death_month", Month),
    ("death_date", Date),
    ("date_known", Text),
    ("source", Text),
    ("sources", Int),
    ("days_apart", Int),
    ("is_contradicted", Bool),
];
const RUN: Outputs = &[
    ("receipt_id", Id),
    ("facility_id", Id),
    ("service_month", Month),
    ("prefecture", Text),
    ("setting", Text),
    ("service_class", Text),
    ("claim_run", Int),
    ("lines", Int),
    ("procedures", Int),
    ("drugs", Int),
    ("materials", Int),
    ("points", Int),
    ("yen", Int),
];
const SERVICE_DATE: Outputs = &[
    ("receipt_id", Id),
    ("facility_id", Id),
    ("service_month", Month),
    ("service_date", Date),
    ("prefecture", Text),
    ("setting", Text),
    ("service_class", Text),
    ("claim_run", Int),
    ("line_kind", Text),
    ("code", Text),
];

impl Derivation {
    /// The tables that it reads to make `table`, each with the columns that it needs besides the person.
    pub fn sources(&self, table: &Table) -> Vec<DerivationSource> {
        match self {
            Self::Admission { .. } => vec![RECEIPT, DIAGNOSIS, DPC_GROUP],
            Self::DrugEpisode { .. } => vec![DRUG_SUPPLY, DISPENSING, PRESCRIPTION],
            Self::CareNeed {} => {
                let who_insures = table.column("municipality_id").map(|_| CARE_MUNICIPALITY);
                [CARE_CLAIM, CERTIFICATION].into_iter().chain(who_insures.into_iter().flatten()).collect()
            }
            Self::StayReceipt { .. } => vec![RECEIPT, STAY],
            Self::Death { .. } => vec![RECEIPT, DIAGNOSIS, DPC_GROUP, STAY, CARE_CLAIM, LIFE_USER],
            Self::Run { .. } => LINES.into_iter().chain([DISPENSING]).collect(),
            Self::ServiceDate { lines, .. } => LINES
                .into_iter()
                .filter(|(table, _)| lines.iter().any(|line| line == table))
                .chain(lines.iter().filter_map(|line| with_days(line)))
                .collect(),
        }
    }

    /// The columns that it gives besides the person, with their types.
    pub const fn outputs(&self) -> &'static [(&'static str, ColumnKind)] {
        match self {
            Self::Admission { .. } => ADMISSION,
            Self::DrugEpisode { .. } => DRUG_EPISODE,
            Self::CareNeed {} => CARE_NEED,
            Self::StayReceipt { .. } => STAY_RECEIPT,
            Self::Death { .. } => DEATH,
            Self::Run { .. } => RUN,
            Self::ServiceDate { .. } => SERVICE_DATE,
        }
    }

    /// A table that it is told to read and that is none of lines.
    pub fn unfit_source(&self) -> Option<&str> {
        let Self::ServiceDate { lines, .. } = self else { return None };
        lines.iter().map(String::as_str).find(|line| with_days(line).is_none())
    }
}

fn with_days(table: &str) -> Option<DerivationSource> {
    let (known, _) = LINES.into_iter().find(|(known, _)| *known == table)?;
    Some((known, &["service_days"]))
}
