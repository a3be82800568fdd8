//! The two-person rule: what makes keys leave or end is done by two officers, each with a secret of their own.
//!
//! An officer's secret is kept as its argon2id hash. The first officer's call writes a request, which counts only as far
//! as the record has it; the same call by a second one lets it happen. Two officers register freely; each later one is
//! such an act itself, and binds the new officer's secret.

use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::KeyError;
use super::secret::{Passphrase, from_hex, hex};
use super::store::write_private;

const FILE: &str = "officers.json";
const REQUESTS: &str = "requests";
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// Who may act on keys together with another.
#[derive(Debug)]
pub struct Officers {
    folder: PathBuf,
    known: Vec<Officer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Officer {
    name: String,
    salt: String,
    hash: String,
}

/// Who is known to have asked: the receipt of a name and its secret.
#[derive(Debug)]
pub struct Present {
    name: String,
}

impl Present {
    /// The officer's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// That two officers agreed on an act; the act demands it.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "an agreement lets one act happen"]
pub struct Agreed {
    /// Who asked first.
    pub first: String,
    /// Who asked second.
    pub second: String,
    /// The request that they agreed on, by which the record knows it.
    pub request: String,
}

/// What an officer's call did.
#[derive(Debug)]
pub enum Asked {
    /// A second officer has to say the same; the request has to be recorded before it counts.
    Waiting(Asking),
    /// Two officers said it.
    Agreed(Agreed),
}

/// A first officer's request, as the record has to have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// What is asked for.
    pub act: String,
    /// Who asks.
    pub by: String,
    /// What tells this request from others for the same.
    #[serde(default)]
    pub request: String,
}

/// Why an officer is not heard.
#[derive(Debug, thiserror::Error)]
pub enum OfficerError {
    /// The name or the secret is wrong.
    #[error("the officer or the secret is not known here")]
    Unknown,
    /// There is an officer of this name.
    #[error("{0} is registered already")]
    Taken(String),
    /// A secret that can be guessed.
    #[error("an officer's secret has at least twelve bytes")]
    Short,
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Officers {
    /// The officers of the store below `folder`.
    ///
    /// # Errors
    ///
    /// Their file cannot be read.
    pub fn open(folder: &Path) -> Result<Self, OfficerError> {
        let path = folder.join(FILE);
        let known = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| KeyError::Form(path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(KeyError::Io { path, source }.into()),
        };
        Ok(Self { folder: folder.to_owned(), known })
    }

    /// The officers' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(|officer| officer.name.as_str())
    }

    /// Registers an officer; from the third on two others must have agreed.
    ///
    /// # Errors
    ///
    /// The name is taken, the secret is short, or the agreement is missing.
    pub fn register(
        &mut self,
        name: &str,
        secret: &Passphrase,
        agreed: Option<&Agreed>,
    ) -> Result<(), OfficerError> {
        if self.known.len() >= 2 && agreed.is_none() {
            return Err(OfficerError::Unknown);
        }
        if self.names().any(|known| known == name) {
            return Err(OfficerError::Taken(name.to_owned()));
        }
        if secret.as_bytes().len() < 12 {
            return Err(OfficerError::Short);
        }
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| KeyError::Random)?;
        let hash = hex(&hash(secret, &salt)?);
        self.known.push(Officer { name: name.to_owned(), salt: hex(&salt), hash });
        let path = self.folder.join(FILE);
        let text = serde_json::to_vec_pretty(&self.known).map_err(|_| KeyError::Form(path.clone()))?;
        Ok(write_private(&path, &text).map_err(|source| KeyError::Io { path, source })?)
    }

    /// Knows an officer by name and secret.
    ///
    /// # Errors
    ///
    /// One of the two is wrong; it is not said which.
    pub fn present(&self, name: &str, secret: &Passphrase) -> Result<Present, OfficerError> {
        let officer = self.known.iter().find(|officer| officer.name == name);
        let salt = officer.and_then(|officer| from_hex(&officer.salt)).unwrap_or_else(|| vec![0; 16]);
        let found = hash(secret, &salt)?;
        let kept = officer.and_then(|officer| from_hex(&officer.hash)).unwrap_or_default();
        match bool::from(found.as_slice().ct_eq(&kept)) {
            true => Ok(Present { name: name.to_owned() }),
            false => Err(OfficerError::Unknown),
        }
    }

    /// What stands for a new officer's secret in the act that registers them: both who agree name the same secret. It is as
    /// slow to guess as the hash that is kept of it.
    ///
    /// # Errors
    ///
    /// The hash cannot be made.
    pub fn commitment(name: &str, secret: &Passphrase) -> Result<String, OfficerError> {
        let salt = blake3::derive_key("misu 2026-11 commitment to an officer's secret", name.as_bytes());
        Ok(hex(&hash(secret, &salt)?).chars().take(32).collect())
    }

