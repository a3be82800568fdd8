//! Loads schema, invariants, rule packs and projects, strictly: everything that is wrong is found before anybody asks.

use std::collections::BTreeMap;

use catalog_model::Catalogue;
use cedar_policy::{EntityUid, Policy, PolicySet, Schema, Validator};

use crate::application::Application;
use crate::entities::Types;
use crate::fault::{FileProblem, Reading};
use crate::rules::RulePack;
use crate::source::{PolicyError, PolicyProblem, Source, place};
use crate::template;

/// The texts that policies are loaded from, each as (file, text).
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// What the policies speak of.
    pub schema: (&'a str, &'a str),
    /// What no application can reach.
    pub invariants: (&'a str, &'a str),
    /// How an application's policies read.
    pub project: (&'a str, &'a str),
    /// The disclosure rule packs.
    pub packs: &'a [(&'a str, &'a str)],
}

impl Sources<'static> {
    /// The texts that this build ships.
    pub const SHIPPED: Self = Self {
        schema: ("schema.cedarschema", include_str!("../schema.cedarschema")),
        invariants: ("invariants.cedar", include_str!("../invariants.cedar")),
        project: ("project.cedar", include_str!("../project.cedar")),
        packs: &[
            ("disclosure/general-2026.toml", include_str!("../disclosure/general-2026.toml")),
            ("disclosure/general-2026-class.toml", include_str!("../disclosure/general-2026-class.toml")),
            ("disclosure/general-2026-audited.toml", include_str!("../disclosure/general-2026-audited.toml")),
            ("disclosure/ndb-2023.toml", include_str!("../disclosure/ndb-2023.toml")),
            ("disclosure/ndb-2024.toml", include_str!("../disclosure/ndb-2024.toml")),
            ("disclosure/care-2023.toml", include_str!("../disclosure/care-2023.toml")),
            ("disclosure/care-2023-2.toml", include_str!("../disclosure/care-2023-2.toml")),
            ("disclosure/care-2023-3.toml", include_str!("../disclosure/care-2023-3.toml")),
            ("disclosure/care-2023-4.toml", include_str!("../disclosure/care-2023-4.toml")),
            ("disclosure/dpc-2024.toml", include_str!("../disclosure/dpc-2024.toml")),
        ],
    };
}

/// One project. Its set holds the invariants and its own policies only: other projects' policies could never
/// apply, and a decision must not become slower with every project that is registered.
pub(crate) struct Registered {
    pub(crate) application: Application,
    pub(crate) pack: RulePack,
    pub(crate) text: String,
    pub(crate) set: PolicySet,
    pub(crate) digest: String,
}

/// The parts that every project shares, and the catalogue that names are checked against.
pub(crate) struct Loading<'a> {
    sources: &'a Sources<'a>,
    catalogue: &'a Catalogue,
    validator: Validator,
    invariants: Vec<Policy>,
    pub(crate) types: Types,
    pub(crate) packs: BTreeMap<String, RulePack>,
}

impl<'a> Loading<'a> {
    /// Reads what every project shares.
    pub(crate) fn begin(
        sources: &'a Sources<'a>,
        catalogue: &'a Catalogue,
    ) -> Result<Self, Vec<PolicyError>> {
        let source = Source::new(sources.schema);
        let schema = Schema::from_cedarschema_str(source.text)
            .map(|(schema, _)| schema)
            .map_err(|error| vec![source.at(place(&error), PolicyProblem::Syntax(error.to_string()))])?;
        let bug = PolicyProblem::Bug("the schema's names are no names");
        let types = Types::new().ok_or_else(|| vec![source.at(None, bug)])?;
        let validator = Validator::new(schema);
        let source = Source::new(sources.invariants);
        let invariants = source.parse()?;
        let mut errors = source.check(&invariants, &validator, |name| types.is_known(name, catalogue, &[]));
        let packs = packs(sources, &mut errors);
        if errors.is_empty() {
            Ok(Self { sources, catalogue, validator, invariants, types, packs })
        } else {
            Err(errors)
        }
    }

    /// Reads every project; all errors of all of them at once.
    pub(crate) fn projects(
        &self,
        applications: impl IntoIterator<Item = Application>,
    ) -> Result<BTreeMap<String, Registered>, Vec<PolicyError>> {
        let mut projects = BTreeMap::new();
        let mut errors = Vec::new();
        for application in applications {
            let project = application.project().to_owned();
            if projects.contains_key(&project) {
                errors.push(application.fault("project", FileProblem::Twice(project)).into());
                continue;
            }
            match self.register(application) {
                Ok(registered) => drop(projects.insert(project, registered)),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() { Ok(projects) } else { Err(errors) }
    }

    pub(crate) fn schema(&self) -> &Schema {
        self.validator.schema()
    }

    fn register(&self, application: Application) -> Result<Registered, Vec<PolicyError>> {
        let pack = self.checked(&application)?;
        let template = Source::new(self.sources.project);
        let bug = PolicyProblem::Bug("no line says where the part for the tables begins");
        let text =
            template::write(template.text, &application).ok_or_else(|| vec![template.at(None, bug)])?;
        let source = Source::new((template.file, &text));
        let policies = source.parse()?;
        let project = [application.project()];
        let is_known = |name: &EntityUid| self.types.is_known(name, self.catalogue, &project);
        let errors = source.check(&policies, &self.validator, is_known);
        if !errors.is_empty() {
            return Err(errors);
        }
        let bug = PolicyProblem::Bug("a project's policy has the id of an invariant");
        let set = PolicySet::from_policies(self.invariants.iter().cloned().chain(policies))
            .map_err(|_| vec![source.at(None, bug)])?;
        let digest = digest(&[self.sources.schema.1, self.sources.invariants.1, &text]);
        Ok(Registered { application, pack, text, set, digest })
    }

    /// The application's rule pack, where everything that the application names exists.
    fn checked(&self, application: &Application) -> Result<RulePack, Vec<PolicyError>> {
        let mut faults = application.unknown(self.catalogue);
        let pack = self.packs.get(application.rules());
        if pack.is_none() {
            faults.push(application.fault("rules", FileProblem::Unknown(application.rules().to_owned())));
        }
        match pack {
            Some(pack) if faults.is_empty() => Ok(pack.clone()),
            _ => Err(faults.into_iter().map(PolicyError::from).collect()),
        }
    }
}

fn packs(sources: &Sources<'_>, errors: &mut Vec<PolicyError>) -> BTreeMap<String, RulePack> {
    let mut packs = BTreeMap::new();
    for (file, text) in sources.packs {
        match RulePack::parse(file, text) {
            Ok(pack) if packs.contains_key(pack.pack()) => {
                let problem = FileProblem::Twice(pack.pack().to_owned());
                errors.push(Reading(file).fault("pack", problem).into());
            }
            Ok(pack) => drop(packs.insert(pack.pack().to_owned(), pack)),
            Err(fault) => errors.push(fault.into()),
        }
    }
    packs
}

/// The BLAKE3 digest of texts, each with its length before it so that no text runs into the next.
fn digest(texts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"misu policies v1\n");
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
