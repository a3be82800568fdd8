//! What happens in families: moves, jobs, marriages, births.
//!
//! Month by month and family by family. Deaths are known already (they follow from health), so that nobody marries or
//! moves after them.

use catalog_model::{Date, Month};

use super::founders::{employed_percent, new_job};
use super::names::{FullName, Given};
use super::{Doctors, History, Home, Household, Job, Person, Population, Setting, Sex};
use crate::dice::{Dice, Stream};
use crate::health::{self, Pregnancy};
use crate::people::coverage::no_card;
use crate::world::near;

// Percent of marriages after which the husband bears the wife's name, and of wives who give up their job.
const HUSBAND_TAKES_NAME: f64 = 5.0;
const WIFE_LEAVES_JOB: f64 = 24.0;
// Percent of employees who stop at 60 and at 65.
const STOP_AT_60: f64 = 26.0;
const STOP_AT_65: f64 = 55.0;
// Of a thousand newborns.
const BOYS: f64 = 513.0;

/// Lets every month of the period happen.
pub(super) fn pass(setting: Setting<'_>, population: &mut Population) {
    let mut addresses = u32::try_from(population.households.len()).unwrap_or(u32::MAX);
    for month in setting.period.months() {
        for household in 0..population.households.len() {
            relocate(setting, population, household, month, &mut addresses);
        }
        for index in 0..population.persons.len() {
            work(setting, population, index, month);
        }
        marry_all(setting, population, month);
        let mothers: Vec<usize> = (0..population.persons.len())
            .filter(|index| population.persons.get(*index).is_some_and(|person| may_bear(person, month)))
            .collect();
        for mother in mothers {
            bear(setting, population, mother, month);
        }
    }
}

fn relocate(
    setting: Setting<'_>,
    population: &mut Population,
    index: usize,
    month: Month,
    addresses: &mut u32,
) {
    let events = &setting.model.population.events;
    let mut dice =
        Dice::new(setting.seed, Stream::Life, (1 << 40) | index as u64, month.index().unsigned_abs().into());
    if month == setting.period.from || !dice.chance(events.moves_of_households / 12_000.0) {
        return;
    }
    let lived_in = population.households.get(index).is_some_and(|household| {
        household
            .members
            .iter()
            .filter_map(|member| population.persons.get(*member))
            .any(|p| p.lives_in(month))
    });
    let Some(household) = population.households.get_mut(index).filter(|_| lived_in) else { return };
    let from = household.homes.at(month).municipality;
    let among = match setting.world.prefecture_of(from) {
        Some(place) if !dice.percent(events.moves_to_another_prefecture_percent) => {
            place.municipalities.clone()
        }
        _ => setting.world.all_municipalities(),
    };
    let municipality = setting.world.municipality_in(&among, &mut dice);
    household.homes.change(month, Home { municipality, number: *addresses });
    *addresses += 1;
}

fn work(setting: Setting<'_>, population: &mut Population, index: usize, month: Month) {
    let events = &setting.model.population.events;
    let Some(person) = population.persons.get(index).filter(|person| person.lives_in(month)) else { return };
    let age = person.age_on(month.first_day());
    if !(18..75).contains(&age) || month == setting.period.from {
        return;
    }
    let mut dice = Dice::new(setting.seed, Stream::Life, index as u64, month.index().unsigned_abs().into());
    let prefecture = population
        .home(person, month)
        .and_then(|home| setting.world.municipalities.get(home.municipality))
        .map_or(0, |municipality| municipality.prefecture);
    let has_birthday = person.birth.ymd().1 == month.month();
    let next = match person.jobs.at(month) {
        Some(job) if dice.chance(events.job_changes / 12_000.0) => {
            Some(Some(new_job(setting, prefecture, job.spell + 1, &mut dice)))
        }
        Some(_) if dice.chance(events.job_losses / 12_000.0) => Some(None),
        Some(_) if has_birthday && age == 60 && dice.percent(STOP_AT_60) => Some(None),
        Some(_) if has_birthday && age == 65 && dice.percent(STOP_AT_65) => Some(None),
        None => found_job(setting, person, (age, month), prefecture, &mut dice).map(Some),
        Some(_) => None,
    };
    if let (Some(job), Some(person)) = (next, population.persons.get_mut(index)) {
        person.jobs.change(month, job);
    }
}

