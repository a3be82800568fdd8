//! `keys`: what keys there are, and who used them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Event, Kind, Log};
use catalog_store::{KeyId, KeyRole, KeyUse, KeyWatch};

/// Records the first use of each key by this process, before the key is handed out.
pub(super) fn watch(log: Log, who: &'static str) -> Arc<KeyWatch> {
    let seen: Mutex<BTreeSet<(KeyRole, KeyId)>> = Mutex::default();
    Arc::new(move |used: &KeyUse| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (used.role, used.id.clone());
        if seen.contains(&name) {
            return Ok(());
        }
        let event = Event::new(Kind::KeyUsed, who).subject(used.id.as_str());
        log.record(event.with("role", used.role.as_str()).with("epoch", u64::from(used.epoch)))?;
        seen.insert(name);
        Ok(())
    })
}
