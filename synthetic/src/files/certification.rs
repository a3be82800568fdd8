//! 要介護認定情報: one line for each application, one file for each municipality and month.

use std::collections::BTreeMap;

use catalog_model::{Date, Month};

use super::Forms;
use super::delivery::DeliveryWriter;
use super::draft::{Draft, Grouper};
use super::identity::{Written, register_kana};
use crate::SynthError;
use crate::billing::Books;
use crate::calendar::Calendar;
use crate::dice::{Dice, Stream};
use crate::health::{Certification, LEVELS};
use crate::truth::Ledger;
use crate::world::NameForm;
use crate::writer::{FamilyTemplates, Line, WriteError};

const WESTERN: Calendar = Calendar::Western;
// 要介護認定等基準時間 at which each level begins, and the width to the next.
const MINUTES: [(f64, f64); 7] =
    [(25.0, 7.0), (32.0, 18.0), (32.0, 18.0), (50.0, 20.0), (70.0, 20.0), (90.0, 20.0), (110.0, 40.0)];
// 障害高齢者の日常生活自立度 and 認知症高齢者の日常生活自立度, from the lightest.
const PHYSICAL: [&str; 9] = ["0", "1", "2", "3", "4", "5", "6", "7", "8"];
const DEMENTIA: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];

/// Writes the applications of a month.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    writer: &mut DeliveryWriter<'_>,
    month: Month,
) -> Result<(), SynthError> {
    let mut by_municipality: BTreeMap<usize, Vec<(Written<'_>, &Certification)>> = BTreeMap::new();
    for (index, person) in books.population.persons.iter().enumerate() {
        for certification in &person.health.certifications {
            if certification.applied.month() == month
                && let Some(written) = Written::new(books, index, month)
            {
                by_municipality.entry(written.municipality()).or_default().push((written, certification));
            }
        }
    }
    for (municipality, applications) in by_municipality {
        let Some(place) = books.world.municipalities.get(municipality) else { continue };
        let file = File { books, forms: &forms.certifications, month };
        let draft = file.draft(&place.code, &applications, &mut writer.ledger)?;
        writer.plain_file(draft)?;
    }
    Ok(())
}

struct File<'a, 't> {
    books: Books<'a>,
    forms: &'t FamilyTemplates,
    month: Month,
}

impl<'t> File<'_, 't> {
    fn draft(
        &self,
        municipality: &str,
        applications: &[(Written<'_>, &Certification)],
        ledger: &mut Ledger,
    ) -> Result<Draft<'t>, SynthError> {
        let mut draft = Draft::new(format!("certifications/{municipality}.csv"), self.forms.family());
        for (number, (person, certification)) in (1_u32..).zip(applications) {
            let mut line = Line::new(self.forms.record("row")?);
            self.head(&mut line, number, person, certification)?;
            self.survey(&mut line, person, certification)?;
            self.judgement(&mut line, certification)?;
            let mut group = Grouper::new(ledger, person.index, self.month);
            group.push(line)?;
            draft.groups.push(group.finish(0));
        }
        Ok(draft)
    }

    fn head(
        &self,
        line: &mut Line<'t>,
        number: u32,
        person: &Written<'_>,
        certification: &Certification,
    ) -> Result<(), WriteError> {
        let (insurer_no, insured_no) = person.care_numbers();
        let applied = certification.applied;
        let postcode = person.postcode();
        line.number("serial_no", number)?
            .set("soft_version", "09B")?
            .set("insurer_no", &insurer_no)?
            .set("insured_no", &insured_no)?
            .date("application_date", applied, WESTERN)?
            .set("application_class_law", &(certification.application as u32).to_string())?
            .set("application_class", &(certification.application as u32).to_string())?
            .set("withdrawal_class", "1")?
            .set("insured_class", "1")?
            .date("birth_date", person.person.birth, WESTERN)?
            .set("age", &person.person.age_on(applied).to_string())?
            .set("sex", person.person.sex.code())?
            .set("kana_name", &register_kana(person))?
            .set("name", &person.name_as(NameForm::Full, false))?
            .set(
                "postcode",
                &format!("{}-{}", postcode.get(..3).unwrap_or(""), postcode.get(3..).unwrap_or("")),
            )?
            .set("address", &person.address())?
            .set("contact", &person.phone())?
            .date("opinion_requested", applied.plus_days(1), WESTERN)?
            .date("opinion_received", applied.plus_days(12), WESTERN)?;
        if let Some(previous) = certification.previous {
            line.set("previous_care_level", LEVELS.get(previous.level).copied().unwrap_or(""))?
                .date("previous_from", previous.from, WESTERN)?
                .date("previous_to", previous.to, WESTERN)?;
        }
        Ok(())
    }

    /// The survey's items: worse answers the higher the level. 030 to 108 without the name of an answer.
    fn survey(
        &self,
        line: &mut Line<'t>,
        person: &Written<'_>,
        certification: &Certification,
    ) -> Result<(), WriteError> {
        let mut dice = self.dice(person.index, certification.applied);
        let frail = 12.0 + 11.0 * certification.level as f64;
        for item in 30..=108_u32 {
            let answer = match (dice.percent(frail), dice.percent(frail * 0.5)) {
                (false, _) => "1",
                (true, false) => "2",
                (true, true) => "3",
            };
            line.set(&format!("item_{item:03}"), answer)?;
        }
        let physical = (certification.level + dice.below(2) as usize).min(PHYSICAL.len() - 1);
        let dementia = (certification.level / 2 + dice.below(4) as usize).min(DEMENTIA.len() - 1);
        line.set("physical_independence", PHYSICAL.get(physical).copied().unwrap_or("0"))?
            .set("dementia_independence", DEMENTIA.get(dementia).copied().unwrap_or("0"))?;
        let (from, width) = MINUTES.get(certification.level).copied().unwrap_or((25.0, 7.0));
        line.set("standard_minutes", &format!("{:.1}", from + width * dice.unit() * 0.99))?;
        Ok(())
    }

    fn judgement(&self, line: &mut Line<'t>, certification: &Certification) -> Result<(), WriteError> {
        let level = LEVELS.get(certification.level).copied().unwrap_or("");
        let decided = certification.applied.plus_days(28);
        line.set("first_judgement", level)?
            .set("first_judgement_dementia", level)?
            .date("board_application_date", certification.applied, WESTERN)?
            .set("second_judgement", &crate::calendar::day(decided, WESTERN))?;
        Ok(())
    }

    fn dice(&self, person: usize, applied: Date) -> Dice {
        let id = (1 << 62) | person as u64;
        Dice::new(self.books.seed, Stream::Forms, id, applied.days().unsigned_abs().into())
    }
}
