//! A family's layouts and the tables fed by it, compiled into what the reader runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use catalog_model::{
    Catalogue, Class, Encoding, Family, Feed, Field, FieldRef, Grouping, LineEnds, Month, Part, Pick, Quotes,
    RecordLayout, RowOf, Source, Table, Treatment,
};

use super::check::FieldCheck;
use super::elements::Elements;
use super::heading::HeadingProgram;
use super::item::ItemCheck;
use super::lines::Lines;
use super::quick::{Quick, Sieve};
use super::run::RunRule;
use super::shared::{self, Home};
use super::tags::ByTag;
use super::value::{From, Make, Output};

/// Everything the reader needs to know about one family of files.
#[derive(Debug)]
pub struct Program {
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    pub(crate) quotes: Quotes,
    pub(crate) ends: LineEnds,
    pub(crate) may_be_cp932: bool,
    pub(crate) skip_lines: usize,
    pub(crate) same_columns: bool,
    pub(crate) heading: HeadingProgram,
    pub(crate) tag: Vec<usize>,
    pub(crate) refine: ByTag<Vec<usize>>,
    pub(crate) grouping: GroupBy,
    pub(crate) records: Vec<Record>,
    pub(crate) by_tag: ByTag<usize>,
    pub(crate) group_feeds: Vec<RowProgram>,
    pub(crate) tables: Vec<Arc<str>>,
    pub(crate) reasons: Vec<Arc<str>>,
    pub(crate) slots: usize,
    pub(crate) header_slots: usize,
    pub(crate) record_key: Vec<Slot>,
    pub(crate) unique_key: Vec<Slot>,
    /// What else tells records apart and may be empty, with the family, whose records it compares alone.
    pub(crate) unique_with: Option<(Vec<u8>, Vec<Slot>)>,
    pub(crate) month: Option<Slot>,
    pub(crate) roles: usize,
    pub(crate) has_trailer: bool,
    pub(crate) has_free_lines: bool,
    pub(crate) totals: Vec<Total>,
    pub(crate) package: Option<Elements>,
}

/// How records are grouped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// A record of this number opens a group.
    Opener(usize),
    /// Consecutive lines with equal key fields form a group.
    Key,
    /// Each line stands alone.
    Line,
}

/// One record type.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) key: Arc<str>,
    pub(crate) part: Part,
    pub(crate) columns: Vec<usize>,
    pub(crate) checks: Vec<FieldCheck>,
    /// The checks that go the short way.
    pub(crate) sieve: Sieve,
    pub(crate) item: Option<ItemCheck>,
    pub(crate) captures: Vec<Capture>,
    pub(crate) roles: Vec<(usize, usize)>,
    pub(crate) roles_when: Vec<(usize, Vec<u8>)>,
    pub(crate) group_key: Vec<usize>,
    pub(crate) valid: Option<Valid>,
    pub(crate) feeds: Vec<RowProgram>,
    pub(crate) run: Option<RunRule>,
    /// The first field of a tail of equal fields, which is not split.
    pub(crate) tail: Option<usize>,
    /// Up to how many digits the fields of the tail may have, where that is all that is asked of them.
    pub(crate) tail_width: Option<usize>,
    /// Whether its lines may be remembered, see [`super::known`], and a bit for each field that none of them may have.
    pub(crate) is_remembered: bool,
    pub(crate) unkept: u64,
    /// The totals in which its lines count.
    pub(crate) counted: Vec<usize>,
    /// Whether a total is stated or summed by its lines.
    pub(crate) is_totalled: bool,
    /// A position, its values in lines that are content, and the reason number of the others.
    pub(crate) kept: Option<(usize, Vec<Vec<u8>>, usize)>,
    /// The reason number under which its lines are dropped; none where they are stored.
    pub(crate) dropped: Option<usize>,
}

/// The months that the layout is for.
#[derive(Debug)]
pub(crate) struct Valid {
    pub(crate) at: usize,
    pub(crate) key: Arc<str>,
    /// Months since year 0.
    pub(crate) months: RangeInclusive<i32>,
}

