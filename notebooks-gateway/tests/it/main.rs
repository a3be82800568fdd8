//! The gateway from outside: its pages in front of a guard that answers by rote, its listener, its program.

#![cfg(test)]

mod guard;
mod support;

mod api;
mod inside;
mod pages;
mod serving;
mod workbench;
