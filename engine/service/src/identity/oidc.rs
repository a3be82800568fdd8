//! Signing in elsewhere (OpenID Connect): an ID token that a provider signed becomes a session.
//!
//! The gateway leads the browser through the provider and brings back an ID token; it is not believed. The guard made
//! the nonce that stands in the token, and checks the signature against keys that an operator pinned, the issuer, the
//! audience, the times, and that the provider saw a second factor. So a gateway that was taken over can use the
//! sign-ins that pass through it and invents none. The guard speaks to no provider: it has no network.

use audit::{Event, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalog_store::OidcRules;
use engine_protocol::{IdentityReply, SecretWord};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use super::{Standing, sessions, words};
use crate::guard::{Guard, GuardError};

/// What a one-time word is for that stands in an ID token as its nonce.
const NONCE: &str = "oidc-nonce";
/// How a session is called that began so.
const METHOD: &str = "oidc";
/// How long somebody may take at the provider, in seconds.
const LONGEST: i64 = 10 * 60;
/// How far clocks may differ, in seconds.
const SKEW: i64 = 60;
/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;
/// The pinned keys, below `keys/`.
pub(super) const PINNED: &str = "oidc-keys.json";

/// What begins a sign-in at the provider; refused where none is configured.
pub(super) fn begin(guard: &Guard) -> Result<IdentityReply, GuardError> {
    let Some(rules) = &guard.environment.config().oidc else { return Ok(IdentityReply::Refused) };
    let nonce = words::word()?;
    let digest = words::digest(&nonce).ok_or(GuardError::Bug("a word of ours has a digest"))?;
    let ends = guard.seconds().saturating_add(LONGEST);
    guard.meta.sweep_sessions(0, 0, guard.seconds())?;
    guard.meta.invite(&catalog_store::InvitationRecord {
        digest,
        user: String::new(),
        purpose: NONCE.to_owned(),
        ends,
        held: String::new(),
    })?;
    Ok(IdentityReply::Provider {
        issuer: rules.issuer.clone(),
        client_id: rules.client_id.clone(),
        acr: rules.acr.clone(),
        nonce,
    })
}

/// Begins a session with an ID token.
pub(super) fn finish(guard: &Guard, token: &SecretWord) -> Result<IdentityReply, GuardError> {
    let Some(rules) = &guard.environment.config().oidc else { return Ok(IdentityReply::Refused) };
    let keys = std::fs::read(guard.environment.room("keys").join(PINNED)).unwrap_or_default();
    let why = match judged(token.as_str(), rules, &keys, guard.seconds()) {
        Ok(found) => match accepted(guard, &found)? {
            Ok(reply) => return Ok(reply),
            Err(why) => why,
        },
        Err(why) => why,
    };
    guard.log.record(Event::new(Kind::SignInFailed, "unknown").with("method", METHOD).with("why", why))?;
    Ok(IdentityReply::Refused)
}

/// Spends the nonce and begins the session of the person whom the token names.
fn accepted(guard: &Guard, found: &Found) -> Result<Result<IdentityReply, &'static str>, GuardError> {
    let digest = words::digest(&SecretWord::new(found.nonce.clone()));
    let nonce = digest.map(|digest| guard.meta.invitation(&digest)).transpose()?.flatten();
    let nonce = nonce.filter(|nonce| nonce.purpose == NONCE && guard.seconds() < nonce.ends);
    let Some(nonce) = nonce else { return Ok(Err("nonce")) };
    if !guard.meta.spend_invitation(&nonce.digest)? {
        return Ok(Err("nonce"));
    }
    if Standing::of(&guard.meta, &found.user, guard.now())?.is_none() {
        return Ok(Err("person"));
    }
    sessions::begin(guard, &found.user, METHOD).map(Ok)
}

/// What a good token says.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    user: String,
    nonce: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: String,
    #[serde(default)]
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    #[serde(flatten)]
    others: std::collections::BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What an ID token says, if it is signed by a pinned key and holds for us now; otherwise what is wrong.
