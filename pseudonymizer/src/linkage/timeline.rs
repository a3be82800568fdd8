//! Whether two identities follow one another in time, or are used side by side.

use std::collections::BTreeSet;

/// How often the later of two identities may give way to the earlier again before they are two persons: a return to an
/// earlier insurer, and one late or mistaken receipt.
pub(super) const TURNS: usize = 3;
/// In how many months both may be used: the month of the change, and one late receipt.
pub(super) const SHARED_MONTHS: usize = 2;

/// How the months of two identities lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    /// Months in which both were used.
    pub(super) shared: usize,
    /// Changes from one to the other, in order of time.
    pub(super) turns: usize,
    /// Months in which only the first was used, and only the second.
    pub(super) alone: [usize; 2],
}

impl Meeting {
    /// Compares two sets of months. Where both were used in a month, the one used before it comes first in it.
    pub(super) fn of(one: &BTreeSet<i32>, two: &BTreeSet<i32>) -> Self {
        let mut meeting = Self { shared: 0, turns: 0, alone: [0; 2] };
        let mut last = None::<bool>;
        for month in one.union(two) {
            let (in_one, in_two) = (one.contains(month), two.contains(month));
            meeting.shared += usize::from(in_one && in_two);
            let [one_alone, two_alone] = &mut meeting.alone;
            *one_alone += usize::from(!in_two);
            *two_alone += usize::from(!in_one);
            // `true` stands for the first identity.
            let now = match (in_one, in_two, last) {
                (true, true, Some(last)) => !last,
                (true, true, None) => continue,
                _ => in_one,
            };
            if last.is_some_and(|last| last != now) {
                meeting.turns += 1;
            }
            last = Some(now);
        }
        meeting
    }

    /// Whether one of them was used in no month without the other: nothing says then that it came before or after.
    pub(super) fn is_never_alone(self) -> bool {
        self.shared > 0 && self.alone.contains(&0)
    }

    /// Whether one may have become the other, and perhaps gone back.
    pub(super) fn is_sequence(self) -> bool {
        self.shared <= SHARED_MONTHS && self.turns <= TURNS
    }
}

#[cfg(test)]
mod tests {
    use super::Meeting;

    fn meeting(one: &[i32], two: &[i32]) -> (usize, usize, bool) {
        let meeting = Meeting::of(&one.iter().copied().collect(), &two.iter().copied().collect());
        (meeting.shared, meeting.turns, meeting.is_sequence())
    }

    #[test]
    fn a_change_in_the_middle_of_a_month_is_one_turn() {
        assert_eq!(meeting(&[1, 2, 3], &[3, 4, 5]), (1, 1, true));
        assert_eq!(meeting(&[3, 4, 5], &[1, 2, 3]), (1, 1, true));
    }

    #[test]
    fn a_return_to_the_former_insurer_is_two_turns() {
        assert_eq!(meeting(&[1, 2, 8, 9], &[4, 5]), (0, 2, true));
    }

    #[test]
    fn who_is_never_seen_without_the_other_has_no_before_and_no_after() {
        let is_never_alone = |one: &[i32], two: &[i32]| {
            Meeting::of(&one.iter().copied().collect(), &two.iter().copied().collect()).is_never_alone()
        };
        assert!(is_never_alone(&[4], &[4]) && is_never_alone(&[4, 5], &[4, 5]));
        assert!(is_never_alone(&[4], &[4, 5]) && is_never_alone(&[3, 4, 5], &[4]));
        assert!(!is_never_alone(&[3, 4], &[4, 5]) && !is_never_alone(&[3], &[4]));
    }

    #[test]
    fn side_by_side_is_no_sequence() {
        assert!(!meeting(&[1, 2, 3, 4], &[1, 2, 3, 4]).2);
        assert_eq!(meeting(&[1, 3, 5], &[2, 4, 6]), (0, 5, false));
    }
}
