//! A value taken from a person's record: it can be dropped or keyed, and nothing else.

use std::fmt;

use zeroize::Zeroize;

/// A raw value that cannot be copied, shown, compared, written or serialised, and is erased on drop.
///
/// `Debug` names the type only, so a struct that holds a raw field may derive `Debug` safely.
pub struct Raw<T: Zeroize>(T);

impl<T: Zeroize> Raw<T> {
    /// Takes `value` in; from here on it can only be keyed or erased.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks inside. Only the keyed hash may; the linter refuses it everywhere else.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl Raw<Vec<u8>> {
    /// Erases the old bytes and takes `bytes` in, so that one buffer serves many records.
    pub fn refill(&mut self, bytes: &[u8]) {
        self.erase();
        self.0.extend_from_slice(bytes);
    }

    /// Erases the bytes and leaves the value empty.
    pub fn erase(&mut self) {
        self.0.as_mut_slice().zeroize();
        self.0.clear();
    }

    /// Says whether there is no value, which tells nothing of the person.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Zeroize> Drop for Raw<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Raw<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw<{}>(..)", std::any::type_name::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::Raw;

    #[test]
    fn debug_shows_the_type_and_never_the_value() {
        let name = Raw::new(String::from("架空 花子"));
        assert_eq!(format!("{name:?}"), "Raw<alloc::string::String>(..)");
    }

    #[test]
    fn refilling_erases_what_was_there() {
        let mut field = Raw::new(b"1234567".to_vec());
        field.erase();
        assert!(field.is_empty());
        field.refill(b"89");
        assert!(!field.is_empty());
    }
}
