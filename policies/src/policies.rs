//! Everything that decides, and the questions that can be put to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter;

use catalog_model::{Catalogue, CellRules, Table};
use cedar_policy::{Entities, Schema};

use crate::application::Application;
use crate::deciding::Deciding;
use crate::denied::{Asked, Denied, Reason};
use crate::entities::Types;
use crate::loading::{Loading, Registered, Sources};
use crate::permit::Permit;
use crate::request::{Action, Request, Use};
use crate::rules::{RulePack, RulePacks};
use crate::source::PolicyError;

/// Everything that decides who may do what.
pub struct Policies {
    schema: Schema,
    types: Types,
    packs: RulePacks,
    projects: BTreeMap<String, Registered>,
}

impl Policies {
    /// Loads the shipped policies and these applications.
    ///
    /// # Errors
    ///
    /// As [`Policies::parse`].
    pub fn load(
        applications: impl IntoIterator<Item = Application>,
        catalogue: &Catalogue,
    ) -> Result<Self, Vec<PolicyError>> {
        Self::parse(&Sources::SHIPPED, applications, catalogue)
    }

    /// Loads policies from texts and registers these applications.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each with file and place: what is not Cedar or TOML, what the schema does not
    /// have, what the catalogue does not have, what has no id or no reason. Warnings of the validator count.
    pub fn parse(
        sources: &Sources<'_>,
        applications: impl IntoIterator<Item = Application>,
        catalogue: &Catalogue,
    ) -> Result<Self, Vec<PolicyError>> {
        let loading = Loading::begin(sources, catalogue)?;
        let projects = loading.projects(applications)?;
        let schema = loading.schema().clone();
        Ok(Self { schema, types: loading.types, packs: RulePacks::new(loading.packs), projects })
    }

    /// Says whether the user may do this for the project now.
    ///
    /// # Errors
    ///
    /// Where the policies deny it.
    pub fn may(&self, request: &Request, action: Action) -> Result<(), Denied> {
        let asked = Asked::Act(action);
        let registered = self.registered(request, &asked)?;
        self.deciding(request, registered, iter::empty())
            .map_err(|bug| Denied::by_bug(request, asked.clone(), bug))?
            .ask(asked)
    }

    /// Says whether the user may use the column so, for the project, now.
    ///
    /// # Errors
    ///
    /// Where the policies deny it.
    pub fn may_use(
        &self,
        request: &Request,
        catalogue: &Catalogue,
        (table, column): (&str, &str),
        used: Use,
    ) -> Result<(), Denied> {
        let asked = Asked::Use { table: table.to_owned(), column: column.to_owned(), used };
        let registered = self.registered(request, &asked)?;
        let found = catalogue.tables.get(table).filter(|table| table.column(column).is_some());
        let Some(table) = found else {
            return Err(Denied::new(request, asked, vec![Reason::no_column()]));
        };
        self.deciding(request, registered, iter::once(table))
            .map_err(|bug| Denied::by_bug(request, asked.clone(), bug))?
            .ask(asked)
    }

    /// The permit for this request: the only maker of one.
    ///
    /// The policies are asked once whether a query may run, then once for each column of the catalogue, for the use
    /// that its class is there for; the grant holds exactly the columns that are allowed.
    ///
    /// # Errors
    ///
    /// Where the policies do not let this user run a query for this project, purpose and snapshot now.
    pub fn permit(&self, request: &Request, catalogue: &Catalogue) -> Result<Permit, Denied> {
        let asked = Asked::Act(Action::RunQuery);
        let registered = self.registered(request, &asked)?;
        let deciding = self
            .deciding(request, registered, catalogue.tables.values())
            .map_err(|bug| Denied::by_bug(request, asked.clone(), bug))?;
        deciding.ask(asked)?;
        let mut tables = BTreeMap::new();
        for table in catalogue.tables.values() {
            let columns = granted(&deciding, table)?;
            if !columns.is_empty() {
                tables.insert(table.table.clone(), columns);
            }
        }
        Ok(Permit::new(request, registered, tables))
    }

