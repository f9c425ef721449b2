//! Every command of m2sh, as an operator or a script would call it.

mod accessing;
mod asking;
mod audit;
mod background;
mod bench;
mod certs;
mod concerned;
mod controlling;
mod counted;
mod exporting;
mod faults;
mod killed;
mod listing;
mod loading;
mod looking;
mod past;
mod planning;
mod processes;
mod reloading;
mod routing;
mod secrets;
mod selection;
mod starting;
mod system;
mod together;
mod typing;
