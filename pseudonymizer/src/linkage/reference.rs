//! The slow linker: the rules once more, written to be read, without components, indexes or a union-find.
//!
//! Everything is a loop over all profiles or all pairs of groups. The property test below holds the fast linker to it.

use std::collections::BTreeSet;

use super::profile::{Kind, Nature, Profile, SchemeKind};

/// The person of each profile: the smallest profile in it.
fn link(profiles: &[Profile], schemes: &[SchemeKind]) -> Vec<usize> {
    let world = World { profiles, schemes, misread: misread(profiles, schemes) };
    let mut labels: Vec<usize> = (0..profiles.len()).collect();
    world.join(&mut labels, |_, one, two| world.one_number(one, two));
    world.join(&mut labels, |_, one, two| world.misread[one] == Some(two));
    world.join(&mut labels, |_, one, two| world.name_and_card(one, two));
    let sure = labels.clone();
    world.settle(
        &mut labels,
        Kind::Card,
        |key| move |p: &Profile| p.key(key.0) == Some(key.1),
        |_| true,
        |a, b| world.one_card(a, b),
    );
    world.settle(
        &mut labels,
        Kind::Name,
        |_| |_: &Profile| true,
        |group| world.has_card(group),
        |a, b| world.one_name(a, b),
    );
    world.hand_over(&mut labels);
    world.settle(&mut labels, Kind::Name, |_| |_: &Profile| true, |_| true, |a, b| world.without_card(a, b));
    world.cut(&mut labels, &sure);
    labels
}

struct World<'a> {
    profiles: &'a [Profile],
    schemes: &'a [SchemeKind],
    /// Whose each profile is that carries a misread birth date.
    misread: Vec<Option<usize>>,
}

/// Whose each profile is that carries a misread birth date.
fn misread(profiles: &[Profile], schemes: &[SchemeKind]) -> Vec<Option<usize>> {
    let mut found = vec![None; profiles.len()];
    for scheme in (0..schemes.len()).filter(|at| schemes[*at].kind == Kind::Number) {
        let keys: BTreeSet<u32> = profiles.iter().filter_map(|profile| profile.key(scheme)).collect();
        for key in keys {
            let holds = |at: usize| profiles[at].key(scheme) == Some(key);
            let of = |nature: Nature| -> Vec<usize> {
                (0..profiles.len())
                    .filter(|at| holds(*at) && profiles[*at].nature() == Some(nature))
                    .collect()
            };
            let claims = |nature: Nature| of(nature).iter().map(|at| profiles[*at].claims).sum::<u32>();
            let natures: BTreeSet<Nature> =
                (0..profiles.len()).filter(|at| holds(*at)).filter_map(|at| profiles[at].nature()).collect();
            let Some(right) = natures.iter().copied().max_by_key(|nature| (claims(*nature), *nature)) else {
                continue;
            };
            let mut owners = of(right);
            owners.sort_by_key(|at| (std::cmp::Reverse(profiles[*at].claims), *at));
            let owner = owners[0];
            for wrong in natures.into_iter().filter(|wrong| *wrong != right && wrong.sex == right.sex) {
                let members = of(wrong);
                let is_rare = claims(wrong) <= 2 && claims(right) >= 3;
                let is_slip = members.iter().all(|at| {
                    let (one, two) = (profiles[owner].birth.unwrap(), profiles[*at].birth.unwrap());
                    super::misread::is_slip_of_the_pen(one, two)
                });
                let is_alone = members.iter().all(|member| {
                    (0..profiles.len()).filter(|other| !holds(*other)).all(|other| {
                        (0..schemes.len())
                            .filter(|at| matches!(schemes[*at].kind, Kind::Card | Kind::Name))
                            .all(|at| {
                                let key = profiles[*member].key(at);
                                key.is_none() || key != profiles[other].key(at)
                            })
                    })
                });
                if is_rare && is_slip && is_alone {
                    members.into_iter().for_each(|at| found[at] = Some(owner));
                }
            }
        }
    }
    found
}

type Members = Vec<usize>;

