//! Applications, output reviews and incidents, and who may move them: pure state machines.
//!
//! A case (an application, an output, an incident) is the fold of its [`Move`]s: each names who moved, when and how.
//! Deciding whether a move is legal is a pure function of the case and the actor; storing moves, recording them and
//! what follows from them (a permit, a deleted key) is for the programs that use this room. No I/O, no clock.
//!
//! What it deliberately is not: the policies that judge a query (`policies`), or a log (`audit`).

mod actor;
mod moves;

pub mod application;
pub mod form;
pub mod incident;
pub mod output;

pub use actor::{Actor, Role};
pub use moves::{Illegal, Move};
