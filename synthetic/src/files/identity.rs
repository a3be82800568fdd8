//! A person as one facility writes them.

use catalog_model::Month;

use crate::billing::Books;
use crate::people::{Card, Household, Person, half_width_kana};
use crate::world::{Facility, FacilityKind, Insurer, KanaForm, NameForm, Style};

/// A person in the words of a facility.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    books: Books<'a>,
    pub(super) index: usize,
    pub(crate) person: &'a Person,
    month: Month,
}

impl<'a> Written<'a> {
    /// The person as known in a month.
    pub(crate) fn new(books: Books<'a>, index: usize, month: Month) -> Option<Self> {
        Some(Self { books, index, person: books.population.persons.get(index)?, month })
    }

    /// The name in kanji.
    pub(crate) fn name(&self, style: &Style) -> String {
        self.name_as(style.name, style.new_characters_only)
    }

    /// The name in kanji, in a form.
    pub(super) fn name_as(&self, form: NameForm, new_characters_only: bool) -> String {
        self.person.names.at(self.month).kanji(&self.books.model.names, form, new_characters_only)
    }

    /// The name in katakana.
    pub(crate) fn kana(&self, form: KanaForm) -> String {
        self.person.names.at(self.month).kana(&self.books.model.names, form)
    }

    /// The insurance card.
    pub(crate) fn card(&self) -> &'a Card {
        self.person.cards.at(self.month)
    }

    /// Who issued it.
    pub(super) fn insurer(&self) -> Option<&'a Insurer> {
        self.books.world.insurers.get(self.card().insurer)
    }

    /// 証記載保険者番号 and 被保険者番号 of the long-term care insurance.
    pub(crate) fn care_numbers(&self) -> (String, String) {
        let municipality = self.municipality();
        let number = spread(self.index as u64, municipality as u64, 6_700_417, 99_999_989);
        (self.books.world.care_insurer_no(municipality), format!("00{number:08}"))
    }

    /// The municipality where the person lives.
    pub(super) fn municipality(&self) -> usize {
        self.books.population.home(self.person, self.month).map_or(0, |home| home.municipality)
    }

    /// The number on the patient's chart at a facility: facilities count and write for themselves.
    pub(super) fn chart_no(&self, facility: &Facility) -> String {
        let number = spread(self.index as u64, facility.salt, 7_368_787, 89_999_999) + 10_000_000;
        match facility.kind {
            FacilityKind::Clinic => format!("{:04}-{:04}", number / 10_000, number % 10_000),
            FacilityKind::Dpc | FacilityKind::Hospital => format!("0{number}"),
        }
    }

    /// データ識別番号: ten characters, the same for a patient of a hospital all through the survey.
    pub(crate) fn data_id(&self, facility: &Facility) -> String {
        format!("{:010}", spread(self.index as u64, facility.salt, 2_860_486_313, 9_999_999_967))
    }

    /// The seven digits of the post code of the municipality.
    pub(super) fn postcode(&self) -> String {
        let code =
            self.books.world.municipalities.get(self.municipality()).map_or("", |place| place.code.as_str());
        format!("{code:0<5}{:02}", self.home_number() % 10)
    }

    /// The address.
    pub(super) fn address(&self) -> String {
        let world = self.books.world;
        let municipality = world.municipalities.get(self.municipality());
        let prefecture = municipality.and_then(|place| world.prefecture(place.prefecture));
        let number = self.home_number();
        let town = world.towns.get(number as usize % world.towns.len().max(1)).map_or("", String::as_str);
        format!(
            "{}{}{town}{}丁目{}番{}号",
            prefecture.map_or("", |place| place.name.as_str()),
            municipality.map_or("", |place| place.name.as_str()),
            number % 7 + 1,
            number / 97 + 1,
            number % 97 + 1,
        )
    }

    /// A telephone number of a block that is not assigned.
    pub(super) fn phone(&self) -> String {
        let number = spread(self.index as u64, 31, 5_915_587_277, 9_999_991);
        format!("090-0{:03}-{:04}", number / 10_000, number % 10_000)
    }

    /// The number under which a public programme knows the person.
    pub(super) fn recipient_no(&self) -> String {
        format!("{:07}", spread(self.index as u64, 77, 4_093_082_899, 9_999_991))
    }

    fn home_number(&self) -> u32 {
        let household: Option<&Household> =
            self.books.population.households.get(*self.person.households.at(self.month));
        household.map_or(0, |household| household.homes.at(self.month).number)
    }
}

/// A number below `numbers` (a prime), different for different `entity` under the same salt.
fn spread(entity: u64, salt: u64, factor: u64, numbers: u64) -> u64 {
    (entity % numbers * (factor % numbers) % numbers + salt % numbers * 104_729 % numbers) % numbers
}

/// Digits and signs in full width.
pub(super) fn full_width(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap_or(character),
            ' ' => '　',
            _ => character,
        })
        .collect()
}

/// The kana name as municipalities keep it.
pub(crate) fn register_kana(written: &Written<'_>) -> String {
    half_width_kana(&written.kana(KanaForm::Full))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{full_width, spread};

    #[test]
    fn numbers_are_different_for_different_persons() {
        for (factor, numbers) in [
            (6_700_417, 99_999_989),
            (7_368_787, 89_999_999),
            (2_860_486_313, 9_999_999_967),
            (4_093_082_899, 9_999_991),
        ] {
            let drawn: BTreeSet<u64> =
                (0..30_000).map(|index| spread(index, 12_345, factor, numbers)).collect();
            assert_eq!(drawn.len(), 30_000, "{factor}");
        }
    }

    #[test]
    fn digits_and_hyphens_become_full_width() {
        assert_eq!(full_width("12-30"), "１２－３０");
    }
}
