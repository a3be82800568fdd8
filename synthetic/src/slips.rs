//! What goes wrong when a person is written down, and how often: the settings under `model/settings/`.

use std::collections::HashMap;

use catalog_model::{Date, Month};
use serde::Deserialize;

use crate::billing::Books;
use crate::dice::{Dice, Stream};
use crate::files::Written;
use crate::model::ModelError;
use crate::people::{Card, Family, FullName, Person, Population, Setting};

/// How often what goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slips {
    /// What the setting is for.
    pub about: String,
    /// Receipts in a thousand with another character in the name.
    pub name_misspelt_permille: f64,
    /// Receipts in a thousand with another kana in the name.
    pub kana_misspelt_permille: f64,
    /// Receipts in a thousand with another birth date.
    pub birth_misread_permille: f64,
    /// Receipts in a thousand with two digits of the insured number exchanged.
    pub number_misread_permille: f64,
    /// Receipts in a hundred without the kana name.
    pub kana_missing_percent: f64,
    /// Receipts in a hundred without the branch number, which makes a number individual.
    pub branch_missing_percent: f64,
    /// Receipts in a hundred of the month of a new card that still show the former one.
    pub card_outdated_percent: f64,
    /// Adults in a thousand who change their name in a year for other reasons than the marriages of the model.
    pub renamed_permille: f64,
    /// Changes of an adult's card in a hundred that come with another name in the same month.
    pub renamed_with_card_percent: f64,
    /// Newborns in a hundred who are billed on their mother's card in their first month.
    pub on_mothers_card_percent: f64,
    /// Of a hundred who die, those whose number is given to somebody else.
    pub number_reused_percent: f64,
    /// Of a hundred changes of jobs and addresses of the model, those that happen.
    #[serde(default = "all")]
    pub events_percent: f64,
}

const fn all() -> f64 {
    100.0
}

impl Slips {
    /// The shipped settings.
    pub const SETTINGS: [(&str, &str); 7] = [
        ("none", include_str!("../model/settings/none.toml")),
        ("registry", include_str!("../model/settings/registry.toml")),
        ("published", include_str!("../model/settings/published.toml")),
        ("judged", include_str!("../model/settings/judged.toml")),
        ("held-back", include_str!("../model/settings/held-back.toml")),
        ("harsh", include_str!("../model/settings/harsh.toml")),
        ("unseen", include_str!("../model/settings/unseen.toml")),
    ];

    /// A shipped setting.
    ///
    /// # Errors
    ///
    /// There is none of that name, or its text is not of the expected form.
    pub fn shipped(name: &str) -> Result<Self, ModelError> {
        let short = ModelError::TooShort { file: "settings", list: "setting of that name" };
        let (_, text) = Self::SETTINGS.iter().find(|(known, _)| *known == name).ok_or(short)?;
        toml::from_str(text).map_err(|source| ModelError::Form { file: "settings", source })
    }

    fn name(&self, name: String, dice: &mut Dice) -> String {
        const OTHERS: [char; 8] = ['介', '子', '美', '也', '恵', '一', '郎', '博'];
        if !dice.chance(self.name_misspelt_permille / 1000.0) {
            return name;
        }
        replace_last(&name, *dice.pick(&OTHERS).unwrap_or(&'介'))
    }

    fn kana(&self, kana: String, dice: &mut Dice) -> String {
        const OTHERS: [char; 8] = ['ア', 'コ', 'ミ', 'ヤ', 'エ', 'チ', 'ロ', 'ヒ'];
        if !dice.chance(self.kana_misspelt_permille / 1000.0) {
            return kana;
        }
        replace_last(&kana, *dice.pick(&OTHERS).unwrap_or(&'ア'))
    }

    fn birth(&self, birth: Date, dice: &mut Dice) -> Date {
        if !dice.chance(self.birth_misread_permille / 1000.0) {
            return birth;
        }
        let (year, month, day) = birth.ymd();
        let misread = match dice.below(4) {
            0 => Date::from_ymd(year, month, day + 1),
            1 => Date::from_ymd(year, month % 12 + 1, day),
            2 => Date::from_ymd(year + 1, month, day),
            _ => Date::from_ymd(year + 10, month, day),
        };
        misread.unwrap_or(birth)
    }

    fn number(&self, number: String, dice: &mut Dice) -> String {
        if !dice.chance(self.number_misread_permille / 1000.0) {
            return number;
        }
        let mut digits: Vec<char> = number.chars().collect();
        if digits.len() > 1 {
            let at = dice.below(u32::try_from(digits.len() - 1).unwrap_or(1)) as usize;
            digits.swap(at, at + 1);
        }
        digits.into_iter().collect()
    }

    fn is_on_mothers_card(&self, seed: u64, child: usize) -> bool {
        Dice::new(seed, Stream::Slips, child as u64, u64::MAX).percent(self.on_mothers_card_percent)
    }
}

/// The errors of a population under a setting: what happened to its names, and whose numbers were given again.
#[derive(Debug)]
pub(crate) struct Errors<'s> {
    slips: &'s Slips,
    reused: Reused,
}

/// A person as a receipt shows them, right or wrong.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) birth: Date,
    pub(crate) card: Card,
    /// None where the setting leaves it out.
    pub(crate) kana: Option<String>,
    /// None where the setting leaves it out, and where the card has none.
    pub(crate) branch: Option<usize>,
}

