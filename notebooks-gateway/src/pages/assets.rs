//! `/assets/…`: the style sheet, two pictures and the workbench's script, compiled in.
//!
//! Pages name a file with a part of its digest, so that a browser keeps it for good and takes a new one at once.

use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::problem::{self, Problem};
use crate::gateway::Gateway;

/// A file that is compiled in.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset {
        name: "misu.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/misu.css"),
    },
    Asset { name: "misu.svg", kind: "image/svg+xml", bytes: include_bytes!("../../assets/misu.svg") },
    Asset { name: "blind.svg", kind: "image/svg+xml", bytes: include_bytes!("../../assets/blind.svg") },
    Asset {
        name: "workbench.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../web/dist/workbench.js"),
    },
];

/// The addresses of all files, with their versions.
static ADDRESSES: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    let address = |asset: &Asset| (asset.name, format!("/assets/{}?v={}", asset.name, version(asset.bytes)));
    ASSETS.iter().map(address).collect()
});

/// The address of a file.
pub(super) fn address(name: &str) -> &'static str {
    ADDRESSES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, address)| address.as_str())
        .unwrap_or_default()
}

fn version(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) async fn asset(State(gateway): State<Gateway>, Path(file): Path<String>, uri: Uri) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == file) else {
        return problem::respond(&gateway, None, &Problem::NotFound).await;
    };
    // Only the version that the pages name may be kept for good.
    let is_current = uri.path_and_query().is_some_and(|path| path.as_str() == address(asset.name));
    let keep = if is_current { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    ([(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, keep)], asset.bytes).into_response()
}
