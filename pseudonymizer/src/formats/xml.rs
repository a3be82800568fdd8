//! One XML document as lines, one for each element that the layout names.
//!
//! There is no document type definition here, and so no entity but the five of XML itself: a document that brings one
//! is refused with its package. A document that is not well-formed gives the lines that were begun before the break.
//! Deliberately absent: validation against a schema; what a line must hold, its layout says.

use std::collections::HashMap;

use catalog_model::{FaultKind, PackageLimits};
use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use zeroize::{Zeroize as _, Zeroizing};

use super::elements::{Elements, Unit};

/// The lines of one document.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The lines in the order in which their elements begin.
    pub(crate) lines: Vec<Zeroizing<Vec<u8>>>,
    /// Why the document could not be read to its end.
    pub(crate) broken: Option<FaultKind>,
}

/// Why a document is refused together with its package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// It defines a document type.
    Doctype,
    /// Its elements stand too deep inside each other.
    Depth,
    /// One of its elements has too many attributes.
    Attributes,
    /// Too many of its elements make lines.
    Lines,
}

/// Why reading stops.
enum Stop {
    Broken(FaultKind),
    Attack(Attack),
}

const MARKUP: Stop = Stop::Broken(FaultKind::Markup);

/// Reads a document.
///
/// # Errors
///
/// It is an attack on its reader.
pub(crate) fn read(elements: &Elements, bytes: &[u8]) -> Result<Document, Attack> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(Document { lines: Vec::new(), broken: Some(FaultKind::Encoding) });
    };
    let mut walk = Walk { elements, units: Vec::new(), frames: Vec::new(), root: None };
    let stopped = if bytes.iter().all(|byte| is_allowed(*byte)) { walk.events(text) } else { Err(MARKUP) };
    let broken = match stopped {
        Ok(()) => None,
        Err(Stop::Broken(kind)) => Some(kind),
        Err(Stop::Attack(attack)) => return Err(attack),
    };
    let delimiter = u8::try_from(elements.delimiter).unwrap_or(0x1F);
    Ok(Document { lines: walk.units.iter().map(|unit| unit.line(delimiter)).collect(), broken })
}

// XML allows no other control characters, so the one that stands between the values of a line is never part of one.
const fn is_allowed(byte: u8) -> bool {
    byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r')
}

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

struct Walk<'p> {
    elements: &'p Elements,
    units: Vec<OpenUnit<'p>>,
    frames: Vec<Frame>,
    root: Option<Root>,
}

/// The document's first element: its namespace is that of all that count.
struct Root {
    prefix: String,
    namespace: String,
    is_known: bool,
}

/// A line that is being made.
struct OpenUnit<'p> {
    plan: Option<&'p Unit>,
    values: Vec<Zeroizing<String>>,
}

/// An element that is open.
#[derive(Default)]
struct Frame {
    /// The unit and the node of its tree that the element is.
    nodes: Vec<(usize, usize)>,
    /// The values that its text goes to.
    text: Vec<(usize, usize)>,
    is_foreign: bool,
}

