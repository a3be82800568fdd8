//! The persons of the invented population: who they are, where they live, whose card they hold.
//!
//! [`Population::live`] lets them live through the period: founders with a past, their diseases, then what happens in
//! families. What comes out does not change any more; files are written from it month by month, in any order.

mod coverage;
mod founders;
mod history;
mod life;
mod names;

use catalog_model::{Date, Month, Period};

pub(crate) use coverage::{Card, Relation};
pub(crate) use history::History;
pub(crate) use names::{Family, FullName, half_width_kana};

use crate::health::Health;
use crate::model::Model;
use crate::world::World;

/// Sex, by its official code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sex {
    Man = 1,
    Woman = 2,
}

impl Sex {
    /// 男女区分コード.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Man => "1",
            Self::Woman => "2",
        }
    }
}

/// A person, from birth or the start of the period to death or its end.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) sex: Sex,
    pub(crate) birth: Date,
    pub(crate) twin_of: Option<usize>,
    pub(crate) partner: Option<usize>,
    pub(crate) names: History<FullName>,
    /// The households they belong to.
    pub(crate) households: History<usize>,
    pub(crate) jobs: History<Option<Job>>,
    pub(crate) cards: History<Card>,
    pub(crate) doctors: History<Doctors>,
    pub(crate) health: Health,
}

/// Work for an employer, whose insurer gives the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) insurer: usize,
    /// The employer, as the card's symbol counts them.
    pub(crate) employer: u32,
    /// The how manieth job of the person: each gives another number.
    pub(crate) spell: u32,
}

/// Where somebody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doctors {
    pub(crate) municipality: usize,
    pub(crate) clinic: usize,
    pub(crate) specialist: usize,
    pub(crate) dpc_hospital: usize,
    pub(crate) other_hospital: usize,
    /// The hospital whose outpatient department they attend.
    pub(crate) hospital: usize,
    pub(crate) offices: [usize; 2],
}

/// A home and those who have ever lived in it together.
#[derive(Clone, Debug)]
pub(crate) struct Household {
    pub(crate) members: Vec<usize>,
    pub(crate) homes: History<Home>,
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) municipality: usize,
    /// Numbers the addresses of the population.
    pub(crate) number: u32,
}

impl Person {
    /// Completed years on a day.
    pub(crate) fn age_on(&self, day: Date) -> i32 {
        self.birth.years_until(day)
    }

    /// Says whether the person lives on at least one day of the month.
    pub(crate) fn lives_in(&self, month: Month) -> bool {
        self.birth <= month.last_day() && self.health.death.is_none_or(|death| death >= month.first_day())
    }
}

/// Everybody.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    pub(crate) persons: Vec<Person>,
    pub(crate) households: Vec<Household>,
    pub(crate) period: Period,
}

/// What the life of a population depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) model: &'a Model,
    pub(crate) world: &'a World,
    pub(crate) period: Period,
    pub(crate) seed: u64,
}

impl Population {
    /// Lets `count` founders and their children live through the period.
    pub(crate) fn live(setting: Setting<'_>, count: u32) -> Self {
        let mut population = founders::settle(setting, count);
        crate::health::begin(setting, &mut population.persons);
        life::pass(setting, &mut population);
        coverage::insure(setting, &mut population);
        life::find_doctors(setting, &mut population);
        population
    }

    /// The home of a person in a month.
    pub(crate) fn home(&self, person: &Person, month: Month) -> Option<Home> {
        self.households.get(*person.households.at(month)).map(|household| *household.homes.at(month))
    }
}

#[cfg(test)]
mod tests;
