//! Insurers and the numbers of their cards.

use super::{Municipality, Prefecture, check_digit};

/// What kind of insurer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsurerKind {
    /// 国民健康保険 of a municipality: six digits, no law number.
    National,
    /// 後期高齢者医療: law number 39, a number and no symbol.
    Elderly,
    /// 協会けんぽ (law 01).
    Association,
    /// 健康保険組合 (law 06).
    Society,
    /// 共済組合 (laws 31 to 34).
    MutualAid,
}

/// An insurer.
#[derive(Clone, Debug)]
pub(crate) struct Insurer {
    pub(crate) kind: InsurerKind,
    /// 保険者番号 without padding.
    pub(crate) number: String,
    /// The part of a symbol in kanji, where its cards have one.
    pub(crate) symbol: String,
}

impl Insurer {
    /// The number as a receipt has it: right-aligned in eight characters.
    pub(crate) fn padded_number(&self) -> String {
        format!("{:>8}", self.number)
    }

    /// Says whether receipts go to the federation of national health insurance (2), not to the fund (1).
    pub(crate) fn is_paid_by_federation(&self) -> bool {
        matches!(self.kind, InsurerKind::National | InsurerKind::Elderly)
    }
}

/// All insurers, and where those of a place stand.
#[derive(Clone, Debug)]
pub(crate) struct Insurers {
    list: Vec<Insurer>,
    national: usize,
    elderly: usize,
    employers: usize,
}

const SOCIETIES: u32 = 14;
const MUTUAL_AID: [(&str, &str); 5] =
    [("31", "官共"), ("32", "地共済"), ("33", "警共"), ("34", "公学"), ("34", "私学共")];

impl Insurers {
    pub(super) fn new(prefectures: &[Prefecture], municipalities: &[Municipality]) -> Self {
        let mut list: Vec<Insurer> = municipalities.iter().map(national).collect();
        let elderly = list.len();
        list.extend(
            prefectures
                .iter()
                .map(|place| insurer(InsurerKind::Elderly, &format!("39{}901", place.code), String::new())),
        );
        let employers = list.len();
        list.extend(
            prefectures.iter().map(|place| {
                insurer(InsurerKind::Association, &format!("01{}901", place.code), String::new())
            }),
        );
        list.extend(
            (0..SOCIETIES).map(|number| {
                insurer(InsurerKind::Society, &format!("06139{:02}", number + 1), String::new())
            }),
        );
        list.extend((1..).zip(MUTUAL_AID).map(|(number, (law, symbol))| {
            insurer(InsurerKind::MutualAid, &format!("{law}1390{number}"), symbol.to_owned())
        }));
        Self { list, national: 0, elderly, employers }
    }

    /// The insurer at a place in the list.
    pub(crate) fn get(&self, index: usize) -> Option<&Insurer> {
        self.list.get(index)
    }

    /// The municipal insurance.
    pub(crate) const fn national(&self, municipality: usize) -> usize {
        self.national + municipality
    }

    /// The insurance of people of 75 and over in a prefecture.
    pub(crate) const fn elderly(&self, prefecture: usize) -> usize {
        self.elderly + prefecture
    }

    /// An insurer of employees, by a number from 0 to 99: half the association of the prefecture, then societies.
    pub(crate) fn of_employer(&self, prefecture: usize, draw: u32) -> usize {
        let associations = self.employers;
        let societies = associations + (self.employers - self.elderly);
        match draw {
            0..50 => associations + prefecture,
            50..86 => societies + (draw % SOCIETIES) as usize,
            _ => societies + SOCIETIES as usize + (draw as usize % MUTUAL_AID.len()),
        }
    }
}

fn national(place: &Municipality) -> Insurer {
    let number = format!("{}{}", place.code.get(..2).unwrap_or(""), place.code.get(2..).unwrap_or(""));
    let first = place.name.chars().next().map(String::from).unwrap_or_default();
    // Every second municipality has symbols in kanji, the others in digits.
    let has_kanji = place.code.ends_with(['1', '3', '5']);
    let symbol = if has_kanji { format!("{first}国") } else { String::new() };
    insurer(InsurerKind::National, &number, symbol)
}

fn insurer(kind: InsurerKind, digits: &str, symbol: String) -> Insurer {
    let check = check_digit(digits);
    Insurer { kind, number: format!("{digits}{check}"), symbol }
}
