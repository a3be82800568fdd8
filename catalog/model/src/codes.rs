//! Code systems: what the values of a coded column mean, and which there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::calendar::Date;
use crate::names::Names;

/// A code system with its codes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeSystem {
    /// The system's name, by which columns refer to it.
    pub system: String,
    /// Official name and ours.
    pub name: Names,
    /// The document that lists the codes.
    pub source: String,
    /// What a table that is grouped by it has as a dimension, where rule packs speak of it: `insurer`, `municipality`.
    #[serde(default)]
    pub dimension: Option<String>,
    /// Whether the list is whole: a delivered value outside a closed system is a fault.
    #[serde(default)]
    pub closed: bool,
    /// The editions of official masters that were imported into it, the newest last.
    #[serde(default, rename = "edition")]
    pub editions: Vec<Edition>,
    /// The codes, in the order in which they are displayed.
    #[serde(rename = "code")]
    pub codes: Vec<Code>,
}

impl CodeSystem {
    /// How many people live at the place that a code stands for, as its attribute `population` says.
    pub fn population(&self, code: &str) -> Option<u64> {
        self.get(code)?.attributes.get("population")?.parse().ok()
    }

    /// The entry of `code`.
    pub fn get(&self, code: &str) -> Option<&Code> {
        self.codes.iter().find(|entry| entry.code == code)
    }

    /// Puts imported entries beside those that are there; an imported entry replaces the one of the same code, whose
    /// English name and further facts stay where the master gives none.
    pub(crate) fn extend(&mut self, imported: Self) {
        let mut places: BTreeMap<String, usize> =
            self.codes.iter().enumerate().map(|(at, code)| (code.code.clone(), at)).collect();
        self.editions.extend(imported.editions);
        for mut code in imported.codes {
            match places.get(&code.code).and_then(|at| self.codes.get_mut(*at)) {
                Some(known) => {
                    if code.en.is_empty() {
                        code.en.clone_from(&known.en);
                    }
                    for (name, value) in &known.attributes {
                        code.attributes.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                    *known = code;
                }
                None => {
                    places.insert(code.code.clone(), self.codes.len());
                    self.codes.push(code);
                }
            }
        }
    }

    /// Gives every entry without an English name its Japanese one.
    pub(crate) fn name_all(&mut self) {
        for code in self.codes.iter_mut().filter(|code| code.en.is_empty()) {
            code.en.clone_from(&code.ja);
        }
    }
}

/// One edition of an official master.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// The day from which it holds.
    #[serde(deserialize_with = "day")]
    pub date: Date,
    /// The name of its file.
    pub file: String,
    /// The digest of its file.
    pub blake3: String,
    /// The entries that it has.
    pub codes: u64,
}

/// One code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The code as delivered.
    pub code: String,
    /// Official name.
    pub ja: String,
    /// Our English name; the Japanese one where there is none.
    #[serde(default)]
    pub en: String,
    /// Further facts, such as the ICD-10 code of a disease code.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The first day on which it holds; none where it is not known.
    #[serde(default, deserialize_with = "some_day")]
    pub from: Option<Date>,
    /// The last day on which it holds; none while it is in force.
    #[serde(default, deserialize_with = "some_day")]
    pub to: Option<Date>,
    /// What the code meant before, the oldest first.
    #[serde(default)]
    pub former: Vec<Former>,
}

impl Code {
    /// Says whether the code is in force on a day, in this meaning or a former one.
    pub fn holds_on(&self, day: Date) -> bool {
        let now = (self.from, self.to);
        let former = self.former.iter().map(|former| (former.from, former.to));
        former
            .chain([now])
            .any(|(from, to)| from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to))
    }
}

/// What a code meant before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Former {
    /// Official name.
    pub ja: String,
    /// Further facts.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The first day on which it held.
    #[serde(default, deserialize_with = "some_day")]
    pub from: Option<Date>,
    /// The last day on which it held.
    #[serde(default, deserialize_with = "some_day")]
    pub to: Option<Date>,
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    Date::parse(&text).ok_or_else(|| serde::de::Error::custom("not a day of the form 2024-06-01"))
}

fn some_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    day(deserializer).map(Some)
}
