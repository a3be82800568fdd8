//! Who was seen when, and under which name and number: the identities of a population without what was done for it.
//!
//! Linkage is judged on populations too large to be written out as files. A sighting is what one receipt, check-up or
//! claim says of the person; the [`Slips`] of a setting make some of them wrong, as clerks and changes do. The truth
//! comes with each.

use catalog_model::{Catalogue, Month};

use crate::billing::{Books, claims, outpatient_receipts, stay_months};
use crate::files::{Written, register_kana};
use crate::health::Ward;
use crate::model::Model;
use crate::people::{Population, Setting};
use crate::slips::{Errors, Slips};
use crate::world::{Facility, World};
use crate::{Options, SynthError};

/// One record that names a person.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The person in truth, counted from 0.
    pub person: usize,
    /// The month of the record.
    pub month: Month,
    /// The prefecture of the facility, by its official number; 0 where it is not said.
    pub prefecture: u32,
    /// The facility that wrote it, if one did.
    pub facility: Option<usize>,
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
    let mut model = Model::load(catalogue)?;
    model.population.events.slow_down(slips.events_percent / 100.0);
    let world = World::new(&model, options.seed);
    let period = crate::work::period(options);
    let setting = Setting { model: &model, world: &world, period, seed: options.seed };
    let mut population = Population::live(setting, options.persons);
    let errors = Errors::befall(slips, setting, &mut population);
    let books =
        Books { model: &model, world: &world, population: &population, seed: options.seed, errors: None };
    let eye = Eye { books, errors: &errors };
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
    errors: &'a Errors<'a>,
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
        let (Some(shown), Some(written)) =
            (self.errors.shown(self.books, index, facility, month), Written::new(self.books, index, month))
        else {
            return;
        };
        let insurer = self.books.world.insurers.get(shown.card.insurer);
        let mut fields = vec![
            ("name", shown.name),
            ("birth_date", shown.birth.to_string().replace('-', "")),
            ("sex", written.person.sex.code().to_owned()),
            ("insurer_no", insurer.map_or(String::new(), |insurer| insurer.padded_number())),
            ("insured_symbol", shown.card.symbol),
            ("insured_number", shown.card.number),
        ];
        fields.extend(shown.kana.map(|kana| ("kana_name", kana)));
        fields.extend(shown.branch.map(|branch| ("branch_no", format!("{branch:02}"))));
        sink(self.at(index, month, facility, fields));
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
        sink(self.at(index, month, facility, fields));
    }

    /// A care claim, and the certification of the month with the kana name beside the care number. The first month
    /// brings every certification in force, as the first delivery of a database does; who moves to another municipality
    /// gets a new number, and is certified there without an examination (介護保険法 第36条).
    fn care(&self, index: usize, month: Month, sink: &mut dyn FnMut(Sighting)) -> Result<(), SynthError> {
        let Some(person) = self.books.population.persons.get(index).filter(|person| person.lives_in(month))
        else {
            return Ok(());
        };
        let claimed = !claims(self.books, index, month).is_empty();
        let population = self.books.population;
        let municipality = |month| population.home(person, month).map(|home| home.municipality);
        let is_new = month == population.period.from || municipality(month.plus(-1)) != municipality(month);
        let in_force = person
            .health
            .certifications
            .iter()
            .any(|c| c.from <= month.last_day() && c.to >= month.first_day());
        let certified = person.health.certifications.iter().any(|c| c.applied.month() == month)
            || (is_new && (in_force || claimed));
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
            sink(Sighting { person: index, month, prefecture: 0, facility: None, fields: fields.clone() });
        }
        if certified {
            fields.push(("kana_name", register_kana(&written)));
            sink(Sighting { person: index, month, prefecture: 0, facility: None, fields });
        }
        Ok(())
    }

    fn at(
        &self,
        index: usize,
        month: Month,
        facility: usize,
        fields: Vec<(&'static str, String)>,
    ) -> Sighting {
        let place = self.books.world.facilities.get(facility);
        let prefecture = place.map_or(0, |place| self.prefecture(place));
        Sighting { person: index, month, prefecture, facility: Some(facility), fields }
    }

    fn prefecture(&self, place: &Facility) -> u32 {
        let prefecture = self.books.world.prefecture(place.prefecture);
        prefecture.and_then(|prefecture| prefecture.code.parse().ok()).unwrap_or(0)
    }
}
