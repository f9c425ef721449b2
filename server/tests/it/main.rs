//! The real server, driven over real sockets.

#![cfg(test)]

mod background;
mod control;
mod extended;
mod files;
mod handlers;
mod harness;
mod hostile;
mod http;
mod limits;
mod logs;
mod metrics;
mod proxy;
mod recorded;
mod redirects;
mod reload;
mod rogue;
mod root;
mod soak;
mod sockets;
mod start;
mod statistics;
mod tls;
mod uploads;
mod vanishing;
mod websocket;
