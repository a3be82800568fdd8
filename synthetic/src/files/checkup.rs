//! Specific health check-ups (特定健診): one package of XML documents for each insurer and month, with index and summary.
//!
//! Of some persons of 40 to 74 only, so that the packages are there and few. A reader numbers the elements that make
//! lines through the whole package: index, summary, then of each document its header, its section and its results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use catalog_model::{Date, FaultKind, Month};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::delivery::DeliveryWriter;
use super::identity::Written;
use crate::SynthError;
use crate::billing::Books;
use crate::dice::{Dice, Stream};
use crate::world::KanaForm;

/// The layout of packages.
const FAMILY: &str = "ndb-checkup";
/// Of so many persons one is examined in a month.
const PERSONS_PER_CHECKUP: usize = 240;
/// How much likelier than a line a whole document is struck.
const BROKEN_DOCUMENTS: f64 = 4.0;
/// Lines before the first document: index and summary.
const LINES_BEFORE: usize = 2;

/// A measurement: item, unit, its usual value and how far it is drawn around it.
const MEASURED: [(&str, &str, f64, f64); 7] = [
    ("9N001000000000001", "cm", 162.0, 14.0),
    ("9N006000000000001", "kg", 62.0, 20.0),
    ("9N016160100000001", "cm", 84.0, 15.0),
    ("9A751000000000001", "mm[Hg]", 128.0, 24.0),
    ("3F015000002327101", "mg/dL", 118.0, 70.0),
    ("3F077000002327101", "mg/dL", 124.0, 40.0),
    ("3D046000001906202", "%", 5.8, 1.0),
];
/// 喫煙.
const SMOKING: &str = "9N736000000000011";

/// Writes the packages of a month.
pub(super) fn write(
    books: Books<'_>,
    writer: &mut DeliveryWriter<'_>,
    month: Month,
) -> Result<(), SynthError> {
    let mut by_insurer: BTreeMap<String, Vec<Written<'_>>> = BTreeMap::new();
    let turn = month.index().unsigned_abs() as usize;
    for (index, person) in books.population.persons.iter().enumerate() {
        let is_examined = (index + turn).is_multiple_of(PERSONS_PER_CHECKUP)
            && person.lives_in(month)
            && (40..75).contains(&person.age_on(month.last_day()));
        if let Some(written) = Written::new(books, index, month).filter(|_| is_examined)
            && let Some(insurer) = written.insurer()
        {
            by_insurer.entry(insurer.padded_number()).or_default().push(written);
        }
    }
    for (number, persons) in (1_u32..).zip(&by_insurer) {
        let package = Package { books, month, insurer_no: persons.0.trim() };
        package.write(writer, number, persons.1)?;
    }
    Ok(())
}

struct Package<'a> {
    books: Books<'a>,
    month: Month,
    insurer_no: &'a str,
}

/// A document, with what was made wrong in it.
struct Document {
    text: String,
    lines: usize,
    faults: Vec<(usize, &'static str, &'static str, FaultKind)>,
}

