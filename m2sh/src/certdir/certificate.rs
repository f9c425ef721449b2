//! What a certificate says: for which names, by whom, from when until when.
//!
//! Pure: the text of a file comes in.  Nothing is verified; that is up to clients.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// The first certificate of a file, which is the one for the server's key; others are those of its signers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The common name, then the alternative names; none twice.
    pub names: Vec<String>,
    /// Who has signed it; none if it did itself.
    pub issuer: Option<String>,
    /// When it begins, in seconds since 1970.
    pub begins: i64,
    /// When it ends, in seconds since 1970.
    pub ends: i64,
    /// The public key, with its kind (DER).
    pub key: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate in PEM; `None` if it isn't one.
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem).ok()?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let common = |name: &x509_parser::x509::X509Name<'_>| {
            name.iter_common_name().find_map(|name| name.as_str().ok().map(str::to_owned))
        };
        let signer = || common(issuer).unwrap_or_else(|| issuer.to_string());
        let mut names: Vec<String> = common(subject).into_iter().collect();
        for name in alternatives(&certificate) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(Self {
            names,
            issuer: (issuer.as_raw() != subject.as_raw()).then(signer),
            begins: certificate.validity().not_before.timestamp(),
            ends: certificate.validity().not_after.timestamp(),
            key: certificate.public_key().raw.to_vec(),
        })
    }

    /// How many whole days are left; below 0 it is over.
    pub fn days(&self, now: i64) -> i64 {
        (self.ends - now).div_euclid(DAY)
    }

    /// Whether it ends within so many days, or has ended.
    pub fn ends_within(&self, days: i64, now: i64) -> bool {
        self.ends - now <= days * DAY
    }

    /// The day on which it ends (UTC).
    pub fn last_day(&self) -> String {
        date(self.ends)
    }
}

/// A moment's day (UTC), as `2026-11-20`.
pub(super) fn date(moment: i64) -> String {
    chrono::DateTime::from_timestamp(moment, 0).map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}

fn alternatives(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => address(octets).map(|address| address.to_string()),
        _ => None,
    });
    names.collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Fresh;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_certificate_says_for_whom_and_until_when() {
        let names = ["example.com", "*.example.com", "127.0.0.1", "::1"].map(str::to_owned);
        let fresh = Fresh::make(&names, 30, NOW).unwrap();
        let certificate = Certificate::parse(fresh.certificate.as_bytes()).unwrap();
        assert_eq!(certificate.names, names);
        assert_eq!(certificate.issuer, None);
        assert!(certificate.begins < NOW);
        assert_eq!(certificate.last_day(), date(NOW + 30 * DAY));
        for (passed, days, soon) in [(0, 30, false), (1, 29, false), (16 * DAY, 14, true), (31 * DAY, -1, true)] {
            let now = NOW + passed;
            assert_eq!((certificate.days(now), certificate.ends_within(14, now)), (days, soon), "{passed}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "x", garbage, "-----BEGIN CERTIFICATE-----\nMII\n"] {
            assert_eq!(Certificate::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Certificate::parse(&[0xff; 1000]), None);
    }
}
