//! Vetting without an environment: a folder of catalogue files and an approved application say the same as the guard.
//!
//! For writing queries against invented data, away from the environment. The permit is judged as at its beginning, so
//! that a verdict does not depend on the day on which it is asked for.

use std::path::Path;

use catalog_model::Catalogue;
use engine_protocol::Verdict;
use policies::{Application, Permit, Policies, Request};

use crate::verdicts::{Judging, offline_verdict};

/// A catalogue and a permit, from files; the rule packs are those that this program ships.
#[derive(Debug)]
pub struct Offline {
    catalogue: Catalogue,
    policies: Policies,
    permit: Permit,
}

/// Why files do not give a catalogue and a grant.
type Failure = Box<dyn std::error::Error>;

impl Offline {
    /// Reads a folder of catalogue files and an approved application.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or says something that does not hold together.
    pub fn open(catalog: &Path, permit: &Path) -> Result<Self, Failure> {
        let catalogue = catalogue_in(catalog)?;
        let text = std::fs::read_to_string(permit)?;
        let application = Application::parse(&permit.display().to_string(), &text)?;
        let user = application.people().first().ok_or("the application names nobody")?.user.clone();
        let request = Request {
            user,
            project: application.project().to_owned(),
            purpose: application.purpose().code.clone(),
            now: application.approval().valid_from,
            snapshot: application.approval().snapshot.clone(),
        };
        let policies = Policies::load([application], &catalogue).map_err(|errors| joined(&errors))?;
        let permit = policies.permit(&request, &catalogue)?;
        Ok(Self { catalogue, policies, permit })
    }

    /// What vetting and the rules about dimensions say of a text.
    pub fn verdict(&self, sql: &str) -> Verdict {
        let (grant, pack) = (self.permit.grant(), self.permit.rule_pack());
        let judging = Judging { catalogue: &self.catalogue, grant, packs: self.policies.packs(), pack };
        offline_verdict(sql, judging)
    }
}

/// The catalogue of a folder of files.
pub(crate) fn catalogue_in(folder: &Path) -> Result<Catalogue, Failure> {
    let mut files = Vec::new();
    read_folder(folder, folder, &mut files)?;
    let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    Ok(Catalogue::parse(texts).map_err(|errors| joined(&errors))?)
}

fn joined(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push((name, std::fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(())
}