/// Keeps a field's value for later rows of the group or the file.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) at: usize,
    pub(crate) repeat: usize,
    pub(crate) slot: Slot,
    /// Whether a later value replaces an earlier one.
    pub(crate) replaces: bool,
    /// The field and the value that the record must have.
    pub(crate) only: Option<(usize, Vec<u8>)>,
}

/// A place for a captured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Group(usize),
    Header(usize),
}

/// Makes one row of a table.
#[derive(Debug)]
pub(crate) struct RowProgram {
    pub(crate) table: usize,
    pub(crate) when: Vec<(usize, Vec<u8>)>,
    /// The same for a row that a group makes.
    pub(crate) when_group: Vec<(Slot, Vec<u8>)>,
    pub(crate) each: Option<Each>,
    pub(crate) columns: Vec<Output>,
    /// The columns that the rows of a claim share, that lines say alike, and the others; see [`super::shared`].
    pub(crate) shared: Vec<usize>,
    pub(crate) phrase: Vec<usize>,
    pub(crate) own: Vec<usize>,
    /// The same, by column.
    pub(crate) homes: Vec<Home>,
}

/// For what a line makes a row of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Each {
    /// Each piece of a field.
    Pieces { at: usize, width: usize },
    /// Each repetition of a field that has a value.
    Fields { at: usize, stride: usize, repeat: usize },
}

/// A total that the file states about itself.
#[derive(Debug)]
pub(crate) struct Total {
    pub(crate) stated: Slot,
    pub(crate) stated_by: usize,
    pub(crate) sum: Option<(usize, usize)>,
}

/// Why a family cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The catalogue has no family of this name.
    #[error("the catalogue has no layout {0}")]
    UnknownFamily(String),
    /// The delimiter is not a single byte.
    #[error("layout {0}: the delimiter is not an ASCII character")]
    Delimiter(String),
    /// A reference does not resolve.
    #[error("layout {family}: {reference} does not resolve")]
    Reference {
        /// The family.
        family: String,
        /// The reference.
        reference: String,
    },
}

impl Program {
    /// Compiles the family's layouts and every table that it feeds.
    ///
    /// # Errors
    ///
    /// The family is unknown or one of its references does not resolve.
    pub fn compile(catalogue: &Catalogue, family: &str) -> Result<Self, ProgramError> {
        let family =
            catalogue.families.get(family).ok_or_else(|| ProgramError::UnknownFamily(family.to_owned()))?;
        Compiler::new(catalogue, family)?.compile()
    }

    /// The same program without its short ways, with which they must agree.
    #[cfg(test)]
    pub(crate) fn without_short_ways(mut self) -> Self {
        for record in &mut self.records {
            record.sieve = Sieve::none();
            record.is_remembered = false;
        }
        shared::mark(&mut self);
        let feeds = self.records.iter_mut().flat_map(|record| &mut record.feeds).chain(&mut self.group_feeds);
        feeds.flat_map(|row| &mut row.columns).for_each(|output| output.quick = Quick::General);
        self
    }

    /// The names of the tables that files of the family feed, by table number.
    pub fn tables(&self) -> &[Arc<str>] {
        &self.tables
    }

    /// Says of each column that the family gives a table how often it is made.
    pub fn homes(&self, table: usize) -> Vec<Home> {
        let row = shared::rows(self).find(|row| row.table == table);
        row.map(|row| row.homes.clone()).unwrap_or_default()
    }

    /// The reasons for which lines are dropped, by reason number.
    pub fn reasons(&self) -> &[Arc<str>] {
        &self.reasons
    }

    /// The short name of a record type.
    pub fn record_key(&self, record: usize) -> &str {
        self.records.get(record).map_or("", |record| record.key.as_ref())
    }

    /// The reason for which lines of a record type are dropped, where they are.
    pub fn drop_reason(&self, record: usize) -> &str {
        let reason = self.records.get(record).and_then(|record| record.dropped).unwrap_or(HEADING);
        self.reasons.get(reason).map_or("", |reason| reason.as_ref())
    }

    /// The encoding of the family's files.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The field and the tag of the record that opens a group, where a file may be cut before any such line.
    pub fn opener(&self) -> Option<(usize, Vec<u8>)> {
        if self.is_package() {
            return None;
        }
        let GroupBy::Opener(opener) = self.grouping else { return None };
        let (tag, _) = self.by_tag.iter().find(|(_, record)| **record == opener)?;
        Some((self.tag.first().copied()?, tag))
    }

