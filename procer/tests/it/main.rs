//! procer with real processes.

#![cfg(test)]

mod asking;
mod background;
mod bad;
mod changing;
mod contract;
mod documents;
mod foreground;
mod limits;
mod manual;
mod ready;
mod restarting;
mod soak;
mod stage;
mod stopping;
