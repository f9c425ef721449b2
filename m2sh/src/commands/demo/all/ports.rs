//! Ports for the programs of a folder: nobody has them when they are chosen, and the folder has none of them twice.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use uuid::Uuid;

use crate::error::Error;

/// Ports that the system gives to nobody who doesn't ask for one (`net.ipv4.ip_local_port_range`).
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// Those that the folder has already.
#[derive(Debug)]
pub(super) struct Ports(BTreeSet<u16>);

impl Ports {
    /// All but these.
    pub(super) fn besides(taken: impl IntoIterator<Item = u16>) -> Self {
        Self(taken.into_iter().collect())
    }

    /// A port that nobody has now, and, as it is any, most likely no other folder either.
    ///
    /// # Errors
    /// All are in use.
    pub(super) fn take(&mut self) -> Result<u16, Error> {
        let start = (Uuid::new_v4().as_u128() % u128::from(COUNT)) as u16;
        let port = from(start, |port| !self.0.contains(&port) && is_free(port)).ok_or_else(|| {
            let last = FIRST + (COUNT - 1);
            Error::cannot("choose a port for a demo", format!("all from {FIRST} to {last} are in use"))
                .hint("`ss -ltnp` shows who has them")
        })?;
        self.0.insert(port);
        Ok(port)
    }
}

/// The first port that is fit, from one on and once around.
fn from(start: u16, is_fit: impl Fn(u16) -> bool) -> Option<u16> {
    (0..COUNT).map(|step| FIRST + (start + step) % COUNT).find(|port| is_fit(*port))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_looked_at_once() {
        for (start, fit, expected) in [
            (0, &[20_000][..], Some(20_000)),
            (1, &[20_000], Some(20_000)),
            (9_999, &[20_000, 29_998, 29_999], Some(29_999)),
            (8_090, &[20_000, 28_089], Some(20_000)),
            (5, &[], None),
        ] {
            assert_eq!(from(start, |port| fit.contains(&port)), expected, "{start} {fit:?}");
        }
    }

    #[test]
    fn no_port_is_given_twice() {
        let first = FIRST..FIRST + COUNT - 200;
        let mut ports = Ports::besides(first.clone());
        let given: BTreeSet<u16> = std::iter::repeat_with(|| ports.take().unwrap()).take(50).collect();
        assert_eq!(given.len(), 50);
        assert!(given.iter().all(|port| !first.contains(port)), "{given:?}");
    }

    #[test]
    fn that_all_are_taken_is_told() {
        let error = Ports::besides(FIRST..FIRST + COUNT).take().unwrap_err();
        assert!(error.to_string().contains("all from 20000 to 29999 are in use"), "{error}");
    }
}
