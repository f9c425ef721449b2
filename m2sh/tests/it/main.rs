//! The integration tests of m2sh: the real program, in temporary folders.

#[cfg(test)]
mod commands;
