//! What a code system says about a coded item: which kind of value it has, in which unit, within which range.
//!
//! A code that the system does not have may have any value.

use std::collections::HashMap;
use std::sync::Arc;

use catalog_model::{Catalogue, Code, FaultKind, ItemRule, RecordLayout};

use super::split::Fields;
use super::value::decimal5;

/// The check of lines that hold one item each.
#[derive(Debug)]
pub(crate) struct ItemCheck {
    code: usize,
    kind: (usize, Arc<str>),
    value: (usize, Arc<str>),
    unit: (usize, Arc<str>),
    items: HashMap<Vec<u8>, Item>,
}

/// What is known of one item; an empty list allows everything.
#[derive(Debug)]
struct Item {
    kinds: Vec<Vec<u8>>,
    units: Vec<Vec<u8>>,
    /// The lowest and the highest value, as hundred-thousandths.
    range: Option<(i64, i64)>,
}

impl ItemCheck {
    /// Compiles the rule; nothing where one of its references does not resolve, which the catalogue's check reports.
    pub(crate) fn new(rule: &ItemRule, layout: &RecordLayout, catalogue: &Catalogue) -> Option<Self> {
        let place = |key: &String| Some((layout.field(key)?.at, Arc::from(key.as_str())));
        let system = catalogue.codes.get(&rule.system)?;
        let items = system.codes.iter().map(|code| (code.code.as_bytes().to_vec(), Item::new(code)));
        Some(Self {
            code: layout.field(&rule.code)?.at,
            kind: place(&rule.kind)?,
            value: place(&rule.value)?,
            unit: place(&rule.unit)?,
            items: items.collect(),
        })
    }

    /// What is wrong with the line's item, and in which field.
    pub(crate) fn judge(&self, fields: &Fields, line: &[u8]) -> Option<(Arc<str>, FaultKind)> {
        let item = self.items.get(fields.get(line, self.code))?;
        let [kind, value, unit] = [&self.kind, &self.value, &self.unit].map(|(at, _)| fields.get(line, *at));
        let is_among = |list: &[Vec<u8>], text: &[u8]| list.is_empty() || list.iter().any(|one| one == text);
        if !kind.is_empty() && !is_among(&item.kinds, kind) {
            return Some((Arc::clone(&self.kind.1), FaultKind::Code));
        }
        if value.is_empty() {
            return None;
        }
        if !is_among(&item.units, unit) {
            let kind = if unit.is_empty() { FaultKind::Missing } else { FaultKind::Code };
            return Some((Arc::clone(&self.unit.1), kind));
        }
        let (low, high) = item.range?;
        let is_within = decimal5(value).is_some_and(|value| (low..=high).contains(&value));
        (!is_within).then(|| (Arc::clone(&self.value.1), FaultKind::Number))
    }
}

impl Item {
    fn new(code: &Code) -> Self {
        let list = |key: &str| {
            let text = code.attributes.get(key).map_or("", String::as_str);
            text.split('|').filter(|one| !one.is_empty()).map(|one| one.as_bytes().to_vec()).collect()
        };
        let number = |key: &str| decimal5(code.attributes.get(key)?.as_bytes());
        Self { kinds: list("kind"), units: list("unit"), range: number("low").zip(number("high")) }
    }
}
