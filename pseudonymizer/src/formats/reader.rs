//! Reads the lines of one file, or of a part of it, into rows, claims and faults.

use std::io::{self, Read};
use std::sync::Arc;

use catalog_model::{FaultKind, Part};

use crate::claim::Claim;
use crate::keying::Identity;

use super::check::{self, Finding};
use super::dates;
use super::fault::Fault;
use super::group::{Fate, Group, Slots, slot_value};
use super::heading::Heading;
use super::known::KnownLines;
use super::lines::Line;
use super::program::{BLANK, END_MARK, Each, GroupBy, HEADING, Program, RowProgram, Slot};
use super::split::{Fields, filled};
use super::value::{From, Make, Output, Value};

/// Takes what a file says: table rows first, then the claim that they belong to.
pub trait Claims {
    /// Begins a row; false where the columns that all rows of the claim share are known from an earlier row and are not
    /// wanted again.
    fn begin_row(&mut self, _table: usize, _record: u32) -> bool {
        true
    }

    /// Takes one value of the row that is being made; those of a row come in any order of the columns.
    fn value(&mut self, table: usize, column: usize, value: Value<'_>);

    /// Gives the row a phrase, which is its values of the table's columns that lines say alike: a known one, or the values
    /// that were given last. The number by which it is known; nothing where phrases are not kept, so that all values are
    /// given for every row.
    fn phrase(&mut self, _table: usize, _known: Option<u32>) -> Option<u32> {
        None
    }

    /// Ends the row that is being made.
    fn end_row(&mut self, table: usize, record: u32, line: u64);

    /// Names a claim by its key fields: a keyed surrogate of `parts`.
    fn surrogate(&mut self, parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16];

    /// Settles a claim whose rows were all taken; false where no identity can be built from it.
    fn claim(&mut self, claim: Claim<&Identity>) -> bool;
}

/// Which part of which file is read.
#[derive(Clone, Debug)]
pub struct FilePart<'a> {
    /// The file's number in its delivery.
    pub file: u32,
    /// The lines before this part.
    pub lines_before: u64,
    /// The file's first lines, for a part that does not begin at the start; only headers are taken from it.
    pub preamble: &'a [u8],
    /// Whether the part reaches the end of the file.
    pub is_last: bool,
}

/// What became of the lines of one file in one part.
#[derive(Clone, Debug, Default)]
pub struct FileSummary {
    /// Lines read.
    pub read: u64,
    /// Lines stored.
    pub stored: u64,
    /// Lines dropped, by reason number.
    pub dropped: Vec<u64>,
    /// Faults that took a line, in order of settling.
    pub faults: Vec<Fault>,
    /// Faults of the file as a whole, which take no line.
    pub notes: Vec<Fault>,
    /// What the file states about itself and what was counted.
    pub totals: Vec<StatedTotal>,
}

/// A total that the file states, and what this part counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedTotal {
    /// The stated value with its line and record type, where this part holds it.
    pub stated: Option<(i64, u64, usize)>,
    /// What was counted or summed.
    pub counted: i64,
    /// Whether a line that may belong to the total is in quarantine, so that it cannot be compared.
    pub is_uncertain: bool,
}

