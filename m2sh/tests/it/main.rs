//! The tests of m2sh that need more than one of its modules.

mod scripts;
