//! The house's own rules, and the whole of it at work: data files in the folders beside this one, run here.
#![cfg(test)]

mod demo;
mod edges;
mod refusals;
mod tidy;
