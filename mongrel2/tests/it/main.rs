//! The library against real files and real sockets.

#![cfg(test)]

mod asynchronous;
mod examples;
mod handler;
mod statistics;
mod store;
