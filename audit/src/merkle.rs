//! The Merkle tree over the record's entries (RFC 6962 §2.1): hashes, proofs and their verification. No I/O.
//!
//! A leaf is an entry's line without its newline. A tree of `n` leaves splits at the largest power of two below `n`;
//! its complete subtrees are looked up through [`Subtrees`], so that the same code works over memory and over tiles.

use crate::digest::Digest;

/// The hash of a leaf.
pub fn leaf(line: &[u8]) -> Digest {
    Digest::of(&[&[0], line])
}

/// The hash of two subtrees.
pub(crate) fn node(left: Digest, right: Digest) -> Digest {
    Digest::of(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The hash of the tree without leaves.
pub(crate) fn empty() -> Digest {
    Digest::of(&[])
}

/// Where the hashes of complete subtrees are kept.
pub(crate) trait Subtrees {
    /// Why one could not be read.
    type Error;

    /// The hash of the subtree over leaves `index << height` to `(index + 1) << height`, all of which exist.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn subtree(&self, height: u32, index: u64) -> Result<Digest, Self::Error>;
}

/// The root over the leaves `from` to `to`, where `from` is a multiple of the smallest power of two that reaches `to`.
fn range<S: Subtrees>(tree: &S, from: u64, to: u64) -> Result<Digest, S::Error> {
    let count = to - from;
    if count == 0 {
        return Ok(empty());
    }
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return tree.subtree(height, from >> height);
    }
    let middle = from + split(count);
    Ok(node(range(tree, from, middle)?, range(tree, middle, to)?))
}

/// The largest power of two below `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root of the first `size` leaves.
///
/// # Errors
///
/// Where a subtree cannot be read.
pub(crate) fn root<S: Subtrees>(tree: &S, size: u64) -> Result<Digest, S::Error> {
    range(tree, 0, size)
}

/// The proof that the leaf `index` stands in the tree of `size` leaves; nothing where it does not.
///
/// # Errors
///
/// Where a subtree cannot be read.
pub(crate) fn inclusion<S: Subtrees>(
    tree: &S,
    index: u64,
    size: u64,
) -> Result<Option<Vec<Digest>>, S::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range(tree, middle, to)?);
            to = middle;
        } else {
            proof.push(range(tree, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The proof that the tree of `old` leaves is the beginning of that of `new` leaves; nothing where it cannot be.
///
/// # Errors
///
/// Where a subtree cannot be read.
pub(crate) fn consistency<S: Subtrees>(
    tree: &S,
    old: u64,
    new: u64,
) -> Result<Option<Vec<Digest>>, S::Error> {
    if old > new {
        return Ok(None);
    }
    if old == 0 || old == new {
        return Ok(Some(Vec::new()));
    }
    let (mut from, mut to) = (0, new);
    let mut proof = Vec::new();
    // INVARIANT: from < old <= to.
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range(tree, middle, to)?);
            to = middle;
        } else {
            proof.push(range(tree, from, middle)?);
            from = middle;
        }
    }
    if from != 0 {
        // The old tree's last subtree is not its root, so the reader needs it.
        proof.push(range(tree, from, to)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Whether a proof shows that the leaf of this hash is number `index` in the tree of `size` leaves and this root.
pub fn includes(leaf: Digest, index: u64, size: u64, proof: &[Digest], root: Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for part in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(*part, hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(hash, *part);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether a proof shows that the tree of `old` leaves and root is the beginning of that of `new` leaves and root.
pub fn continues(old: (u64, Digest), new: (u64, Digest), proof: &[Digest]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && old_root == empty();
    }
    let mut proof = proof.iter().copied();
    let first = if old.is_power_of_two() { Some(old_root) } else { proof.next() };
    let Some(first) = first else { return false };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut of_old, mut of_new) = (first, first);
    for part in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            of_old = node(part, of_old);
            of_new = node(part, of_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node(of_new, part);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == old_root && of_new == new_root
}

/// A tree that only its root is wanted of: the roots of its complete subtrees, the largest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growing {
    size: u64,
    peaks: Vec<Digest>,
}

impl Growing {
    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // As many subtrees are completed as the old size ends with ones in binary.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(left, hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The root over the leaves.
    pub(crate) fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        let last = peaks.next().unwrap_or_else(empty);
        peaks.fold(last, |right, left| node(left, right))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::{Growing, Subtrees, consistency, continues, includes, inclusion, leaf, node, root};
    use crate::digest::Digest;

    /// Leaves in memory; every subtree is computed by the definition.
    struct Leaves(Vec<Digest>);

    impl Subtrees for Leaves {
        type Error = Infallible;

        fn subtree(&self, height: u32, index: u64) -> Result<Digest, Infallible> {
            if height == 0 {
                return Ok(self.0[usize::try_from(index).unwrap()]);
            }
            let left = self.subtree(height - 1, index * 2)?;
            Ok(node(left, self.subtree(height - 1, index * 2 + 1)?))
        }
    }

    fn leaves(count: u64) -> Leaves {
        Leaves((0..count).map(|n| leaf(&n.to_le_bytes())).collect())
    }

    /// The definition of RFC 6962, read aloud.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [one] => *one,
            _ => {
                let mut middle = 1;
                while middle * 2 < leaves.len() {
                    middle *= 2;
                }
                node(by_definition(&leaves[..middle]), by_definition(&leaves[middle..]))
            }
        }
    }

    #[test]
    fn the_published_roots_come_out() {
        // The test vectors that implementations of RFC 6962 share: eight leaves of 0 to 16 bytes.
        let inputs: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let tree = Leaves(inputs.iter().map(|input| leaf(input)).collect());
        let of = |size| root(&tree, size).unwrap().to_string();
        assert_eq!(of(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(of(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(of(2), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(of(8), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn every_proof_of_small_trees_holds_and_no_other() {
        let tree = leaves(40);
        let mut growing = Growing::default();
        assert_eq!(growing.root(), root(&tree, 0).unwrap());
        for size in 1..=40_u64 {
            let whole = root(&tree, size).unwrap();
            growing.push(leaf(&(size - 1).to_le_bytes()));
            assert_eq!((growing.size(), growing.root()), (size, whole));
            assert_eq!(whole, by_definition(&tree.0[..usize::try_from(size).unwrap()]));
            for index in 0..size {
                let proof = inclusion(&tree, index, size).unwrap().unwrap();
                let hash = leaf(&index.to_le_bytes());
                assert!(includes(hash, index, size, &proof, whole));
                assert!(!includes(hash, (index + 1) % (size + 1), size, &proof, whole) || size == 1);
                assert!(!includes(leaf(b"other"), index, size, &proof, whole));
            }
            for old in 0..=size {
                let proof = consistency(&tree, old, size).unwrap().unwrap();
                let before = root(&tree, old).unwrap();
                assert!(continues((old, before), (size, whole), &proof), "{old} {size}");
                assert!(!continues((old, leaf(b"other")), (size, whole), &proof));
                let mut more = proof.clone();
                more.push(whole);
                assert!(!continues((old, before), (size, whole), &more));
            }
        }
        assert_eq!(inclusion(&tree, 40, 40).unwrap(), None);
        assert_eq!(consistency(&tree, 41, 40).unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_changed_hash_in_a_proof_is_noticed(size in 2_u64..300, index in 0_u64..300, at in 0_usize..16) {
            let index = index % size;
            let tree = leaves(size);
            let whole = root(&tree, size).unwrap();
            let mut proof = inclusion(&tree, index, size).unwrap().unwrap();
            let at = at % proof.len();
            proof[at] = leaf(b"other");
            prop_assert!(!includes(leaf(&index.to_le_bytes()), index, size, &proof, whole));
        }
    }
}