fn found_job(
    setting: Setting<'_>,
    person: &Person,
    (age, month): (i32, Month),
    prefecture: usize,
    dice: &mut Dice,
) -> Option<Job> {
    let share = employed_percent(setting, person.sex, age);
    let yearly = setting.model.population.events.jobs_found * share / 100.0;
    // Those who leave school begin in April.
    let leaves_school = month.month() == 4 && matches!(age, 18 | 22) && dice.percent(share * 0.7);
    let finds = leaves_school || (age >= 22 && dice.chance(yearly / 12_000.0));
    let spells = u32::try_from(person.jobs.changes().len()).unwrap_or(0) + 1;
    finds.then(|| new_job(setting, prefecture, spells, dice))
}

/// Singles of a sex who live alone, by birth date.
fn singles(population: &Population, sex: Sex, month: Month) -> Vec<(Date, usize)> {
    let mut found: Vec<(Date, usize)> = population
        .persons
        .iter()
        .enumerate()
        .filter(|(_, person)| person.sex == sex && person.partner.is_none() && person.lives_in(month))
        .filter(|(_, person)| (21..46).contains(&person.age_on(month.first_day())))
        .filter(|(_, person)| {
            population
                .households
                .get(*person.households.at(month))
                .is_some_and(|home| home.members.len() == 1)
        })
        .map(|(index, person)| (person.birth, index))
        .collect();
    found.sort_unstable();
    found
}

fn marry_all(setting: Setting<'_>, population: &mut Population, month: Month) {
    const APART: i32 = 9 * 365;
    if month == setting.period.from {
        return;
    }
    let rate = setting.model.population.events.marriages_of_single_adults;
    let mut women = singles(population, Sex::Woman, month);
    for (birth, man) in singles(population, Sex::Man, month) {
        let mut dice =
            Dice::new(setting.seed, Stream::Marriage, man as u64, month.index().unsigned_abs().into());
        if women.is_empty() || !dice.chance(rate / 12_000.0) {
            continue;
        }
        let same_age = i32::try_from(women.partition_point(|(born, _)| *born < birth)).unwrap_or(0);
        let at = usize::try_from((same_age + dice.between(-8, 20)).max(0)).unwrap_or(0).min(women.len() - 1);
        let is_near = women.get(at).is_some_and(|(born, _)| (born.days() - birth.days()).abs() <= APART);
        if is_near {
            let (_, woman) = women.remove(at);
            marry(population, man, woman, month, &mut dice);
        }
    }
}

fn marry(population: &mut Population, man: usize, woman: usize, month: Month, dice: &mut Dice) {
    let Some((his, home)) =
        population.persons.get(man).map(|person| (*person.names.at(month), *person.households.at(month)))
    else {
        return;
    };
    let Some(wife) = population.persons.get_mut(woman) else { return };
    let hers = *wife.names.at(month);
    wife.partner = Some(man);
    wife.households.change(month, home);
    if wife.jobs.at(month).is_some() && dice.percent(WIFE_LEAVES_JOB) {
        wife.jobs.change(month, None);
    }
    let husband_takes_hers = dice.percent(HUSBAND_TAKES_NAME);
    if !husband_takes_hers {
        wife.names.change(month, FullName { surname: his.surname, given: hers.given });
    }
    if let Some(husband) = population.persons.get_mut(man) {
        husband.partner = Some(woman);
        if husband_takes_hers {
            husband.names.change(month, FullName { surname: hers.surname, given: his.given });
        }
    }
    if let Some(home) = population.households.get_mut(home) {
        home.members.push(woman);
    }
}

fn may_bear(person: &Person, month: Month) -> bool {
    const MONTHS_BETWEEN: i32 = 14;
    let last = person.health.pregnancies.last().map_or(i32::MIN / 2, |last| last.due.month().index());
    person.sex == Sex::Woman
        && person.partner.is_some()
        && (20..45).contains(&person.age_on(month.first_day()))
        && person.lives_in(month.plus(1))
        && month.index() - last >= MONTHS_BETWEEN
}

