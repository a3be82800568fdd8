//! Landlock: no file by its path, no TCP, no socket of another domain, no signal to another process.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetError, RulesetStatus, Scope,
};

/// What cannot be had of Landlock.
#[derive(Debug, thiserror::Error)]
pub(super) enum LandlockError {
    #[error(transparent)]
    Rules(#[from] RulesetError),
    #[error("the kernel enforces only a part")]
    Partly,
}

/// Forbids everything that Landlock of the sixth version knows, and allows nothing: data come as open descriptors.
pub(super) fn forbid() -> Result<(), LandlockError> {
    let status: RestrictionStatus = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::FullyEnforced { Ok(()) } else { Err(LandlockError::Partly) }
}
