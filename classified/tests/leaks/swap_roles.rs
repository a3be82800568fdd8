//! An intake value is not a linkage value.
use classified::{Intake, Keyed, Linkage};

fn link(_key: Keyed<Linkage>) {}

fn main() {
    link(Keyed::<Intake>::new([0; 32]));
}
