//! One value of one row, from a keyed draw: the same fact of the same receipt is the same value in every table.

use crate::plan::{Column, Kind, Plan, first_day};

/// Receipts that a person has.
pub(crate) const RECEIPTS: u32 = 4;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    /// A number, a day since 1970-01-01, a set of days, a decimal in hundred-thousandths.
    Number(i64),
    Bool(bool),
}

/// Persons of a hundred thousand in each decade of age, rounded from the published population of Japan by age.
const AGES: [u32; 10] = [7_600, 8_800, 10_000, 11_000, 14_200, 13_200, 12_300, 13_000, 7_600, 2_300];

/// Codes of diseases for columns whose catalogue lists none: frequent ones of ICD-10.
const ICD10: [&str; 12] =
    ["I10", "E119", "E785", "J459", "K210", "M545", "N189", "I639", "I509", "C349", "F329", "G309"];

impl Plan {
    /// The value of a column in a person's receipt.
    pub(crate) fn value(&self, table: &str, column: &Column, person: u32, receipt: u32) -> Value {
        if let Some(value) = self.wished(table, &column.name, person, receipt) {
            return value;
        }
        let about_person = table == "person" || column.class == "person";
        let draw = Draw::new(self.seed, &column.name, person, if about_person { RECEIPTS } else { receipt });
        let month = self.month(person, receipt);
        match column.kind {
            Kind::Id if column.class == "person" => Value::Number(person.into()),
            Kind::Id if column.class == "facility" => Value::Number(i64::from(1 + draw.below(20))),
            Kind::Id => Value::Number(i64::from(person) * i64::from(RECEIPTS) + i64::from(receipt)),
            _ if column.class == "measure" && draw.next().below(50) == 0 => Value::Null,
            Kind::Month => Value::Number(first_day(month).into()),
            Kind::Date if column.name == "birth_date" => Value::Number(self.birth(draw)),
            Kind::Date => {
                let is_end = ["end", "to", "discharge", "last"].iter().any(|word| column.name.contains(word));
                let later = if is_end { 28 } else { 0 };
                Value::Number(i64::from(first_day(month)) + i64::from(draw.below(28) + later))
            }
            Kind::Bool => Value::Bool(draw.below(4) == 0),
            Kind::Days => Value::Number(i64::from(draw.below(1 << 28))),
            Kind::Int => Value::Number(number(column, draw)),
            Kind::Decimal => {
                Value::Number(number(column, draw) * 100_000 + i64::from(draw.next().below(10)) * 10_000)
            }
            Kind::Text => text(column, draw),
        }
    }

    /// The month of a person's receipt.
    fn month(&self, person: u32, receipt: u32) -> i32 {
        let (first, count) = self.months;
        let draw = Draw::new(self.seed, "month", person, receipt);
        first + i32::try_from(draw.below(u32::try_from(count).unwrap_or(1))).unwrap_or_default()
    }

    /// A day of birth, by the shape of the population at the end of the months.
    fn birth(&self, draw: Draw) -> i64 {
        let mut place = draw.below(AGES.iter().sum());
        let mut decade = 0;
        for share in AGES {
            if place < share {
                break;
            }
            place -= share;
            decade += 1;
        }
        let age_days = i64::from(decade) * 3_652 + i64::from(draw.next().below(3_652));
        i64::from(first_day(self.months.0 + self.months.1)) - 1 - age_days
    }
}

fn number(column: &Column, draw: Draw) -> i64 {
    let (low, high) = column.bounds.unwrap_or((0, 100));
    // Small values are frequent, as in most measures; the largest that are written are a thousand above the lowest.
    let span = u32::try_from(high.saturating_sub(low).clamp(0, 1_000)).unwrap_or_default() + 1;
    low.saturating_add(draw.below(span).min(draw.next().below(span)).into())
}

fn text(column: &Column, draw: Draw) -> Value {
    // The first codes of a list are frequent.
    let pick = |count: usize| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        draw.below(count).min(draw.next().below(count)) as usize
    };
    if column.name.contains("icd10") {
        return Value::Text(ICD10.get(pick(ICD10.len())).copied().unwrap_or_default().to_owned());
    }
    match column.codes.get(pick(column.codes.len().max(1))) {
        Some(code) => Value::Text(code.clone()),
        None => Value::Text(format!("{:09}", 600_000_000 + pick(50))),
    }
}

/// A number that follows from where it is drawn.
#[derive(Clone, Copy, Debug)]
struct Draw(u64);

impl Draw {
    fn new(seed: u64, name: &str, person: u32, receipt: u32) -> Self {
        let mut state = mixed(seed ^ 0x6d69_7375);
        for byte in name.bytes() {
            state = mixed(state ^ u64::from(byte));
        }
        Self(mixed(mixed(state ^ u64::from(person)) ^ u64::from(receipt)))
    }

    const fn next(self) -> Self {
        Self(mixed(self.0))
    }

    /// A number below `count`, or zero.
    fn below(self, count: u32) -> u32 {
        let scaled = u128::from(self.0) * u128::from(count) >> 64;
        u32::try_from(scaled).unwrap_or_default()
    }
}

/// A permutation of 64 bits whose result looks like chance.
const fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}
