//! What the form of a question tells of a cohort, without a look at the data.
//!
//! A cohort is whoever has a row of a source that meets every term. So a cohort whose terms contain those of another
//! is within it, whatever the data are. That two cohorts have nobody in common, or that terms of several make up
//! another, follows from the form only where a person has one row, or the same value in all of them; whoever asks for
//! it holds it against the data as well.
//!
//! Terms are compared by what they are of and by the values they take. What is not seen to follow from that is unknown:
//! `age >= 65` and `NOT age < 65` are two terms here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The rows that are asked and what they meet.
pub(super) type Said<'f> = (u64, &'f [Term]);

/// What a question says of one cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// The rows that are asked, before any term, as a digest that includes the snapshot.
    source: u64,
    terms: Vec<Term>,
    /// What the answer tells of the number of persons.
    pub(crate) told: Number,
}

/// What an answer tells of a number of persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Number {
    /// The number.
    Shown,
    /// That it lies between these: it was rounded.
    Rounded(u64, u64),
    /// That it is hidden and not below the first; where there is a second not above it.
    Hidden(u64, Option<u64>),
}

/// One condition that a row meets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Term {
    of: u64,
    takes: Takes,
}

/// What a condition takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Takes {
    /// One of these values.
    Values(BTreeSet<Value>),
    /// Whole numbers, or days, from and to these.
    Between(Option<i64>, Option<i64>),
    /// The condition is met.
    Met,
    /// No row of the person's meets the condition.
    Unmet,
}

/// A value that a question names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Value {
    Number(i64),
    Text(u64),
}

impl Form {
    /// The rows of a source that meet these terms.
    pub fn new(source: &str, terms: impl IntoIterator<Item = Term>) -> Self {
        let mut terms: Vec<Term> = terms.into_iter().collect();
        terms.sort_unstable();
        terms.dedup();
        Self { source: symbol(source), terms, told: Number::Shown }
    }

    /// The same with terms more.
    #[must_use]
    pub(crate) fn and(&self, terms: impl IntoIterator<Item = Term>) -> Self {
        let mut all = self.clone();
        all.terms.extend(terms);
        all.terms.sort_unstable();
        all.terms.dedup();
        all
    }

    /// Whether its number was not shown.
    pub(super) const fn is_hidden(&self) -> bool {
        matches!(self.told, Number::Hidden(_, _))
    }

    /// Whether it says the same of its rows.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.said() == other.said()
    }

    /// What it says of its rows, whatever is told of their number.
    pub(super) fn said(&self) -> Said<'_> {
        (self.source, self.terms.as_slice())
    }

    /// What the rows are of.
    pub(super) const fn source(&self) -> u64 {
        self.source
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let values = |term: &Term| match &term.takes {
            Takes::Values(values) => values.len() * size_of::<Value>(),
            _ => 0,
        };
        size_of::<Self>() + self.terms.iter().map(|term| size_of::<Term>() + values(term)).sum::<usize>()
    }

    pub(super) fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether everybody of this cohort is in the other one, whatever the data are.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        // Whoever meets a condition in no row of a narrower cohort may meet it in another row of the wider one.
        let is_same = self.terms == other.terms;
        self.source == other.source
            && (is_same || other.terms.iter().all(|term| self.terms.iter().any(|own| own.implies(term))))
    }

    /// Whether the terms of one row cannot be those of both.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        let excludes = |own: &Term| other.terms.iter().any(|term| own.excludes(term));
        self.source == other.source && self.terms.iter().any(excludes)
    }
}

impl Term {
    /// What it is of has one of these values.
    pub fn values<'v>(of: &str, values: impl IntoIterator<Item = &'v str>) -> Self {
        Self { of: symbol(of), takes: Takes::Values(values.into_iter().map(Value::of).collect()) }
    }

    /// What it is of lies between these, both included; none is no limit.
    pub fn between(of: &str, from: Option<i64>, to: Option<i64>) -> Self {
        Self { of: symbol(of), takes: Takes::Between(from, to) }
    }

    /// The condition is met.
    pub fn met(condition: &str) -> Self {
        Self { of: symbol(condition), takes: Takes::Met }
    }

    /// No row of a person's meets the condition.
    pub fn unmet(condition: &str) -> Self {
        Self { of: symbol(condition), takes: Takes::Unmet }
    }

    /// What it is of.
    pub(super) const fn of(&self) -> u64 {
        self.of
    }

    /// Whether a row that meets this one meets the other.
    pub(super) fn implies(&self, other: &Self) -> bool {
        self.of == other.of && self.takes.is_within(&other.takes)
    }

    fn excludes(&self, other: &Self) -> bool {
        self.of == other.of && self.takes.excludes(&other.takes)
    }
}

