//! What scripts may know of the world that m2sh runs in.

use crate::operator::hostname;
use crate::script::Facts;

/// The environment of m2sh, as far as it is text, and the machine's name.
pub fn facts() -> Facts {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Facts { variables: variables.collect(), hostname: hostname() }
}
