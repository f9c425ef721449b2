//! What every program of the toolchain shares: the configuration model, the message formats and the
//! library for handler authors.
//!
//! * [`config`]: plain values ([`config::tree`]), their check ([`mod@config::check`]), their SQLite form
//!   ([`config::store`]) and the audit log beside them ([`config::history`]).
//! * [`pattern`] and [`route`]: which target a path gets.  Pure: no I/O, no clock.
//! * [`redirect`]: where a redirect leads.  Pure.
//! * [`summary`]: what many samples come to.  Pure.
//! * [`wire`]: the bytes exchanged with handlers, each format rendered and parsed in one file.  Pure.
//! * [`handler`]: write a handler in Rust.  [`control`]: ask a running server.
//! * `app` (feature `app`): write a web application in Rust, for behind a server or on its own.
//!
//! Features: `async` has handlers under tokio, `app` applications behind a server, `app-http` those that stand alone.

#[cfg(feature = "app")]
pub mod app;
pub mod config;
pub mod control;
pub mod handler;
pub mod pattern;
pub mod redirect;
pub mod route;
pub mod summary;
pub mod wire;
