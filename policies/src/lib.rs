//! Who may do what: approved applications become Cedar policies, and a request becomes a [`Permit`] or a [`Denied`].
//!
//! `schema.cedarschema` says what the policies speak of, `invariants.cedar` what no application can reach,
//! `project.cedar` how an application's policies read, `disclosure/*.toml` the dated numbers of disclosure control.
//! [`Policies::load`] checks all of it strictly, once; [`Policies::permit`] is the only maker of a permit.
//!
//! Sizes and thresholds are not policy language: a permit carries them as plain numbers in its
//! [`catalog_model::Grant`], which is all that vetting needs. What a column may be used for *inside* a query is the
//! vetter's to decide; [`Policies::may_use`] says the same in the policies' words, for whoever wants to ask.
//!
//! No I/O, no clock: texts and the time come in.

mod policies;

mod application;
mod form;
mod outputs;
mod provision;
mod query_template;
mod rules;

mod denied;
mod permit;
mod request;

mod checklist;
mod deciding;
mod entities;
mod fault;
mod instant;
mod loading;
mod source;
mod template;
mod writing;

pub use application::{Application, Approval};
pub use checklist::{Checklist, ChecklistLine};
pub use denied::{Asked, Denied, Reason};
pub use fault::{FileFault, FileProblem};
pub use form::{Columns, Form, Person, Purpose, Role};
pub use loading::Sources;
pub use outputs::{OUTPUT_KINDS, Outputs, Planned};
pub use permit::Permit;
pub use policies::Policies;
pub use provision::{JointProvision, RowProvision};
pub use query_template::{BindingFault, Parameter, ParameterDomain, QueryTemplate, TemplateApproval};
pub use request::{Action, Request, Use};
pub use rules::{RulePack, RulePacks, Sourced};
pub use source::{PolicyError, PolicyProblem};

/// The demo project's application, as (file, text); it still needs an [`Approval`].
pub const DEMO_APPLICATION: (&str, &str) =
    ("demo/application.toml", include_str!("../demo/application.toml"));

/// The questions of the application form, as [`governance::form::FormSchema`] reads them.
pub const APPLICATION_FORM: &str = include_str!("../forms/application-2026.toml");
