//! How often an event is tried, how soon again, and what an answer means.  Pure.

use std::time::Duration;

use http::StatusCode;

/// How long it is until the second try; each further time twice as long.
const FIRST: Duration = Duration::from_millis(200);

/// How long it is at most.
const LONGEST: Duration = Duration::from_secs(10);

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The backend has taken the event.
    Taken,
    /// The backend doesn't want it, and would not want it the next time.
    Refused,
    /// It may the next time.
    Failed,
}

/// What a backend means by a status.
pub(crate) fn verdict(status: StatusCode) -> Verdict {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Verdict::Failed,
        status if status.is_success() => Verdict::Taken,
        status if status.is_server_error() => Verdict::Failed,
        // A redirection isn't followed: where events go is said at the start.
        _ => Verdict::Refused,
    }
}

/// How long to wait after the `tried`th try, of at most `limit`; `None` if that was the last.
pub(crate) fn pause(tried: u32, limit: u32) -> Option<Duration> {
    let doubled = 2_u32.saturating_pow(tried.saturating_sub(1));
    (tried < limit).then(|| FIRST.saturating_mul(doubled).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_as_long_each_time() {
        let millis = |tried, limit| pause(tried, limit).map(|pause| pause.as_millis());
        assert_eq!([1, 2, 3, 4].map(|tried| millis(tried, 4)), [Some(200), Some(400), Some(800), None]);
        assert_eq!(millis(1, 1), None);
        assert_eq!(millis(19, 20), Some(10_000));
        assert_eq!(millis(u32::MAX - 1, u32::MAX), Some(10_000));
    }

    #[test]
    fn verdicts() {
        for (status, expected) in [
            (200, Verdict::Taken),
            (204, Verdict::Taken),
            (302, Verdict::Refused),
            (400, Verdict::Refused),
            (403, Verdict::Refused),
            (404, Verdict::Refused),
            (408, Verdict::Failed),
            (429, Verdict::Failed),
            (500, Verdict::Failed),
            (503, Verdict::Failed),
        ] {
            assert_eq!(verdict(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }
}
