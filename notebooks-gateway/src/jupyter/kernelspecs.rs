//! `/kernelspecs`: the one kernel that there is.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::kernels::Known;
use crate::api::Problem;

/// The kernel's name.
pub(super) const NAME: &str = "misu";

fn spec() -> Value {
    json!({
        "name": NAME,
        "spec": {
            "argv": [], "env": {}, "display_name": "misu SQL", "language": "sql",
            "interrupt_mode": "message", "metadata": {},
        },
        "resources": {},
    })
}

/// All kernels.
pub(super) async fn list(_: Known) -> Json<Value> {
    Json(json!({"default": NAME, "kernelspecs": {NAME: spec()}}))
}

/// One kernel.
pub(super) async fn one(_: Known, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    if name == NAME { Ok(Json(spec())) } else { Err(Problem::NotFound) }
}