    /// How a header line begins, with the line end before it; a line that is cut off behind its tag is one too.
    pub fn header_needles(&self) -> Vec<Vec<u8>> {
        if self.is_package() {
            return Vec::new();
        }
        let is_header =
            |record: &usize| self.records.get(*record).is_some_and(|record| record.part == Part::Header);
        let tags = self.by_tag.iter().filter(|(_, record)| is_header(record)).map(|(tag, _)| tag);
        let ends = [vec![self.delimiter], b"\n".to_vec(), b"\r\n".to_vec()];
        tags.flat_map(|tag| ends.iter().map(move |end| [b"\n", &*tag, end].concat())).collect()
    }

    /// Says whether files of the family are zip packages, which are not cut.
    pub const fn is_package(&self) -> bool {
        self.package.is_some()
    }

    /// The lines of a file of the family.
    pub fn lines<R: std::io::Read>(&self, source: R) -> Lines<R> {
        match self.ends {
            LineEnds::Feed => Lines::new(source),
            LineEnds::Any => Lines::of_records(source, self.delimiter),
        }
    }

    /// Says whether more than LF ends a line of the family's files, so that their lines are not counted by it.
    pub fn has_other_ends(&self) -> bool {
        self.ends == LineEnds::Any
    }

    /// The byte between fields.
    pub const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Says whether a file may be cut at any line: lines that share a claim say so themselves.
    pub const fn has_free_lines(&self) -> bool {
        self.has_free_lines
    }
}

/// Reasons that every program has, before those of its layouts.
pub(crate) const BLANK: usize = 0;
pub(crate) const HEADING: usize = 1;
pub(crate) const END_MARK: usize = 2;
const COMMON_REASONS: [&str; 3] = ["blank line", "heading", "end-of-file mark"];

struct Compiler<'a> {
    catalogue: &'a Catalogue,
    family: &'a Family,
    program: Program,
    // Slot names: `RECORD.field`, `*.field` for any record, `carry.field` for carried state.
    slots: HashMap<String, Slot>,
}

