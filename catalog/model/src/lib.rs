//! The one definition of a column, and what follows from it.
//!
//! Files under `catalog/` say how data are delivered (`layouts/`), which identities they carry (`schemes/`), which
//! codes they use (`codes/`) and how they are released (`tables/`). This crate turns those texts into a checked
//! [`Catalogue`]; parsers, the synthetic writer, the Parquet schema, the vetter and the catalogue pages all read it.
//!
//! It does no I/O: [`BUILTIN`] carries the shipped files, and whoever has others hands their text to
//! [`Catalogue::parse`].

mod calendar;
mod catalogue;
mod check;
mod class;
mod codes;
mod column_keys;
mod delivery;
mod derivation;
mod derive;
mod excerpt;
mod fault;
mod generalise;
mod grant;
mod layout;
mod manifest;
mod master;
mod names;
mod package;
mod pseudonym;
mod rounding;
mod rules;
mod schema;
mod scheme;
mod table;
mod workspace;

pub use calendar::{Date, Month, Period};
pub use catalogue::{Catalogue, CatalogueError, Problem};
pub use class::{Class, CountedUnit};
pub use codes::{Code, CodeSystem, Edition, Former};
pub use column_keys::ColumnKeys;
pub use delivery::{DELIVERY_FILE, DeliveredFile, DeliveryHead, DeliveryManifest};
pub use derivation::{Derivation, DerivationSource};
pub use excerpt::Excerpt;
pub use fault::FaultKind;
pub use generalise::{Generalise, MOST_CUTS, OTHER};
pub use grant::{Grant, Thresholds, Tier};
pub use layout::{
    Encoding, Family, Field, FieldKind, FieldRef, Framing, Grouping, Keep, Kept, LineEnds, Part, Quotes,
    RecordLayout, Run, Total, Validity, Width,
};
pub use manifest::{FileEntry, ManifestBody, SnapshotId, SnapshotManifest, TableEntry, Versions, WrappedKey};
pub use master::Master;
pub use names::Names;
pub use package::{ElementPath, ElementStep, ItemRule, Package, PackageLimits};
pub use pseudonym::project_pseudonym;
pub use rounding::{Rounded, Rounding, RoundingMode};
pub use rules::{
    AgeBand, BeyondAudit, Binding, Breach, Breached, CellRules, MergedAges, OutputRules, PopulationTier,
    Principles,
};
pub use schema::arrow_schema;
pub use scheme::{IdentityRole, Normaliser, Profile, Scheme};
pub use table::{
    Bounds, Column, ColumnKind, Domain, Feed, Pick, RowOf, Source, Table, Times, Treatment, Unit,
};
pub use workspace::{
    CodeList, StoredKind, StoredMeasure, ValueKind, ValueSet, Workspace, WorkspaceColumn, WorkspaceTable,
    WorkspaceView,
};

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
