//! The real m2sh, the scripts that it runs, and what the documents say about both.

#![cfg(test)]

mod commands;
mod conformance;
mod demo;
mod documents;
mod hosts;
mod original;
mod scripts;
