//! How many connections each client address has (`limits.connections_per_address`).
//!
//! Beside pinned sessions the one thing that workers share and change: it is touched when a connection comes and goes,
//! never by a request, and only if the limit is set.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that has been counted; it is counted out when this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    /// Counts a connection in, unless its address has `limit` already.
    pub(crate) fn count(&self, address: IpAddr, limit: usize) -> Option<Counted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Counted { addresses: self.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_limit_and_leaves_nothing_behind() {
        let addresses = Addresses::default();
        let [one, two] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let first = addresses.count(one, 2).unwrap();
        let second = addresses.count(one, 2).unwrap();
        assert!(addresses.count(one, 2).is_none());
        let other = addresses.count(two, 2).unwrap();
        drop(first);
        assert!(addresses.count(one, 2).is_some());
        drop((second, other));
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