    /// A permit that these policies made before, for this moment; none where the request differs in anything else.
    ///
    /// Time decides through the invariants on validity, which hold for every action alike, so asking for the query
    /// says whether the columns may still be used as well.
    ///
    /// # Errors
    ///
    /// As [`Policies::permit`].
    pub fn renewed(&self, permit: &Permit, request: &Request) -> Result<Option<Permit>, Denied> {
        let same = Request { now: request.now, ..permit.request().clone() } == *request;
        let registered = self.registered(request, &Asked::Act(Action::RunQuery))?;
        if !same || registered.digest != permit.policy_digest() {
            return Ok(None);
        }
        self.may(request, Action::RunQuery)?;
        Ok(Some(permit.at(request.now)))
    }

    /// The application of a registered project.
    pub fn application(&self, project: &str) -> Option<&Application> {
        self.projects.get(project).map(|registered| &registered.application)
    }

    /// A registered project's own policies, as text for people.
    pub fn project_text(&self, project: &str) -> Option<&str> {
        self.projects.get(project).map(|registered| registered.text.as_str())
    }

    /// The registered projects.
    pub fn projects(&self) -> impl Iterator<Item = &str> {
        self.projects.keys().map(String::as_str)
    }

    /// The rule pack of this name.
    pub fn rule_pack(&self, pack: &str) -> Option<&RulePack> {
        self.packs.find(pack)
    }

    /// Every rule pack.
    pub const fn packs(&self) -> &RulePacks {
        &self.packs
    }

    /// What every cell of a release is held to whose rows come from these databases: the permit's numbers and those of
    /// the latest pack of each database, the stricter each time; with the names of the packs.
    pub fn rules<'d>(
        &self,
        permit: &Permit,
        databases: impl IntoIterator<Item = &'d str>,
    ) -> (CellRules, String) {
        let mut rules = permit.rules().clone();
        let mut names = BTreeSet::from([permit.rule_pack()]);
        for database in databases {
            if let Some(pack) = self.packs.of_database(database) {
                rules = rules.stricter(&pack.cell_rules());
                names.insert(pack.pack());
            }
        }
        (rules, names.into_iter().collect::<Vec<_>>().join(" "))
    }

    fn registered(&self, request: &Request, asked: &Asked) -> Result<&Registered, Denied> {
        self.projects
            .get(&request.project)
            .ok_or_else(|| Denied::new(request, asked.clone(), vec![Reason::no_project()]))
    }

    fn deciding<'a>(
        &'a self,
        request: &'a Request,
        registered: &'a Registered,
        tables: impl Iterator<Item = &'a Table>,
    ) -> Result<Deciding<'a>, String> {
        let names_user = |registered: &&Registered| {
            registered.application.people().iter().any(|person| person.user == request.user)
        };
        let memberships =
            self.projects.values().filter(names_user).map(|registered| registered.application.project());
        let mut entities = self.types.tables(tables)?;
        entities.push(self.types.member(&request.user, memberships));
        entities.push(self.types.approved(&registered.application)?);
        let entities =
            Entities::from_entities(entities, Some(&self.schema)).map_err(|error| error.to_string())?;
        Ok(Deciding {
            schema: &self.schema,
            types: &self.types,
            policies: &registered.set,
            entities,
            request,
        })
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("projects", &self.projects.keys()).finish_non_exhaustive()
    }
}

/// The columns of the table that the policies allow. A question that could not be evaluated ends the permit: a
/// grant with a hole in it would be taken for a decision.
fn granted(deciding: &Deciding<'_>, table: &Table) -> Result<BTreeSet<String>, Denied> {
    let mut columns = BTreeSet::new();
    for column in &table.columns {
        let asked = Asked::Use {
            table: table.table.clone(),
            column: column.name.clone(),
            used: Use::least(column.class),
        };
        match deciding.ask(asked) {
            Ok(()) => drop(columns.insert(column.name.clone())),
            Err(denied) if denied.bug().is_some() => return Err(denied),
            Err(_) => {}
        }
    }
    Ok(columns)
}
