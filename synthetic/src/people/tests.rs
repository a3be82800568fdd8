//! The population is the one that the tables describe.

use std::collections::BTreeMap;

use catalog_model::{Catalogue, Month, Period};

use super::{Person, Population, Setting, Sex};
use crate::model::Model;
use crate::world::{InsurerKind, KanaForm, NameForm, World};

struct Lived {
    model: Model,
    world: World,
    population: Population,
}

fn lived(persons: u32, months: i32) -> Lived {
    let model = Model::load(&Catalogue::builtin().unwrap()).unwrap();
    let world = World::new(&model, 1);
    let from = Month::new(2023, 4).unwrap();
    let period = Period { from, to: from.plus(months - 1) };
    let setting = Setting { model: &model, world: &world, period, seed: 1 };
    let population = Population::live(setting, persons);
    Lived { model, world, population }
}

fn share(persons: &[Person], is: impl Fn(&Person) -> bool) -> f64 {
    persons.iter().filter(|person| is(person)).count() as f64 / persons.len() as f64
}

#[test]
fn ages_are_those_of_the_pyramid() {
    let population = lived(8000, 1).population;
    let today = population.period.from.first_day();
    let old = share(&population.persons, |person| person.age_on(today) >= 65);
    let very_old = share(&population.persons, |person| person.age_on(today) >= 75);
    let women = share(&population.persons, |person| person.sex == Sex::Woman);
    assert!((0.27..0.31).contains(&old), "{old}");
    assert!((0.14..0.18).contains(&very_old), "{very_old}");
    assert!((0.50..0.53).contains(&women), "{women}");
}

#[test]
fn prefectures_have_their_shares() {
    let Lived { world, population, .. } = lived(8000, 1);
    let month = population.period.from;
    let mut counts = BTreeMap::new();
    for person in &population.persons {
        let home = population.home(person, month).unwrap();
        *counts.entry(world.municipalities[home.municipality].prefecture).or_insert(0) += 1;
    }
    let percent: Vec<i32> = counts.values().map(|count| count * 100 / 8000).collect();
    for (found, expected) in percent.iter().zip([45, 25, 18, 12]) {
        assert!((found - expected).abs() <= 3, "{percent:?}");
    }
}

#[test]
fn most_adults_live_in_couples() {
    let population = lived(4000, 1).population;
    let today = population.period.from.first_day();
    for (ages, at_least) in [(30..40, 0.48), (40..60, 0.60), (60..75, 0.60)] {
        let of_age: Vec<Person> = population
            .persons
            .iter()
            .filter(|person| ages.contains(&person.age_on(today)))
            .cloned()
            .collect();
        let paired = share(&of_age, |person| person.partner.is_some());
        assert!(paired > at_least, "{ages:?}: {paired}");
    }
}

#[test]
fn twins_share_birth_and_card_but_not_name_and_branch() {
    let Lived { model, population, .. } = lived(8000, 3);
    let month = population.period.from;
    let pairs: Vec<(&Person, &Person)> = population
        .persons
        .iter()
        .filter_map(|person| Some((person, &population.persons[person.twin_of?])))
        .filter(|(one, other)| one.lives_in(month) && other.lives_in(month))
        .collect();
    assert!(
        pairs.iter().any(|(one, other)| one.sex == other.sex),
        "no pair of one sex among {}",
        pairs.len()
    );
    for (one, other) in pairs {
        assert_eq!(one.birth, other.birth);
        let name = |person: &Person| person.names.at(month).kanji(&model.names, NameForm::Full, false);
        assert_ne!(name(one), name(other));
        if one.jobs.at(month).is_some() || other.jobs.at(month).is_some() {
            continue;
        }
        let (one, other) = (one.cards.at(month), other.cards.at(month));
        assert_eq!((&one.symbol, &one.number, one.insurer), (&other.symbol, &other.number, other.insurer));
        assert_ne!(one.branch, other.branch);
    }
}

#[test]
fn a_marriage_changes_a_name_and_a_home() {
    let Lived { model, population, .. } = lived(8000, 24);
    let married: Vec<&Person> =
        population.persons.iter().filter(|person| !person.names.changes().is_empty()).collect();
    assert!(married.len() > 20, "{}", married.len());
    for person in married {
        let (month, name) = &person.names.changes()[0];
        let partner = &population.persons[person.partner.unwrap()];
        let surname = |name: &super::FullName| {
            name.kana(&model.names, KanaForm::Full).split('　').next().unwrap().to_owned()
        };
        assert_eq!(surname(name), surname(partner.names.at(*month)));
        assert_eq!(person.households.at(*month), partner.households.at(*month));
        assert_eq!(name.given, person.names.first().given);
    }
}

#[test]
fn from_75_on_everybody_has_the_elderly_insurance_and_nobody_before() {
    let Lived { world, population, .. } = lived(4000, 24);
    for person in &population.persons {
        for month in population.period.months().filter(|month| person.lives_in(*month)) {
            let card = person.cards.at(month);
            let kind = world.insurers.get(card.insurer).unwrap().kind;
            assert_eq!(kind == InsurerKind::Elderly, person.age_on(month.last_day()) >= 75);
            if kind == InsurerKind::Elderly {
                assert!(card.symbol.is_empty() && card.branch.is_none());
            } else {
                assert!(card.branch.is_some() && !card.symbol.is_empty() && !card.number.is_empty());
            }
        }
    }
}

#[test]
fn every_kind_of_insurance_has_its_share() {
    let Lived { world, population, .. } = lived(8000, 1);
    let month = population.period.from;
    let of = |kind: InsurerKind| {
        share(&population.persons, |person| {
            world.insurers.get(person.cards.at(month).insurer).unwrap().kind == kind
        })
    };
    assert!((0.10..0.30).contains(&of(InsurerKind::National)), "{}", of(InsurerKind::National));
    assert!((0.20..0.45).contains(&of(InsurerKind::Association)), "{}", of(InsurerKind::Association));
    assert!((0.14..0.18).contains(&of(InsurerKind::Elderly)), "{}", of(InsurerKind::Elderly));
}

#[test]
fn births_and_deaths_are_of_the_order_of_the_country() {
    let population = lived(8000, 24).population;
    let born = share(&population.persons, |person| person.birth >= population.period.from.first_day());
    let end = population.period.to.last_day();
    let died = share(&population.persons, |person| person.health.death.is_some_and(|death| death <= end));
    // Japan in 2023: 6 births and 13 deaths a year to 1,000 persons.
    assert!((0.008..0.018).contains(&born), "{born}");
    assert!((0.019..0.034).contains(&died), "{died}");
}

#[test]
fn nobody_is_in_two_beds_on_one_day() {
    let population = lived(8000, 24).population;
    for person in &population.persons {
        for pair in person.health.stays.windows(2) {
            // A transfer to rehabilitation is on the day of discharge.
            assert!(pair[0].discharged <= pair[1].admitted);
        }
        if let Some(death) = person.health.death {
            assert!(person.health.stays.iter().all(|stay| stay.discharged <= death));
        }
    }
}