fn judged(token: &str, rules: &OidcRules, keys: &[u8], now: i64) -> Result<Found, &'static str> {
    if token.len() > LONGEST_TOKEN {
        return Err("form");
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("form");
    };
    let signed = token.get(..header.len() + 1 + claims.len()).ok_or("form")?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "form");
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| "form")?;
    verify(&header, signed.as_bytes(), &decode(signature)?, keys)?;
    // Nothing of the claims is looked at before the signature.
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| "form")?;
    holds(&claims, rules, now)?;
    let user = match rules.claim.as_str() {
        "" => return Err("claim"),
        name => claims.others.get(name).and_then(|value| value.as_str()).ok_or("claim")?,
    };
    Ok(Found { user: user.to_owned(), nonce: claims.nonce })
}

fn holds(claims: &Claims, rules: &OidcRules, now: i64) -> Result<(), &'static str> {
    if claims.iss != rules.issuer {
        return Err("issuer");
    }
    let is_ours = match &claims.aud {
        Audience::One(audience) => *audience == rules.client_id,
        // A token for several is for whom it names as its authorized party.
        Audience::Many(audiences) => {
            audiences.contains(&rules.client_id)
                && (audiences.len() == 1 || claims.azp.as_ref() == Some(&rules.client_id))
        }
    };
    if !is_ours || claims.azp.as_ref().is_some_and(|party| *party != rules.client_id) {
        return Err("audience");
    }
    let is_now = claims.iat <= now.saturating_add(SKEW)
        && now.saturating_sub(claims.iat) <= LONGEST
        && now < claims.exp.saturating_add(SKEW);
    if !is_now {
        return Err("time");
    }
    let has_acr = claims.acr.as_ref().is_some_and(|acr| rules.acr.contains(acr));
    let has_amr = claims.amr.iter().any(|method| rules.amr.contains(method));
    if has_acr || has_amr { Ok(()) } else { Err("second-factor") }
}

/// A pinned key, as JWK.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    r#use: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

/// Reads pinned keys; nothing where they are no key set with a key that signs.
pub(super) fn is_key_set(text: &[u8]) -> bool {
    let set: Result<Jwks, _> = serde_json::from_slice(text);
    set.is_ok_and(|set| set.keys.iter().any(|key| matches!(key.kty.as_str(), "RSA" | "EC" | "OKP")))
}

fn verify(header: &Header, signed: &[u8], signature: &[u8], keys: &[u8]) -> Result<(), &'static str> {
    let keys: Jwks = serde_json::from_slice(keys).map_err(|_| "no-pinned-keys")?;
    let may_sign = |key: &&Jwk| {
        key.r#use.as_deref().is_none_or(|of| of == "sig")
            && key.alg.as_ref().is_none_or(|alg| *alg == header.alg)
            && (header.kid.is_none() || key.kid == header.kid)
    };
    let is_signed = keys.keys.iter().filter(may_sign).any(|key| is_by(key, &header.alg, signed, signature));
    if is_signed { Ok(()) } else { Err("signature") }
}

