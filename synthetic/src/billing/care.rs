//! Long-term care at home: which services somebody uses in a month, and at which office.

use catalog_model::Month;

use super::Books;
use crate::dice::{Dice, Stream, whole};
use crate::health::Certification;
use crate::model::CareService;
use crate::people::Person;

// Percent of users who pay two tenths or more themselves.
const HIGHER_INCOME: f64 = 9.0;

/// A claim of one office for one person and month.
#[derive(Clone, Debug)]
pub(crate) struct CareClaim<'m> {
    pub(crate) person: usize,
    pub(crate) office: usize,
    pub(crate) month: Month,
    pub(crate) certification: Certification,
    pub(crate) lines: Vec<ServiceLine<'m>>,
    pub(crate) benefit_percent: u32,
}

/// A service with its number of times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceLine<'m> {
    pub(crate) service: &'m CareService,
    pub(crate) times: u32,
}

impl ServiceLine<'_> {
    /// Service units.
    pub(crate) const fn units(&self) -> u32 {
        self.service.units * self.times
    }
}

/// The claims for a person in a month.
pub(crate) fn claims<'m>(books: Books<'m>, index: usize, month: Month) -> Vec<CareClaim<'m>> {
    let Some(person) = books.population.persons.get(index).filter(|person| person.lives_in(month)) else {
        return Vec::new();
    };
    let Some(certification) = person.health.certification_on(month.last_day()).copied() else {
        return Vec::new();
    };
    let days_at_home = super::free_days(person, month).count_ones();
    // Whether somebody uses services is a matter of the person; a single month is left out now and then.
    let mut habits = Dice::new(books.seed, Stream::Care, index as u64, 0);
    let is_user = habits.percent(books.model.care.limit.users_percent / 0.95);
    let benefit_percent = if habits.percent(HIGHER_INCOME) { 80 } else { 90 };
    let mut dice = Dice::new(books.seed, Stream::Care, index as u64, month.index().unsigned_abs().into());
    if !is_user || days_at_home < 10 || dice.percent(5.0) {
        return Vec::new();
    }
    let share = f64::from(days_at_home) / 26.0;
    let lines = plan(books, index, &certification, share, &mut dice);
    split(person, index, month, certification, &lines, benefit_percent)
}

/// The services of a month, within what the level allows.
fn plan<'m>(
    books: Books<'m>,
    index: usize,
    certification: &Certification,
    share: f64,
    dice: &mut Dice,
) -> Vec<ServiceLine<'m>> {
    let care = &books.model.care;
    let group = match certification.level {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 2,
    };
    // Drawn for the level, so that a plan stays the same until the need changes.
    let mut choice = Dice::new(books.seed, Stream::Care, index as u64, 100_000 + certification.level as u64);
    let chosen: Vec<&CareService> = care
        .service
        .iter()
        .filter(|service| service.weight.get(group).is_some_and(|weight| choice.percent(*weight)))
        .take(4)
        .collect();
    let chosen = if chosen.is_empty() { care.service.iter().take(1).collect() } else { chosen };
    let limit = care.limit.units.get(certification.level).copied().unwrap_or(0.0);
    let used = care.limit.used_percent.get(certification.level).copied().unwrap_or(0.0) / 100.0;
    let units = limit * (used * (0.6 + 0.8 * dice.unit())).min(0.98) * share;
    let each = units / chosen.len() as f64;
    let line = |service: &'m CareService| {
        let rented = service.kind == "17";
        let times = whole(each / f64::from(service.units)).clamp(1, 31);
        ServiceLine { service, times: if rented { 1 } else { times } }
    };
    chosen.into_iter().map(line).collect()
}

/// Day services at one office, services at home at another.
fn split<'m>(
    person: &Person,
    index: usize,
    month: Month,
    certification: Certification,
    lines: &[ServiceLine<'m>],
    benefit_percent: u32,
) -> Vec<CareClaim<'m>> {
    let offices = person.doctors.at(month).offices;
    let mut claims: Vec<CareClaim<'m>> = Vec::new();
    for line in lines {
        let is_day_service = matches!(line.service.kind.as_str(), "15" | "16");
        let office = if is_day_service { offices[0] } else { offices[1] };
        if let Some(claim) = claims.iter_mut().find(|claim| claim.office == office) {
            claim.lines.push(*line);
        } else {
            let lines = vec![*line];
            claims.push(CareClaim { person: index, office, month, certification, lines, benefit_percent });
        }
    }
    claims
}
