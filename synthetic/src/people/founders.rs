//! Who lives at the start of the period: ages and sexes of the pyramid, put together into families.
//!
//! Persons come first and families second, because then the pyramid holds whatever the families look like.

use std::collections::BTreeMap;

use catalog_model::Date;

use super::names::{Family, FullName, Given};
use super::{Doctors, History, Home, Household, Job, Person, Population, Setting, Sex};
use crate::dice::{Dice, Stream};
use crate::health::Health;
use crate::people::coverage::no_card;

// Percent of children with one parent only, and of people of 75 and over without a partner who live with a child.
const ONE_PARENT: f64 = 12.0;
const WITH_A_CHILD: f64 = 22.0;
// Percent of those of 18 to 21 who still live with their parents.
const STUDENTS_AT_HOME: f64 = 60.0;
// One pair with the same name, sex and birth date among so many persons.
const PERSONS_PER_NAMESAKES: u32 = 5000;

/// The founders in their homes, with names and jobs, but without a past.
pub(super) fn settle(setting: Setting<'_>, count: u32) -> Population {
    let mut dice = Dice::new(setting.seed, Stream::Founders, 0, 0);
    let today = setting.period.from.first_day();
    let mut drafts: Vec<Draft> = (0..count).map(|_| draw(setting, today, &mut dice)).collect();
    let mut families = Families { today, drafts: &mut drafts, homes: Vec::new() };
    families.couples(setting, &mut dice);
    families.children(setting, &mut dice);
    families.grandparents(&mut dice);
    families.singles();
    let homes = families.homes;
    let mut population = Population { persons: Vec::new(), households: Vec::new(), period: setting.period };
    population.persons = drafts.iter().map(|draft| person(setting, draft)).collect();
    for (index, members) in homes.into_iter().enumerate() {
        move_in(setting, &mut population, index, members);
    }
    for index in 0..population.persons.len() {
        employ(setting, &mut population, index, today);
    }
    make_namesakes(&mut population, count / PERSONS_PER_NAMESAKES);
    population
}

struct Draft {
    sex: Sex,
    birth: Date,
    twin_of: Option<usize>,
    partner: Option<usize>,
    is_housed: bool,
}

fn draw(setting: Setting<'_>, today: Date, dice: &mut Dice) -> Draft {
    let pyramid = &setting.model.population.pyramid;
    let drawn = dice.weighted(pyramid.men.iter().chain(&pyramid.women).copied());
    let (sex, band) = if drawn < 20 { (Sex::Man, drawn) } else { (Sex::Woman, drawn - 20) };
    let age = i32::try_from(band).unwrap_or(0) * 5 + dice.between(0, if band == 19 { 6 } else { 4 });
    let birth = today.plus_days(-(age * 1461 / 4) - 1 - dice.between(0, 364));
    Draft { sex, birth, twin_of: None, partner: None, is_housed: false }
}

struct Families<'a> {
    today: Date,
    drafts: &'a mut Vec<Draft>,
    homes: Vec<Vec<usize>>,
}

