//! The real server, driven over real sockets.

#![cfg(test)]

mod files;
mod handlers;
mod harness;
mod http;
mod recorded;
mod redirects;
mod reload;
mod start;
