//! Questions that were asked, read again: by auditors, and under other permits or another catalogue.
//!
//! Nothing runs here and no data are looked at. Whoever is about to change a permit or the catalogue sees which
//! questions of the past would then be answered otherwise, before anybody is surprised.

use std::path::{Path, PathBuf};

use catalog_model::Catalogue;
use catalog_store::{Environment, Workspaces};
use engine_protocol::{Question, Verdict};
use time::{Date, OffsetDateTime};

use crate::guard::GuardError;
use crate::ledger_file::LedgerError;
use crate::offline::catalogue_in;
use crate::permits::Permits;
use crate::query;
use crate::texts::{Text, TextFiles, Texts};
use crate::verdicts::{Judging, denied_verdict, offline_verdict_in};

/// What decides about a question: permits and a catalogue.
#[derive(Debug)]
pub struct Rules {
    permits: Permits,
    catalogue: Catalogue,
}

impl Rules {
    /// Those of the environment; the folder of applications or that of catalogue files may be another.
    ///
    /// # Errors
    ///
    /// The catalogue cannot be read or has errors.
    pub fn open(
        environment: &Environment,
        applications: Option<PathBuf>,
        catalogue: Option<&Path>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = catalogue.map_or_else(|| environment.room("catalog"), Path::to_owned);
        let permits = Permits::new(applications.unwrap_or_else(|| environment.room("policies")));
        Ok(Self { permits, catalogue: catalogue_in(&folder)? })
    }

    fn verdict(&self, asked: &Asked<'_>, kept: &Workspaces) -> Result<Verdict, GuardError> {
        let question = &asked.question;
        let policies = self.permits.policies(&self.catalogue)?;
        let request = query::request(&policies, question, asked.now);
        Ok(match self.permits.permit(&policies, &request, &self.catalogue) {
            Err(denied) => denied_verdict(&denied),
            Ok(permit) => {
                let workspace = kept.read(&question.project)?.workspace(asked.now.unix_timestamp());
                let (grant, pack) = (permit.grant(), permit.rule_pack());
                let judging = Judging { catalogue: &self.catalogue, grant, packs: policies.packs(), pack };
                offline_verdict_in(&question.sql, judging, &workspace)
            }
        })
    }
}

struct Asked<'t> {
    text: &'t Text,
    question: Question,
    now: OffsetDateTime,
}

/// A question whose verdict would change.
#[derive(Debug)]
pub struct Change<'t> {
    /// The question, as it was asked last.
    pub text: &'t Text,
    /// How often the same person asked it for the project.
    pub times: u64,
    /// The verdict under the rules that are.
    pub before: Verdict,
    /// The verdict under the rules that would be.
    pub after: Verdict,
}

/// The texts of the questions that an environment keeps.
///
/// # Errors
///
/// A file cannot be read, or no key of the ledger can be had.
pub fn asked_texts(environment: &Environment) -> Result<Texts, LedgerError> {
    TextFiles::new(environment).read()
}

/// Removes the texts of the days before this one; how many days that were.
///
/// # Errors
///
/// A file cannot be removed.
pub fn forget_texts(environment: &Environment, before: Date) -> Result<u64, LedgerError> {
    TextFiles::new(environment).forget(before)
}

/// The questions whose verdict would change, and how many different ones were looked at.
///
/// # Errors
///
/// The permits or a project's workspace cannot be read.
pub fn compare<'t>(
    environment: &Environment,
    texts: &'t [Text],
    now: OffsetDateTime,
    (before, after): (&Rules, &Rules),
) -> Result<(Vec<Change<'t>>, u64), GuardError> {
    let kept = Workspaces::new(environment);
    let mut changes = Vec::new();
    let different = different(texts);
    let looked_at = different.len() as u64;
    for (text, times) in different {
        let question =
            Question { user: text.user.clone(), project: text.project.clone(), sql: text.sql.clone() };
        let asked = Asked { text, question, now };
        let (before, after) = (before.verdict(&asked, &kept)?, after.verdict(&asked, &kept)?);
        if before != after {
            changes.push(Change { text: asked.text, times, before, after });
        }
    }
    Ok((changes, looked_at))
}

/// Each question of a person for a project once, as it was asked last, and how often it was.
fn different(texts: &[Text]) -> Vec<(&Text, u64)> {
    let mut found: Vec<(&Text, u64)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for text in texts {
        let place = *places.entry((&text.user, &text.project, &text.sql)).or_insert_with(|| {
            found.push((text, 0));
            found.len() - 1
        });
        if let Some((last, times)) = found.get_mut(place) {
            *last = text;
            *times += 1;
        }
    }
    found
}
