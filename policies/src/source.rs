//! Reads policy files strictly: every policy has an id and reasons, and names only what exists.

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use crate::fault::{FileFault, line};

/// What is wrong with what policies are loaded from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A schema or a policy.
    #[error("{file}: line {line}: {problem}")]
    Policy {
        /// The file; for a project's policies, their template.
        file: String,
        /// The line, from 1; for a project's policies, of the text that was made by the template.
        line: usize,
        /// What is wrong.
        problem: PolicyProblem,
    },
    /// An application or a rule pack.
    #[error(transparent)]
    File(#[from] FileFault),
}

/// What can be wrong with a schema or a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// The text is not Cedar.
    #[error("{0}")]
    Syntax(String),
    /// A policy with slots for principal or resource: nothing fills them here.
    #[error("a policy with slots")]
    Slots,
    /// A policy that does not say its id or its reasons.
    #[error("policy {policy} has no @{annotation}")]
    Annotation {
        /// The policy's id, or its number in the file.
        policy: String,
        /// The annotation.
        annotation: &'static str,
    },
    /// Two policies with one id.
    #[error("policy {0} is there twice")]
    Twice(String),
    /// The validator's finding, which names the policy: a type, an attribute or an action that the schema does not
    /// have.
    #[error("{0}")]
    Invalid(String),
    /// A table, column, database or project that does not exist.
    #[error("policy {policy} refers to {name}, which nothing defines")]
    Unknown {
        /// The policy.
        policy: String,
        /// The name, with its type.
        name: String,
    },
    /// A part of the policies that is compiled in is not as the code expects.
    #[error("broken build: {0}")]
    Bug(&'static str),
}

/// A file's name and text.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> Source<'a> {
    pub(crate) const fn new((file, text): (&'a str, &'a str)) -> Self {
        Self { file, text }
    }

    /// The policies, named by their ids.
    pub(crate) fn parse(self) -> Result<Vec<Policy>, Vec<PolicyError>> {
        let set: PolicySet = self.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
            errors
                .iter()
                .map(|error| self.at(place(error), PolicyProblem::Syntax(error.to_string())))
                .collect::<Vec<_>>()
        })?;
        if set.num_of_templates() > 0 {
            return Err(vec![self.at(None, PolicyProblem::Slots)]);
        }
        let mut errors = Vec::new();
        let mut policies = Vec::<Policy>::new();
        for policy in set.policies() {
            match self.named(policy) {
                Ok(policy) if policies.iter().any(|other| other.id() == policy.id()) => {
                    let id = policy.id().to_string();
                    errors.push(self.at(self.start(&id), PolicyProblem::Twice(id)));
                }
                Ok(policy) => policies.push(policy),
                Err(error) => errors.push(error),
            }
        }
        policies.sort_by(|one, other| one.id().cmp(other.id()));
        if errors.is_empty() { Ok(policies) } else { Err(errors) }
    }

    fn named(self, policy: &Policy) -> Result<Policy, PolicyError> {
        let id = policy.annotation("id").map_or_else(|| policy.id().to_string(), str::to_owned);
        for annotation in ["id", "reason", "reason_ja"] {
            if policy.annotation(annotation).is_none_or(str::is_empty) {
                let problem = PolicyProblem::Annotation { policy: id.clone(), annotation };
                return Err(self.at(self.start(&id), problem));
            }
        }
        Ok(policy.new_id(PolicyId::new(id)))
    }

    /// Everything in the policies that the schema does not have, or that `is_known` does not know.
    ///
    /// Warnings count as errors: a policy that can never apply, or a letter that only looks like another, is a
    /// mistake that a reviewer would not see.
    pub(crate) fn check(
        self,
        policies: &[Policy],
        validator: &Validator,
        is_known: impl Fn(&EntityUid) -> bool,
    ) -> Vec<PolicyError> {
        let Ok(set) = PolicySet::from_policies(policies.iter().cloned()) else {
            return vec![self.at(None, PolicyProblem::Bug("policies with one id were let through"))];
        };
        let result = validator.validate(&set, ValidationMode::Strict);
        let errors = result.validation_errors().map(|error| self.finding(error.policy_id(), error));
        let warnings = result.validation_warnings().map(|warning| self.finding(warning.policy_id(), warning));
        let mut found: Vec<PolicyError> = errors.chain(warnings).collect();
        for policy in policies {
            for name in policy.entity_literals().iter().filter(|name| !is_known(name)) {
                let policy = policy.id().to_string();
                let problem = PolicyProblem::Unknown { policy: policy.clone(), name: name.to_string() };
                found.push(self.at(self.start(&policy), problem));
            }
        }
        // The validator answers in any order, and says some things once for each action.
        found.sort_by_cached_key(ToString::to_string);
        found.dedup();
        found
    }

    fn finding(self, policy: &PolicyId, finding: &(impl Diagnostic + std::fmt::Display)) -> PolicyError {
        let byte = place(finding).or_else(|| self.start(policy.as_ref()));
        self.at(byte, PolicyProblem::Invalid(finding.to_string()))
    }

    /// Where a policy with this id begins.
    fn start(self, id: &str) -> Option<usize> {
        self.text.rfind(&format!("@id(\"{id}\")"))
    }

    pub(crate) fn at(self, byte: Option<usize>, problem: PolicyProblem) -> PolicyError {
        let line = line(self.text, byte.unwrap_or(0));
        PolicyError::Policy { file: self.file.to_owned(), line, problem }
    }
}

/// The byte that a finding points at.
pub(crate) fn place(finding: &impl Diagnostic) -> Option<usize> {
    finding.labels()?.next().map(|label| label.offset())
}
