//! Disjoint sets over dense numbers.

/// Disjoint sets of the numbers below a bound.
#[derive(Clone, Debug)]
pub struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    /// So many sets of one number each.
    pub fn new(size: u32) -> Self {
        Self { parents: (0..size).collect() }
    }

    /// The smallest number of the set that `member` is in; `member` itself beyond the bound.
    pub fn find(&mut self, member: u32) -> u32 {
        let mut at = member;
        loop {
            let parent = self.parent(at);
            if parent == at {
                return at;
            }
            // Halving the path keeps later walks short.
            let grandparent = self.parent(parent);
            if let Some(slot) = self.parents.get_mut(at as usize) {
                *slot = grandparent;
            }
            at = grandparent;
        }
    }

    /// Joins the sets of two numbers; whether they were apart.
    pub fn union(&mut self, one: u32, two: u32) -> bool {
        let (one, two) = (self.find(one), self.find(two));
        let (low, high) = (one.min(two), one.max(two));
        if let Some(slot) = self.parents.get_mut(high as usize) {
            *slot = low;
        }
        low != high
    }

    fn parent(&self, at: u32) -> u32 {
        self.parents.get(at as usize).copied().unwrap_or(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::UnionFind;

    /// The slow reference: relabel until nothing changes.
    fn reference(size: u32, pairs: &[(u32, u32)]) -> Vec<u32> {
        let mut labels: Vec<u32> = (0..size).collect();
        loop {
            let before = labels.clone();
            for (one, two) in pairs {
                let low = labels[*one as usize].min(labels[*two as usize]);
                labels[*one as usize] = low;
                labels[*two as usize] = low;
            }
            if labels == before {
                return labels;
            }
        }
    }

    proptest! {
        #[test]
        fn sets_are_those_of_the_reference(pairs in prop::collection::vec((0_u32..40, 0_u32..40), 0..60)) {
            let mut sets = UnionFind::new(40);
            for (one, two) in &pairs {
                sets.union(*one, *two);
            }
            let found: Vec<u32> = (0..40).map(|member| sets.find(member)).collect();
            prop_assert_eq!(found, reference(40, &pairs));
        }
    }
}