impl World<'_> {
    fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.schemes.len()).filter(|at| self.schemes[*at].kind == kind).collect()
    }

    /// Relabels until every pair that belongs together has one label.
    fn join(&self, labels: &mut [usize], belongs: impl Fn(&[usize], usize, usize) -> bool) {
        let before = labels.to_vec();
        for one in 0..labels.len() {
            for two in 0..labels.len() {
                if belongs(&before, one, two) {
                    merge(labels, one, two);
                }
            }
        }
    }

    /// Sex and birth month; of who says nothing, those of whoever used the number last before.
    fn user(&self, scheme: usize, key: u32, profile: &Profile) -> Option<Nature> {
        if profile.nature().is_some() {
            return profile.nature();
        }
        let start = profile.months.iter().min().copied().unwrap_or(i32::MIN);
        let mut uses: Vec<(Option<i32>, Nature)> = Vec::new();
        let holds = |at: &usize| self.profiles[*at].key(scheme) == Some(key) && self.misread[*at].is_none();
        for other in (0..self.profiles.len()).filter(holds).map(|at| &self.profiles[at]) {
            if let Some(nature) = other.nature().filter(|nature| profile.may_be(*nature)) {
                uses.extend(other.months.iter().map(|month| (Some(*month), nature)));
            }
        }
        let before = uses.iter().filter(|(month, _)| *month <= Some(start)).max();
        before.or_else(|| uses.iter().min()).map(|(_, nature)| *nature)
    }

    /// Sex and birth month, those of whose it is where the birth date was misread.
    fn nature(&self, at: usize) -> Option<Nature> {
        self.profiles[self.misread[at].unwrap_or(at)].nature()
    }

    fn one_number(&self, one: usize, two: usize) -> bool {
        if self.misread[one].is_some() || self.misread[two].is_some() {
            return false;
        }
        self.of(Kind::Number).into_iter().any(|scheme| {
            let (a, b) = (&self.profiles[one], &self.profiles[two]);
            let Some(key) = a.key(scheme).filter(|key| b.key(scheme) == Some(*key)) else { return false };
            self.user(scheme, key, a) == self.user(scheme, key, b)
        })
    }

    fn name_and_card(&self, one: usize, two: usize) -> bool {
        let same = |scheme: usize| {
            let key = self.profiles[one].key(scheme);
            key.is_some() && key == self.profiles[two].key(scheme)
        };
        self.of(Kind::Card).into_iter().any(same) && self.of(Kind::Name).into_iter().any(same)
    }

    /// For every key: the groups that carry it, judged in pairs; circles that agree are joined.
    fn settle<C: Fn(&Profile) -> bool>(
        &self,
        labels: &mut [usize],
        kind: Kind,
        counts: impl Fn((usize, u32)) -> C,
        takes_part: impl Fn(&Members) -> bool,
        is_same: impl Fn(&Members, &Members) -> bool,
    ) {
        let before = labels.to_vec();
        let keys: BTreeSet<(usize, u32)> = self
            .of(kind)
            .into_iter()
            .flat_map(|scheme| self.profiles.iter().filter_map(move |p| Some((scheme, p.key(scheme)?))))
            .collect();
        for key in keys {
            let carriers: BTreeSet<usize> = (0..self.profiles.len())
                .filter(|at| self.profiles[*at].key(key.0) == Some(key.1))
                .map(|at| before[at])
                .collect();
            let counts = counts(key);
            let groups: Vec<Members> = carriers
                .into_iter()
                .map(|label| (0..before.len()).filter(|at| before[*at] == label).collect::<Members>())
                .filter(|members| takes_part(members))
                .map(|members| members.into_iter().filter(|at| counts(&self.profiles[*at])).collect())
                .collect();
            let circle = |one: usize| {
                let mut circle = BTreeSet::from([one]);
                loop {
                    let more: BTreeSet<usize> = (0..groups.len())
                        .filter(|two| {
                            circle.iter().any(|one| one != two && is_same(&groups[*one], &groups[*two]))
                        })
                        .collect();
                    if more.is_subset(&circle) {
                        return circle;
                    }
                    circle.extend(more);
                }
            };
            for one in 0..groups.len() {
                let circle: Vec<usize> = circle(one).into_iter().collect();
                let agrees =
                    circle.iter().all(|a| circle.iter().all(|b| a == b || is_same(&groups[*a], &groups[*b])));
                if agrees {
                    circle.iter().for_each(|two| merge(labels, groups[one][0], groups[*two][0]));
                }
            }
        }
    }

    /// Groups of one given name that follow one another directly, and that one facility has seen.
    fn hand_over(&self, labels: &mut [usize]) {
        let before = labels.to_vec();
        for scheme in self.of(Kind::Given) {
            let keys: BTreeSet<u32> = self.profiles.iter().filter_map(|p| p.key(scheme)).collect();
            for key in keys {
                let carriers: BTreeSet<usize> = (0..self.profiles.len())
                    .filter(|at| self.profiles[*at].key(scheme) == Some(key))
                    .map(|at| before[at])
                    .collect();
                let groups: Vec<Members> = carriers
                    .into_iter()
                    .map(|label| (0..before.len()).filter(|at| before[*at] == label).collect::<Members>())
                    .filter(|members| self.has_card(members))
                    .collect();
                let follows = |a: usize, b: usize| a != b && self.follows(&groups[a], &groups[b]);
                let all = 0..groups.len();
                let directly = |a: usize, b: usize| {
                    follows(a, b) && !all.clone().any(|between| follows(a, between) && follows(between, b))
                };
                for a in all.clone() {
                    for b in all.clone().filter(|b| directly(a, *b)) {
                        let others = all.clone().filter(|c| *c != a && *c != b);
                        if others.clone().all(|c| !directly(a, c) && !directly(c, b)) {
                            merge(labels, groups[a][0], groups[b][0]);
                        }
                    }
                }
            }
        }
    }

    fn follows(&self, one: &Members, two: &Members) -> bool {
        let (cards, names) = (self.of(Kind::Card), self.of(Kind::Name));
        let (a, b) = (self.months(one, &cards), self.months(two, &cards));
        let (shared, turns) = meeting(&a, &b);
        let shares = |schemes: &[usize]| {
            schemes.iter().any(|scheme| {
                one.iter().any(|x| {
                    let key = self.profiles[*x].key(*scheme);
                    key.is_some() && two.iter().any(|y| self.profiles[*y].key(*scheme) == key)
                })
            })
        };
        let facility = one.iter().any(|x| {
            two.iter().any(|y| !self.profiles[*x].facilities.is_disjoint(&self.profiles[*y].facilities))
        });
        let (Some(begins), Some(last)) = (b.first(), a.last()) else { return false };
        let places = |group: &Members| group.iter().fold(0, |all, at| all | self.profiles[*at].places);
        let age = self.nature(one[0]).map_or(0, |nature| begins - nature.birth_month);
        let moved = places(one) & places(two) != 0
            && a.len() >= 2
            && b.len() >= 2
            && (192..720).contains(&age)
            && begins - last <= 12;
        a.first() < b.first()
            && shared <= 1
            && turns <= 1
            && !shares(&cards)
            && !shares(&names)
            && (moved || (facility && begins - last <= 36))
    }

    fn has(&self, group: &Members, scheme: usize) -> bool {
        group.iter().any(|at| self.profiles[*at].key(scheme).is_some())
    }

    fn has_card(&self, group: &Members) -> bool {
        self.of(Kind::Card).into_iter().any(|scheme| self.has(group, scheme))
    }

    fn months(&self, group: &Members, with: &[usize]) -> BTreeSet<i32> {
        let carries = |at: &&usize| with.iter().any(|scheme| self.profiles[**at].key(*scheme).is_some());
        group.iter().filter(carries).flat_map(|at| self.profiles[*at].months.iter().copied()).collect()
    }

    fn exclusive(&self) -> Vec<usize> {
        self.of(Kind::Number).into_iter().filter(|at| self.schemes[*at].is_exclusive).collect()
    }

    fn one_card(&self, one: &Members, two: &Members) -> bool {
        if self.exclusive().into_iter().any(|scheme| self.has(one, scheme) && self.has(two, scheme)) {
            return false;
        }
        let all: Vec<usize> = (0..self.schemes.len()).collect();
        let (a, b) = (self.months(one, &all), self.months(two, &all));
        let (Some(a_from), Some(b_from)) = (a.first(), b.first()) else { return false };
        let Some(born) = self.nature(one[0]).map(|nature| nature.birth_month) else {
            return false;
        };
        let is_adult = a_from.max(b_from) - born >= 16 * 12;
        let (shared, turns) = meeting(&a, &b);
        let follows = shared <= 1 && turns <= 1;
        let written_otherwise =
            self.of(Kind::Name).into_iter().any(|scheme| self.has(one, scheme) != self.has(two, scheme));
        is_adult && (follows || written_otherwise)
    }

    fn one_name(&self, one: &Members, two: &Members) -> bool {
        let cards = self.of(Kind::Card);
        let (a, b) = (self.months(one, &cards), self.months(two, &cards));
        let (shared, turns) = meeting(&a, &b);
        let is_never_alone = shared > 0 && (a.is_subset(&b) || b.is_subset(&a));
        let places = |group: &Members| group.iter().fold(0, |all, at| all | self.profiles[*at].places);
        let is_far = places(one) != 0 && places(two) != 0 && places(one) & places(two) == 0;
        let shares_card = cards.iter().any(|scheme| {
            one.iter().any(|a| {
                let key = self.profiles[*a].key(*scheme);
                key.is_some() && two.iter().any(|b| self.profiles[*b].key(*scheme) == key)
            })
        });
        shared <= 2 && turns <= 3 && !shares_card && !(is_far && (turns > 1 || is_never_alone))
    }

    fn without_card(&self, one: &Members, two: &Members) -> bool {
        if self.has_card(one) && self.has_card(two) {
            return false;
        }
        self.exclusive().into_iter().filter(|at| self.has(one, *at) && self.has(two, *at)).all(|scheme| {
            let (shared, turns) = meeting(&self.months(one, &[scheme]), &self.months(two, &[scheme]));
            shared <= 2 && turns <= 3
        })
    }

    /// Splits what no person can be.
    fn cut(&self, labels: &mut [usize], sure: &[usize]) {
        let groups = |labels: &[usize]| -> Vec<Members> {
            let all: BTreeSet<usize> = labels.iter().copied().collect();
            all.into_iter()
                .map(|label| (0..labels.len()).filter(|at| labels[*at] == label).collect())
                .collect()
        };
        for group in groups(labels) {
            let too_many = (0..self.schemes.len()).any(|scheme| {
                let keys: BTreeSet<u32> =
                    group.iter().filter_map(|at| self.profiles[*at].key(scheme)).collect();
                match self.schemes[scheme].kind {
                    Kind::Card => keys.len() > 16,
                    Kind::Name => keys.len() > 8,
                    Kind::Number | Kind::Given => false,
                }
            });
            if too_many {
                group.iter().for_each(|at| labels[*at] = sure[*at]);
            }
        }
        for group in groups(labels) {
            let weight = |nature: Nature| -> u64 {
                let own = group.iter().filter(|at| self.nature(**at) == Some(nature));
                own.map(|at| u64::from(self.profiles[*at].claims)).sum()
            };
            let natures: BTreeSet<Nature> = group.iter().filter_map(|at| self.nature(*at)).collect();
            let most = natures.iter().copied().max_by_key(|nature| (weight(*nature), *nature));
            let nature = |at: usize| self.nature(at).or(most);
            for at in &group {
                labels[*at] = *group.iter().find(|other| nature(**other) == nature(*at)).unwrap();
            }
        }
    }
}