impl<'a> Compiler<'a> {
    fn new(catalogue: &'a Catalogue, family: &'a Family) -> Result<Self, ProgramError> {
        let delimiter = u8::try_from(family.framing.delimiter)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| ProgramError::Delimiter(family.family.clone()))?;
        let framing = &family.framing;
        let refined = framing.refine.iter().flat_map(|(written, at)| {
            framing.tags(written).into_iter().map(move |tag| (tag.into_bytes(), at.clone()))
        });
        let mut refine = ByTag::default();
        refined.for_each(|(tag, at): (Vec<u8>, Vec<usize>)| refine.insert(&tag, at));
        let has_trailer = family.records.iter().any(|record| record.part == Part::Trailer);
        let program = Program {
            encoding: framing.encoding,
            delimiter,
            quotes: framing.quotes,
            ends: framing.ends,
            may_be_cp932: framing.may_be_cp932,
            skip_lines: framing.skip_lines,
            same_columns: framing.same_columns,
            heading: HeadingProgram::new(family),
            tag: framing.tag.clone(),
            refine,
            grouping: GroupBy::Line,
            records: Vec::new(),
            by_tag: ByTag::default(),
            group_feeds: Vec::new(),
            tables: Vec::new(),
            reasons: COMMON_REASONS.iter().map(|reason| Arc::from(*reason)).collect(),
            slots: 0,
            header_slots: 0,
            record_key: Vec::new(),
            unique_key: Vec::new(),
            unique_with: None,
            month: None,
            roles: catalogue.roles.len(),
            has_trailer,
            has_free_lines: family.group == Grouping::Lines
                && !has_trailer
                && framing.skip_lines == 0
                && !framing.header
                && !framing.same_columns
                && framing.ends == LineEnds::Feed,
            totals: Vec::new(),
            package: framing.package.as_ref().map(|package| Elements::new(package, family)),
        };
        Ok(Self { catalogue, family, program, slots: HashMap::new() })
    }

    fn compile(mut self) -> Result<Program, ProgramError> {
        for (number, layout) in self.family.records.iter().enumerate() {
            let record = self.record(layout);
            let tags = self.family.framing.tags(&layout.tag);
            tags.iter().for_each(|tag| self.program.by_tag.insert(tag.as_bytes(), number));
            self.program.records.push(record);
        }
        self.grouping()?;
        self.program.record_key = self.keys(&self.family.record_key)?;
        self.program.unique_key = self.keys(&self.family.unique_key)?;
        if !self.family.unique_with.is_empty() {
            let with = self.keys(&self.family.unique_with)?;
            self.program.unique_with = Some((self.family.family.clone().into_bytes(), with));
        }
        self.program.month = self.keys(self.family.month.as_slice())?.pop();
        for table in self.catalogue.tables.values() {
            for feed in table.feeds.iter().filter(|feed| feed.family.as_ref() == Some(&self.family.family)) {
                self.feed(table, feed)?;
            }
        }
        self.totals()?;
        self.remember();
        shared::mark(&mut self.program);
        Ok(self.program)
    }

    fn record(&mut self, layout: &RecordLayout) -> Record {
        let code_set = |system: &String| {
            let system = self.catalogue.codes.get(system).filter(|system| system.closed)?;
            Some(system.codes.iter().map(|code| code.code.as_bytes().to_vec()).collect::<BTreeSet<_>>())
        };
        let check = |field: &Field| FieldCheck::new(field, field.codes.as_ref().and_then(code_set).as_ref());
        let role_number = |role: &String| self.catalogue.roles.keys().position(|name| name == role);
        let place = |field: &String| layout.field(field).map(|field| field.at);
        let mut reason = |reason: &String| {
            let reasons = &mut self.program.reasons;
            reasons.iter().position(|known| known.as_ref() == reason.as_str()).unwrap_or_else(|| {
                reasons.push(Arc::from(reason.as_str()));
                reasons.len() - 1
            })
        };
        let dropped = layout.dropped.as_ref().map(&mut reason);
        let kept = layout.kept.as_ref().and_then(|kept| {
            let values = kept.values.iter().map(|value| value.as_bytes().to_vec()).collect();
            Some((place(&kept.field)?, values, reason(&kept.otherwise)))
        });
        let run = layout.run.as_ref().map(|run| RunRule {
            opens: run.opens.as_ref().and_then(place),
            closes: run.closes.as_ref().and_then(place),
            joins: run.joins,
            apart: run.apart.iter().map(|value| value.as_bytes().to_vec()).collect(),
        });
        let columns = layout.columns.iter().copied().max().unwrap_or(0);
        let is_described = |at: usize| {
            layout.fields.iter().any(|field| (field.at..field.at + field.repeat.max(1)).contains(&at))
        };
        let undescribed = (0..columns).filter(|at| self.family.closed && !is_described(*at));
        let undescribed = undescribed.map(FieldCheck::undescribed);
        let described = layout.fields.iter().map(check).filter(|check| !check.is_idle());
        let checks: Vec<FieldCheck> = described.chain(undescribed).collect();
        let tail = tail(self.family, layout);
        Record {
            key: layout.key().into(),
            part: layout.part,
            columns: layout.columns.clone(),
            sieve: Sieve::new(&checks),
            tail_width: tail.and_then(|tail| tail_width(&checks, tail)),
            checks,
            item: layout.item.as_ref().and_then(|rule| ItemCheck::new(rule, layout, self.catalogue)),
            captures: Vec::new(),
            roles: layout
                .fields
                .iter()
                .filter_map(|field| Some((field.at, role_number(field.role.as_ref()?)?)))
                .collect(),
            roles_when: when(layout, &layout.roles_when),
            group_key: Vec::new(),
            valid: self.family.valid.as_ref().and_then(|valid| {
                let meant = valid.by.record == "common" || valid.by.record == layout.key();
                let field = layout.field(&valid.by.field).filter(|_| meant)?;
                let month = |month: Option<Month>, open| month.map_or(open, Month::index);
                Some(Valid {
                    at: field.at,
                    key: field.key.as_str().into(),
                    months: month(valid.from, i32::MIN)..=month(valid.until, i32::MAX),
                })
            }),
            feeds: Vec::new(),
            run,
            tail,
            is_remembered: false,
            unkept: layout.fields.iter().filter(|field| !field.class.is_storable()).fold(0, |bits, field| {
                let places = (0..field.repeat.max(1)).map(|number| field.at + number * field.stride);
                places.filter(|at| *at < 64).fold(bits, |bits, at| bits | 1 << at)
            }),
            counted: Vec::new(),
            is_totalled: false,
            kept,
            dropped,
        }
    }

    fn grouping(&mut self) -> Result<(), ProgramError> {
        self.program.grouping = match &self.family.group {
            Grouping::Opener(tag) => GroupBy::Opener(self.record_number(tag)?),
            Grouping::Key(positions) => {
                for record in &mut self.program.records {
                    record.group_key.clone_from(positions);
                }
                GroupBy::Key
            }
            Grouping::Each => GroupBy::Line,
            Grouping::Lines if self.family.record_key.is_empty() => GroupBy::Line,
            Grouping::Lines => {
                let keys = &self.family.record_key;
                for (record, layout) in self.program.records.iter_mut().zip(&self.family.records) {
                    record.group_key = keys
                        .iter()
                        .filter_map(|key| layout.field(&key.field))
                        .map(|field| field.at)
                        .collect();
                }
                GroupBy::Key
            }
        };
        Ok(())
    }

    fn keys(&mut self, references: &[FieldRef]) -> Result<Vec<Slot>, ProgramError> {
        references.iter().map(|reference| self.slot(reference)).collect()
    }

    /// The slot that keeps the field's first value in the group (or in the file, for a header or trailer).
    fn slot(&mut self, reference: &FieldRef) -> Result<Slot, ProgramError> {
        let any_record = reference.record == "common" || self.family.group == Grouping::Lines;
        let is_file_level =
            self.family.record(&reference.record).is_some_and(|record| record.part != Part::Body);
        let name = if any_record && !is_file_level {
            format!("*.{}", reference.field)
        } else {
            reference.to_string()
        };
        self.capture(&name, reference, is_file_level, false)
    }

    /// The slots that keep the first value of each item that the column picks.
    fn picked(&mut self, reference: &FieldRef, pick: &Pick) -> Result<From, ProgramError> {
        let slot = |code: &String| {
            let name = format!("{reference} of {code}");
            let is_new = !self.slots.contains_key(&name);
            let slot = self.capture(&name, reference, false, false)?;
            for (record, layout) in self.program.records.iter_mut().zip(&self.family.records) {
                let Some(field) = layout.field(&pick.field).filter(|_| is_new) else { continue };
                for capture in record.captures.iter_mut().filter(|capture| capture.slot == slot) {
                    capture.only = Some((field.at, code.as_bytes().to_vec()));
                }
            }
            Ok(slot)
        };
        pick.codes.iter().map(slot).collect::<Result<_, _>>().map(From::FirstOf)
    }

    fn capture(
        &mut self,
        name: &str,
        reference: &FieldRef,
        is_file_level: bool,
        replaces: bool,
    ) -> Result<Slot, ProgramError> {
        if let Some(slot) = self.slots.get(name) {
            return Ok(*slot);
        }
        let count = if is_file_level { &mut self.program.header_slots } else { &mut self.program.slots };
        let slot = if is_file_level { Slot::Header(*count) } else { Slot::Group(*count) };
        *count += 1;
        self.slots.insert(name.to_owned(), slot);
        let from_any = !name.starts_with(&format!("{}.", reference.record));
        let mut found = false;
        for (record, layout) in self.program.records.iter_mut().zip(&self.family.records) {
            let is_meant =
                if from_any { layout.part == Part::Body } else { layout.key() == reference.record };
            if let Some(field) = layout.field(&reference.field).filter(|_| is_meant) {
                record.captures.push(Capture {
                    at: field.at,
                    repeat: field.repeat,
                    slot,
                    replaces,
                    only: None,
                });
                found = true;
            }
        }
        if found { Ok(slot) } else { Err(self.unresolved(reference)) }
    }

    fn feed(&mut self, table: &Table, feed: &Feed) -> Result<(), ProgramError> {
        let number = self.table_number(&table.table);
        match &feed.row {
            RowOf::Person => {}
            RowOf::Group => {
                let columns = self.columns(table, feed, None)?;
                let when_group = feed
                    .when
                    .iter()
                    .map(|(field, value)| {
                        let reference = FieldRef { record: "common".to_owned(), field: field.clone() };
                        Ok((self.slot(&reference)?, value.as_bytes().to_vec()))
                    })
                    .collect::<Result<_, _>>()?;
                let row = RowProgram {
                    table: number,
                    when: Vec::new(),
                    when_group,
                    each: None,
                    columns,
                    shared: Vec::new(),
                    phrase: Vec::new(),
                    own: Vec::new(),
                    homes: Vec::new(),
                };
                self.program.group_feeds.push(row);
            }
            RowOf::Records(_) => {
                for (record, layout) in self.family.records.iter().enumerate() {
                    if layout.part != Part::Body || !makes_row(feed, layout.key()) {
                        continue;
                    }
                    let columns = self.columns(table, feed, Some(layout))?;
                    let each = feed.each.as_ref().and_then(|each| layout.field(each)).map(each);
                    let when = when(layout, &feed.when);
                    let row = RowProgram {
                        table: number,
                        when,
                        when_group: Vec::new(),
                        each,
                        columns,
                        shared: Vec::new(),
                        phrase: Vec::new(),
                        own: Vec::new(),
                        homes: Vec::new(),
                    };
                    if let Some(record) = self.program.records.get_mut(record) {
                        record.feeds.push(row);
                    }
                }
            }
        }
        Ok(())
    }

    fn columns(
        &mut self,
        table: &Table,
        feed: &Feed,
        layout: Option<&RecordLayout>,
    ) -> Result<Vec<Output>, ProgramError> {
        // Person and record numbers are given at publish; they have no source in the file.
        let columns =
            table.columns.iter().filter(|column| !matches!(column.class, Class::Person | Class::Record));
        columns
            .map(|column| {
                if let Some(value) = feed.set.get(&column.name) {
                    return Ok(Output {
                        from: Vec::new(),
                        make: Make::Constant(value.as_str().into()),
                        quick: Quick::General,
                    });
                }
                let source = feed.from.get(&column.name).unwrap_or(&column.from);
                let from = match (&column.pick, source.0.first()) {
                    (Some(pick), Some(reference)) => vec![self.picked(reference, pick)?],
                    _ => self.sources(source, &column.treat, layout, feed)?,
                };
                let make = Make::new(self.catalogue, column);
                Ok(Output { quick: Quick::of(&from, &make), from, make })
            })
            .collect()
    }

    fn sources(
        &mut self,
        source: &Source,
        treat: &Treatment,
        layout: Option<&RecordLayout>,
        feed: &Feed,
    ) -> Result<Vec<From>, ProgramError> {
        let is_lenient = feed.takes_every_record();
        source
            .0
            .iter()
            .map(|reference| {
                if *treat == Treatment::Count {
                    return Ok(From::Count(self.record_number(&reference.record)?));
                }
                if *treat == Treatment::Carry {
                    return Ok(From::Slot(self.capture(
                        &format!("carry.{}", reference.field),
                        reference,
                        false,
                        true,
                    )?));
                }
                let own =
                    layout.filter(|layout| reference.record == "self" || layout.key() == reference.record);
                let Some(layout) = own else { return Ok(From::Slot(self.slot(reference)?)) };
                match layout.field(&reference.field) {
                    Some(field) if is_lenient && !field.class.is_storable() => Ok(From::Nothing),
                    Some(field) => {
                        Ok(own_field(field, feed.each.as_ref().and_then(|each| layout.field(each))))
                    }
                    None if is_lenient => Ok(From::Nothing),
                    None => Err(self.unresolved(reference)),
                }
            })
            .collect()
    }

    fn totals(&mut self) -> Result<(), ProgramError> {
        for total in &self.family.totals {
            let stated = self.slot(&total.stated)?;
            let count = total.count.iter().map(|record| self.record_number(record));
            let count = count.collect::<Result<Vec<_>, _>>()?;
            let sum = match &total.sum {
                None => None,
                Some(reference) => {
                    let record = self.record_number(&reference.record)?;
                    let field = self.family.field(reference).ok_or_else(|| self.unresolved(reference))?;
                    Some((record, field.at))
                }
            };
            let stated_by = self.record_number(&total.stated.record)?;
            let number = self.program.totals.len();
            for record in &count {
                if let Some(record) = self.program.records.get_mut(*record)
                    && !record.counted.contains(&number)
                {
                    record.counted.push(number);
                }
            }
            for number in sum.iter().map(|(of, _)| *of).chain([stated_by]) {
                if let Some(record) = self.program.records.get_mut(number) {
                    record.is_totalled = true;
                }
            }
            self.program.totals.push(Total { stated, stated_by, sum });
        }
        Ok(())
    }

    /// Lines of a receipt between its first ones may be alike, where they say nothing of the person.
    fn remember(&mut self) {
        let GroupBy::Opener(opener) = self.program.grouping else { return };
        let framing = &self.family.framing;
        let is_plain = framing.tag == [0]
            && framing.refine.is_empty()
            && framing.quotes == Quotes::Never
            && framing.skip_lines == 0
            && !framing.header
            && framing.package.is_none()
            && framing.encoding == Encoding::Cp932;
        for (number, record) in self.program.records.iter_mut().enumerate() {
            record.is_remembered = is_plain
                && record.part == Part::Body
                && number != opener
                && record.roles.is_empty()
                && record.valid.is_none()
                && record.item.is_none()
                && record.feeds.len() <= 1;
        }
    }

    fn table_number(&mut self, table: &str) -> usize {
        if let Some(found) = self.program.tables.iter().position(|name| name.as_ref() == table) {
            return found;
        }
        self.program.tables.push(Arc::from(table));
        self.program.tables.len() - 1
    }

    fn record_number(&self, key: &str) -> Result<usize, ProgramError> {
        self.family.records.iter().position(|record| record.key() == key).ok_or_else(|| {
            ProgramError::Reference { family: self.family.family.clone(), reference: key.to_owned() }
        })
    }

    fn unresolved(&self, reference: &FieldRef) -> ProgramError {
        ProgramError::Reference { family: self.family.family.clone(), reference: reference.to_string() }
    }
}