impl Families<'_> {
    fn age(&self, index: usize) -> i32 {
        self.drafts.get(index).map_or(0, |draft| draft.birth.years_until(self.today))
    }

    fn birth(&self, index: usize) -> Date {
        self.drafts.get(index).map_or(self.today, |draft| draft.birth)
    }

    fn house(&mut self, members: Vec<usize>) {
        for member in &members {
            if let Some(draft) = self.drafts.get_mut(*member) {
                draft.is_housed = true;
            }
        }
        self.homes.push(members);
    }

    fn join(&mut self, home: usize, member: usize) {
        if let (Some(home), Some(draft)) = (self.homes.get_mut(home), self.drafts.get_mut(member)) {
            home.push(member);
            draft.is_housed = true;
        }
    }

    /// Those of one sex who may live in a couple, the eldest first.
    fn candidates(&self, setting: Setting<'_>, sex: Sex, dice: &mut Dice) -> Vec<usize> {
        let shares = &setting.model.population.couples;
        let share = |age: i32| {
            let band = usize::try_from((age - 20) / 10).unwrap_or(0).min(6);
            let shares = if sex == Sex::Man { &shares.men } else { &shares.women };
            shares.get(band).copied().unwrap_or(0.0)
        };
        let mut found: Vec<usize> = (0..self.drafts.len())
            .filter(|index| self.drafts.get(*index).is_some_and(|draft| draft.sex == sex))
            .filter(|index| self.age(*index) >= 22 && dice.percent(share(self.age(*index))))
            .collect();
        found.sort_by_key(|index| (self.birth(*index), *index));
        found
    }

    /// Pairs men with women who are two years younger on average.
    fn couples(&mut self, setting: Setting<'_>, dice: &mut Dice) {
        const TRIES: u32 = 8;
        let men = self.candidates(setting, Sex::Man, dice);
        let mut women: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for woman in self.candidates(setting, Sex::Woman, dice) {
            women.entry(self.birth(woman).ymd().0).or_default().push(woman);
        }
        for man in men {
            let year = self.birth(man).ymd().0;
            let found = (0..TRIES).find_map(|_| {
                let younger = dice.between(-2, 4) + dice.between(-1, 3);
                women.get_mut(&(year + younger)).and_then(Vec::pop)
            });
            let Some(woman) = found else { continue };
            for (one, other) in [(man, woman), (woman, man)] {
                if let Some(draft) = self.drafts.get_mut(one) {
                    draft.partner = Some(other);
                }
            }
            self.house(vec![man, woman]);
        }
    }

    fn children(&mut self, setting: Setting<'_>, dice: &mut Dice) {
        let mut children: Vec<usize> = (0..self.drafts.len())
            .filter(|index| {
                let age = self.age(*index);
                age < 18 || (age < 22 && dice.percent(STUDENTS_AT_HOME))
            })
            .collect();
        children.sort_by_key(|index| (self.birth(*index), *index));
        let mothers = self.mothers();
        let births = &setting.model.population.births;
        let mut rest = children.into_iter();
        while let Some(child) = rest.next() {
            let Some(home) = self.home_for(child, &mothers, dice) else { continue };
            self.join(home, child);
            if dice.chance(births.twins_per_thousand / 1000.0)
                && let Some(twin) = rest.next()
            {
                self.make_twin(child, twin, dice.percent(births.same_sex_percent));
                self.join(home, twin);
            }
        }
    }

    fn make_twin(&mut self, child: usize, twin: usize, is_same_sex: bool) {
        let Some((sex, birth)) = self.drafts.get(child).map(|draft| (draft.sex, draft.birth)) else { return };
        if let Some(draft) = self.drafts.get_mut(twin) {
            draft.birth = birth;
            draft.twin_of = Some(child);
            draft.sex = match (is_same_sex, sex) {
                (true, sex) => sex,
                (false, Sex::Man) => Sex::Woman,
                (false, Sex::Woman) => Sex::Man,
            };
        }
    }

    /// Homes by the birth date of the woman in them; women without a home get one, as mothers on their own.
    fn mothers(&mut self) -> Vec<(Date, usize)> {
        let alone: Vec<usize> = (0..self.drafts.len())
            .filter(|index| {
                let draft = self.drafts.get(*index);
                draft.is_some_and(|draft| draft.sex == Sex::Woman && !draft.is_housed)
            })
            .filter(|index| (30..52).contains(&self.age(*index)))
            .collect();
        for woman in alone {
            self.house(vec![woman]);
        }
        let mut mothers: Vec<(Date, usize)> = self
            .homes
            .iter()
            .enumerate()
            .filter_map(|(home, members)| members.last().map(|woman| (self.birth(*woman), home)))
            .collect();
        mothers.sort_unstable();
        mothers
    }

    fn home_for(&self, child: usize, mothers: &[(Date, usize)], dice: &mut Dice) -> Option<usize> {
        let birth = self.birth(child);
        let from = mothers.partition_point(|(mother, _)| *mother < birth.plus_days(-42 * 365));
        let to = mothers.partition_point(|(mother, _)| *mother < birth.plus_days(-21 * 365));
        let fitting = mothers.get(from..to)?;
        let wants_couple = !dice.percent(ONE_PARENT);
        let is_couple = |home: usize| self.homes.get(home).is_some_and(|members| self.has_couple(members));
        let mut home = None;
        for _ in 0..6 {
            home = dice.pick(fitting).map(|(_, home)| *home);
            if home.is_none_or(|home| is_couple(home) == wants_couple) {
                break;
            }
        }
        home
    }

    fn has_couple(&self, members: &[usize]) -> bool {
        members.first().and_then(|first| self.drafts.get(*first)).is_some_and(|draft| draft.partner.is_some())
    }

    fn grandparents(&mut self, dice: &mut Dice) {
        let mothers = self.mothers();
        let old: Vec<usize> = (0..self.drafts.len())
            .filter(|index| self.drafts.get(*index).is_some_and(|draft| !draft.is_housed))
            .filter(|index| self.age(*index) >= 75)
            .collect();
        for parent in old {
            if !dice.percent(WITH_A_CHILD) {
                continue;
            }
            let birth = self.birth(parent);
            let from = mothers.partition_point(|(child, _)| *child < birth.plus_days(22 * 365));
            let to = mothers.partition_point(|(child, _)| *child < birth.plus_days(38 * 365));
            if let Some((_, home)) = mothers.get(from..to).and_then(|fitting| dice.pick(fitting)) {
                self.join(*home, parent);
            }
        }
    }

    fn singles(&mut self) {
        for index in 0..self.drafts.len() {
            if self.drafts.get(index).is_some_and(|draft| !draft.is_housed) {
                self.house(vec![index]);
            }
        }
    }
}