fn merge(labels: &mut [usize], one: usize, two: usize) {
    let (low, high) = (labels[one].min(labels[two]), labels[one].max(labels[two]));
    labels.iter_mut().filter(|label| **label == high).for_each(|label| *label = low);
}

/// Months that both used, and changes from one to the other.
fn meeting(one: &BTreeSet<i32>, two: &BTreeSet<i32>) -> (usize, usize) {
    let shared = one.intersection(two).count();
    let mut order: Vec<char> = Vec::new();
    for month in one.union(two) {
        match (one.contains(month), two.contains(month)) {
            (true, false) => order.push('1'),
            (false, true) => order.push('2'),
            // The one that was used before goes first; nothing can be said of the very first month.
            _ => match order.last() {
                Some('1') => order.push('2'),
                Some(_) => order.push('1'),
                None => {}
            },
        }
    }
    (shared, order.windows(2).filter(|pair| pair[0] != pair[1]).count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::profile::{Kind, NO_KEY, Profile, SchemeKind};

    fn schemes() -> Vec<SchemeKind> {
        let scheme =
            |scheme: &str, kind, is_exclusive| SchemeKind { scheme: scheme.to_owned(), kind, is_exclusive };
        vec![
            scheme("id1", Kind::Card, false),
            scheme("id2", Kind::Name, false),
            scheme("id4", Kind::Name, false),
            scheme("id5", Kind::Number, true),
            scheme("dpc", Kind::Number, false),
            scheme("id4g", Kind::Given, false),
        ]
    }

    /// Keys are few, so that everything meets: a card or a name implies its nature, as in the schemes.
    fn profile() -> impl Strategy<Value = Profile> {
        let key = |most: u32| prop::option::weighted(0.7, 0..most);
        let months = prop::collection::btree_set(600..612_i32, 1..5);
        let facilities = prop::collection::btree_set(0..3_u64, 0..3);
        let seen = (months, 0..4_u64, facilities, 0..5_u32);
        (key(3), key(4), key(3), key(2), key(4), key(5), 0..4_u8, seen).prop_map(
            |(card, name, kana, given, number, dpc, nature, (months, places, facilities, claims))| {
                let keys = [card, name, kana, given.filter(|_| kana.is_some())]
                    .map(|key| key.map_or(NO_KEY, |key| key * 4 + u32::from(nature)));
                let [card, name, kana, given] = keys;
                let speaks = [card, name, kana].iter().any(|key| *key != NO_KEY);
                // Natures: a man and a woman of one day, a child, and a woman born a slip of the pen later.
                let birth = [-20_000, -20_000, 18_100, -19_847][usize::from(nature)];
                Profile {
                    keys: vec![card, name, kana, number.unwrap_or(NO_KEY), dpc.unwrap_or(NO_KEY), given],
                    sex: speaks.then_some(nature % 2 + 1),
                    birth: speaks.then_some(birth),
                    months: months.into_iter().map(|month| month + 23_700).collect(),
                    places,
                    facilities,
                    claims,
                    ..Profile::default()
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_fast_linker_agrees_with_the_slow_one(profiles in prop::collection::vec(profile(), 1..16)) {
            let fast: Vec<usize> =
                super::super::link(&profiles, &schemes()).person_of.into_iter().map(|p| p as usize).collect();
            prop_assert_eq!(fast, super::link(&profiles, &schemes()));
        }
    }
}
