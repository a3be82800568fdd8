//! Project pseudonyms: what a person is called in rows that are kept for one project outside the bucketed store.
//!
//! Each project has a key of its own, made by HKDF from the project master key; two projects never match. Projects
//! that an approved permit joins use one name for the key. A provision that is made again uses a new epoch, so that it
//! cannot be laid beside the former.

use catalog_model::project_pseudonym;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};

use super::secret::SecretKey;

/// Whom a pseudonym is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provision<'a> {
    /// One project.
    Project(&'a str),
    /// Projects that may match their rows, because the approved permit of this id says so.
    Joint {
        /// The permit's id.
        permit: &'a str,
        /// The projects, in any order.
        projects: &'a [&'a str],
    },
}

/// Makes the pseudonyms of one provision.
pub struct ProjectPseudonyms {
    key: SecretKey,
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

impl ProjectPseudonyms {
    /// The pseudonyms of a provision and its epoch, under the project master key.
    pub fn new(master: &SecretKey, provision: &Provision<'_>, epoch: u32) -> Self {
        let salt = Salt::new(HKDF_SHA256, b"misu/v1/project-pseudonym");
        let info = info(provision, epoch);
        let mut key = zeroize::Zeroizing::new([0; 32]);
        // INVARIANT: 32 bytes are fewer than 255 blocks, which is all that HKDF refuses.
        let filled = salt
            .extract(master.as_bytes())
            .expand(&[&info], KeyLength)
            .and_then(|expanded| expanded.fill(key.as_mut()));
        debug_assert!(filled.is_ok());
        Self { key: SecretKey::new(*key) }
    }

    /// The pseudonym of a person.
    pub fn of(&self, person: u32) -> [u8; 16] {
        project_pseudonym(self.key.as_bytes(), person)
    }

    /// The key itself, for whoever has the rows.
    pub const fn key(&self) -> &SecretKey {
        &self.key
    }
}

impl std::fmt::Debug for ProjectPseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProjectPseudonyms(..)")
    }
}

/// Everything that tells one provision from another, each part with its length.
fn info(provision: &Provision<'_>, epoch: u32) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    match provision {
        Provision::Project(project) => names.extend(["project", project]),
        Provision::Joint { permit, projects } => {
            let mut projects = projects.to_vec();
            projects.sort_unstable();
            projects.dedup();
            names.extend(["joint", permit]);
            names.extend(projects);
        }
    }
    let mut info = epoch.to_be_bytes().to_vec();
    for name in names {
        info.extend((name.len() as u64).to_be_bytes());
        info.extend_from_slice(name.as_bytes());
    }
    info
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{ProjectPseudonyms, Provision, SecretKey};

    #[test]
    fn two_projects_never_match_and_an_epoch_matches_no_other() {
        let master = SecretKey::new([7; 32]);
        let joint = ["p1", "p2"];
        let provisions = [
            (Provision::Project("p1"), 1),
            (Provision::Project("p1"), 2),
            (Provision::Project("p2"), 1),
            (Provision::Project("p12"), 1),
            (Provision::Joint { permit: "a1", projects: &joint }, 1),
            (Provision::Joint { permit: "a2", projects: &joint }, 1),
        ];
        let mut seen = HashSet::new();
        for (provision, epoch) in &provisions {
            let pseudonyms = ProjectPseudonyms::new(&master, provision, *epoch);
            for person in 0..1_000 {
                assert!(seen.insert(pseudonyms.of(person)), "{provision:?} {epoch} {person}");
            }
            assert_eq!(pseudonyms.of(5), ProjectPseudonyms::new(&master, provision, *epoch).of(5));
        }
        let other = ProjectPseudonyms::new(&SecretKey::new([8; 32]), &provisions[0].0, 1);
        assert!(seen.insert(other.of(0)));
    }

    #[test]
    fn a_joint_provision_is_the_same_for_each_of_its_projects() {
        let master = SecretKey::new([7; 32]);
        let of = |projects: &[&str]| {
            ProjectPseudonyms::new(&master, &Provision::Joint { permit: "a1", projects }, 1).of(9)
        };
        assert_eq!(of(&["p1", "p2"]), of(&["p2", "p1"]));
        assert_ne!(of(&["p1", "p2"]), of(&["p1p2"]));
    }
}
