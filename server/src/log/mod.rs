//! The access log and the error log.
//!
//! One thread writes both files.  Workers hand it bytes through a bounded queue and never wait: when the disk
//! is slower than the traffic, lines are dropped and counted, and the error log says how many.  Access lines
//! are collected per worker for a moment, so that a line doesn't cost a system call of its own.
//!
//! `access`: what is collected.  `form`: what a line looks like.  `error`: what `tracing` says, as lines.
//! `writer`: the thread.  `sink`: a file that may fail.  `echo`: the terminal, while in the foreground.

mod access;
mod echo;
mod error;
mod form;
mod sink;
mod writer;

pub(crate) use access::{Access, AccessLog, Asked};
pub(crate) use error::{install, set_level};
pub(crate) use writer::{Log, Paths, Writer};