impl<'s> Errors<'s> {
    /// Renames whom the setting renames, and gives the numbers of the dead again.
    pub(crate) fn befall(slips: &'s Slips, setting: Setting<'_>, population: &mut Population) -> Self {
        rename(slips, setting, population);
        Self { slips, reused: reuse(slips, setting, population) }
    }

    /// What a receipt of a facility shows of a person in a month.
    pub(crate) fn shown(
        &self,
        books: Books<'_>,
        index: usize,
        facility: usize,
        month: Month,
    ) -> Option<Shown> {
        let style = &books.world.facilities.get(facility)?.style;
        let written = Written::new(books, index, month)?;
        let salt = (facility as u64) << 32 | index as u64;
        let mut dice = Dice::new(books.seed, Stream::Slips, salt, month.index().unsigned_abs().into());
        let mut card = self.card(books, index, month, &mut dice).unwrap_or_else(|| written.card().clone());
        let birth = self.slips.birth(written.person.birth, &mut dice);
        let name = self.slips.name(written.name(style), &mut dice);
        card.number = self.slips.number(card.number, &mut dice);
        let has_kana = !dice.percent(self.slips.kana_missing_percent);
        let kana = has_kana.then(|| self.slips.kana(written.kana(style.kana), &mut dice));
        let branch = card.branch.filter(|_| !dice.percent(self.slips.branch_missing_percent));
        Some(Shown { name, birth, card, kana, branch })
    }

    /// The card that is shown where it is not the person's present one: the former one, the mother's, or one with the
    /// number of somebody who died.
    fn card(&self, books: Books<'_>, index: usize, month: Month, dice: &mut Dice) -> Option<Card> {
        let person = books.population.persons.get(index)?;
        if let Some(mother) = mother_of(books.population, index, month)
            && self.slips.is_on_mothers_card(books.seed, index)
        {
            return Some(mother.cards.at(month).clone());
        }
        let is_new = person.cards.changes().iter().any(|(from, _)| *from == month);
        if is_new && dice.percent(self.slips.card_outdated_percent) {
            return Some(person.cards.at(month.plus(-1)).clone());
        }
        self.reused.card(person, index, month)
    }
}

fn replace_last(text: &str, by: char) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if let Some(last) = characters.last_mut() {
        *last = by;
    }
    characters.into_iter().collect()
}

/// Renames adults who did not marry: divorces, adoptions.
fn rename(slips: &Slips, setting: Setting<'_>, population: &mut Population) {
    const ADULT: i32 = 20;
    for (index, person) in population.persons.iter_mut().enumerate() {
        for month in setting.period.months().skip(1) {
            let mut dice =
                Dice::new(setting.seed, Stream::Slips, index as u64, (1 << 40) | month.index() as u64);
            let is_adult = person.age_on(month.first_day()) >= ADULT && person.lives_in(month);
            let has_later = person.names.changes().iter().any(|(from, _)| *from >= month);
            let has_new_card = person.cards.changes().iter().any(|(from, _)| *from == month);
            let chance = match has_new_card {
                true => slips.renamed_with_card_percent / 100.0,
                false => slips.renamed_permille / 12_000.0,
            };
            if is_adult && !has_later && dice.chance(chance) {
                let given = person.names.at(month).given;
                let surname = Family::draw(&setting.model.names, &mut dice);
                person.names.change(month, FullName { surname, given });
            }
        }
    }
}

/// The mother of a child that is born in the month.
fn mother_of(population: &Population, child: usize, month: Month) -> Option<&Person> {
    let born = population.persons.get(child).filter(|person| person.birth.month() == month)?;
    let home = population.households.get(*born.households.at(month))?;
    home.members
        .iter()
        .filter_map(|member| population.persons.get(*member))
        .find(|person| person.health.pregnancies.iter().any(|pregnancy| pregnancy.due == born.birth))
}

/// Cards with numbers of the dead.
#[derive(Debug, Default)]
struct Reused(HashMap<usize, (Month, Card)>);

impl Reused {
    /// The card with a dead person's number that a person shows instead of the own one.
    fn card(&self, person: &Person, index: usize, month: Month) -> Option<Card> {
        let (from, card) = self.0.get(&index)?;
        let own = person.cards.at(month);
        (month >= *from && own.insurer == card.insurer).then(|| card.clone())
    }
}

/// Gives numbers of the dead to those who come to the same insurer half a year later or more.
fn reuse(slips: &Slips, setting: Setting<'_>, population: &Population) -> Reused {
    let mut free: HashMap<usize, Vec<(Month, &Card)>> = HashMap::new();
    for (index, person) in population.persons.iter().enumerate() {
        let Some(death) =
            person.health.death.map(|day| day.month()).filter(|month| *month <= setting.period.to)
        else {
            continue;
        };
        if Dice::new(setting.seed, Stream::Slips, index as u64, u64::MAX - 1)
            .percent(slips.number_reused_percent)
        {
            let card = person.cards.at(death);
            free.entry(card.insurer).or_default().push((death.plus(6), card));
        }
    }
    let mut reused = Reused::default();
    for (index, person) in population.persons.iter().enumerate() {
        let Some((month, card)) = person.cards.changes().last() else { continue };
        let Some(numbers) = free.get_mut(&card.insurer) else { continue };
        let Some(at) = numbers.iter().position(|(from, old)| from <= month && old.branch == card.branch)
        else {
            continue;
        };
        let (_, old) = numbers.remove(at);
        reused.0.insert(index, (*month, old.clone()));
    }
    reused
}
