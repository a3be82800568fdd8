//! Messages between gateway, guard and worker.
//!
//! Each message is one frame: a length and that many bytes. The guard and its clients (gateway, command) speak JSON,
//! which people can read; guard and worker speak a compact binary form. Whoever reads a frame says how long it may be.

mod analysis;
mod bounded;
mod certificate;
mod client;
mod evidence;
mod figures;
mod frame;
mod governing;
mod identity;
mod notebook;
mod operating;
mod post;
mod public;
mod reporting;
mod running;
mod socket;
mod template;
mod worker;
mod workspace;

/// The words with which an environment on a laptop says that its programs need no confinement.
pub const LAPTOP: &str = "this is a laptop with dummy data";

pub use analysis::{
    AnalysisAct, AnalysisAsk, AnalysisOutput, AnalysisOutputs, AnalysisReply, AnalysisRun, AnalysisState,
    AnalysisStep, StepCame,
};
pub use certificate::{Beyond, BoardCertificate, Certificate, LeftOut, certificate_version};
pub use client::{
    Budget, CatalogueColumn, CatalogueTable, CatalogueView, CellValue, ClientReply, ClientRequest, Question,
    ReleasedTable, TableColumn, TableColumnKind, TemplateQuestion, Verdict, VerdictKind,
};
pub use evidence::{
    Evidence, EvidenceAtom, EvidenceCell, EvidencePart, QuantileEvidence, QuantileStep, SumEvidence, TOTAL,
};
pub use figures::{Figure, FigureReply, FigureWish};
pub use frame::{FrameError, read_json, read_packed, write_json, write_packed};
pub use governing::{
    AllowedMove, Attachment, BrokenRule, CaseKind, CaseLine, CaseView, DutyView, EarlierRelease,
    EvidenceLine, EvidencePack, Fact, FieldKind, FieldValue, Fields, FormField, Govern, GovernRequest,
    Governed, Halt, Happened, Label, OpinionView, Waits, Word,
};
pub use identity::{
    Call, Caller, CertificateProof, IdentityAsk, IdentityReply, Me, ProjectName, SecretWord, TokenView,
    TokenWish,
};
pub use notebook::{
    Notebook, NotebookAct, NotebookCell, NotebookCellKind, NotebookEntry, NotebookReply, NotebookRequest,
};
pub use operating::{
    DeliveryLine, HealthLine, KeyLine, Operating, OperatingAsk, OperatingReply, RunLine, SnapshotLine,
};
pub use post::{Post, PostColumn, PostComparison, PostExpr, PostOperator, PostOrder};
pub use public::{OpenTable, Opening, OpeningReply, PublicAsk, PublicRecord, PublicReply};
pub use reporting::{ReportAsk, ReportReply, ReportWhat};
pub use running::{NoRunName, RunName, RunStage, RunningAct, RunningAsk, RunningReply};
pub use socket::Socket;
pub use template::{ParameterView, TemplateView, TemplatesAsk};
pub use worker::{
    BucketSlice, FileKeys, FileSlice, Keep, KeptFile, Limits, PROVIDED_PERSON, PersonKey, PublicRow,
    WorkerFault, WorkerHello, WorkerReply, WorkerRequest,
};
pub use workspace::{KeptItem, WorkspaceAct, WorkspaceAsk, WorkspaceReply};