/// Says whether a key made a signature. The algorithm must be the key's own kind; `none` and shared secrets are not.
fn is_by(key: &Jwk, alg: &str, signed: &[u8], signature: &[u8]) -> bool {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    match (key.kty.as_str(), alg, key.crv.as_deref()) {
        ("RSA", "RS256" | "PS256", _) => {
            let (n, e) = (decode(&key.n), decode(&key.e));
            let rule = if alg == "RS256" {
                &signature::RSA_PKCS1_2048_8192_SHA256
            } else {
                &signature::RSA_PSS_2048_8192_SHA256
            };
            RsaPublicKeyComponents { n: &n, e: &e }.verify(rule, signed, signature).is_ok()
        }
        ("EC", "ES256", Some("P-256")) => {
            let point = [vec![4], decode(&key.x), decode(&key.y)].concat();
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, signature)
                .is_ok()
        }
        ("OKP", "EdDSA", Some("Ed25519")) => {
            UnparsedPublicKey::new(&signature::ED25519, decode(&key.x)).verify(signed, signature).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use catalog_store::OidcRules;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
    use serde_json::{Value, json};

    use super::{Found, judged};

    const NOW: i64 = 1_800_000_000;

    fn rules() -> OidcRules {
        OidcRules {
            issuer: "https://id.example".to_owned(),
            client_id: "misu".to_owned(),
            secret_file: None,
            claim: "sub".to_owned(),
            acr: vec!["urn:mfa".to_owned()],
            amr: vec!["otp".to_owned()],
        }
    }

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": "misu", "sub": "sato", "exp": NOW + 300, "iat": NOW - 5,
            "nonce": "n", "acr": "urn:mfa",
        })
    }

    struct Provider(Ed25519KeyPair);

    impl Provider {
        fn new(seed: u8) -> Self {
            Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
        }

        fn keys(&self) -> Vec<u8> {
            let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "use": "sig",
                "x": encode(self.0.public_key().as_ref()) });
            serde_json::to_vec(&json!({ "keys": [key] })).unwrap()
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let signed = format!(
                "{}.{}",
                encode(header.to_string().as_bytes()),
                encode(claims.to_string().as_bytes())
            );
            let signature = encode(self.0.sign(signed.as_bytes()).as_ref());
            format!("{signed}.{signature}")
        }
    }

    fn header() -> Value {
        json!({ "alg": "EdDSA", "kid": "k" })
    }

    #[test]
    fn a_good_token_names_a_person() {
        let provider = Provider::new(1);
        let found = Ok(Found { user: "sato".to_owned(), nonce: "n".to_owned() });
        let with = |change: Value| {
            let mut claims = claims();
            for (name, value) in change.as_object().unwrap() {
                claims[name] = value.clone();
            }
            judged(&provider.token(&header(), &claims), &rules(), &provider.keys(), NOW)
        };
        assert_eq!(with(json!({})), found);
        assert_eq!(with(json!({ "acr": null, "amr": ["pwd", "otp"] })), found);
        assert_eq!(with(json!({ "aud": ["misu"] })), found);
        assert_eq!(with(json!({ "aud": ["misu", "other"], "azp": "misu" })), found);
        for (change, why) in [
            (json!({ "iss": "https://id.example.evil.example" }), "issuer"),
            (json!({ "aud": "other" }), "audience"),
            (json!({ "aud": ["misu", "other"] }), "audience"),
            (json!({ "azp": "other" }), "audience"),
            (json!({ "exp": NOW - 61 }), "time"),
            (json!({ "iat": NOW + 61 }), "time"),
            (json!({ "iat": NOW - 601 }), "time"),
            (json!({ "acr": "urn:password" }), "second-factor"),
            (json!({ "acr": null, "amr": ["pwd"] }), "second-factor"),
            (json!({ "acr": null }), "second-factor"),
            (json!({ "sub": 7 }), "claim"),
            (json!({ "nonce": null }), "form"),
        ] {
            assert_eq!(with(change.clone()), Err(why), "{change}");
        }
    }

    #[test]
    fn only_a_pinned_key_of_its_own_kind_signs() {
        let (provider, other) = (Provider::new(1), Provider::new(2));
        let keys = provider.keys();
        let judge = |token: &str, keys: &[u8]| judged(token, &rules(), keys, NOW).map(drop);
        let token = provider.token(&header(), &claims());
        assert_eq!(judge(&token, &keys), Ok(()));
        assert_eq!(judge(&token, &other.keys()), Err("signature"));
        assert_eq!(judge(&token, b""), Err("no-pinned-keys"));
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "HS256", "kid": "k" }),
            json!({ "alg": "RS256", "kid": "k" }),
            json!({ "alg": "EdDSA", "kid": "another" }),
        ] {
            assert_eq!(judge(&provider.token(&header, &claims()), &keys), Err("signature"), "{header}");
        }
        let (signed, _) = token.rsplit_once('.').unwrap();
        for wrong in
            [signed.to_owned(), format!("{signed}."), format!("{token}.x"), String::new(), "x".repeat(20_000)]
        {
            assert!(judge(&wrong, &keys).is_err(), "{wrong}");
        }
        // A changed claim under the old signature.
        let mut changed = claims();
        changed["sub"] = json!("mori");
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts[1] = encode(changed.to_string().as_bytes());
        assert_eq!(judge(&parts.join("."), &keys), Err("signature"));
    }

    #[test]
    fn signatures_of_the_p_256_curve_are_read() {
        let random = SystemRandom::new();
        let rule = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(rule, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(rule, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let key =
            json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) });
        let keys = serde_json::to_vec(&json!({ "keys": [key] })).unwrap();
        let header = json!({ "alg": "ES256" });
        let signed =
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims().to_string().as_bytes()));
        let signature = pair.sign(&random, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", encode(signature.as_ref()));
        assert!(judged(&token, &rules(), &keys, NOW).is_ok());
    }
}
