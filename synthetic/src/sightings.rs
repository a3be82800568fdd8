//! Who was seen when, and under which name and number: the identities of a population without what was done for it.
//!
//! Linkage is judged on populations too large to be written out as files. A sighting is what one receipt, check-up or
//! claim says of the person; the [`Slips`] of a setting make some of them wrong, as clerks and changes do. The truth
//! comes with each.

mod slips;

use catalog_model::{Catalogue, Month};

pub use slips::Slips;

use crate::billing::{Books, claims, outpatient_receipts, stay_months};
use crate::dice::{Dice, Stream};
use crate::files::{Written, register_kana};
use crate::health::Ward;
use crate::model::Model;
use crate::people::{Card, Population, Setting};
use crate::world::{Facility, World};
use crate::{Options, SynthError};
use slips::Reused;

/// One record that names a person.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The person in truth, counted from 0.
    pub person: usize,
    /// The month of the record.
    pub month: Month,
    /// The prefecture of the facility, by its official number; 0 where it is not said.
    pub prefecture: u32,
    /// What stands in the fields, by identity role.
    pub fields: Vec<(&'static str, String)>,
}

/// What is true of a person.
#[derive(Clone, Debug)]
pub struct Life {
    /// The sex code.
    pub sex: u8,
    /// The birth date, as days since 1970-01-01.
    pub birth: i32,
    /// The other twin.
    pub twin_of: Option<usize>,
    /// Months in which the name changed.
    pub name_changes: Vec<Month>,
    /// Months in which the card changed.
    pub card_changes: Vec<Month>,
}

/// Lets a population live and hands every sighting of it to `sink`, month by month; the truth of each person.
///
/// # Errors
///
/// The options make no sense, or the catalogue does not fit the model.
pub fn sightings(
    catalogue: &Catalogue,
    options: &Options,
    slips: &Slips,
    sink: &mut dyn FnMut(Sighting),
) -> Result<Vec<Life>, SynthError> {
    options.check()?;
    let model = Model::load(catalogue)?;
    let world = World::new(&model, options.seed);
    let period = crate::work::period(options);
    let setting = Setting { model: &model, world: &world, period, seed: options.seed };
    let mut population = Population::live(setting, options.persons);
    slips::rename(slips, setting, &mut population);
    let reused = slips::reuse(slips, setting, &population);
    let books = Books { model: &model, world: &world, population: &population, seed: options.seed };
    let eye = Eye { books, slips, reused };
    for month in period.months() {
        for index in 0..population.persons.len() {
            eye.month(index, month, sink)?;
        }
    }
    Ok(population.persons.iter().map(life).collect())
}

fn life(person: &crate::people::Person) -> Life {
    Life {
        sex: person.sex as u8,
        birth: person.birth.days(),
        twin_of: person.twin_of,
        name_changes: person.names.changes().iter().map(|(month, _)| *month).collect(),
        card_changes: person.cards.changes().iter().map(|(month, _)| *month).collect(),
    }
}

struct Eye<'a> {
    books: Books<'a>,
    slips: &'a Slips,
    reused: Reused,
}