/// Where a field of the record that makes the row is read, if the row is made for each piece or repetition of `each`.
fn own_field(field: &Field, each: Option<&Field>) -> From {
    match each {
        Some(each) if each.key == field.key && field.repeat <= 1 && field.pieces.is_some() => From::Piece,
        Some(each) if field.repeat > 1 && (field.repeat, field.stride) == (each.repeat, each.stride) => {
            From::Each { at: field.at, stride: field.stride }
        }
        _ => From::Own { at: field.at, repeat: field.repeat },
    }
}

fn each(field: &Field) -> Each {
    match field.pieces {
        Some(width) if field.repeat <= 1 => Each::Pieces { at: field.at, width },
        _ => Each::Fields { at: field.at, stride: field.stride, repeat: field.repeat },
    }
}

/// The first position of a field that repeats to the end of the line, whatever the line's revision.
fn tail(family: &Family, layout: &RecordLayout) -> Option<usize> {
    let last = layout.fields.iter().max_by_key(|field| field.at)?;
    let is_tail = last.repeat > 1
        && last.stride == 1
        && !last.required
        && last.role.is_none()
        && family.framing.quotes == Quotes::Never
        // Fields below a heading are put into order first.
        && !family.framing.header
        && layout.columns.iter().all(|columns| *columns == last.at + last.repeat);
    is_tail.then_some(last.at)
}

fn tail_width(checks: &[FieldCheck], tail: usize) -> Option<usize> {
    let mut of_tail = checks.iter().filter(|check| check.places().any(|at| at >= tail));
    let check = of_tail.next().filter(|check| check.at == tail)?;
    check.plain_width().filter(|_| of_tail.next().is_none())
}

fn makes_row(feed: &Feed, record: &str) -> bool {
    let RowOf::Records(records) = &feed.row else { return false };
    feed.takes_every_record() || records.iter().any(|key| key == record)
}

fn when(layout: &RecordLayout, conditions: &BTreeMap<String, String>) -> Vec<(usize, Vec<u8>)> {
    conditions
        .iter()
        .filter_map(|(field, value)| Some((layout.field(field)?.at, value.as_bytes().to_vec())))
        .collect()
}
