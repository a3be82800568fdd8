//! Prepared statements: a text, the values bound to it last, and whose they are.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::binding::Template;
use crate::caller::Owner;
use crate::gateway::{Gateway, NoRandomness};
use crate::secret;

/// How long a statement is kept after it was used.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// Statements of one owner; a further one lets the one used least recently go.
const OF_ONE: usize = 64;

/// All prepared statements.
#[derive(Debug, Default)]
pub(super) struct Statements(Mutex<HashMap<String, Statement>>);

#[derive(Debug)]
struct Statement {
    owner: Owner,
    used: Duration,
    template: Template,
    /// The text with the values bound last.
    bound: Option<String>,
}

impl Statements {
    /// Keeps a statement and gives its handle. One without parameters can run as it is.
    pub(super) fn keep(
        &self,
        gateway: &Gateway,
        owner: Owner,
        template: Template,
    ) -> Result<String, NoRandomness> {
        let handle = secret::word(&gateway.parts().sources)?;
        let used = gateway.now();
        let bound = (template.parameters() == 0).then(|| template.sql().to_owned());
        let mut all = self.lock();
        all.retain(|_, statement| used.saturating_sub(statement.used) < KEPT);
        let theirs = all.iter().filter(|(_, statement)| statement.owner == owner);
        if theirs.clone().count() >= OF_ONE
            && let Some(oldest) = theirs.min_by_key(|(_, known)| known.used).map(|(handle, _)| handle.clone())
        {
            all.remove(&oldest);
        }
        all.insert(handle.clone(), Statement { owner, used, template, bound });
        Ok(handle)
    }

    /// The template behind a handle of this owner.
    pub(super) fn template(&self, gateway: &Gateway, owner: &Owner, handle: &str) -> Option<Template> {
        self.with(gateway, owner, handle, |statement| statement.template.clone())
    }

    /// Notes the text with its values; says whether the handle is this owner's.
    pub(super) fn bind(&self, gateway: &Gateway, owner: &Owner, handle: &str, bound: String) -> bool {
        self.with(gateway, owner, handle, |statement| statement.bound = Some(bound)).is_some()
    }

    /// The text to run: none inside where values are missing, none at all where the handle is not this owner's.
    pub(super) fn bound(&self, gateway: &Gateway, owner: &Owner, handle: &str) -> Option<Option<String>> {
        self.with(gateway, owner, handle, |statement| statement.bound.clone())
    }

    /// Lets a statement go.
    pub(super) fn close(&self, owner: &Owner, handle: &str) {
        let mut all = self.lock();
        if all.get(handle).is_some_and(|statement| statement.owner == *owner) {
            all.remove(handle);
        }
    }

    fn with<T>(
        &self,
        gateway: &Gateway,
        owner: &Owner,
        handle: &str,
        step: impl FnOnce(&mut Statement) -> T,
    ) -> Option<T> {
        let mut all = self.lock();
        let statement = all.get_mut(handle).filter(|statement| statement.owner == *owner)?;
        statement.used = gateway.now();
        Some(step(statement))
    }

    // A panic while the lock is held leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
