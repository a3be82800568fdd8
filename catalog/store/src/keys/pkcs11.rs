//! A hardware module (PKCS#11) that wraps the environment's keys under a key of its own, which never leaves it.
//!
//! The wrapping key is an AES-256 key that the module makes, marks as sensitive and does not export; keys are wrapped
//! by AES-GCM inside the module. What is wrapped is opened into memory when it is used.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use cryptoki::types::{AuthPin, Ulong};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyError;
use super::secret::Passphrase;

const NONCE: usize = 12;
const TAG_BITS: Ulong = Ulong::new(128);

/// Which module, token and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// The module's library.
    pub library: PathBuf,
    /// The token's label.
    pub token: String,
    /// The label of the wrapping key on the token.
    pub key: String,
}

/// An open session with a module, and the wrapping key in it.
pub(crate) struct Session {
    // A session serves one caller at a time.
    session: Mutex<cryptoki::session::Session>,
    key: ObjectHandle,
    // The library stays loaded as long as the session lives.
    _context: Pkcs11,
}

impl Module {
    /// Signs in and finds the wrapping key.
    pub(crate) fn open(&self, pin: &Passphrase) -> Result<Session, KeyError> {
        let (context, session) = self.session(pin)?;
        let key = self.find(&session)?.ok_or_else(|| KeyError::NoModuleKey(self.key.clone()))?;
        Ok(Session { session: Mutex::new(session), key, _context: context })
    }

    /// Signs in and makes the wrapping key where the token has none of this label.
    pub(crate) fn prepare(&self, pin: &Passphrase) -> Result<Session, KeyError> {
        let (context, session) = self.session(pin)?;
        let key = match self.find(&session)? {
            Some(key) => key,
            None => session.generate_key(&Mechanism::AesKeyGen, &self.template())?,
        };
        Ok(Session { session: Mutex::new(session), key, _context: context })
    }

    fn template(&self) -> [Attribute; 10] {
        [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(Ulong::new(32)),
            Attribute::Label(self.key.as_bytes().to_vec()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ]
    }

    fn session(&self, pin: &Passphrase) -> Result<(Pkcs11, cryptoki::session::Session), KeyError> {
        let context = Pkcs11::new(&self.library)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another session of this process has initialised the library.
            Ok(())
            | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::CryptokiAlreadyInitialized, _)) => {
            }
            Err(error) => return Err(error.into()),
        }
        let mut slot = None;
        for candidate in context.get_slots_with_initialized_token()? {
            if context.get_token_info(candidate)?.label().trim_end() == self.token {
                slot = Some(candidate);
            }
        }
        let slot = slot.ok_or_else(|| KeyError::NoToken(self.token.clone()))?;
        let session = context.open_rw_session(slot)?;
        let pin = String::from_utf8(pin.as_bytes().to_vec()).map_err(|_| KeyError::WrongPassphrase)?;
        match session.login(UserType::User, Some(&AuthPin::new(pin.into()))) {
            Ok(())
            | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::UserAlreadyLoggedIn, _)) => {}
            Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::PinIncorrect, _)) => {
                return Err(KeyError::WrongPassphrase);
            }
            Err(error) => return Err(error.into()),
        }
        Ok((context, session))
    }

    fn find(&self, session: &cryptoki::session::Session) -> Result<Option<ObjectHandle>, KeyError> {
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Label(self.key.as_bytes().to_vec()),
            Attribute::Extractable(false),
        ];
        Ok(session.find_objects(&wanted)?.first().copied())
    }
}

impl Session {
    /// Wraps bytes inside the module, bound to a name.
    pub(crate) fn seal(&self, bound_to: &[u8], clear: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE];
        SystemRandom::new().fill(&mut nonce).map_err(|_| KeyError::Random)?;
        let mut bytes = nonce.to_vec();
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut nonce, bound_to, TAG_BITS)?);
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend(session.encrypt(&mechanism, self.key, clear)?);
        Ok(bytes)
    }

    /// Unwraps what [`Session::seal`] made.
    pub(crate) fn open(&self, bound_to: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let damaged = || KeyError::Damaged("a wrapped key");
        let (nonce, content) = sealed.split_at_checked(NONCE).ok_or_else(damaged)?;
        let mut nonce = nonce.to_vec();
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut nonce, bound_to, TAG_BITS)?);
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Zeroizing::new(session.decrypt(&mechanism, self.key, content)?))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}
