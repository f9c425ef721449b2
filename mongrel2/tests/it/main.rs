//! The integration tests of the library.

#[cfg(test)]
mod store;
