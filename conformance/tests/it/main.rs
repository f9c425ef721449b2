//! The cases themselves: on hosts that are good, and on some that aren't.

#![cfg(test)]

mod app;
