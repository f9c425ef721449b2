//! The names of sockets: random, so that nobody can guess the one of somebody else.

use std::fmt;

/// The name of a socket: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id(u128);

impl Id {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(u128::from_ne_bytes(bytes)))
    }

    /// Reads one, as it is displayed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(text, 16).ok().filter(|_| is_id).map(Self)
    }

    /// Enough of it to find it in a log, too little to send to it.
    pub(crate) fn short(self) -> String {
        format!("{:08x}", self.0 >> 96)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let id = Id::random().unwrap();
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert!(id.to_string().starts_with(&id.short()));
        assert_ne!(Id::random().unwrap(), id);
        assert_eq!(Id::parse(&format!("{:032x}", 7)), Some(Id(7)));
        for wrong in ["", "7", &"0".repeat(33), &"F".repeat(32), &format!("+{}", "0".repeat(31))] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }
}
