//! What the policies speak of, as Cedar's entities.

use std::collections::{HashMap, HashSet};

use catalog_model::{Catalogue, Table};
use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

use crate::application::Application;
use crate::instant::cedar_text;

/// The types of `schema.cedarschema`.
#[derive(Debug)]
pub(crate) struct Types {
    user: EntityTypeName,
    project: EntityTypeName,
    dataset: EntityTypeName,
    table: EntityTypeName,
    column: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    pub(crate) fn new() -> Option<Self> {
        let named = |name: &str| format!("Misu::{name}").parse().ok();
        Some(Self {
            user: named("User")?,
            project: named("Project")?,
            dataset: named("Dataset")?,
            table: named("Table")?,
            column: named("Column")?,
            action: named("Action")?,
        })
    }

    pub(crate) fn user(&self, user: &str) -> EntityUid {
        uid(&self.user, user)
    }

    pub(crate) fn project(&self, project: &str) -> EntityUid {
        uid(&self.project, project)
    }

    pub(crate) fn action(&self, action: &str) -> EntityUid {
        uid(&self.action, action)
    }

    pub(crate) fn column(&self, table: &str, column: &str) -> EntityUid {
        uid(&self.column, &format!("{table}.{column}"))
    }

    /// The user, member of these projects.
    pub(crate) fn member<'a>(&self, user: &str, projects: impl Iterator<Item = &'a str>) -> Entity {
        Entity::new_no_attrs(self.user(user), projects.map(|project| self.project(project)).collect())
    }

    /// The project with what its application and approval say.
    pub(crate) fn approved(&self, application: &Application) -> Result<Entity, String> {
        let approval = application.approval();
        let datetime =
            |at| cedar_text(at).map(RestrictedExpression::new_datetime).ok_or("a year beyond 9999");
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let attributes = HashMap::from([
            ("purpose".to_owned(), text(&application.purpose().code)),
            ("snapshot".to_owned(), text(approval.snapshot.as_str())),
            ("validFrom".to_owned(), datetime(approval.valid_from)?),
            ("validUntil".to_owned(), datetime(approval.valid_until)?),
        ]);
        Entity::new(self.project(application.project()), attributes, HashSet::new())
            .map_err(|error| error.to_string())
    }

    /// The tables with their databases and columns.
    pub(crate) fn tables<'a>(&self, tables: impl Iterator<Item = &'a Table>) -> Result<Vec<Entity>, String> {
        let mut entities = Vec::new();
        let mut datasets = HashSet::new();
        for table in tables {
            let dataset = uid(&self.dataset, &table.database);
            let parent = uid(&self.table, &table.table);
            entities.push(Entity::new_no_attrs(parent.clone(), HashSet::from([dataset.clone()])));
            datasets.insert(dataset);
            for column in &table.columns {
                let class = RestrictedExpression::new_string(column.class.as_str().to_owned());
                let attributes = HashMap::from([("class".to_owned(), class)]);
                let id = self.column(&table.table, &column.name);
                let entity = Entity::new(id, attributes, HashSet::from([parent.clone()]));
                entities.push(entity.map_err(|error| error.to_string())?);
            }
        }
        entities.extend(datasets.into_iter().map(|dataset| Entity::new_no_attrs(dataset, HashSet::new())));
        Ok(entities)
    }

    /// Says whether a policy may name this: the catalogue has it, or it is one of these projects.
    pub(crate) fn is_known(&self, name: &EntityUid, catalogue: &Catalogue, projects: &[&str]) -> bool {
        let (kind, id) = (name.type_name(), name.id().unescaped());
        if *kind == self.project {
            return projects.contains(&id);
        }
        if *kind == self.dataset {
            return catalogue.tables.values().any(|table| table.database == id);
        }
        if *kind == self.table {
            return catalogue.tables.contains_key(id);
        }
        if *kind == self.column {
            let Some((table, column)) = id.split_once('.') else { return false };
            return catalogue.tables.get(table).is_some_and(|table| table.column(column).is_some());
        }
        // Actions are the validator's to check; a user is known to whoever authenticates.
        true
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
