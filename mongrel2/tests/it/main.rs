//! The library against real files and real sockets.

#![cfg(test)]

mod handler;
mod statistics;
mod store;