    /// Asks for an act. The first officer leaves a request, the second one's word is the agreement.
    ///
    /// A request is a file, which whoever writes to the store can make; it counts where `is_recorded` finds it in the
    /// record and not yet spent. One that is not found there is as if it were not, and the caller is the first to ask.
    ///
    /// # Errors
    ///
    /// The request cannot be written or removed.
    pub fn ask(
        &self,
        act: &str,
        officer: Present,
        is_recorded: &dyn Fn(&Asking) -> bool,
    ) -> Result<Asked, OfficerError> {
        let name = blake3::hash(act.as_bytes()).to_hex().chars().take(16).collect::<String>();
        let folder = self.folder.join(REQUESTS);
        let path = folder.join(format!("{name}.json"));
        let io = |source| KeyError::Io { path: path.clone(), source };
        let before: Option<Asking> =
            std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        match before {
            Some(first) if first.act == act && first.by != officer.name && is_recorded(&first) => {
                std::fs::remove_file(&path).map_err(io)?;
                Ok(Asked::Agreed(Agreed { first: first.by, second: officer.name, request: first.request }))
            }
            _ => {
                std::fs::create_dir_all(&folder).map_err(io)?;
                let mut request = [0; 16];
                SystemRandom::new().fill(&mut request).map_err(|_| KeyError::Random)?;
                let asking = Asking { act: act.to_owned(), by: officer.name, request: hex(&request) };
                let text = serde_json::to_vec_pretty(&asking).map_err(|_| KeyError::Form(path.clone()))?;
                write_private(&path, &text).map_err(io)?;
                Ok(Asked::Waiting(asking))
            }
        }
    }
}

fn hash(secret: &Passphrase, salt: &[u8]) -> Result<[u8; 32], KeyError> {
    let damaged = || KeyError::Damaged("an officer's salt");
    let params = argon2::Params::new(MEMORY, PASSES, 1, Some(32)).map_err(|_| damaged())?;
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut hash = [0; 32];
    argon2.hash_password_into(secret.as_bytes(), salt, &mut hash).map_err(|_| damaged())?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::{Asked, OfficerError, Officers, Passphrase};

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(&text.as_bytes().to_vec().into())
    }

    #[test]
    fn an_act_takes_two_officers_and_each_their_own_secret() {
        let folder = tempfile::tempdir().unwrap();
        let mut officers = Officers::open(folder.path()).unwrap();
        officers.register("ichiro", &phrase("one-one-one-one"), None).unwrap();
        officers.register("jiro", &phrase("two-two-two-two"), None).unwrap();
        assert!(matches!(
            officers.register("saburo", &phrase("three-three-three"), None),
            Err(OfficerError::Unknown)
        ));
        let officers = Officers::open(folder.path()).unwrap();
        for (name, secret) in [("ichiro", "two-two-two-two"), ("goro", "one-one-one-one"), ("jiro", "")] {
            assert!(matches!(officers.present(name, &phrase(secret)), Err(OfficerError::Unknown)));
        }
        let ask = |act: &str, name: &str, secret: &str| {
            officers.ask(act, officers.present(name, &phrase(secret)).unwrap(), &|_| true).unwrap()
        };
        assert!(matches!(ask("destroy linkage 1", "ichiro", "one-one-one-one"), Asked::Waiting(_)));
        // Asking twice is not two persons, and agreeing to something else is no agreement.
        assert!(matches!(ask("destroy linkage 1", "ichiro", "one-one-one-one"), Asked::Waiting(_)));
        assert!(matches!(ask("destroy linkage 2", "jiro", "two-two-two-two"), Asked::Waiting(_)));
        let Asked::Agreed(agreed) = ask("destroy linkage 1", "jiro", "two-two-two-two") else { panic!() };
        assert_eq!((agreed.first.as_str(), agreed.second.as_str()), ("ichiro", "jiro"));
        // An agreement is spent by the act.
        assert!(matches!(ask("destroy linkage 1", "jiro", "two-two-two-two"), Asked::Waiting(_)));
    }
    #[test]
    fn a_request_that_the_record_does_not_have_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let mut officers = Officers::open(folder.path()).unwrap();
        officers.register("ichiro", &phrase("one-one-one-one"), None).unwrap();
        officers.register("jiro", &phrase("two-two-two-two"), None).unwrap();
        let ask = |name: &str, secret: &str, recorded: &[super::Asking]| {
            let present = officers.present(name, &phrase(secret)).unwrap();
            officers.ask("destroy linkage 1", present, &|asking| recorded.contains(asking)).unwrap()
        };
        let Asked::Waiting(asking) = ask("ichiro", "one-one-one-one", &[]) else { panic!() };
        // The file is changed into one by the other officer, of whom the record knows nothing.
        let path = std::fs::read_dir(folder.path().join("requests")).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().replace("ichiro", "jiro");
        std::fs::write(&path, text).unwrap();
        let Asked::Waiting(mine) = ask("ichiro", "one-one-one-one", std::slice::from_ref(&asking)) else {
            panic!()
        };
        assert_ne!(mine.request, asking.request);
        let Asked::Agreed(agreed) = ask("jiro", "two-two-two-two", &[asking, mine.clone()]) else { panic!() };
        assert_eq!((agreed.first.as_str(), agreed.request), ("ichiro", mine.request));
    }

    #[test]
    fn an_act_binds_the_secret_of_a_new_officer() {
        let of = |name: &str, secret: &str| Officers::commitment(name, &phrase(secret)).unwrap();
        assert_eq!(of("saburo", "three-three-three"), of("saburo", "three-three-three"));
        assert_ne!(of("saburo", "three-three-three"), of("saburo", "four-four-four-four"));
        assert_ne!(of("saburo", "three-three-three"), of("shiro", "three-three-three"));
    }
}
