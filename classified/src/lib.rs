//! How far a value may travel, said by its type.
//!
//! A name is [`Raw`] until the keyed hash has consumed it, then there is only a [`Keyed`] value; a query result
//! is [`Protected`] until disclosure control has made a [`Released`] one of it. The two steps are the only places
//! where secrecy changes class; the linter names them (`clippy.toml`), so `grep -rn disallowed_methods` lists them.
//!
//! This is deliberately not a lattice of labels: four types that fit on a page, and signatures that demand them.

mod keyed;
mod protected;
mod raw;

pub use keyed::{Bridge, Intake, Keyed, Linkage, Role};
pub use protected::{Protected, Released};
pub use raw::Raw;