impl Takes {
    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Values(own), Self::Values(other)) => own.is_subset(other),
            (Self::Values(own), Self::Between(from, to)) => own.iter().all(|value| value.is_in(*from, *to)),
            (Self::Between(from, to), Self::Between(least, most)) => {
                least.is_none_or(|least| from.is_some_and(|from| from >= least))
                    && most.is_none_or(|most| to.is_some_and(|to| to <= most))
            }
            (Self::Met, Self::Met) => true,
            // In no row of a narrower cohort is not in no row of a wider one.
            _ => false,
        }
    }

    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Values(own), Self::Values(other)) => own.is_disjoint(other),
            (Self::Values(values), Self::Between(from, to))
            | (Self::Between(from, to), Self::Values(values)) => {
                values.iter().all(|value| matches!(value, Value::Number(_)) && !value.is_in(*from, *to))
            }
            (Self::Between(from, to), Self::Between(least, most)) => {
                let is_above = |low: &Option<i64>, high: &Option<i64>| matches!((low, high), (Some(low), Some(high)) if low > high);
                is_above(from, most) || is_above(least, to)
            }
            (Self::Met, Self::Unmet) | (Self::Unmet, Self::Met) => true,
            _ => false,
        }
    }
}

impl Value {
    /// A whole number as it would be written is that number.
    fn of(text: &str) -> Self {
        let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
        number.map_or_else(|| Self::Text(symbol(text)), Self::Number)
    }

    fn is_in(&self, from: Option<i64>, to: Option<i64>) -> bool {
        match self {
            Self::Number(number) => {
                from.is_none_or(|from| *number >= from) && to.is_none_or(|to| *number <= to)
            }
            Self::Text(_) => false,
        }
    }
}

/// A text as a number that no other text is likely to have.
fn symbol(text: &str) -> u64 {
    let digest = blake3::hash(text.as_bytes());
    digest.as_bytes().first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::{Form, Term};

    fn form<const N: usize>(terms: [&Term; N]) -> Form {
        Form::new("person", terms.into_iter().cloned())
    }

    #[test]
    fn more_terms_are_within_fewer_and_narrower_ones_within_wider() {
        let (women, old) = (Term::values("sex", ["F"]), Term::between("age", Some(65), None));
        let (older, seventy) = (Term::between("age", Some(75), Some(90)), Term::values("age", ["70"]));
        let (all, both) = (form([]), form([&women, &older]));
        assert!(both.is_within(&all) && both.is_within(&form([&old])) && !all.is_within(&both));
        assert!(both.is_within(&form([&old, &women])));
        assert!(form([&women]).is_within(&form([&Term::values("sex", ["M", "F"])])));
        assert!(form([&seventy]).is_within(&form([&Term::between("age", None, Some(70))])));
        assert!(!form([&women]).is_within(&Form::new("claim", [])));
    }

    #[test]
    fn whoever_meets_no_condition_in_one_cohort_may_meet_it_in_a_wider_one() {
        let (women, fails) = (Term::values("sex", ["F"]), Term::unmet("drug"));
        let (rest, women_rest) = (form([&fails]), form([&women, &fails]));
        assert!(!women_rest.is_within(&rest));
        assert!(women_rest.is_within(&women_rest));
        assert!(women_rest.is_within(&form([&women])));
        assert!(rest.excludes(&form([&Term::met("drug")])));
    }

    #[test]
    fn other_values_exclude_each_other() {
        let excludes = |one: Term, two: Term| form([&one]).excludes(&form([&two]));
        assert!(excludes(Term::values("sex", ["F"]), Term::values("sex", ["M"])));
        assert!(!excludes(Term::values("sex", ["F"]), Term::values("area", ["M"])));
        assert!(excludes(Term::between("age", Some(65), None), Term::between("age", None, Some(64))));
        assert!(!excludes(Term::between("age", Some(65), None), Term::between("age", None, Some(65))));
        assert!(excludes(Term::values("age", ["64"]), Term::between("age", Some(65), None)));
    }
}
