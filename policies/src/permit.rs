//! The receipt that a user may ask: what the policies allow, and under which of them.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{CellRules, Grant};
use time::OffsetDateTime;

use crate::loading::Registered;
use crate::request::Request;

/// What one user may ask for one project now. It has one maker, [`crate::Policies::permit`].
///
/// It says what held at [`Request::now`]; ask [`crate::Policies::may`] again before a release goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a permit is what a query has to be vetted under"]
pub struct Permit {
    grant: Grant,
    request: Request,
    valid_until: OffsetDateTime,
    rules: CellRules,
    rule_pack: String,
    rule_digest: String,
    policy_digest: String,
}

impl Permit {
    pub(crate) fn new(
        request: &Request,
        registered: &Registered,
        tables: BTreeMap<String, BTreeSet<String>>,
    ) -> Self {
        let (application, pack) = (&registered.application, &registered.pack);
        let approval = application.approval();
        let grant = Grant {
            project: application.project().to_owned(),
            snapshot: approval.snapshot.clone(),
            tier: application.tier(),
            period: approval.period,
            tables,
            thresholds: application.thresholds(pack.thresholds()),
        };
        let own = CellRules {
            persons: grant.thresholds.persons,
            zero_shown: grant.thresholds.zero_shown,
            ..pack.cell_rules()
        };
        Self {
            rules: own,
            grant,
            request: request.clone(),
            valid_until: approval.valid_until,
            rule_pack: pack.pack().to_owned(),
            rule_digest: pack.digest().to_owned(),
            policy_digest: registered.digest.clone(),
        }
    }

    /// The same permit for another moment, which the policies were asked about.
    pub(crate) fn at(&self, now: OffsetDateTime) -> Self {
        let mut permit = self.clone();
        permit.request.now = now;
        permit
    }

    /// The tables, columns, period, tier, snapshot and thresholds: all that vetting needs.
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The request that it answers.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The first moment at which it no longer holds.
    pub const fn valid_until(&self) -> OffsetDateTime {
        self.valid_until
    }

    /// What every cell of a release is held to.
    pub const fn rules(&self) -> &CellRules {
        &self.rules
    }

    /// The name of the rule pack that the thresholds come from.
    pub fn rule_pack(&self) -> &str {
        &self.rule_pack
    }

    /// The digest of the rule pack's text.
    pub fn rule_digest(&self) -> &str {
        &self.rule_digest
    }

    /// The digest of the policies that decided: schema, invariants and the project's own.
    pub fn policy_digest(&self) -> &str {
        &self.policy_digest
    }
}
