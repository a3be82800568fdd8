//! The finite set of values that a group key can take.

use catalog_model::{Catalogue, Domain, Period};

/// A declared finite domain, in display order. A value outside it counts as "other".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDomain {
    /// How the engine delivers the value.
    pub kind: KeyKind,
    /// The values.
    pub values: Vec<DomainValue>,
}

/// How the engine delivers a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// As text.
    Text,
    /// As a day.
    Date,
    /// As true or false.
    Flag,
}

/// One value of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainValue {
    /// The value as text: a code, `2023-04` for a month, `true` or `false`.
    pub code: String,
    /// For days, the value as days since 1970-01-01.
    pub days: Option<i32>,
    /// Its Japanese name, the code where there is none.
    pub ja: String,
    /// Its English name, the code where there is none.
    pub en: String,
}

impl KeyDomain {
    /// The domain that the catalogue declares; months are those of `period`.
    pub(crate) fn declared(domain: &Domain, catalogue: &Catalogue, period: Period) -> Option<Self> {
        match domain {
            Domain::Codes(system) => Self::of_codes(system, catalogue),
            Domain::Months => Some(Self::months(period)),
            Domain::Flag => Some(Self::flag()),
        }
    }

    /// Yes and no.
    pub(crate) fn flag() -> Self {
        let names = [("true", "はい", "yes"), ("false", "いいえ", "no")];
        Self { kind: KeyKind::Flag, ..Self::named(names) }
    }

    /// The codes of a code system; none where the catalogue does not have it.
    pub(crate) fn of_codes(system: &str, catalogue: &Catalogue) -> Option<Self> {
        let codes = &catalogue.codes.get(system)?.codes;
        let codes = codes.iter().map(|code| (code.code.as_str(), code.ja.as_str(), code.en.as_str()));
        Some(Self::named(codes))
    }

    /// A domain of codes with their Japanese and English names.
    pub(crate) fn named<'n>(codes: impl IntoIterator<Item = (&'n str, &'n str, &'n str)>) -> Self {
        let values = codes.into_iter().map(|(code, ja, en)| DomainValue {
            code: code.to_owned(),
            days: None,
            ja: ja.to_owned(),
            en: en.to_owned(),
        });
        Self { kind: KeyKind::Text, values: values.collect() }
    }

    /// The months of a period.
    pub(crate) fn months(period: Period) -> Self {
        let values = period.months().map(|month| {
            let text = month.to_string();
            DomainValue {
                days: Some(month.first_day().days()),
                ja: text.clone(),
                en: text.clone(),
                code: text,
            }
        });
        Self { kind: KeyKind::Date, values: values.collect() }
    }

    /// A domain of labels.
    pub(crate) fn labels(labels: impl IntoIterator<Item = String>) -> Self {
        let values = labels.into_iter().map(|label| DomainValue {
            days: None,
            ja: label.clone(),
            en: label.clone(),
            code: label,
        });
        Self { kind: KeyKind::Text, values: values.collect() }
    }
}
