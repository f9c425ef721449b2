//! The bytes that a server exchanges with handlers and at its control port, and the strings they are made of.
//!
//! Each format is rendered and parsed in the same file.  Nothing here does I/O.

pub mod control;
pub mod extended;
pub mod netstring;
pub mod reply;
pub mod request;
pub mod tnetstring;
pub mod websocket;