impl Eye<'_> {
    fn month(&self, index: usize, month: Month, sink: &mut dyn FnMut(Sighting)) -> Result<(), SynthError> {
        let stays = stay_months(self.books, index, month)?;
        for stay in stays.iter().filter(|stay| stay.stay.ward == Ward::Dpc) {
            self.surveyed(index, month, stay.receipt.facility, sink);
        }
        let inpatient = stays.into_iter().map(|stay| stay.receipt.facility);
        let outpatient =
            outpatient_receipts(self.books, index, month)?.into_iter().map(|receipt| receipt.facility);
        for facility in inpatient.chain(outpatient) {
            self.receipt(index, month, facility, sink);
        }
        self.care(index, month, sink)
    }

    fn receipt(&self, index: usize, month: Month, facility: usize, sink: &mut dyn FnMut(Sighting)) {
        let (Some(place), Some(written)) =
            (self.books.world.facilities.get(facility), Written::new(self.books, index, month))
        else {
            return;
        };
        let salt = (facility as u64) << 32 | index as u64;
        let mut dice = Dice::new(self.books.seed, Stream::Slips, salt, month.index().unsigned_abs().into());
        let style = &place.style;
        let card = self.card(index, month, &mut dice).unwrap_or_else(|| written.card().clone());
        let insurer = self.books.world.insurers.get(card.insurer);
        let birth = self.slips.birth(written.person.birth, &mut dice);
        let mut fields = vec![
            ("name", self.slips.name(written.name(style), &mut dice)),
            ("birth_date", birth.to_string().replace('-', "")),
            ("sex", written.person.sex.code().to_owned()),
            ("insurer_no", insurer.map_or(String::new(), |insurer| insurer.padded_number())),
            ("insured_symbol", card.symbol.clone()),
            ("insured_number", self.slips.number(card.number.clone(), &mut dice)),
        ];
        if !dice.percent(self.slips.kana_missing_percent) {
            fields.push(("kana_name", self.slips.kana(written.kana(style.kana), &mut dice)));
        }
        if let Some(branch) = card.branch.filter(|_| !dice.percent(self.slips.branch_missing_percent)) {
            fields.push(("branch_no", format!("{branch:02}")));
        }
        sink(Sighting { person: index, month, prefecture: self.prefecture(place), fields });
    }

    /// The card that is shown where it is not the person's present one: the former one, the mother's, or one with the
    /// number of somebody who died.
    fn card(&self, index: usize, month: Month, dice: &mut Dice) -> Option<Card> {
        let person = self.books.population.persons.get(index)?;
        if let Some(mother) = slips::mother_of(self.books.population, index, month)
            && self.slips.is_on_mothers_card(self.books.seed, index)
        {
            return Some(mother.cards.at(month).clone());
        }
        let is_new = person.cards.changes().iter().any(|(from, _)| *from == month);
        if is_new && dice.percent(self.slips.card_outdated_percent) {
            return Some(person.cards.at(month.plus(-1)).clone());
        }
        self.reused.card(person, index, month)
    }

    fn surveyed(&self, index: usize, month: Month, facility: usize, sink: &mut dyn FnMut(Sighting)) {
        let (Some(place), Some(written)) =
            (self.books.world.facilities.get(facility), Written::new(self.books, index, month))
        else {
            return;
        };
        let fields = vec![
            ("dpc_facility", place.dpc_code(self.books.world)),
            ("dpc_data_id", written.data_id(place)),
            ("birth_date", written.person.birth.to_string().replace('-', "")),
            ("sex", written.person.sex.code().to_owned()),
            ("kana_name", written.kana(place.style.kana)),
        ];
        sink(Sighting { person: index, month, prefecture: self.prefecture(place), fields });
    }

    /// A care claim, and the certification of the month with the kana name beside the care number.
    fn care(&self, index: usize, month: Month, sink: &mut dyn FnMut(Sighting)) -> Result<(), SynthError> {
        let Some(person) = self.books.population.persons.get(index).filter(|person| person.lives_in(month))
        else {
            return Ok(());
        };
        let certified = person.health.certifications.iter().any(|c| c.applied.month() == month);
        let claimed = !claims(self.books, index, month).is_empty();
        let Some(written) = Written::new(self.books, index, month).filter(|_| certified || claimed) else {
            return Ok(());
        };
        let (insurer, insured) = written.care_numbers();
        let mut fields = vec![
            ("care_insurer_no", insurer),
            ("care_insured_no", insured),
            ("birth_date", person.birth.to_string().replace('-', "")),
            ("sex", person.sex.code().to_owned()),
        ];
        if claimed {
            sink(Sighting { person: index, month, prefecture: 0, fields: fields.clone() });
        }
        if certified {
            fields.push(("kana_name", register_kana(&written)));
            sink(Sighting { person: index, month, prefecture: 0, fields });
        }
        Ok(())
    }

    fn prefecture(&self, place: &Facility) -> u32 {
        let prefecture = self.books.world.prefecture(place.prefecture);
        prefecture.and_then(|prefecture| prefecture.code.parse().ok()).unwrap_or(0)
    }
}
