//! Which elements of a package's documents make lines, and where their values stand.

use std::collections::{BTreeMap, HashMap};

use catalog_model::{Class, ElementStep, Family, Field, Package, PackageLimits, RecordLayout};

/// The elements that make lines, by local name, and what a package may be.
#[derive(Debug)]
pub(crate) struct Elements {
    units: HashMap<String, Unit>,
    pub(crate) namespaces: BTreeMap<String, String>,
    pub(crate) required: Vec<String>,
    pub(crate) limits: PackageLimits,
    pub(crate) delimiter: char,
}

/// An element that makes a line: the tree of the paths to its values, the element itself first.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The number of values in its line.
    pub(crate) columns: usize,
    nodes: Vec<Node>,
}

/// One element on the way to a value.
#[derive(Debug, Default)]
pub(crate) struct Node {
    step: Option<ElementStep>,
    children: Vec<usize>,
    /// The place of the element's text.
    pub(crate) text: Option<usize>,
    /// The places of its attributes, by local name.
    pub(crate) attributes: Vec<(String, usize)>,
}

impl Elements {
    /// Compiles the paths of the family's layouts.
    pub(crate) fn new(package: &Package, family: &Family) -> Self {
        let units = family.records.iter().map(|record| (record.tag.clone(), Unit::new(record)));
        Self {
            units: units.collect(),
            namespaces: package.namespaces.clone(),
            required: package.required.clone(),
            limits: package.limits,
            delimiter: family.framing.delimiter,
        }
    }

    /// The line that an element of this name makes.
    pub(crate) fn unit(&self, name: &str) -> Option<&Unit> {
        self.units.get(name)
    }
}

impl Unit {
    fn new(record: &RecordLayout) -> Self {
        let columns = record.columns.iter().copied().max().unwrap_or(1);
        let mut unit = Self { columns, nodes: vec![Node::default()] };
        for field in record.fields.iter().filter(|field| is_wanted(field)) {
            let Some(path) = &field.path else { continue };
            let at = path.steps.iter().fold(0, |at, step| unit.child(at, step));
            let Some(node) = unit.nodes.get_mut(at) else { continue };
            match &path.attribute {
                Some(name) => node.attributes.push((name.clone(), field.at)),
                None => node.text = Some(field.at),
            }
        }
        unit
    }

    fn child(&mut self, parent: usize, step: &ElementStep) -> usize {
        let is_same =
            |child: &usize| self.nodes.get(*child).is_some_and(|node| node.step.as_ref() == Some(step));
        let children = self.nodes.get(parent).map(|node| node.children.as_slice()).unwrap_or_default();
        if let Some(found) = children.iter().copied().find(is_same) {
            return found;
        }
        let number = self.nodes.len();
        self.nodes.push(Node { step: Some(step.clone()), ..Node::default() });
        if let Some(parent) = self.nodes.get_mut(parent) {
            parent.children.push(number);
        }
        number
    }

    /// The node with this number.
    pub(crate) fn node(&self, number: usize) -> Option<&Node> {
        self.nodes.get(number)
    }

    /// The nodes below `parent` that an element with this name and these attributes is.
    pub(crate) fn below<'a>(
        &'a self,
        parent: usize,
        name: &'a str,
        attributes: &'a [(String, String)],
    ) -> impl Iterator<Item = usize> + 'a {
        let children = self.nodes.get(parent).map(|node| node.children.as_slice()).unwrap_or_default();
        children.iter().copied().filter(move |child| {
            let step = self.nodes.get(*child).and_then(|node| node.step.as_ref());
            step.is_some_and(|step| {
                step.name == name && step.only.as_ref().is_none_or(|only| attributes.contains(only))
            })
        })
    }
}

// What no key and no column is made of is not even taken out of the document: an address, a postcode, a finding's text.
fn is_wanted(field: &Field) -> bool {
    field.required || field.role.is_some() || !matches!(field.class, Class::Direct | Class::Text)
}
