//! Deliveries in, linked and pseudonymized snapshots out.
//!
//! The stages follow the walk of the data, and each uses only those before it: [`formats`] turns bytes into claims,
//! [`keying`] consumes their identities, [`linkage`] groups identities into persons, [`tables`] writes rows, and
//! [`pipeline`] drives them over deliveries, [`batch`] runs its steps as a file says. Nothing that answers questions links this crate.

pub mod batch;
pub mod claim;
pub mod formats;
pub mod keying;
pub mod linkage;
pub mod masters;
pub mod pipeline;
pub mod registry;
pub mod tables;
