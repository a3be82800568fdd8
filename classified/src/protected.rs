//! A result before and after disclosure control.

use std::fmt;

/// A result whose cells still carry the persons behind them; it stays inside the guard.
///
/// It has no `Clone`, `Display` or `Serialize`; `Debug` is redacted.
pub struct Protected<T>(T);

impl<T> Protected<T> {
    /// Takes in what a worker answered.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks inside: for disclosure control, which makes a [`Released`] value of it.
    pub const fn inside(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Protected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protected<{}>(..)", std::any::type_name::<T>())
    }
}

/// A result that passed disclosure control and may leave.
#[derive(Debug)]
pub struct Released<T>(T);

impl<T> Released<T> {
    /// Declares that every check passed. Only `engine-disclosure` may; the linter refuses it everywhere else.
    pub const fn assert_checked(value: T) -> Self {
        Self(value)
    }

    /// Borrows the released value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// Hands the released value on.
    pub fn into_inner(self) -> T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Protected;

    #[test]
    fn debug_of_a_protected_value_is_redacted() {
        assert_eq!(format!("{:?}", Protected::new(3_u8)), "Protected<u8>(..)");
    }
}
