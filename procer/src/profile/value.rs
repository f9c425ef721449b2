//! Values as people write them in the files of a profile: times, sizes, signals, percentages.
//!
//! Pure: a text comes in, a value or what would have been right goes out.

use std::time::Duration;

use crate::signal::Signal;

/// A time: `250ms`, `5s`, `2m`, `1h`, `7d`; a number alone is seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time such as `250ms`, `5s`, `2m`, `1h` or `7d`");
    let (number, unit) = split(text);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    // A hundred years are more than anybody waits, and far from what a Duration can't hold.
    Some(number * scale).filter(|seconds| *seconds <= 3.2e9).map(Duration::from_secs_f64).ok_or_else(wrong)
}

/// A size in bytes: `4096`, `64K`, `200M`, `1G`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size such as `4096`, `64K`, `200M` or `1G`");
    let (number, unit) = split(text);
    let scale: u64 = match unit {
        "" => 1,
        "K" | "k" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale)).ok_or_else(wrong)
}

/// A number within limits.
pub(crate) fn number<T>(text: &str, min: T, max: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let found = text.parse::<T>().ok().filter(|number| *number >= min && *number <= max);
    found.ok_or_else(|| format!("`{text}` is no number from {min} to {max}"))
}

/// A signal by its name, with or without `SIG`, or by its number.
pub(crate) fn signal(text: &str) -> Result<Signal, String> {
    Signal::parse(text).ok_or_else(|| format!("`{text}` is no signal such as `TERM`, `HUP` or `USR1`"))
}

/// A share: `10%`.
pub(crate) fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    number.parse().ok().filter(|share| *share <= 100).ok_or_else(|| format!("`{text}` is no share such as `10%`"))
}

/// A file mode as umask(1) takes it.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| format!("`{text}` is no mode such as `022`"))
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let cases = [("250ms", 250), ("5s", 5000), ("5", 5000), ("0.5s", 500), ("2m", 120_000), ("0", 0)];
        for (text, wanted) in cases {
            assert_eq!(time(text), Ok(Duration::from_millis(wanted)), "{text}");
        }
        assert_eq!(time("7d"), Ok(Duration::from_secs(604_800)));
        for text in ["", "s", "-1s", "5 parsecs", "1e9", "99999999999d", "1.2.3s", "NaN", "inf"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("200M"), Ok(209_715_200));
        assert_eq!(size("17"), Ok(17));
        for text in ["", "M", "-1", "1.5G", "1T", "99999999999999999999", "99999999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_values() {
        assert_eq!((mode("022"), mode("0077")), (Ok(0o22), Ok(0o77)));
        assert!(mode("8").is_err() && mode("1777").is_err() && mode("-2").is_err());
        assert_eq!((percent("10%"), percent("0")), (Ok(10), Ok(0)));
        assert!(percent("101%").is_err());
        assert_eq!(number("19", -20, 19), Ok(19));
        assert!(number("20", -20, 19).is_err() && number("x", 0, 1).is_err());
    }
}
