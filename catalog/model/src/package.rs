//! Packages: zip files of XML documents, read as lines.
//!
//! Every element that a layout names as a record type makes one line; the paths of its fields say where below the
//! element their values stand. Behind that, a line of a package is a line like any other.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;

use crate::codes::Code;

/// A zip package of XML documents.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The namespaces that root elements must have, by element.
    #[serde(default)]
    pub namespaces: BTreeMap<String, String>,
    /// The root elements without which a package is refused.
    #[serde(default)]
    pub required: Vec<String>,
    /// Beyond these a package is refused.
    pub limits: PackageLimits,
}

/// How large a package may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageLimits {
    /// Entries in the package.
    pub entries: usize,
    /// Bytes of one entry, expanded.
    pub entry_bytes: u64,
    /// Bytes of all entries together, expanded.
    pub bytes: u64,
    /// Expanded bytes for one compressed byte.
    pub ratio: u64,
    /// Elements inside each other.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Elements of one document that make lines.
    pub lines: usize,
}

/// Where a value stands below an element: `recordTarget/patientRole/id[root=1.2.3]/@extension`.
///
/// Steps go from child to child by local name; a condition in brackets is on the step's own attribute. The last step
/// may be an attribute; otherwise the value is the text of the element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementPath {
    /// The elements on the way.
    pub steps: Vec<ElementStep>,
    /// The attribute, where the value is not text.
    pub attribute: Option<String>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementStep {
    /// The element's local name.
    pub name: String,
    /// The attribute and its value that the element must have.
    pub only: Option<(String, String)>,
}

/// The text is not of the form of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form a/b[attribute=value]/@attribute")]
pub struct NotAPath;

impl FromStr for ElementPath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let (steps, attribute) = match text.rsplit_once('@') {
            Some((before, name)) if is_name(name) => (before, Some(name.to_owned())),
            Some(_) => return Err(NotAPath),
            None => (text, None),
        };
        let steps = match (steps, &attribute) {
            ("", Some(_)) => Vec::new(),
            (steps, Some(_)) => parse_steps(steps.strip_suffix('/').ok_or(NotAPath)?)?,
            (steps, None) => parse_steps(steps)?,
        };
        Ok(Self { steps, attribute })
    }
}

fn parse_steps(text: &str) -> Result<Vec<ElementStep>, NotAPath> {
    let step = |text: &str| {
        let (name, only) = match text.split_once('[') {
            None => (text, None),
            Some((name, rest)) => {
                let (attribute, value) =
                    rest.strip_suffix(']').ok_or(NotAPath)?.split_once('=').ok_or(NotAPath)?;
                (name, Some((attribute.to_owned(), value.to_owned())))
            }
        };
        let is_sound = is_name(name) && only.as_ref().is_none_or(|(attribute, _)| is_name(attribute));
        is_sound.then(|| ElementStep { name: name.to_owned(), only }).ok_or(NotAPath)
    };
    text.split('/').map(step).collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl<'de> Deserialize<'de> for ElementPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a code system says about coded items: attributes `kind` and `unit` (several joined by `|`), `low` and `high`.
///
/// A code that the system does not have may have any value; so a new item without a check needs no entry at all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemRule {
    /// The field with the item's code.
    pub code: String,
    /// The code system.
    pub system: String,
    /// The field with the kind of value (PQ, CD, CO, ST).
    pub kind: String,
    /// The field with the number.
    pub value: String,
    /// The field with its unit.
    pub unit: String,
}

/// Says whether a code has no range, or one of two whole numbers.
pub(crate) fn has_sound_range(code: &Code) -> bool {
    let number = |key: &str| code.attributes.get(key).map(|text| text.parse::<i32>().ok());
    match (number("low"), number("high")) {
        (None, None) => true,
        (Some(Some(low)), Some(Some(high))) => low <= high,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{ElementPath, NotAPath};

    #[test]
    fn paths_are_read_and_others_refused() {
        let shown = |text: &str| {
            text.parse::<ElementPath>().map(|path| {
                let steps = path.steps.iter().map(|step| match &step.only {
                    None => step.name.clone(),
                    Some((attribute, value)) => format!("{}({attribute} is {value})", step.name),
                });
                let steps: Vec<String> = steps.collect();
                (steps.join(" "), path.attribute.unwrap_or_default())
            })
        };
        let good = |steps: &str, attribute: &str| Ok((steps.to_owned(), attribute.to_owned()));
        assert_eq!(shown("@negationInd"), good("", "negationInd"));
        assert_eq!(shown("value/@unit"), good("value", "unit"));
        assert_eq!(shown("patient/name"), good("patient name", ""));
        assert_eq!(shown("a/id[root=1.2.3]/@extension"), good("a id(root is 1.2.3)", "extension"));
        for text in ["", "/a", "a/", "a//b", "a@b", "a/@", "a[b]", "a[b=c", "a[=c]/@d", "a b"] {
            assert_eq!(shown(text), Err(NotAPath), "{text}");
        }
    }
}
