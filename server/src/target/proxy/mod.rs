//! HTTP servers elsewhere.

mod names;
