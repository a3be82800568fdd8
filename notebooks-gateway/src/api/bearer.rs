//! The caller of a route: known by a token, and not calling too often.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::caller::Caller;
use crate::gateway::Gateway;

/// A caller who may call now.
#[derive(Debug)]
pub(super) struct Bearer(pub(super) Caller);

impl FromRequestParts<Gateway> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        Ok(Self(gateway.admit(&parts.headers, &["Bearer"]).await?))
    }
}
