//! The real m2sh, and the scripts that it runs.

#![cfg(test)]

mod commands;
mod demo;
mod scripts;
