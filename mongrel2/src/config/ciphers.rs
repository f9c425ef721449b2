//! Names of cipher suites: `ssl_ciphers` as it is written, and the suites that it leaves.
//!
//! Pure.  The names may be those of IANA, of mbedTLS (which configurations in the field have) and of OpenSSL, in any
//! case.  Which suites there are is what rustls has; what they do is not known here.

use super::closest;

/// A cipher suite that servers have.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its number with IANA.
    pub number: u16,
    /// Its name with IANA.
    pub name: &'static str,
    /// Its name with OpenSSL.
    pub openssl: &'static str,
    /// The version that it is for.
    pub version: Version,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

const fn suite(number: u16, name: &'static str, openssl: &'static str, version: Version) -> Suite {
    Suite { number, name, openssl, version }
}

/// All of them, the best of each version first.
pub const SUITES: &[Suite] = &[
    suite(0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", Version::Tls13),
    suite(0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", Version::Tls13),
    suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", Version::Tls13),
    suite(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", Version::Tls12),
    suite(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", Version::Tls12),
    suite(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", Version::Tls12),
    suite(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", Version::Tls12),
    suite(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", Version::Tls12),
    suite(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", Version::Tls12),
];

/// What a list of names says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ciphers<'a> {
    named: Vec<&'static Suite>,
    unknown: Vec<&'a str>,
}

impl<'a> Ciphers<'a> {
    /// Reads names that are separated by blanks, commas or colons.
    pub fn parse(text: &'a str) -> Self {
        let mut ciphers = Self::default();
        let names = text.split(|c: char| c.is_whitespace() || c == ',' || c == ':').filter(|name| !name.is_empty());
        for name in names {
            match SUITES.iter().find(|suite| suite.has_name(name)) {
                Some(suite) if ciphers.named.contains(&suite) => {}
                Some(suite) => ciphers.named.push(suite),
                None => ciphers.unknown.push(name),
            }
        }
        ciphers
    }

    /// The suites in force: of each version those that are named, in their order, or all if none is.
    pub fn in_force(&self) -> Vec<&'static Suite> {
        [Version::Tls13, Version::Tls12].into_iter().flat_map(|version| self.of(version)).collect()
    }

    fn of(&self, version: Version) -> Vec<&'static Suite> {
        let is_of = |suite: &&'static Suite| suite.version == version;
        let named: Vec<_> = self.named.iter().copied().filter(is_of).collect();
        if named.is_empty() { SUITES.iter().filter(is_of).collect() } else { named }
    }

    /// What is worth saying about the list, each with what to do about it.
    pub fn notes(&self) -> Vec<(String, Option<String>)> {
        let mut notes: Vec<_> = self.unknown.iter().map(|name| unknown(name)).collect();
        let is_empty = self.named.is_empty() && self.unknown.is_empty();
        if !is_empty && !self.named.iter().any(|suite| suite.version == Version::Tls12) {
            let message = "ssl_ciphers leaves no suite of TLS 1.2, so that all of them stay".to_owned();
            notes.push((message, Some("ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256".into())));
        }
        notes
    }
}

impl Suite {
    fn has_name(&self, name: &str) -> bool {
        let iana = plain(self.name);
        let name = plain(name);
        // mbedTLS marks those of TLS 1.3.
        name == iana || name == plain(self.openssl) || name.replacen("TLS1-3-", "TLS-", 1) == iana
    }
}

/// A name without what its spellings differ in.
fn plain(name: &str) -> String {
    name.to_ascii_uppercase().replace('_', "-")
}

fn unknown(name: &str) -> (String, Option<String>) {
    let message = format!("ssl_ciphers names `{name}`, which servers do not have; it is skipped");
    let wanted = plain(name);
    let known = SUITES.iter().map(|suite| if wanted.starts_with("TLS") { suite.name } else { suite.openssl });
    (message, closest(&wanted.replace("TLS-", "TLS_"), known).map(|name| format!("did you mean `{name}`?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers in force, and how many notes there are.
    fn check(text: &str, tls13: &[u16], tls12: &[u16], notes: usize) {
        let ciphers = Ciphers::parse(text);
        let numbers: Vec<u16> = ciphers.in_force().iter().map(|suite| suite.number).collect();
        assert_eq!(numbers, [tls13, tls12].concat(), "{text}");
        assert_eq!(ciphers.notes().len(), notes, "{text}: {:?}", ciphers.notes());
    }

    const ALL_13: &[u16] = &[0x1302, 0x1301, 0x1303];
    const ALL_12: &[u16] = &[0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8];

    #[test]
    fn lists() {
        check("", ALL_13, ALL_12, 0);
        check("ECDHE-RSA-AES128-GCM-SHA256", ALL_13, &[0xc02f], 0);
        check("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ALL_13, &[0xc02f], 0);
        check("tls-ecdhe-rsa-with-aes-128-gcm-sha256", ALL_13, &[0xc02f], 0);
        check("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256", ALL_13, &[0xcca8, 0xc02f], 0);
        check("ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256", ALL_13, &[0xc02f], 0);
        check("TLS1-3-AES-128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256", &[0x1301], &[0xc02f], 0);
        check("TLS_AES_128_GCM_SHA256", &[0x1301], ALL_12, 1);
        check("TLS-RSA-WITH-AES-256-CBC-SHA SSL-RSA-DES-168-SHA", ALL_13, ALL_12, 3);
        check("HIGH:!aNULL:ECDHE-RSA-AES128-GCM-SHA256", ALL_13, &[0xc02f], 2);
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let notes = Ciphers::parse("ECDHE-RSA-AES128-GCM-SHA265 ECDHE-RSA-AES256-GCM-SHA384").notes();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(notes[0].1.as_deref(), Some("did you mean `ECDHE-RSA-AES128-GCM-SHA256`?"));
    }
}
