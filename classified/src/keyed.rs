//! What is left of an identity after the keyed hash: 32 bytes that mean nothing without the key.

use std::fmt;
use std::marker::PhantomData;

/// A role that holds a hash key of its own; one key never serves two roles.
pub trait Role: Copy + Ord + 'static {
    /// The role's name in the key store and in messages.
    const NAME: &'static str;
}

/// The role that reads identities, at the data holder or in the ingest process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intake;

/// The role that groups records by person; its values never leave the link table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Linkage;

/// The role that ties the intake keys of a group of data holders to the environment's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bridge;

impl Role for Intake {
    const NAME: &'static str = "intake";
}

impl Role for Linkage {
    const NAME: &'static str = "linkage";
}

impl Role for Bridge {
    const NAME: &'static str = "bridge";
}

/// An HMAC-SHA-256 value made under the key of role `R`.
///
/// `Debug` is redacted: the value is a pseudonym, and a log is not the place for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyed<R: Role>([u8; 32], PhantomData<R>);

impl<R: Role> Keyed<R> {
    /// Wraps the 32 bytes that the keyed hash of role `R` gave.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes, PhantomData)
    }

    /// The 32 bytes, for the link table and for the next role's hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl<R: Role> fmt::Debug for Keyed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyed<{}>(..)", R::NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::{Intake, Keyed, Linkage};

    #[test]
    fn debug_is_redacted_and_roles_are_different_types() {
        assert_eq!(format!("{:?}", Keyed::<Intake>::new([7; 32])), "Keyed<intake>(..)");
        assert_eq!(format!("{:?}", Keyed::<Linkage>::new([7; 32])), "Keyed<linkage>(..)");
    }
}