impl Walk<'_> {
    fn events(&mut self, text: &str) -> Result<(), Stop> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        let mut is_first = true;
        loop {
            match reader.read_event().map_err(|_| MARKUP)? {
                Event::Start(start) => self.open(&start)?,
                Event::Empty(start) => {
                    self.open(&start)?;
                    self.frames.pop();
                }
                Event::End(_) => {
                    self.frames.pop().ok_or(MARKUP)?;
                }
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) if !self.frames.is_empty() => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let text = resolve(&reference).ok_or(MARKUP)?;
                    self.text(&text)?;
                }
                Event::Decl(declaration) if is_first => declared(&declaration)?,
                Event::Decl(_) | Event::CData(_) => return Err(MARKUP),
                Event::DocType(_) => return Err(Stop::Attack(Attack::Doctype)),
                Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
            is_first = false;
        }
        if self.frames.is_empty() && self.root.is_some() { Ok(()) } else { Err(MARKUP) }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Stop> {
        let limits = &self.elements.limits;
        if self.frames.len() >= limits.depth {
            return Err(Stop::Attack(Attack::Depth));
        }
        if self.frames.is_empty() && self.root.is_some() {
            return Err(MARKUP);
        }
        let qualified = start.name();
        let (prefix, name) = split_name(qualified.as_ref());
        let attributes = Attributes::new(start, limits)?;
        let is_root = self.root.is_none();
        let root = self.root.get_or_insert_with(|| Root::new(prefix, name, &attributes, self.elements));
        let parent = self.frames.last();
        // Below an unknown root and in another namespace nothing is known.
        let is_foreign = (!root.is_known && !is_root)
            || parent.is_some_and(|parent| parent.is_foreign)
            || prefix != root.prefix
            || attributes.namespaces.get(prefix).is_some_and(|namespace| *namespace != root.namespace);
        let mut frame = Frame { is_foreign, ..Frame::default() };
        if !is_foreign {
            for (unit, node) in parent.map(|parent| parent.nodes.as_slice()).unwrap_or_default() {
                let plan = self.units.get(*unit).and_then(|open| open.plan);
                let below = plan.into_iter().flat_map(|plan| plan.below(*node, name, &attributes.plain));
                frame.nodes.extend(below.map(|node| (*unit, node)));
            }
            let plan = self.elements.unit(name).filter(|_| root.is_known);
            if plan.is_some() || is_root {
                if self.units.len() >= limits.lines {
                    return Err(Stop::Attack(Attack::Lines));
                }
                frame.nodes.push((self.units.len(), 0));
                self.units.push(OpenUnit::new(plan, name));
            }
        }
        for (unit, node) in &frame.nodes {
            let Some(open) = self.units.get_mut(*unit) else { continue };
            let Some(node) = open.plan.and_then(|plan| plan.node(*node)) else { continue };
            for (attribute, at) in &node.attributes {
                let value = attributes.plain.iter().find(|(name, _)| name == attribute);
                open.take(*at, value.map_or("", |(_, value)| value));
            }
            // The first element with a text counts.
            frame.text.extend(node.text.filter(|at| open.is_empty(*at)).map(|at| (*unit, at)));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Stop> {
        let Some(frame) = self.frames.last() else {
            let is_space = text.bytes().all(|byte| byte.is_ascii_whitespace());
            return if is_space { Ok(()) } else { Err(MARKUP) };
        };
        for (unit, at) in &frame.text {
            if let Some(value) = self.units.get_mut(*unit).and_then(|open| open.values.get_mut(*at)) {
                // A value begins with something, so that the next of many spaces need not be looked at again.
                let text = if value.is_empty() { text.trim_start_matches(SPACE) } else { text };
                value.push_str(text);
            }
        }
        Ok(())
    }
}

impl Root {
    fn new(prefix: &str, name: &str, attributes: &Attributes, elements: &Elements) -> Self {
        let namespace = attributes.namespaces.get(prefix).cloned().unwrap_or_default();
        let is_known = elements.unit(name).is_some()
            && elements.namespaces.get(name).is_none_or(|expected| *expected == namespace);
        Self { prefix: prefix.to_owned(), namespace, is_known }
    }
}

impl<'p> OpenUnit<'p> {
    // The first value says which element it is; a root that no layout knows keeps its name and nothing else.
    fn new(plan: Option<&'p Unit>, name: &str) -> Self {
        let columns = plan.map_or(1, |plan| plan.columns);
        let mut values = vec![Zeroizing::new(String::new()); columns];
        if let (Some(first), true) = (values.first_mut(), plan.is_some()) {
            first.push_str(name);
        } else if let Some(first) = values.first_mut() {
            first.push('?');
        }
        Self { plan, values }
    }

    fn is_empty(&self, at: usize) -> bool {
        self.values.get(at).is_some_and(|value| value.is_empty())
    }

    fn take(&mut self, at: usize, text: &str) {
        if self.is_empty(at)
            && let Some(value) = self.values.get_mut(at)
        {
            value.push_str(text.trim_matches(SPACE));
        }
    }

    fn line(&self, delimiter: u8) -> Zeroizing<Vec<u8>> {
        let mut line =
            Zeroizing::new(Vec::with_capacity(self.values.iter().map(|value| value.len() + 1).sum()));
        for (number, value) in self.values.iter().enumerate() {
            if number > 0 {
                line.push(delimiter);
            }
            let space = |byte: u8| if byte >= 0x20 { byte } else { b' ' };
            line.extend(value.trim_end_matches(SPACE).bytes().map(space));
        }
        line
    }
}

/// The attributes of one element: the namespaces that they declare by prefix, the others by local name.
struct Attributes {
    namespaces: HashMap<String, String>,
    plain: Vec<(String, String)>,
}

impl Attributes {
    fn new(start: &BytesStart<'_>, limits: &PackageLimits) -> Result<Self, Stop> {
        let mut found = Self { namespaces: HashMap::new(), plain: Vec::new() };
        for (number, attribute) in start.attributes().enumerate() {
            if number >= limits.attributes {
                return Err(Stop::Attack(Attack::Attributes));
            }
            let attribute = attribute.map_err(|_| MARKUP)?;
            let value = unescape(attribute.value.as_ref()).map_err(|_| MARKUP)?.into_owned();
            if attribute.value.contains('<') || !value.bytes().all(is_allowed) {
                return Err(MARKUP);
            }
            match split_name(attribute.key.as_ref()) {
                ("", "xmlns") => found.namespaces.insert(String::new(), value),
                ("xmlns", prefix) => found.namespaces.insert(prefix.to_owned(), value),
                (_, name) => {
                    found.plain.push((name.to_owned(), value));
                    None
                }
            };
        }
        Ok(found)
    }
}

// Attributes hold insured numbers.
impl Drop for Attributes {
    fn drop(&mut self) {
        for (_, value) in &mut self.plain {
            value.zeroize();
        }
    }
}

fn split_name(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(c) = reference.resolve_char_ref().ok()? {
        let is_sound = u8::try_from(c).map_or(true, is_allowed);
        return is_sound.then(|| c.to_string());
    }
    resolve_predefined_entity(&reference.xml10_content()).map(ToOwned::to_owned)
}

fn declared(declaration: &BytesDecl<'_>) -> Result<(), Stop> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii") => {
            Ok(())
        }
        Some(Ok(_)) => Err(Stop::Broken(FaultKind::Encoding)),
        Some(Err(_)) => Err(MARKUP),
    }
}
