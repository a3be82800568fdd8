//! Who calls: a bearer token, or a Basic handshake whose password is the token.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::status;
use crate::caller::{Caller, NotAdmitted};
use crate::gateway::Gateway;

/// The longest credentials that are looked at.
const LONGEST: usize = 2048;

/// Clients write the credentials with and without padding.
const CREDENTIALS: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The caller of a request, who is not calling too often.
pub(super) async fn of<T>(gateway: &Gateway, request: &Request<T>) -> Result<Caller, Status> {
    let headers: &HeaderMap = request.metadata().as_ref();
    gateway.admit(headers, &["Bearer"]).await.map_err(|error| not_admitted(&error))
}

/// The caller of a handshake, and the token to go on with.
pub(super) async fn shaking_hands(
    gateway: &Gateway,
    metadata: &MetadataMap,
) -> Result<(Caller, String), Status> {
    let not_admitted = |error: NotAdmitted| not_admitted(&error);
    let (name, token) = basic(metadata).ok_or(NotAdmitted::Unknown).map_err(not_admitted)?;
    let caller = gateway.admit_token(&token).await.map_err(not_admitted)?;
    if caller.user() != name {
        return Err(not_admitted(NotAdmitted::Unknown));
    }
    Ok((caller, token))
}

fn not_admitted(error: &NotAdmitted) -> Status {
    match error {
        NotAdmitted::Unknown => Status::unauthenticated("no such token; send authorization: Bearer TOKEN"),
        NotAdmitted::Often(seconds) => {
            Status::resource_exhausted(format!("too many calls; come back after {seconds} s"))
        }
        NotAdmitted::Guard(error) => status::no_answer(error),
    }
}

/// The name and password of a Basic header.
fn basic(metadata: &MetadataMap) -> Option<(String, String)> {
    let (scheme, word) = metadata.get("authorization")?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || word.len() > LONGEST {
        return None;
    }
    let text = String::from_utf8(CREDENTIALS.decode(word.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
