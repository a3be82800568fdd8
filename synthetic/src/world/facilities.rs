//! Hospitals, clinics and care offices.

use crate::dice::Dice;
use crate::model::Places;

use super::style::Style;
use super::{Prefecture, World, style_dice};

/// A medical institution.
#[derive(Clone, Debug)]
pub(crate) struct Facility {
    pub(crate) prefecture: usize,
    /// 医療機関コード: six digits and a check digit.
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) kind: FacilityKind,
    pub(crate) beds: u32,
    /// Spreads chart numbers and data ids, so that no two facilities count alike.
    pub(crate) salt: u64,
    pub(crate) style: Style,
}

impl Facility {
    /// The nine-character code of the DPC survey: prefecture and facility code.
    pub(crate) fn dpc_code(&self, world: &World) -> String {
        format!("{}{}", world.prefecture(self.prefecture).map_or("", |p| p.code.as_str()), self.code)
    }
}

/// What a facility is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FacilityKind {
    /// A hospital that takes part in the DPC survey.
    Dpc,
    /// Another hospital: rehabilitation, long stays, and acute cases too.
    Hospital,
    Clinic,
}

/// An office of long-term care services.
#[derive(Clone, Debug)]
pub(crate) struct Office {
    pub(crate) number: String,
    pub(crate) yen_per_hundred_units: u32,
}

/// Fills the world with facilities and offices.
pub(super) fn build(world: &mut World, places: &Places, seed: u64) {
    for index in 0..world.prefectures.len() {
        let Some(model) = places.prefecture.get(index) else { continue };
        let mut builder =
            Builder { places, prefecture: index, area_number: &model.area_number, seed, count: 0 };
        let dpc = builder.facilities(world, model.dpc_hospitals, FacilityKind::Dpc);
        let other = builder.facilities(world, model.hospitals, FacilityKind::Hospital);
        let clinics = builder.facilities(world, model.clinics, FacilityKind::Clinic);
        let offices = builder.offices(world, model.care_offices);
        if let Some(prefecture) = world.prefectures.get_mut(index) {
            prefecture.dpc_hospitals = dpc;
            prefecture.hospitals = other;
            prefecture.clinics = clinics;
            prefecture.offices = offices;
        }
    }
}

struct Builder<'a> {
    places: &'a Places,
    prefecture: usize,
    area_number: &'a str,
    seed: u64,
    count: u32,
}

impl Builder<'_> {
    fn facilities(&mut self, world: &mut World, count: u32, kind: FacilityKind) -> Vec<usize> {
        let first = world.facilities.len();
        for number in 0..count {
            let index = world.facilities.len();
            let mut dice = style_dice(self.seed, index);
            let place = world.prefectures.get(self.prefecture);
            let name = self.name(world, place, number, kind, index);
            let facility = self.facility(name, (kind, index), &mut dice);
            world.facilities.push(facility);
        }
        (first..world.facilities.len()).collect()
    }

    fn facility(&mut self, name: String, (kind, index): (FacilityKind, usize), dice: &mut Dice) -> Facility {
        // Codes of real institutions are small numbers by district; 90 is a district that none has.
        let digits = format!("90{:04}", 1000 + self.count * 37);
        self.count += 1;
        let check = check_digit(&digits);
        Facility {
            prefecture: self.prefecture,
            code: format!("{digits}{check}"),
            name,
            phone: format!("{}(0000){:04}", self.area_number, 1000 + self.count),
            kind,
            beds: match kind {
                FacilityKind::Dpc => 200 + dice.below(40) * 10,
                FacilityKind::Hospital => 60 + dice.below(18) * 10,
                FacilityKind::Clinic => 0,
            },
            salt: u64::from(dice.below(u32::MAX)),
            style: Style::draw(kind, index, dice),
        }
    }

    fn name(
        &self,
        world: &World,
        place: Option<&Prefecture>,
        number: u32,
        kind: FacilityKind,
        index: usize,
    ) -> String {
        let words = &self.places.facility_names;
        let cycle = |list: &[String], at: usize| {
            at.checked_rem(list.len()).and_then(|at| list.get(at)).cloned().unwrap_or_default()
        };
        if kind == FacilityKind::Clinic {
            let speciality = match number % 3 {
                0 => "内科クリニック",
                1 => "医院",
                _ => "整形外科皮膚科",
            };
            return format!("{}{speciality}", cycle(&words.clinic_words, index));
        }
        let among = place.map_or(&[][..], |place| &place.municipalities);
        let home = among.get((number as usize).checked_rem(among.len()).unwrap_or(0));
        let home =
            home.and_then(|home| world.municipalities.get(*home)).map_or("", |home| home.name.as_str());
        let root = home.trim_end_matches(['区', '市', '町', '村']);
        format!("{root}{}", cycle(&words.hospital_kinds, index))
    }

    fn offices(&mut self, world: &mut World, count: u32) -> Vec<usize> {
        let first = world.offices.len();
        let code =
            world.prefectures.get(self.prefecture).map_or("00", |place| place.code.as_str()).to_owned();
        for number in 0..count {
            // 事業所番号: prefecture, 7 for services at home, seven digits with a check digit.
            let digits = format!("{code}79{:05}", 11 + number * 23);
            let check = check_digit(&digits);
            world.offices.push(Office {
                number: format!("{digits}{check}"),
                yen_per_hundred_units: if code == "13" { 1090 } else { 1021 },
            });
        }
        (first..world.offices.len()).collect()
    }
}

/// The check digit of insurers, institutions and municipalities: weights 2, 1, 2, 1 … from the right, digits added.
pub(crate) fn check_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .zip([2_u32, 1].into_iter().cycle())
        .map(|(byte, weight)| u32::from(byte - b'0') * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::check_digit;

    #[test]
    fn the_check_digit_is_that_of_the_published_rule() {
        // 01130012, the published number of an insurer: 2 + 0 + 0 + 3 + 2 + 1 + 0 = 8, and 10 - 8 = 2.
        assert_eq!(check_digit("0113001"), 2);
        assert_eq!(check_digit("000000"), 0);
    }
}
