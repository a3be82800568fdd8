//! The raw identity fields of one claim, by role.

use classified::Raw;

/// The raw values of one claim's identity roles; erased for every next claim.
#[derive(Debug)]
pub struct Identity {
    roles: Vec<Raw<Vec<u8>>>,
}

impl Identity {
    /// Makes room for so many roles.
    pub fn new(roles: usize) -> Self {
        Self { roles: (0..roles).map(|_| Raw::new(Vec::new())).collect() }
    }

    /// Takes a role's value; the first one that is given counts.
    pub fn set(&mut self, role: usize, value: &[u8]) {
        if let Some(field) = self.roles.get_mut(role)
            && field.is_empty()
        {
            field.refill(value);
        }
    }

    /// Erases every value.
    pub fn erase(&mut self) {
        for field in &mut self.roles {
            field.erase();
        }
    }

    /// The values by role number, for the keyed hash.
    pub(super) fn roles(&self) -> &[Raw<Vec<u8>>] {
        &self.roles
    }
}