/// Reads files of one family, for one receiver of claims: what it gave numbers to is known from file to file.
#[derive(Debug)]
pub struct Reader<'p> {
    pub(super) program: &'p Program,
    fields: Fields,
    heading: Heading,
    /// How many columns the file's lines have, where they have the same number and it is known.
    columns: Option<usize>,
    header: Slots,
    group: Group,
    next_record: u32,
    has_header: bool,
    is_closed: bool,
    pub(super) line_no: u64,
    file: u32,
    pub(super) summary: FileSummary,
    /// Whether the present line's bytes are text as they stand.
    is_text: bool,
    known: KnownLines,
    /// The present line's place among the known ones.
    known_at: Option<usize>,
    tag: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'p> Reader<'p> {
    /// Makes a reader whose claims are numbered from `first_record` on.
    pub fn new(program: &'p Program, first_record: u32) -> Self {
        Self {
            program,
            fields: Fields::default(),
            heading: Heading::Awaited,
            columns: None,
            header: Slots::new(program.header_slots),
            group: Group::new(program),
            next_record: first_record,
            has_header: false,
            is_closed: false,
            line_no: 0,
            file: 0,
            summary: FileSummary::default(),
            is_text: false,
            known: KnownLines::default(),
            known_at: None,
            tag: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The number that the next claim gets.
    pub const fn next_record(&self) -> u32 {
        self.next_record
    }

    /// Reads one file or part of a file to its end.
    ///
    /// # Errors
    ///
    /// The source cannot be read. What is wrong with the content is in the summary.
    pub fn read(
        &mut self,
        source: impl Read,
        part: &FilePart<'_>,
        claims: &mut impl Claims,
    ) -> io::Result<FileSummary> {
        self.begin(part);
        let mut lines = self.program.lines(source);
        while let Some(line) = lines.next_line()? {
            let inner = line.inner;
            self.line_no += 1;
            self.line(line, part.is_last, claims);
            self.line_no += inner;
        }
        self.end(part.is_last, claims);
        Ok(std::mem::take(&mut self.summary))
    }

    pub(super) fn begin(&mut self, part: &FilePart<'_>) {
        let program = self.program;
        self.summary = FileSummary {
            dropped: vec![0; program.reasons.len()],
            totals: vec![StatedTotal::default(); program.totals.len()],
            ..FileSummary::default()
        };
        self.file = part.file;
        self.line_no = part.lines_before;
        self.heading = Heading::Awaited;
        self.columns = None;
        self.known_at = None;
        (self.group.is_open, self.group.is_broken) = (false, false);
        self.header.clear();
        self.has_header = !program.records.iter().any(|record| record.part == Part::Header);
        self.is_closed = false;
        for line in part.preamble.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match check::as_utf8(line, self.program.may_be_cp932) {
                Some(text) => self.former_header(text.as_bytes()),
                None => self.former_header(line),
            }
        }
    }

    /// The header that stands before this part of the file, judged as in the part where it stands.
    fn former_header(&mut self, line: &[u8]) {
        let program = self.program;
        let is_header =
            |record: &usize| program.records.get(*record).is_some_and(|record| record.part == Part::Header);
        let Some(record) = self.recognise(line).filter(is_header) else { return };
        self.has_header = check::is_encoded(line, program.encoding) && self.validate(line, record).is_ok();
        if self.has_header {
            self.header.clear();
            self.capture(line, record);
        }
    }

    pub(super) fn line(&mut self, line: Line<'_>, is_last_part: bool, claims: &mut impl Claims) {
        self.summary.read += 1;
        let mut bytes = line.bytes;
        if !line.is_ended && is_last_part && bytes.last() == Some(&0x1A) {
            bytes = bytes.strip_suffix(&[0x1A]).unwrap_or(bytes);
            if bytes.is_empty() {
                return self.drop_line(END_MARK);
            }
        }
        if self.line_no == 1 && self.program.encoding == catalog_model::Encoding::Utf8 {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        if bytes.is_empty() && !self.is_heading() {
            return self.drop_line(BLANK);
        }
        // Whatever follows a trailer, good or bad, is of a frame that has no trailer yet.
        self.is_closed = false;
        if line.missing > 0 {
            return self.endless_line(bytes, claims);
        }
        if self.is_heading() {
            return self.heading_line(bytes);
        }
        match check::as_utf8(bytes, self.program.may_be_cp932) {
            Some(text) => self.content_line(text.as_bytes(), claims),
            None => self.content_line(bytes, claims),
        }
    }

    /// A line that is longer than any record: its beginning says what it was to be.
    fn endless_line(&mut self, beginning: &[u8], claims: &mut impl Claims) {
        if self.is_heading() {
            self.heading = Heading::Broken;
            return self.quarantine(self.line_no, usize::MAX, "".into(), FaultKind::Heading);
        }
        match self.recognise(beginning) {
            Some(record) => {
                self.count(record);
                self.bad_line(record, "".into(), FaultKind::Columns, claims);
            }
            None => self.unplaced(FaultKind::Columns, claims),
        }
    }

    /// Says whether the present line is above the content.
    const fn is_heading(&self) -> bool {
        let skipped = self.program.skip_lines as u64;
        self.line_no <= skipped || (self.program.heading.names_columns() && self.line_no == skipped + 1)
    }

    fn heading_line(&mut self, line: &[u8]) {
        if matches!(self.heading, Heading::Broken) {
            return self.quarantine(self.line_no, usize::MAX, "".into(), FaultKind::Orphan);
        }
        let program = &self.program.heading;
        let is_split = self.fields.split(line, self.program.delimiter, self.program.quotes);
        let fault = if self.line_no > self.program.skip_lines as u64 {
            match program.read(line, &self.fields) {
                Ok(heading) if is_split => {
                    self.heading = heading;
                    None
                }
                Ok(_) => Some("".into()),
                Err(field) => Some(field),
            }
        } else {
            let columns = self.fields.len();
            if self.program.records.iter().any(|record| record.columns.contains(&columns)) {
                self.columns = self.columns.or(Some(columns));
            }
            let is_title = self.line_no > 1 || program.is_title(line, &self.fields);
            (!is_title).then(|| "title".into())
        };
        match fault {
            None => self.drop_line(HEADING),
            Some(field) => {
                self.heading = Heading::Broken;
                self.quarantine(self.line_no, usize::MAX, field, FaultKind::Heading);
            }
        }
    }

    fn content_line(&mut self, bytes: &[u8], claims: &mut impl Claims) {
        if matches!(self.heading, Heading::Broken) {
            return self.quarantine(self.line_no, usize::MAX, "".into(), FaultKind::Orphan);
        }
        let is_ascii = bytes.is_ascii();
        self.known_at = None;
        if is_ascii && let Some((record, place)) = self.known.recall(bytes, self.program, &mut self.fields) {
            (self.is_text, self.known_at) = (true, Some(place));
            self.count(record);
            return self.good_line(bytes, record, claims);
        }
        let is_encoded = is_ascii || check::is_encoded(bytes, self.program.encoding);
        self.is_text = is_ascii || self.program.encoding == catalog_model::Encoding::Utf8;
        // The tag is ASCII, so the record type of a wrongly encoded line is still known.
        let Some(record) = self.recognise(bytes) else {
            let kind = if is_encoded { FaultKind::UnknownRecord } else { FaultKind::Encoding };
            return self.unplaced(kind, claims);
        };
        self.count(record);
        if !is_encoded {
            return self.bad_line(record, "".into(), FaultKind::Encoding, claims);
        }
        if !self.heading.arrange(&mut self.fields) {
            return self.bad_line(record, "".into(), FaultKind::Columns, claims);
        }
        match self.validate(bytes, record) {
            Ok(()) => {
                if is_ascii {
                    self.known_at = self.known.remember(bytes, record, (self.program, &self.fields));
                }
                self.good_line(bytes, record, claims);
            }
            Err((field, kind)) => self.bad_line(record, field, kind, claims),
        }
    }

    /// Splits the line and finds its record type.
    pub(super) fn recognise(&mut self, line: &[u8]) -> Option<usize> {
        let program = self.program;
        if !self.fields.begin(line, program.delimiter, program.quotes) {
            return None;
        }
        let record = match program.tag.as_slice() {
            [at] if program.refine.is_empty() => {
                self.fields.split_to(line, program.delimiter, *at + 1);
                program.by_tag.get(self.fields.get(line, *at)).copied()
            }
            _ => self.joined_tag(line),
        };
        let tail = record.and_then(|record| program.records.get(record)?.tail);
        self.fields.finish(line, program.delimiter, tail);
        record
    }

    /// The record type of a line whose tag stands in several fields.
    fn joined_tag(&mut self, line: &[u8]) -> Option<usize> {
        let program = self.program;
        self.tag.clear();
        let mut positions = program.tag.as_slice();
        loop {
            for at in positions {
                if !self.tag.is_empty() {
                    self.tag.push(b':');
                }
                self.fields.split_to(line, program.delimiter, *at + 1);
                self.tag.extend_from_slice(self.fields.get(line, *at));
            }
            match program.refine.get(&self.tag) {
                Some(more) => positions = more,
                None => return program.by_tag.get(&self.tag).copied(),
            }
        }
    }

    fn validate(&mut self, line: &[u8], record: usize) -> Result<(), (Arc<str>, FaultKind)> {
        let Some(record) = self.program.records.get(record) else { return Ok(()) };
        // No column count is known of a record from which nothing is read.
        if !record.columns.is_empty() && !record.columns.contains(&self.fields.len()) {
            return Err(("".into(), FaultKind::Columns));
        }
        let columns = self.fields.len();
        if self.program.same_columns && *self.columns.get_or_insert(columns) != columns {
            return Err(("".into(), FaultKind::Columns));
        }
        for (at, number) in record.sieve.due(self.fields.filled()) {
            let Some(check) = record.checks.get(number) else { continue };
            match check.judge(self.fields.get(line, at)) {
                Finding::Good => {}
                Finding::None => self.fields.clear(at),
                Finding::Bad(kind) => return Err((Arc::clone(&check.key), kind)),
            }
        }
        for check in record.checks.iter().skip(record.sieve.count()) {
            if let Some(tail) = self.fields.tail(line, check.at) {
                for (_, value) in filled(tail, self.program.delimiter) {
                    if let Finding::Bad(kind) = check.judge(value) {
                        return Err((Arc::clone(&check.key), kind));
                    }
                }
                continue;
            }
            // Where nothing stands in any of the places, the span is one delimiter short of itself.
            let span = check.span();
            if span > 1 && self.fields.span(line, check.at, span).len() < span {
                continue;
            }
            for at in check.places() {
                let value = self.fields.get(line, at);
                if value.is_empty() && !check.is_required() {
                    continue;
                }
                match check.judge(value) {
                    Finding::Good => {}
                    Finding::None => self.fields.clear(at),
                    Finding::Bad(kind) => return Err((Arc::clone(&check.key), kind)),
                }
            }
        }
        // The delivery names the revision; a line of another month contradicts it.
        if let Some(valid) = &record.valid
            && let Some(month) = dates::month_of(self.fields.get(line, valid.at))
            && !valid.months.contains(&month.index())
        {
            return Err((Arc::clone(&valid.key), FaultKind::Revision));
        }
        match record.item.as_ref().and_then(|item| item.judge(&self.fields, line)) {
            Some(finding) => Err(finding),
            None => Ok(()),
        }
    }

    fn good_line(&mut self, line: &[u8], record: usize, claims: &mut impl Claims) {
        let Some(layout) = self.program.records.get(record) else { return };
        match layout.part {
            Part::Header => {
                self.settle(None, claims);
                self.header.clear();
                self.capture(line, record);
                self.has_header = true;
                self.drop_line(layout.dropped.unwrap_or(HEADING));
            }
            Part::Trailer => {
                self.settle(None, claims);
                self.capture(line, record);
                self.is_closed = true;
                self.drop_line(layout.dropped.unwrap_or(HEADING));
            }
            Part::Body => self.body_line(line, record, claims),
        }
        if layout.is_totalled {
            self.total(line, record);
        }
    }

    fn body_line(&mut self, line: &[u8], record: usize, claims: &mut impl Claims) {
        let Some(layout) = self.program.records.get(record) else { return };
        self.enter_group(line, record, claims);
        if !self.group.is_open || self.group.is_broken {
            return self.quarantine(self.line_no, record, "".into(), FaultKind::Orphan);
        }
        if let Some((at, values, reason)) = &layout.kept
            && values.iter().all(|value| value.as_slice() != self.fields.get(line, *at))
        {
            return self.group.lines.push((self.line_no, record, Fate::Dropped(*reason)));
        }
        match &layout.run {
            Some(rule) => self.group.runs.step(rule, |at| self.fields.get(line, at)),
            None => self.group.runs.pass(),
        }
        if let Some(count) = self.group.counts.get_mut(record) {
            *count += 1;
        }
        self.capture(line, record);
        self.group.has_person |= !layout.roles.is_empty();
        if layout.roles_when.iter().all(|(at, value)| self.fields.get(line, *at) == value.as_slice()) {
            for (at, role) in &layout.roles {
                self.group.identity.set(*role, self.fields.get(line, *at));
            }
        }
        for row in &layout.feeds {
            if row.when.iter().all(|(at, value)| self.fields.get(line, *at) == value.as_slice()) {
                self.rows(line, row, claims);
            }
        }
        let fate = layout.dropped.map_or(Fate::Stored, Fate::Dropped);
        self.group.lines.push((self.line_no, record, fate));
    }

    /// Opens a group where the line begins one.
    fn enter_group(&mut self, line: &[u8], record: usize, claims: &mut impl Claims) {
        let key =
            self.program.records.get(record).map(|layout| layout.group_key.as_slice()).unwrap_or_default();
        let begins = match self.program.grouping {
            GroupBy::Opener(opener) => record == opener,
            GroupBy::Line => true,
            GroupBy::Key => {
                let fields = &self.fields;
                !self.group.is_open || !self.group.has_key(key.iter().map(|at| fields.get(line, *at)))
            }
        };
        if !begins {
            return;
        }
        self.settle(None, claims);
        self.group.open(self.next_record, self.file, self.line_no);
        // Without a good header nobody knows whose file it is.
        self.group.is_broken = !self.has_header;
        self.next_record += 1;
        let fields = &self.fields;
        self.group.set_key(key.iter().map(|at| fields.get(line, *at)));
    }

    fn bad_line(&mut self, record: usize, field: Arc<str>, kind: FaultKind, claims: &mut impl Claims) {
        let is_header = self.program.records.get(record).is_some_and(|layout| layout.part == Part::Header);
        if is_header || self.program.grouping == GroupBy::Opener(record) {
            self.settle(None, claims);
            self.group.is_broken = true;
            self.has_header &= !is_header;
        }
        self.forget_context(record);
        if self
            .program
            .records
            .get(record)
            .is_some_and(|layout| layout.run.as_ref().is_some_and(|run| !run.joins))
        {
            self.group.runs.interrupt();
        }
        self.distrust_totals(Some(record));
        self.quarantine(self.line_no, record, field, kind);
    }

    /// What a record says about those after it holds no longer where such a record is in quarantine.
    fn forget_context(&mut self, record: usize) {
        let Some(layout) = self.program.records.get(record) else { return };
        for capture in layout.captures.iter().filter(|capture| capture.replaces && layout.feeds.is_empty()) {
            if let Slot::Group(slot) = capture.slot {
                self.group.slots.set(slot, &[], true);
            }
        }
    }

    // Without a record type nobody knows whether the line opened a receipt. What follows must not be added to the one
    // before, so it is orphaned until the next line that opens a group.
    pub(super) fn unplaced(&mut self, kind: FaultKind, claims: &mut impl Claims) {
        if matches!(self.program.grouping, GroupBy::Opener(_)) {
            self.settle(None, claims);
            self.group.is_broken = true;
        }
        self.distrust_totals(None);
        let record = Arc::from("");
        self.summary.faults.push(Fault {
            file: self.file,
            line: self.line_no,
            record,
            field: "".into(),
            kind,
        });
    }

    fn capture(&mut self, line: &[u8], record: usize) {
        let Some(layout) = self.program.records.get(record) else { return };
        for capture in &layout.captures {
            if capture.only.as_ref().is_some_and(|(at, value)| self.fields.get(line, *at) != value.as_slice())
            {
                continue;
            }
            let value = self.fields.span(line, capture.at, capture.repeat);
            let is_empty = value.iter().all(|byte| *byte == self.program.delimiter || *byte == b' ');
            if is_empty {
                continue;
            }
            match capture.slot {
                Slot::Group(slot) => self.group.slots.set(slot, value, capture.replaces),
                Slot::Header(slot) => self.header.set(slot, value, true),
            }
        }
    }

    /// Makes the rows that a line makes in one table: one, or one for each piece or repetition.
    fn rows(&mut self, line: &[u8], row: &RowProgram, claims: &mut impl Claims) {
        let (record, line_no) = (self.group.head.record, self.line_no);
        // Of a known line no text is needed but what the phrase has.
        let is_said = self.known_at.is_some_and(|place| self.known.phrase(place).is_some());
        let text = if self.is_text && !is_said { std::str::from_utf8(line).ok() } else { None };
        let mut one = |reader: &mut Self, turn: Turn<'_>| {
            reader.row((line, text), row, turn, claims);
            claims.end_row(row.table, record, line_no);
        };
        match row.each {
            None => one(self, Turn::default()),
            Some(Each::Pieces { at, width }) => {
                for piece in self.fields.get(line, at).chunks(width.max(1)) {
                    one(self, Turn { number: 0, piece });
                }
            }
            Some(Each::Fields { at, stride, repeat }) => {
                for number in 0..repeat {
                    if !self.fields.get(line, at + number * stride).is_empty() {
                        one(self, Turn { number, piece: &[] });
                    }
                }
            }
        }
    }

    fn row(
        &mut self,
        (line, text): (&[u8], Option<&str>),
        row: &RowProgram,
        turn: Turn<'_>,
        claims: &mut impl Claims,
    ) {
        if claims.begin_row(row.table, self.group.head.record) {
            self.values((line, text), (row, &row.shared), turn, claims);
        }
        self.values((line, text), (row, &row.own), turn, claims);
        if row.phrase.is_empty() {
            return;
        }
        let known = self.known_at.and_then(|place| self.known.phrase(place));
        if known.is_none() {
            self.values((line, text), (row, &row.phrase), turn, claims);
        }
        let number = claims.phrase(row.table, known);
        if let (None, Some(place)) = (known, self.known_at) {
            self.known.set_phrase(place, number);
        }
    }

    /// Gives the values of some columns of a row.
    fn values(
        &mut self,
        (line, text): (&[u8], Option<&str>),
        (row, columns): (&RowProgram, &[usize]),
        turn: Turn<'_>,
        claims: &mut impl Claims,
    ) {
        for column in columns {
            let Some(output) = row.columns.get(*column) else { continue };
            let kept = |slot| slot_value(&self.group.slots, &self.header, slot);
            match output.quick.value(&self.fields, line, text, kept) {
                Some(value) => claims.value(row.table, *column, value),
                None => claims.value(row.table, *column, self.general_value(line, output, turn)),
            }
        }
    }

    /// The value of a column that has no short way.
    fn general_value<'v>(&'v mut self, line: &'v [u8], output: &'v Output, turn: Turn<'v>) -> Value<'v> {
        let (program, group, header, fields) = (self.program, &self.group, &self.header, &self.fields);
        match (&output.make, output.from.first()) {
            (Make::Count, Some(From::Count(record))) => {
                let count = group.counts.get(*record).copied().unwrap_or(0);
                return Value::Int(i64::from(count));
            }
            (Make::ClaimRun, _) => {
                return group.runs.current().map_or(Value::Null, |run| Value::Int(i64::from(run)));
            }
            _ => {}
        }
        let bytes = |from: &'v From| match from {
            From::Own { at, repeat } => fields.span(line, *at, *repeat),
            From::Slot(slot) => slot_value(&group.slots, header, *slot),
            From::FirstOf(slots) => {
                let mut values = slots.iter().map(|slot| slot_value(&group.slots, header, *slot));
                values.find(|value| !value.is_empty()).unwrap_or_default()
            }
            From::Each { at, stride } => fields.get(line, at + turn.number * stride),
            From::Piece => turn.piece,
            From::Count(_) | From::Nothing => [].as_slice(),
        };
        // No treatment takes more than two fields.
        let sources =
            [output.from.first().map(bytes), output.from.get(1).map(bytes)].map(Option::unwrap_or_default);
        let used = sources.get(..output.from.len().min(2)).unwrap_or_default();
        output.make.value(used, program.encoding, program.delimiter, &mut self.scratch)
    }

    /// Ends the open group: builds its claim and its group rows, or sends it to quarantine as a whole.
    fn settle(&mut self, fault: Option<FaultKind>, claims: &mut impl Claims) {
        if !std::mem::take(&mut self.group.is_open) || self.group.is_broken {
            return;
        }
        let program = self.program;
        for row in &program.group_feeds {
            let (slots, header) = (&self.group.slots, &self.header);
            if row.when_group.iter().any(|(slot, value)| slot_value(slots, header, *slot) != value.as_slice())
            {
                continue;
            }
            self.row((&[], None), row, Turn::default(), claims);
            claims.end_row(row.table, self.group.head.record, self.group.head.line);
        }
        let (slots, header) = (&self.group.slots, &self.header);
        // Kinds of file that number their records alike are told apart by the title, or by the family.
        let (family, with) = match &program.unique_with {
            Some((family, with)) => (family.as_slice(), with.as_slice()),
            None => (program.heading.title(), [].as_slice()),
        };
        let mut surrogate = |family: Option<&[u8]>, keys: &[Slot], with: &[Slot]| {
            let is_whole =
                !keys.is_empty() && keys.iter().all(|slot| !slot_value(slots, header, *slot).is_empty());
            let values = || keys.iter().chain(with).map(|slot| slot_value(slots, header, *slot));
            is_whole.then(|| claims.surrogate(&mut family.into_iter().chain(values())))
        };
        let key = surrogate(None, &program.record_key, &[]);
        // Mostly a record is told from others by the same fields by which it is named.
        let unique = match family.is_empty() && program.unique_key == program.record_key {
            true => key,
            false => surrogate(Some(family).filter(|family| !family.is_empty()), &program.unique_key, with),
        };
        let month = program.month.and_then(|slot| dates::month_of(slot_value(slots, header, slot)));
        let stored = self.group.lines.iter().filter(|(_, _, fate)| *fate == Fate::Stored).count();
        self.group.head.key = key;
        self.group.head.unique = unique;
        self.group.head.month = month.map(catalog_model::Month::index);
        self.group.head.lines = u32::try_from(stored).unwrap_or(u32::MAX);
        self.group.head.is_void = fault.is_some();
        let claim = Claim { person: &self.group.identity, head: self.group.head.clone() };
        let has_identity = claims.claim(claim) || !self.group.has_person;
        self.account(fault.or((!has_identity).then_some(FaultKind::NoIdentity)));
    }

    /// Books the lines of the settled group. That it names nobody is a fault of its first line, which leaves the others
    /// orphans.
    fn account(&mut self, fault: Option<FaultKind>) {
        let lines = std::mem::take(&mut self.group.lines);
        for (index, (line, record, fate)) in lines.iter().enumerate() {
            match (fault, fate) {
                (Some(kind), _) => {
                    let is_orphan = index > 0 && kind == FaultKind::NoIdentity;
                    let kind = if is_orphan { FaultKind::Orphan } else { kind };
                    self.distrust_totals(Some(*record));
                    self.quarantine(*line, *record, "".into(), kind);
                }
                (None, Fate::Stored) => self.summary.stored += 1,
                (None, Fate::Dropped(reason)) => self.drop_line(*reason),
            }
        }
        self.group.lines = lines;
    }

    pub(super) fn end(&mut self, is_last: bool, claims: &mut impl Claims) {
        if is_last && self.program.heading.names_columns() && matches!(self.heading, Heading::Awaited) {
            self.note(FaultKind::Heading);
        }
        let is_truncated = is_last && self.program.has_trailer && !self.is_closed;
        if !is_truncated {
            return self.settle(None, claims);
        }
        // Whether the last group is whole, nobody knows: it goes to quarantine.
        self.settle(Some(FaultKind::Truncated), claims);
        self.note(FaultKind::Truncated);
    }

    fn note(&mut self, kind: FaultKind) {
        let (file, line) = (self.file, self.line_no);
        self.summary.notes.push(Fault { file, line, record: "".into(), field: "".into(), kind });
    }

    fn drop_line(&mut self, reason: usize) {
        if let Some(lines) = self.summary.dropped.get_mut(reason) {
            *lines += 1;
        }
    }

    pub(super) fn quarantine(&mut self, line: u64, record: usize, field: Arc<str>, kind: FaultKind) {
        let record =
            self.program.records.get(record).map_or_else(|| "".into(), |record| Arc::clone(&record.key));
        self.summary.faults.push(Fault { file: self.file, line, record, field, kind });
    }

    pub(super) fn count(&mut self, record: usize) {
        let counted = self.program.records.get(record).map(|record| record.counted.as_slice());
        for total in counted.unwrap_or_default() {
            if let Some(state) = self.summary.totals.get_mut(*total) {
                state.counted += 1;
            }
        }
    }

    /// Takes what a line adds to sums and what it states of its frame. A file of several frames is compared as a whole,
    /// with the sum of what they state; where one of them states nothing there is nothing to compare.
    fn total(&mut self, line: &[u8], record: usize) {
        for (total, state) in self.program.totals.iter().zip(&mut self.summary.totals) {
            if let Some((of, at)) = total.sum
                && of == record
            {
                state.counted += whole(self.fields.get(line, at));
            }
            if total.stated_by != record {
                continue;
            }
            let stated = slot_value(&self.group.slots, &self.header, total.stated);
            if stated.is_empty() {
                state.is_uncertain = true;
                continue;
            }
            let before = state.stated.map_or(0, |(before, _, _)| before);
            state.stated = Some((before.saturating_add(whole(stated)), self.line_no, record));
        }
    }

    fn distrust_totals(&mut self, record: Option<usize>) {
        for (total, state) in self.program.totals.iter().zip(&mut self.summary.totals) {
            let sums = total.sum.map(|(of, _)| of);
            state.is_uncertain |=
                record.is_none_or(|record| sums == Some(record) || record == total.stated_by);
        }
    }
}

/// For which repetition or piece a row is made.
#[derive(Clone, Copy, Debug, Default)]
struct Turn<'l> {
    number: usize,
    piece: &'l [u8],
}

// Checked to be a number before; anything else counts as nothing and the totals differ.
fn whole(bytes: &[u8]) -> i64 {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
