//! The library from outside.

mod handler;
