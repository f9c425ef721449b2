//! Write a handler in Rust: the manual's section 5.3.7.
