//! Clients that are sent elsewhere.

use mongrel2::redirect::Location;

/// Another address, and how it is said.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) location: Location,
    pub(crate) status: u16,
}