fn person(setting: Setting<'_>, draft: &Draft) -> Person {
    // The name is a place holder until the family has one.
    let mut dice = Dice::new(setting.seed, Stream::Names, 0, 0);
    let names = &setting.model.names;
    let name = FullName {
        surname: Family::draw(names, &mut dice),
        given: Given::draw(names, draft.sex, draft.birth, &mut dice),
    };
    Person {
        sex: draft.sex,
        birth: draft.birth,
        twin_of: draft.twin_of,
        partner: draft.partner,
        names: History::new(name),
        households: History::new(0),
        jobs: History::new(None),
        cards: History::new(no_card()),
        doctors: History::new(Doctors::nowhere()),
        health: Health::default(),
    }
}

impl Doctors {
    /// Before a person has found anybody.
    pub(super) const fn nowhere() -> Self {
        Self {
            municipality: usize::MAX,
            clinic: 0,
            specialist: 0,
            dpc_hospital: 0,
            other_hospital: 0,
            hospital: 0,
            offices: [0, 0],
        }
    }
}

fn move_in(setting: Setting<'_>, population: &mut Population, index: usize, members: Vec<usize>) {
    let mut dice = Dice::new(setting.seed, Stream::Families, index as u64, 0);
    let names = &setting.model.names;
    let surname = Family::draw(names, &mut dice);
    let mut taken: Vec<Given> = Vec::new();
    for member in &members {
        let Some(person) = population.persons.get_mut(*member) else { continue };
        // Brothers and sisters, twins above all, do not share a name.
        let mut given = Given::draw(names, person.sex, person.birth, &mut dice);
        while taken.contains(&given) && taken.len() < 12 {
            given = Given::draw(names, person.sex, person.birth, &mut dice);
        }
        taken.push(given);
        person.names = History::new(FullName { surname, given });
        person.households = History::new(index);
    }
    let municipality = setting.world.municipality_in(&setting.world.all_municipalities(), &mut dice);
    let number = u32::try_from(index).unwrap_or(u32::MAX);
    population.households.push(Household { members, homes: History::new(Home { municipality, number }) });
}

fn employ(setting: Setting<'_>, population: &mut Population, index: usize, today: Date) {
    let mut dice = Dice::new(setting.seed, Stream::Life, index as u64, 0);
    let Some(person) = population.persons.get(index) else { return };
    let share = employed_percent(setting, person.sex, person.age_on(today));
    if !dice.percent(share) {
        return;
    }
    let prefecture = population
        .home(person, setting.period.from)
        .and_then(|home| setting.world.municipalities.get(home.municipality))
        .map_or(0, |municipality| municipality.prefecture);
    let job = new_job(setting, prefecture, 0, &mut dice);
    if let Some(person) = population.persons.get_mut(index) {
        person.jobs = History::new(Some(job));
    }
}

/// The percent of persons of an age who work for an employer.
pub(super) fn employed_percent(setting: Setting<'_>, sex: Sex, age: i32) -> f64 {
    let shares = &setting.model.population.employed;
    let shares = if sex == Sex::Man { &shares.men } else { &shares.women };
    match age {
        18..20 => 18.0,
        20..75 => shares.get(usize::try_from((age - 20) / 10).unwrap_or(0)).copied().unwrap_or(0.0),
        _ => 0.0,
    }
}

/// A job with one of the employers of a prefecture.
pub(super) fn new_job(setting: Setting<'_>, prefecture: usize, spell: u32, dice: &mut Dice) -> Job {
    const EMPLOYERS: u32 = 60;
    let insurer = setting.world.insurers.of_employer(prefecture, dice.below(100));
    Job { insurer, employer: dice.below(EMPLOYERS), spell }
}

/// Gives persons who live alone the name and birth date of another.
fn make_namesakes(population: &mut Population, pairs: u32) {
    let mut alone: Vec<(Sex, Date, usize)> = population
        .households
        .iter()
        .filter_map(|household| if let [only] = household.members.as_slice() { Some(*only) } else { None })
        .filter_map(|index| population.persons.get(index).map(|person| (person.sex, person.birth, index)))
        .collect();
    alone.sort_unstable();
    let step = (alone.len() / (pairs as usize + 1)).max(2);
    let mut chosen =
        alone.chunks(step).filter_map(|chunk| if let [a, b, ..] = chunk { Some((*a, *b)) } else { None });
    for _ in 0..pairs {
        let Some((one, other)) = chosen.next() else { return };
        let name = population.persons.get(one.2).map(|person| person.names.clone());
        if let (Some(name), Some(person), true) =
            (name, population.persons.get_mut(other.2), one.0 == other.0)
        {
            person.names = name;
            person.birth = one.1;
        }
    }
}