fn bear(setting: Setting<'_>, population: &mut Population, mother: usize, month: Month) {
    let births = &setting.model.population.births;
    let Some(age) = population.persons.get(mother).map(|person| person.age_on(month.first_day())) else {
        return;
    };
    let band = usize::try_from((age - 20) / 5).unwrap_or(0);
    let rate = births.per_thousand.get(band).copied().unwrap_or(0.0);
    let mut dice = Dice::new(setting.seed, Stream::Birth, mother as u64, month.index().unsigned_abs().into());
    if !dice.chance(rate / 12_000.0) {
        return;
    }
    let due = month.first_day().plus_days(dice.between(0, 27));
    let pregnancy = Pregnancy::draw(&setting.model.care.pregnancy, due, &mut dice);
    if let Some(person) = population.persons.get_mut(mother) {
        health::deliver(setting, person, pregnancy, &mut dice);
    }
    let sex = if dice.chance(BOYS / 1000.0) { Sex::Man } else { Sex::Woman };
    let first = add_child(setting, population, mother, (sex, due, None), &mut dice);
    if dice.chance(births.twins_per_thousand / 1000.0) {
        let is_same = dice.percent(births.same_sex_percent);
        let other = if sex == Sex::Man { Sex::Woman } else { Sex::Man };
        add_child(
            setting,
            population,
            mother,
            (if is_same { sex } else { other }, due, Some(first)),
            &mut dice,
        );
    }
}

fn add_child(
    setting: Setting<'_>,
    population: &mut Population,
    mother: usize,
    (sex, birth, twin_of): (Sex, Date, Option<usize>),
    dice: &mut Dice,
) -> usize {
    let index = population.persons.len();
    let month = birth.month();
    let Some(parent) = population.persons.get(mother) else { return index };
    let surname = parent.names.at(month).surname;
    let home = *parent.households.at(month);
    let taken = twin_of.and_then(|twin| population.persons.get(twin)).map(|twin| twin.names.first().given);
    let mut given = Given::draw(&setting.model.names, sex, birth, dice);
    while Some(given) == taken {
        given = Given::draw(&setting.model.names, sex, birth, dice);
    }
    population.persons.push(Person {
        sex,
        birth,
        twin_of,
        partner: None,
        names: History::new(FullName { surname, given }),
        households: History::new(home),
        jobs: History::new(None),
        cards: History::new(no_card()),
        doctors: History::new(Doctors::nowhere()),
        health: health::of_newborn(setting, index, sex, birth),
    });
    if let Some(Household { members, .. }) = population.households.get_mut(home) {
        members.push(index);
    }
    index
}

/// Gives everybody doctors and care offices near each of their homes.
pub(super) fn find_doctors(setting: Setting<'_>, population: &mut Population) {
    for index in 0..population.persons.len() {
        let Some(person) = population.persons.get(index) else { continue };
        let mut doctors = None::<History<Doctors>>;
        for month in setting.period.months() {
            let Some(home) = population.home(person, month) else { continue };
            match &mut doctors {
                None => doctors = Some(History::new(doctors_near(setting, index, home.municipality))),
                Some(known) if known.at(month).municipality == home.municipality => {}
                Some(known) => known.change(month, doctors_near(setting, index, home.municipality)),
            }
        }
        if let (Some(doctors), Some(person)) = (doctors, population.persons.get_mut(index)) {
            person.doctors = doctors;
        }
    }
}

fn doctors_near(setting: Setting<'_>, index: usize, municipality: usize) -> Doctors {
    // Percent whose outpatient department is that of a DPC hospital.
    const AT_DPC_HOSPITAL: f64 = 64.0;
    let mut dice = Dice::new(setting.seed, Stream::Doctors, index as u64, municipality as u64);
    let Some(place) = setting.world.prefecture_of(municipality) else { return Doctors::nowhere() };
    let mut one = |among: &[usize]| near(among, municipality, &mut dice).copied().unwrap_or(0);
    let (clinic, specialist) = (one(&place.clinics), one(&place.clinics));
    let (dpc_hospital, other_hospital) = (one(&place.dpc_hospitals), one(&place.hospitals));
    let offices = [one(&place.offices), one(&place.offices)];
    let hospital = if dice.percent(AT_DPC_HOSPITAL) { dpc_hospital } else { other_hospital };
    Doctors { municipality, clinic, specialist, dpc_hospital, other_hospital, hospital, offices }
}
