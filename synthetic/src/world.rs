//! What does not change while the population lives: places, facilities, offices and insurers.

mod facilities;
mod insurers;
mod style;

pub(crate) use facilities::{Facility, FacilityKind, Office, check_digit};
pub(crate) use insurers::{Insurer, InsurerKind, Insurers};
pub(crate) use style::{KanaForm, NameForm, Style};

use crate::dice::{Dice, Stream};
use crate::model::Model;

/// A municipality, by its place in the list of all.
#[derive(Clone, Debug)]
pub(crate) struct Municipality {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) prefecture: usize,
    pub(crate) inhabitants: u32,
    pub(crate) area: String,
}

/// A prefecture with the places in the lists of what it has.
#[derive(Clone, Debug)]
pub(crate) struct Prefecture {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) municipalities: Vec<usize>,
    pub(crate) dpc_hospitals: Vec<usize>,
    pub(crate) hospitals: Vec<usize>,
    pub(crate) clinics: Vec<usize>,
    pub(crate) offices: Vec<usize>,
}

/// Everything that stands.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) prefectures: Vec<Prefecture>,
    pub(crate) municipalities: Vec<Municipality>,
    pub(crate) facilities: Vec<Facility>,
    pub(crate) offices: Vec<Office>,
    pub(crate) insurers: Insurers,
    pub(crate) towns: Vec<String>,
}

impl World {
    /// Builds the world that the model describes.
    pub(crate) fn new(model: &Model, seed: u64) -> Self {
        let mut prefectures = Vec::new();
        let mut municipalities = Vec::new();
        for (index, place) in model.places.prefecture.iter().enumerate() {
            let first = municipalities.len();
            municipalities.extend(place.municipalities.iter().map(|municipality| Municipality {
                code: municipality.code.clone(),
                name: municipality.name.clone(),
                prefecture: index,
                inhabitants: municipality.inhabitants,
                area: municipality.area.clone(),
            }));
            prefectures.push(Prefecture {
                code: place.code.clone(),
                name: place.name.clone(),
                municipalities: (first..municipalities.len()).collect(),
                dpc_hospitals: Vec::new(),
                hospitals: Vec::new(),
                clinics: Vec::new(),
                offices: Vec::new(),
            });
        }
        let mut world = Self {
            insurers: Insurers::new(&prefectures, &municipalities),
            prefectures,
            municipalities,
            facilities: Vec::new(),
            offices: Vec::new(),
            towns: model.places.facility_names.towns.clone(),
        };
        facilities::build(&mut world, &model.places, seed);
        world
    }

    /// The number of the care insurer (証記載保険者番号) of a municipality: `00`, its code and a check digit.
    pub(crate) fn care_insurer_no(&self, municipality: usize) -> String {
        let code = self.municipalities.get(municipality).map_or("", |place| place.code.as_str());
        let digits = format!("00{code}");
        let check = check_digit(&digits);
        format!("{digits}{check}")
    }

    /// A municipality for somebody, more often a large one.
    pub(crate) fn municipality_in(&self, among: &[usize], dice: &mut Dice) -> usize {
        let inhabitants = |index: &usize| {
            f64::from(self.municipalities.get(*index).map_or(0, |municipality| municipality.inhabitants))
        };
        let chosen = dice.weighted(among.iter().map(inhabitants));
        among.get(chosen).copied().unwrap_or(0)
    }

    /// All municipalities.
    pub(crate) fn all_municipalities(&self) -> Vec<usize> {
        (0..self.municipalities.len()).collect()
    }

    /// The prefecture of a municipality.
    pub(crate) fn prefecture_of(&self, municipality: usize) -> Option<&Prefecture> {
        self.prefectures.get(self.municipalities.get(municipality)?.prefecture)
    }

    /// The prefecture that a facility lies in.
    pub(crate) fn prefecture(&self, index: usize) -> Option<&Prefecture> {
        self.prefectures.get(index)
    }
}

/// One of `count` facilities for a person who lives in a municipality: mostly the same one as the neighbours.
pub(crate) fn near<'a, T>(among: &'a [T], municipality: usize, dice: &mut Dice) -> Option<&'a T> {
    const NEIGHBOURS_PERCENT: f64 = 55.0;
    if dice.percent(NEIGHBOURS_PERCENT) {
        return among.get(municipality.checked_rem(among.len())?);
    }
    dice.pick(among)
}

pub(crate) fn style_dice(seed: u64, facility: usize) -> Dice {
    Dice::new(seed, Stream::World, 1, facility as u64)
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;

    use super::{Facility, FacilityKind, World};
    use crate::calendar::Calendar;
    use crate::model::Model;

    fn world() -> World {
        World::new(&Model::load(&Catalogue::builtin().unwrap()).unwrap(), 1)
    }

    #[test]
    fn there_are_forty_to_sixty_facilities_with_codes_of_their_own() {
        let world = world();
        assert!((40..=60).contains(&world.facilities.len()));
        let mut codes: Vec<_> = world.facilities.iter().map(|f| (f.prefecture, f.code.clone())).collect();
        assert!(codes.iter().all(|(_, code)| code.len() == 7));
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), world.facilities.len());
        let count =
            |is: fn(&Facility) -> bool| world.facilities.iter().filter(|facility| is(facility)).count();
        assert_eq!(count(|f| f.kind == FacilityKind::Dpc), 12);
        assert!((1..=4).contains(&count(|f| f.style.calendar == Calendar::Japanese)));
        assert!((2..=4).contains(&count(|f| f.style.is_late)));
    }

    #[test]
    fn a_care_insurer_number_has_eight_digits() {
        let world = world();
        let number = world.care_insurer_no(0);
        assert_eq!((number.len(), number.get(..7)), (8, Some("0013901")));
    }
}
