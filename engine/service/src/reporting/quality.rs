//! The quality report that was kept last, sealed: counts below ten stand in it, so it lies in no clear byte.

use catalog_store::{Environment, KeyRole, decrypt, encrypt};
use reports::quality::Quality;

use super::ReportError;

/// The file in the room `ledger`.
const FILE: &str = "quality.sealed";
/// What it is bound to.
const BOUND: &[u8] = b"misu quality report v1";

/// Keeps a quality report, in the place of the one before.
///
/// # Errors
///
/// The text is none, a key cannot be opened, or the disk says no.
pub fn keep_quality(environment: &Environment, text: &[u8]) -> Result<(), ReportError> {
    let report: Quality = serde_json::from_slice(text).map_err(|_| ReportError::Form)?;
    let clear = serde_json::to_vec(&report).map_err(|_| ReportError::Form)?;
    let sealed = encrypt(&environment.key(KeyRole::Ledger)?, BOUND, &clear)
        .map_err(catalog_store::EnvironmentError::from)?;
    let path = environment.room("ledger").join(FILE);
    let temporary = path.with_extension("writing");
    let written = std::fs::write(&temporary, sealed).and_then(|()| std::fs::rename(&temporary, &path));
    written.map_err(|source| ReportError::Io(path, source))
}

/// The quality report that was kept last, as JSON; nothing where none was.
///
/// # Errors
///
/// It cannot be read, or was not written here.
pub(crate) fn kept_quality(environment: &Environment) -> Result<Option<String>, ReportError> {
    let path = environment.room("ledger").join(FILE);
    let sealed = match std::fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ReportError::Io(path, source)),
    };
    let keys = environment.keys_of(KeyRole::Ledger)?;
    let clear = keys.iter().find_map(|key| decrypt(key, BOUND, &sealed)).ok_or(ReportError::Form)?;
    String::from_utf8(clear.to_vec()).map(Some).map_err(|_| ReportError::Form)
}

#[cfg(test)]
mod tests {
    use catalog_store::{Config, Environment};
    use reports::quality::Quality;

    use super::{FILE, keep_quality, kept_quality};

    #[test]
    fn a_quality_report_is_kept_sealed_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        assert_eq!(kept_quality(&environment).unwrap(), None);
        let report = Quality { persons: 71_234, ..Quality::default() };
        let text = serde_json::to_string(&report).unwrap();
        keep_quality(&environment, text.as_bytes()).unwrap();
        assert_eq!(kept_quality(&environment).unwrap().unwrap(), text);
        let path = environment.room("ledger").join(FILE);
        let mut sealed = std::fs::read(&path).unwrap();
        assert!(!sealed.windows(5).any(|bytes| bytes == b"71234"));
        assert!(keep_quality(&environment, b"{\"anything\":1}").is_err(), "what is no report is not kept");
        sealed[20] ^= 1;
        std::fs::write(&path, sealed).unwrap();
        assert!(kept_quality(&environment).is_err());
    }
}
