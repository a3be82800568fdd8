//! The Jupyter kernel-gateway protocol, so that a stock JupyterLab (`--gateway-url`) opens a kernel "misu SQL".
//!
//! A kernel is a task in this program: it reads SQL cells and a few commands, asks the guard for its owner, and shows
//! protected tables. No code of a visitor runs here, so there is nothing to confine.
//!
//! What is not here: other languages, widgets, input, files.

mod channels;
mod kernel;
mod kernels;
mod kernelspecs;

mod answer;
mod cell;
mod completion;
mod framing;
mod message;
mod picture;
mod words;

use axum::Router;
use axum::routing::{get, post};

use crate::gateway::Gateway;

pub(crate) use kernels::Kernels;

/// Every route of the protocol, below `/api`.
pub(crate) fn router() -> Router<Gateway> {
    Router::new()
        .route("/kernelspecs", get(kernelspecs::list))
        .route("/kernelspecs/{name}", get(kernelspecs::one))
        .route("/kernels", get(kernels::list).post(kernels::start))
        .route("/kernels/{id}", get(kernels::one).delete(kernels::end))
        .route("/kernels/{id}/interrupt", post(kernels::interrupt))
        .route("/kernels/{id}/restart", post(kernels::restart))
        .route("/kernels/{id}/channels", get(channels::open))
}