impl Package<'_> {
    fn write(
        &self,
        writer: &mut DeliveryWriter<'_>,
        number: u32,
        persons: &[Written<'_>],
    ) -> Result<(), SynthError> {
        let (year, month) = (self.month.year(), self.month.month());
        let sent = format!("{year}{month:02}28");
        let root = format!("5500000001_{:0>8}_{sent}0_{number}", self.insurer_no);
        let path = format!("checkups/{root}.zip");
        let mut entries = vec![
            (format!("{root}/ix08_V08.xml"), index(&sent, persons.len())),
            (format!("{root}/su08_V08.xml"), summary(persons.len())),
        ];
        let mut line = LINES_BEFORE + 1;
        for (at, person) in persons.iter().enumerate() {
            let document = self.document(writer, person)?;
            writer.note_document(&path, line, person.index, &document.faults);
            line += document.lines;
            entries.push((format!("{root}/DATA/h{at:05}.xml"), document.text));
        }
        let bytes = zipped(&entries).map_err(SynthError::Package)?;
        writer.package(&path, FAMILY, &bytes)
    }

    fn document(
        &self,
        writer: &mut DeliveryWriter<'_>,
        person: &Written<'_>,
    ) -> Result<Document, SynthError> {
        let when = u64::from(self.month.index().unsigned_abs());
        let mut dice = Dice::new(self.books.seed, Stream::Writing, (1 << 59) | person.index as u64, when);
        let mut ill = Dice::new(self.books.seed, Stream::Faults, (1 << 59) | person.index as u64, when);
        let rate = writer.fault_rate();
        let day = self.month.first_day().plus_days(dice.between(0, 26));
        let mut text = self.header(writer, person, day);
        let mut lines = 2;
        let mut faults = Vec::new();
        for (item, unit, usual, width) in MEASURED {
            let mut value = format!("{:.1}", usual + (dice.unit() - 0.5) * width);
            if rate > 0.0 && ill.chance(rate) {
                value = "高".to_owned();
                faults.push((lines, "result", "value", FaultKind::Number));
            }
            let _ = writeln!(
                text,
                "<entry><observation classCode=\"OBS\" moodCode=\"EVN\"><code code=\"{item}\"/>\
                 <value xsi:type=\"PQ\" value=\"{value}\" unit=\"{unit}\"/></observation></entry>"
            );
            lines += 1;
        }
        let smokes = if dice.percent(18.0) { "1" } else { "2" };
        let _ = writeln!(
            text,
            "<entry><observation classCode=\"OBS\" moodCode=\"EVN\"><code code=\"{SMOKING}\"/>\
             <value xsi:type=\"CD\" code=\"{smokes}\"/></observation></entry>"
        );
        lines += 1;
        text.push_str("</section></component></structuredBody></component>\n");
        if rate > 0.0 && ill.chance(rate * BROKEN_DOCUMENTS) {
            // Every line of a document that breaks is lost, and the place where it breaks is one more.
            text.push_str("</ClinicalDokument>\n");
            let record = |at: usize| match at {
                0 => "checkup",
                1 => "section",
                _ if at < lines => "result",
                _ => "",
            };
            faults = (0..=lines).map(|at| (at, record(at), "", FaultKind::Markup)).collect();
            lines += 1;
        } else {
            text.push_str("</ClinicalDocument>\n");
        }
        Ok(Document { text, lines, faults })
    }

    /// The header, and the beginning of the section of results.
    fn header(&self, writer: &mut DeliveryWriter<'_>, person: &Written<'_>, day: Date) -> String {
        let card = person.card();
        let kana = person.kana(KanaForm::Full);
        let branch = card.branch.map_or(String::new(), |branch| format!("{branch:02}"));
        let identities = [
            ("insurer_no", self.insurer_no.to_owned()),
            ("insured_symbol", card.symbol.clone()),
            ("insured_number", card.number.clone()),
            ("branch_no", branch.clone()),
            ("kana_name", kana.clone()),
        ];
        for (kind, value) in identities.into_iter().filter(|(_, value)| !value.is_empty()) {
            writer.ledger.identity(person.index, kind, value, self.month);
        }
        let id = |root: &str, value: &str| {
            if value.is_empty() {
                return String::new();
            }
            format!("<id extension=\"{}\" root=\"1.2.392.200119.6.{root}\"/>", escaped(value))
        };
        let doctors = person.person.doctors.at(self.month);
        let facility = self.books.world.facilities.get(doctors.clinic);
        let prefecture = facility.and_then(|facility| self.books.world.prefecture(facility.prefecture));
        let facility = format!(
            "{}1{}",
            prefecture.map_or("", |prefecture| prefecture.code.as_str()),
            facility.map_or("", |facility| facility.code.as_str())
        );
        let digits = |day: Date| day.to_string().replace('-', "");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ClinicalDocument xmlns=\"urn:hl7-org:v3\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n\
             <code code=\"10\"/><effectiveTime value=\"{}\"/>\n<recordTarget><patientRole>\n{}{}{}{}\n\
             <patient><name>{}</name><administrativeGenderCode code=\"{}\"/><birthTime value=\"{}\"/></patient>\n\
             </patientRole></recordTarget>\n\
             <documentationOf><serviceEvent><code code=\"010\"/><effectiveTime value=\"{}\"/>\n\
             <performer typeCode=\"PRF\"><assignedEntity><representedOrganization>{}</representedOrganization>\
             </assignedEntity></performer></serviceEvent></documentationOf>\n\
             <component><structuredBody><component><section><code code=\"01010\"/>\n",
            digits(day),
            id("101", self.insurer_no),
            id("204", &card.symbol),
            id("205", &card.number),
            id("211", &branch),
            escaped(&kana),
            person.person.sex.code(),
            digits(person.person.birth),
            digits(day),
            id("102", &facility),
        )
    }
}

fn index(sent: &str, persons: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<index xmlns=\"http://tokuteikenshin.jp/checkup/2007\">\
         <interactionType code=\"6\"/><creationTime value=\"{sent}\"/><serviceEventType code=\"1\"/>\
         <totalRecordCount value=\"{persons}\"/></index>\n"
    )
}

fn summary(persons: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<summary xmlns=\"http://tokuteikenshin.jp/checkup/2007\">\
         <serviceEventType code=\"1\"/><totalSubjectCount value=\"{persons}\"/></summary>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn zipped(entries: &[(String, String)]) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    // The same bytes whenever they are written.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    for (name, text) in entries {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(text.as_bytes())?;
    }
    Ok(writer.finish()?.into_inner())
}
