//! Whose insurance card somebody holds in a month, and what stands on it.
//!
//! The rules of the public insurance, simplified: from 75 on everybody has a card of the prefecture's elderly
//! insurance; whoever works for an employer has the card of its insurer, and so have those who live with them; the
//! others have the municipality's. Everything about a card follows from these, so numbers need no list of their own.

use catalog_model::Month;

use super::{Household, Job, Person, Population, Setting};
use crate::world::{Insurer, InsurerKind};

/// A card, as a receipt shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) insurer: usize,
    pub(crate) symbol: String,
    pub(crate) number: String,
    /// 枝番; a card of the elderly insurance has none, since its number is one person's.
    pub(crate) branch: Option<usize>,
    pub(crate) relation: Relation,
    holds: Holds,
}

/// Whose card it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Own,
    Family,
}

// What a card follows from: while this is the same, the card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Nothing,
    OwnJob(usize, Job),
    JobOf(usize, Job),
    Municipal(usize, usize),
    Elderly(usize),
}

/// The card of nobody.
pub(super) const fn no_card() -> Card {
    Card {
        insurer: 0,
        symbol: String::new(),
        number: String::new(),
        branch: None,
        relation: Relation::Own,
        holds: Holds::Nothing,
    }
}

/// Gives everybody their cards.
pub(super) fn insure(setting: Setting<'_>, population: &mut Population) {
    for index in 0..population.persons.len() {
        let Some(person) = population.persons.get(index) else { continue };
        let mut cards = None::<super::History<Card>>;
        for month in setting.period.months().filter(|month| person.lives_in(*month)) {
            let holds = holds(setting, population, index, month);
            match &mut cards {
                None => cards = Some(super::History::new(card(setting, population, index, holds, month))),
                Some(cards) if cards.at(month).holds == holds => {}
                Some(cards) => cards.change(month, card(setting, population, index, holds, month)),
            }
        }
        if let (Some(cards), Some(person)) = (cards, population.persons.get_mut(index)) {
            person.cards = cards;
        }
    }
}

fn holds(setting: Setting<'_>, population: &Population, index: usize, month: Month) -> Holds {
    let Some(person) = population.persons.get(index) else { return Holds::Nothing };
    let municipality = population.home(person, month).map_or(0, |home| home.municipality);
    let prefecture =
        setting.world.municipalities.get(municipality).map_or(0, |municipality| municipality.prefecture);
    if person.age_on(month.last_day()) >= 75 {
        return Holds::Elderly(prefecture);
    }
    if let Some(job) = person.jobs.at(month) {
        return Holds::OwnJob(index, *job);
    }
    let home = *person.households.at(month);
    let earner =
        population.households.get(home).and_then(|household| earner(population, household, home, month));
    earner.map_or(Holds::Municipal(home, municipality), |(earner, job)| Holds::JobOf(earner, job))
}

/// The first of a household who works for an employer.
fn earner(population: &Population, household: &Household, home: usize, month: Month) -> Option<(usize, Job)> {
    household.members.iter().find_map(|member| {
        let person = population.persons.get(*member)?;
        let lives_here = person.lives_in(month) && *person.households.at(month) == home;
        let job = person.jobs.at(month).filter(|_| lives_here && person.age_on(month.last_day()) < 75)?;
        Some((*member, job))
    })
}

fn card(setting: Setting<'_>, population: &Population, index: usize, holds: Holds, month: Month) -> Card {
    let insurers = &setting.world.insurers;
    let place = population
        .persons
        .get(index)
        .map_or(0, |person| place_in_household(population, person, index, month));
    let (insurer, entity, branch, relation) = match holds {
        Holds::Nothing => return no_card(),
        Holds::OwnJob(of, job) => (job.insurer, of * 16 + job.spell as usize, Some(0), Relation::Own),
        Holds::JobOf(of, job) => {
            (job.insurer, of * 16 + job.spell as usize, Some(place + 1), Relation::Family)
        }
        Holds::Municipal(home, municipality) => {
            (insurers.national(municipality), home, Some(place + 1), Relation::Own)
        }
        Holds::Elderly(prefecture) => (insurers.elderly(prefecture), index, None, Relation::Own),
    };
    let issuer = insurers.get(insurer);
    Card {
        insurer,
        symbol: issuer.map_or(String::new(), |issuer| symbol(issuer, holds)),
        number: issuer.map_or(String::new(), |issuer| number(issuer, insurer, entity)),
        branch,
        relation,
        holds,
    }
}

fn place_in_household(population: &Population, person: &Person, index: usize, month: Month) -> usize {
    let household = population.households.get(*person.households.at(month));
    household.and_then(|household| household.members.iter().position(|member| *member == index)).unwrap_or(0)
}

fn symbol(issuer: &Insurer, holds: Holds) -> String {
    const DISTRICTS: [char; 6] = ['ア', 'イ', 'ウ', 'エ', 'オ', 'カ'];
    match (issuer.kind, holds) {
        (InsurerKind::Elderly, _) | (_, Holds::Nothing | Holds::Elderly(_)) => String::new(),
        (_, Holds::Municipal(home, municipality)) if issuer.symbol.is_empty() => {
            format!("{:06}", 610_000 + (municipality * 100 + home % 6) * 7)
        }
        (_, Holds::Municipal(home, _)) => {
            let district = DISTRICTS.get(home % DISTRICTS.len()).copied().unwrap_or('ア');
            format!("{}{district}", issuer.symbol)
        }
        (InsurerKind::MutualAid, Holds::OwnJob(_, job) | Holds::JobOf(_, job)) => {
            format!("{}-{:03}", issuer.symbol, 301 + job.employer)
        }
        (InsurerKind::Society, Holds::OwnJob(_, job) | Holds::JobOf(_, job)) => {
            format!("{:06}", 730_000 + job.employer * 113)
        }
        (_, Holds::OwnJob(_, job) | Holds::JobOf(_, job)) => {
            scattered(u64::from(job.employer), issuer_salt(issuer))
        }
    }
}

fn number(issuer: &Insurer, insurer: usize, entity: usize) -> String {
    // Eight digits that are no date: the first is 3 or more.
    let digits = scattered(entity as u64, insurer as u64 * 7919);
    match issuer.kind {
        InsurerKind::Society | InsurerKind::MutualAid => format!("5{digits}"),
        _ => digits,
    }
}

fn issuer_salt(issuer: &Insurer) -> u64 {
    issuer.number.parse().unwrap_or(0)
}

/// Eight digits from 30,000,000 on, different for different `entity` under the same `salt`.
fn scattered(entity: u64, salt: u64) -> String {
    // A prime, so that multiplying permutes the numbers below it.
    const NUMBERS: u64 = 69_999_989;
    let mixed = (entity % NUMBERS * 40_503_571 + salt * 104_729 % NUMBERS) % NUMBERS;
    (30_000_000 + mixed).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::scattered;

    #[test]
    fn scattered_numbers_are_eight_digits_and_never_twice() {
        let numbers: BTreeSet<String> = (0..50_000).map(|entity| scattered(entity, 77)).collect();
        assert_eq!(numbers.len(), 50_000);
        assert!(numbers.iter().all(|number| number.len() == 8 && number.as_str() >= "30000000"));
    }
}
