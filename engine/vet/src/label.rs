//! What flowed into a value: the classes of the columns it is made of, and of the conditions it was computed under.
//!
//! A label is a pair of sets of classes, and joining is union: aliases, casts, CASE branches, functions, subqueries and
//! set operations can only add to it. The control label keeps a sensitive condition with its harmless outcome:
//! `CASE WHEN icd10 = 'B20' THEN 1 END` holds no code and tells one.

use catalog_model::Class;

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes(u16);

/// The classes behind a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    /// Of the columns that it is made of.
    pub(crate) value: Classes,
    /// Of the columns that decided what it is made of.
    pub(crate) control: Classes,
}

/// From the strictest to the mildest.
const ORDER: [Class; 13] = [
    Class::Direct,
    Class::Link,
    Class::Text,
    Class::Person,
    Class::Record,
    Class::Facility,
    Class::Insurer,
    Class::Municipality,
    Class::Exact,
    Class::Sensitive,
    Class::Quasi,
    Class::Measure,
    Class::Plain,
];

impl Classes {
    const fn bit(class: Class) -> u16 {
        1 << class as u16
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, class: Class) -> bool {
        self.0 & Self::bit(class) != 0
    }

    /// The set of these classes.
    pub(crate) fn of(classes: impl IntoIterator<Item = Class>) -> Self {
        Self(classes.into_iter().fold(0, |bits, class| bits | Self::bit(class)))
    }

    /// The classes of the set.
    pub(crate) fn classes(self) -> impl Iterator<Item = Class> {
        ORDER.into_iter().filter(move |class| self.has(*class))
    }

    fn strictest(self) -> Option<Class> {
        ORDER.into_iter().find(|class| self.has(*class))
    }
}

impl Label {
    /// The label of a column of this class.
    pub(crate) const fn of(class: Class) -> Self {
        Self { value: Classes(Classes::bit(class)), control: Classes(0) }
    }

    /// The label of something made of both.
    pub(crate) const fn join(self, other: Self) -> Self {
        Self { value: self.value.with(other.value), control: self.control.with(other.control) }
    }

    /// The label of this, computed under a condition.
    pub(crate) const fn under(self, condition: Self) -> Self {
        let control = self.control.with(condition.value).with(condition.control);
        Self { value: self.value, control }
    }

    /// The label of an outcome that says something of this and holds nothing of it: a truth value, a count.
    pub(crate) const fn outcome(self) -> Self {
        Self { value: Classes(0), control: self.value.with(self.control) }
    }

    /// The label of a number of such values: how many there are says nothing of which ones, even of identities.
    pub(crate) const fn counted(self) -> Self {
        let units = Classes::bit(Class::Insurer) | Classes::bit(Class::Municipality);
        let identities =
            Classes::bit(Class::Person) | Classes::bit(Class::Record) | Classes::bit(Class::Facility) | units;
        let told = self.outcome();
        Self { value: told.value, control: Classes(told.control.0 & !identities) }
    }

    /// Whether it holds no column: what a query has written, or an outcome.
    pub(crate) const fn is_of_nothing(self) -> bool {
        self.value.0 == 0
    }

    /// The strictest class that is held or told.
    pub(crate) fn strictest(self) -> Class {
        self.value.with(self.control).strictest().unwrap_or(Class::Plain)
    }

    /// The strictest class that is held.
    pub(crate) fn held(self) -> Class {
        self.value.strictest().unwrap_or(Class::Plain)
    }
}

impl std::iter::Sum for Label {
    fn sum<I: Iterator<Item = Self>>(labels: I) -> Self {
        labels.fold(Self::default(), Self::join)
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Class;

    use super::Label;

    #[test]
    fn a_condition_leaves_its_class_on_the_outcome() {
        let code = Label::of(Class::Sensitive);
        let case = Label::of(Class::Plain).under(code.outcome());
        assert_eq!((case.held(), case.strictest()), (Class::Plain, Class::Sensitive));
        let joined = case.join(Label::of(Class::Quasi));
        assert_eq!((joined.held(), joined.strictest()), (Class::Quasi, Class::Sensitive));
        assert_eq!(joined.outcome().held(), Class::Plain);
        for identity in [Class::Facility, Class::Insurer, Class::Municipality] {
            assert_eq!(Label::of(identity).counted().strictest(), Class::Plain);
        }
    }
}
