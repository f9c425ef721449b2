//! Points in time as operators type them: `2h`, `3d`, `2026-11-20`, `2026-11-20T10:30`.  All are UTC, as in the log.
//!
//! Pure: the present is passed in.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};

/// Reads a point in time; gives it as the log has it: `2026-11-20 10:30:00`.
///
/// # Errors
/// What it has to look like.
pub fn parse(text: &str, now: DateTime<Utc>) -> Result<String, String> {
    Ok(moment(text, now)?.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The same in seconds since 1970.
///
/// # Errors
/// What it has to look like.
pub fn seconds(text: &str, now: DateTime<Utc>) -> Result<i64, String> {
    Ok(moment(text, now)?.and_utc().timestamp())
}

fn moment(text: &str, now: DateTime<Utc>) -> Result<NaiveDateTime, String> {
    let time = ago(text).map(|ago| now.naive_utc() - ago).or_else(|| absolute(text));
    time.ok_or_else(|| {
        format!("`{text}` is no time: 90s, 30m, 2h, 3d or 1w ago, or 2026-11-20, or 2026-11-20T10:30 (UTC)")
    })
}

fn ago(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    // Nothing has been logged before that.
    Some(Duration::seconds(number.saturating_mul(seconds).min(1000 * 365 * 86_400)))
}

fn absolute(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim_end_matches('Z').replacen('T', " ", 1);
    let times = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
    let time = times.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok());
    time.or_else(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T10:30:00Z").unwrap().to_utc();
        for (text, expected) in [
            ("90s", Some("2026-11-20 10:28:30")),
            ("2h", Some("2026-11-20 08:30:00")),
            ("3d", Some("2026-11-17 10:30:00")),
            ("1w", Some("2026-11-13 10:30:00")),
            ("2026-11-01", Some("2026-11-01 00:00:00")),
            ("2026-11-01T12:00", Some("2026-11-01 12:00:00")),
            ("2026-11-01 12:00:05", Some("2026-11-01 12:00:05")),
            ("2026-11-01T12:00:05Z", Some("2026-11-01 12:00:05")),
            ("2026-13-01", None),
            ("yesterday", None),
            ("-1h", None),
            ("h", None),
            ("", None),
            ("ä", None),
        ] {
            assert_eq!(parse(text, now).ok().as_deref(), expected, "{text}");
        }
        assert_eq!(seconds("1970-01-02", now), Ok(86_400));
        assert!(parse("99999999999999999w", now).unwrap().starts_with("102"));
    }
}
