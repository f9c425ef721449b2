//! The parts of m2sh that its binary is made of.

pub mod script;
