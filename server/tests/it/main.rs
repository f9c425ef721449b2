//! The real server, driven over real sockets.

#![cfg(test)]

mod files;
mod handlers;
mod harness;
mod http;
mod limits;
mod logs;
mod recorded;
mod reload;
mod root;
mod start;
