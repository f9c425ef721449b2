//! A configuration as one text, and the hash of that text: equal configurations have equal ones.
//!
//! A plan names the configuration that it was made for by this hash; generations are kept as this text.

use sha2::{Digest as _, Sha256};

use super::tree::Config;

impl Config {
    /// The configuration as JSON: objects and fields in the order of the tree, maps sorted by key, without blanks.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("a tree is plain values")
    }

    /// The SHA-256 of the canonical form, in hexadecimal digits.
    pub fn digest(&self) -> String {
        digest(self.canonical().as_bytes())
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Server;

    #[test]
    fn an_empty_configuration() {
        let config = Config::default();
        assert_eq!(config.canonical(), r#"{"servers":[],"settings":{},"mimetypes":{}}"#);
        // As `printf '…' | sha256sum` says.
        assert_eq!(config.digest(), "8ff87989061c89aab2d8c20a9d24de2d0da8296a156c460f8b5430a9bee841af");
    }

    #[test]
    fn what_differs_has_another_hash() {
        let with = |name: &str| Config {
            servers: vec![Server { name: name.into(), ..Server::default() }],
            ..Config::default()
        };
        assert_ne!(with("a").digest(), with("b").digest());
        assert_eq!(with("a").digest(), with("a").digest());
    }
}
