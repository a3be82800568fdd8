//! Which profiles carry a misread birth date: their number is somebody's who was born a slip of the pen away.
//!
//! A number that was given again, or a mother's on a newborn's receipt, meets another birth date, too, but not one that
//! differs in a digit. Where the date is a slip, the profile has a claim or two, and nobody else carries its card or
//! name, it is the number's owner, written wrong once.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Date;

use super::profile::{Kind, Nature, Profile, SchemeKind};

/// The most claims that are taken for a slip.
pub(super) const MOST_CLAIMS: u32 = 2;
/// The fewest claims of the number's owner.
pub(super) const FEWEST_CLAIMS: u32 = 3;

/// The profiles with a misread birth date, each with a profile of whose it is.
pub(super) fn misread(profiles: &[&Profile], schemes: &[SchemeKind]) -> BTreeMap<usize, usize> {
    let mut found = BTreeMap::new();
    for scheme in (0..schemes.len()).filter(|at| schemes.get(*at).is_some_and(|s| s.kind == Kind::Number)) {
        for holders in holders(profiles, scheme).values().filter(|holders| holders.len() > 1) {
            let Some((owner, nature)) = owner(profiles, holders) else { continue };
            let others: BTreeSet<Nature> =
                holders.iter().filter_map(|at| profiles.get(*at)?.nature()).collect();
            for other in others.into_iter().filter(|other| *other != nature && other.sex == nature.sex) {
                let members: Vec<usize> = of_nature(profiles, holders, other).collect();
                if is_slip(profiles, &members, owner) && are_alone(profiles, schemes, &members, holders) {
                    found.extend(members.into_iter().map(|member| (member, owner)));
                }
            }
        }
    }
    found
}

fn holders(profiles: &[&Profile], scheme: usize) -> BTreeMap<u32, Vec<usize>> {
    let mut holders: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, profile) in profiles.iter().enumerate() {
        if let Some(key) = profile.key(scheme) {
            holders.entry(key).or_default().push(at);
        }
    }
    holders
}

/// Those of one nature.
fn of_nature<'p>(
    profiles: &'p [&Profile],
    holders: &'p [usize],
    nature: Nature,
) -> impl Iterator<Item = usize> + 'p {
    let is = move |at: &&usize| profiles.get(**at).is_some_and(|profile| profile.nature() == Some(nature));
    holders.iter().filter(is).copied()
}

/// The nature that most claims have, with a profile of it.
fn owner(profiles: &[&Profile], holders: &[usize]) -> Option<(usize, Nature)> {
    let mut claims: BTreeMap<Nature, u32> = BTreeMap::new();
    for profile in holders.iter().filter_map(|at| profiles.get(*at)) {
        if let Some(nature) = profile.nature() {
            let count = claims.entry(nature).or_default();
            *count = count.saturating_add(profile.claims);
        }
    }
    let (nature, claims) = claims.into_iter().max_by_key(|(nature, claims)| (*claims, *nature))?;
    let best = |at: &usize| profiles.get(*at).map_or((0, 0), |profile| (profile.claims, usize::MAX - at));
    let owner = of_nature(profiles, holders, nature).max_by_key(best)?;
    (claims >= FEWEST_CLAIMS).then_some((owner, nature))
}

fn is_slip(profiles: &[&Profile], members: &[usize], owner: usize) -> bool {
    let birth = |at: usize| profiles.get(at).and_then(|profile| profile.birth);
    let claims = |at: &usize| profiles.get(*at).map_or(0, |profile| profile.claims);
    let (Some(right), total) = (birth(owner), members.iter().map(claims).fold(0, u32::saturating_add)) else {
        return false;
    };
    total <= MOST_CLAIMS
        && members.iter().all(|member| birth(*member).is_some_and(|wrong| is_slip_of_the_pen(right, wrong)))
}

/// Whether nobody beside the number's holders carries a card or a name of these.
fn are_alone(profiles: &[&Profile], schemes: &[SchemeKind], members: &[usize], holders: &[usize]) -> bool {
    let strong = |at: &usize| schemes.get(*at).is_some_and(|s| matches!(s.kind, Kind::Card | Kind::Name));
    (0..schemes.len()).filter(strong).all(|scheme| {
        let keys: BTreeSet<u32> =
            members.iter().filter_map(|member| profiles.get(*member)?.key(scheme)).collect();
        let carries =
            |(_, profile): &(usize, &&Profile)| profile.key(scheme).is_some_and(|key| keys.contains(&key));
        profiles.iter().enumerate().filter(carries).all(|(at, _)| holders.contains(&at))
    })
}

/// Whether two days, written with eight digits, differ in one digit or in two neighbours that changed places.
pub(super) fn is_slip_of_the_pen(one: i32, two: i32) -> bool {
    let digits = |days: i32| {
        let (year, month, day) = Date::from_days(days).ymd();
        format!("{year:04}{month:02}{day:02}").into_bytes()
    };
    let (one, two) = (digits(one), digits(two));
    let apart: Vec<usize> =
        one.iter().zip(&two).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
    match apart.as_slice() {
        [_] => true,
        [first, second] => {
            first + 1 == *second && one.get(*first) == two.get(*second) && one.get(*second) == two.get(*first)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Date;

    use super::is_slip_of_the_pen;

    #[test]
    fn a_digit_or_two_changed_places_are_a_slip_and_a_child_is_none() {
        let day = |y, m, d| Date::from_ymd(y, m, d).unwrap().days();
        for (one, two, expected) in [
            (day(1948, 7, 26), day(1948, 7, 25), true),
            (day(1948, 7, 26), day(1958, 7, 26), true),
            (day(1948, 7, 26), day(1984, 7, 26), true),
            (day(1948, 12, 21), day(1948, 12, 12), true),
            (day(1948, 7, 26), day(1948, 7, 26), false),
            (day(1948, 7, 26), day(1949, 8, 26), false),
            (day(1990, 7, 26), day(2023, 7, 26), false),
        ] {
            assert_eq!(is_slip_of_the_pen(one, two), expected);
        }
    }
}
