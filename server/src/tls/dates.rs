//! When a certificate begins and ends.
//!
//! Pure.  The server serves what is over, since clients are the ones to judge; but it says so.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

/// How long before its end a certificate is worth a warning: as in `m2sh running`.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// What is wrong with the dates of a certificate, at a time since 1970; fits behind its name.
pub(super) fn trouble(certificate: &CertificateDer<'_>, now: Duration) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let (begins, ends) = (&certificate.validity().not_before, &certificate.validity().not_after);
    let [now, soon] = [now, now + SOON].map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    if begins.timestamp() > now {
        Some(format!("is not valid until {}", date(begins)))
    } else if ends.timestamp() < now {
        Some(format!("is over, since {}", date(ends)))
    } else if ends.timestamp() <= soon {
        Some(format!("ends soon, on {}", date(ends)))
    } else {
        None
    }
}

/// The day (UTC), as `2026-11-20`.
fn date(time: &ASN1Time) -> String {
    chrono::DateTime::from_timestamp(time.timestamp(), 0)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn what_is_over_or_soon_will_be() {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 10);
        params.not_after = date_time_ymd(2026, 3, 20);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let day = |month, day| u64::try_from(date_time_ymd(2026, month, day).unix_timestamp()).unwrap();
        for (now, expected) in [
            (day(1, 9), Some("is not valid until 2026-01-10")),
            (day(1, 10), None),
            (day(3, 5), None),
            (day(3, 6), Some("ends soon, on 2026-03-20")),
            (day(3, 20), Some("ends soon, on 2026-03-20")),
            (day(3, 20) + 1, Some("is over, since 2026-03-20")),
        ] {
            let trouble = trouble(certificate.der(), Duration::from_secs(now));
            assert_eq!(trouble.as_deref(), expected, "{now}");
        }
        assert_eq!(trouble(&CertificateDer::from_slice(b"x"), Duration::ZERO), None);
    }
}
