//! Deliveries through the stages.
#![cfg(test)]
