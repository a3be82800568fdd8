//! How a facility writes: the small habits that make one person look like two.
//!
//! The rates are ours, modest, and of the kinds that the ministry's own reports on linkage name: full-width and
//! half-width numbers, missing spaces, old and new forms of a character.

use super::FacilityKind;
use crate::calendar::Calendar;
use crate::dice::Dice;

// Percent of facilities with each habit.
const FULL_WIDTH_NUMBERS: f64 = 22.0;
const NAME_WITHOUT_SPACE: f64 = 14.0;
const NAME_WITH_HALF_SPACE: f64 = 10.0;
const HALF_WIDTH_KANA: f64 = 16.0;
const KANA_WITHOUT_SPACE: f64 = 8.0;
const NEW_CHARACTERS_ONLY: f64 = 40.0;
const BRANCH_WITHOUT_ZERO: f64 = 8.0;
const CARD_REPEATED: f64 = 12.0;
const CHART_NUMBER_IN_BILLING_INFO: f64 = 8.0;
const DISPENSES_ITSELF: f64 = 88.0;
// Few clinics still send wareki dates, few facilities bill a part of their receipts a month late: one in so many,
// counted and not drawn, so that every population has some.
const CLINICS_PER_JAPANESE_CALENDAR: usize = 14;
const FACILITIES_PER_LATE: usize = 17;

/// How a facility writes and bills.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) name: NameForm,
    pub(crate) kana: KanaForm,
    /// Writes 高 for 髙, 渡辺 for 渡邊.
    pub(crate) new_characters_only: bool,
    pub(crate) full_width_numbers: bool,
    pub(crate) branch_without_zero: bool,
    /// Repeats insurer, symbol and number in the eligibility check record.
    pub(crate) card_repeated: bool,
    pub(crate) chart_in_billing_info: bool,
    /// Gives the medicine itself (院内処方); the others only write a prescription, and the drugs stand on the receipt
    /// of a pharmacy, which is written for some persons only. More facilities dispense than in reality for that reason.
    pub(crate) dispenses: bool,
    pub(crate) calendar: Calendar,
    /// Bills some of its receipts a month late.
    pub(crate) is_late: bool,
}

/// How surname and given name are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameForm {
    /// With a full-width space, as the specification has it.
    Full,
    /// With a half-width space.
    Half,
    /// Without a space.
    Joined,
}

/// How the kana name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KanaForm {
    /// In full width with a space, as the specification has it.
    Full,
    /// In full width without a space.
    Joined,
    /// In half width with a space.
    Half,
}

impl Style {
    /// The habits of one facility.
    pub(crate) fn draw(kind: FacilityKind, index: usize, dice: &mut Dice) -> Self {
        let is_clinic = kind == FacilityKind::Clinic;
        let name =
            match dice.weighted([NAME_WITHOUT_SPACE, NAME_WITH_HALF_SPACE].into_iter().chain(rest(24.0))) {
                0 => NameForm::Joined,
                1 => NameForm::Half,
                _ => NameForm::Full,
            };
        let kana = match dice.weighted([HALF_WIDTH_KANA, KANA_WITHOUT_SPACE].into_iter().chain(rest(24.0))) {
            0 => KanaForm::Half,
            1 => KanaForm::Joined,
            _ => KanaForm::Full,
        };
        Self {
            name,
            kana,
            new_characters_only: dice.percent(NEW_CHARACTERS_ONLY),
            full_width_numbers: dice.percent(FULL_WIDTH_NUMBERS),
            branch_without_zero: dice.percent(BRANCH_WITHOUT_ZERO),
            card_repeated: dice.percent(CARD_REPEATED),
            chart_in_billing_info: dice.percent(CHART_NUMBER_IN_BILLING_INFO),
            // Hospitals have newer systems, and dispense.
            dispenses: !is_clinic || dice.percent(DISPENSES_ITSELF),
            calendar: if is_clinic && index % CLINICS_PER_JAPANESE_CALENDAR == 10 {
                Calendar::Japanese
            } else {
                Calendar::Western
            },
            is_late: index % FACILITIES_PER_LATE == 12,
        }
    }
}

fn rest(used: f64) -> std::iter::Once<f64> {
    std::iter::once(100.0 - used)
}
