//! procer with real processes.

mod asking;
mod background;
mod bad;
mod changing;
mod contract;
mod foreground;
mod limits;
mod manual;
mod ready;
mod restarting;
mod soak;
mod stage;
mod stopping;
