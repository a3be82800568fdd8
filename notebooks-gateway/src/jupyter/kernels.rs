//! `/kernels`: kernels are begun, found, interrupted and ended by their owner alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;

use super::kernel::Kernel;
use super::kernelspecs;
use crate::api::Problem;
use crate::caller::{Caller, Owner};
use crate::gateway::Gateway;
use crate::secret;

/// Kernels of one owner.
const OF_ONE: usize = 8;
/// Kernels of all owners.
const OF_ALL: usize = 128;
/// How long a kernel that nobody is connected to is kept after it was used.
const KEPT: Duration = Duration::from_secs(2 * 60 * 60);

/// All kernels.
#[derive(Debug, Default)]
pub(crate) struct Kernels(Mutex<HashMap<String, Arc<Kernel>>>);

/// A caller who is known by a token, as Jupyter sends it or as everybody does.
pub(super) struct Known(pub(super) Caller);

impl FromRequestParts<Gateway> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        Ok(Self(gateway.admit(&parts.headers, &["token", "Bearer"]).await?))
    }
}

/// What a Jupyter server asks for; the environment that it sends along is not looked at.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    name: Option<String>,
}

impl Kernels {
    /// The kernel with this id, for its owner alone.
    pub(super) fn find(&self, owner: &Owner, id: &str) -> Result<Arc<Kernel>, Problem> {
        self.lock().get(id).filter(|kernel| kernel.owner() == *owner).cloned().ok_or(Problem::NotFound)
    }

    fn of(&self, owner: &Owner) -> Vec<Arc<Kernel>> {
        let mut kernels: Vec<_> =
            self.lock().values().filter(|kernel| kernel.owner() == *owner).cloned().collect();
        kernels.sort_unstable_by(|one, two| one.id().cmp(two.id()));
        kernels
    }

    /// Keeps a kernel, unless there are as many as allowed; those that nobody used for long are let go.
    fn keep(&self, kernel: &Arc<Kernel>, now: Duration) -> Result<(), Problem> {
        let mut all = self.lock();
        all.retain(|_, kernel| {
            let is_kept = kernel.has_visitors() || now.saturating_sub(kernel.used()) < KEPT;
            if !is_kept {
                kernel.end();
            }
            is_kept
        });
        let theirs = all.values().filter(|known| known.owner() == kernel.owner()).count();
        if theirs >= OF_ONE || all.len() >= OF_ALL {
            return Err(Problem::Often(60));
        }
        all.insert(kernel.id().to_owned(), Arc::clone(kernel));
        Ok(())
    }

    /// Ends a kernel.
    pub(super) fn end(&self, owner: &Owner, id: &str) -> Result<(), Problem> {
        let kernel = self.find(owner, id)?;
        self.lock().remove(id);
        kernel.end();
        Ok(())
    }

    // A panic while the lock is held leaves the map whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Kernel>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller's kernels.
pub(super) async fn list(State(gateway): State<Gateway>, Known(caller): Known) -> Json<Vec<Value>> {
    let kernels = gateway.parts().kernels.of(&caller.owner());
    Json(kernels.iter().map(|kernel| kernel.model()).collect())
}

/// Begins a kernel.
pub(super) async fn start(
    State(gateway): State<Gateway>,
    Known(caller): Known,
    body: Bytes,
) -> Result<Response, Problem> {
    let malformed =
        |error: serde_json::Error| Problem::Malformed { line: error.line(), column: error.column() };
    let wanted: Wanted =
        if body.is_empty() { Wanted::default() } else { serde_json::from_slice(&body).map_err(malformed)? };
    if wanted.name.is_some_and(|name| name != kernelspecs::NAME) {
        return Err(Problem::NotFound);
    }
    let word = secret::word(&gateway.parts().sources).map_err(|_| Problem::Ours)?;
    let kernel = Kernel::start(&gateway, caller, id(&word));
    gateway.parts().kernels.keep(&kernel, gateway.now()).inspect_err(|_| kernel.end())?;
    Ok((StatusCode::CREATED, Json(kernel.model())).into_response())
}

/// A random word in the form that Jupyter's addresses have: groups of letters with hyphens between.
fn id(word: &str) -> String {
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| word.get(group).unwrap_or_default().to_owned()).join("-")
}

/// One kernel.
pub(super) async fn one(
    State(gateway): State<Gateway>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    gateway.parts().kernels.find(&caller.owner(), &id).map(|kernel| Json(kernel.model()))
}

/// Ends a kernel.
pub(super) async fn end(
    State(gateway): State<Gateway>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    gateway.parts().kernels.end(&caller.owner(), &id).map(|()| StatusCode::NO_CONTENT)
}

/// Stops waiting for the answer that a kernel waits for.
pub(super) async fn interrupt(
    State(gateway): State<Gateway>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    gateway.parts().kernels.find(&caller.owner(), &id)?.interrupt();
    Ok(StatusCode::NO_CONTENT)
}

/// Begins a kernel anew under the same id.
pub(super) async fn restart(
    State(gateway): State<Gateway>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let kernel = gateway.parts().kernels.find(&caller.owner(), &id)?;
    kernel.restart();
    Ok(Json(kernel.model()))
}
