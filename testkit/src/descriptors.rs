//! As many descriptors as a test with many connections needs.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::setup;

/// Has this process, and those that it starts, have as many descriptors as the system gives; `None` if those are fewer
/// than `wanted`.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`.
pub fn descriptors(wanted: u64) -> Option<()> {
    setup::or_skip(&format!("{wanted} descriptors"), raise(wanted))
}

fn raise(wanted: u64) -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Some(maximum) = maximum.filter(|maximum| *maximum < wanted) {
        return Err(io::Error::other(format!("the hard limit is {maximum}")));
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
