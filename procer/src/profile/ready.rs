//! When a service counts as ready: the file `ready`, a script or lines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::lines::Lines;
use super::{Trouble, value};

/// How a service is asked whether it is ready, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// What is asked.
    pub check: Check,
    /// The time between two checks; until the service is ready, no more than [`Ready::EAGER`].
    pub interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// So many checks in a row have to succeed.
    pub successes: u32,
    /// So many checks in a row have to fail before a service that was ready isn't any more.
    pub failures: u32,
    /// How long the service may take to become ready; zero is for ever.
    pub within: Duration,
    /// Whether a service that isn't ready any more is restarted.
    pub restart: bool,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// A program that ends with status 0.
    Script(PathBuf),
    /// An HTTP server whose answer has a status below 400.
    Http(HttpCheck),
    /// Something that accepts connections.
    Tcp(SocketAddr),
    /// The service says so itself, as sd_notify(3) does.
    Notify,
}

/// An HTTP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// Where to connect.
    pub address: SocketAddr,
    /// What `Host` says.
    pub host: String,
    /// The path with its query.
    pub path: String,
}

const KNOWN: [&str; 10] =
    ["script", "http", "tcp", "notify", "interval", "timeout", "successes", "failures", "within", "restart"];

impl Ready {
    /// The longest time between two checks of a service that isn't ready yet.
    pub const EAGER: Duration = Duration::from_millis(200);

    fn new(check: Check) -> Self {
        Self {
            check,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            successes: 1,
            failures: 3,
            within: Duration::from_secs(60),
            restart: false,
        }
    }

    /// A script with everything else by default.
    pub(super) fn script(path: PathBuf) -> Self {
        Self::new(Check::Script(path))
    }

    pub(crate) fn parse(text: &str, folder: &std::path::Path, troubles: &mut Vec<Trouble>) -> Option<Self> {
        let mut ready = Self::new(Check::Notify);
        let mut checks = 0;
        Lines::of("ready", text).each(&KNOWN, troubles, |key, text| {
            let check = match key {
                "script" => Some(script(text).map(|path| Check::Script(folder.join(path)))),
                "http" => Some(http(text).map(Check::Http)),
                "tcp" => Some(address(text).map(Check::Tcp)),
                "notify" => Some(Ok(Check::Notify)),
                _ => None,
            };
            let Some(check) = check else { return ready.set(key, text) };
            checks += 1;
            Some(check.map(|check| ready.check = check))
        });
        if checks != 1 {
            let problem = "exactly one line has to begin with `script`, `http`, `tcp` or `notify`".into();
            troubles.push(Trouble { file: "ready".into(), line: None, problem });
            return None;
        }
        Some(ready)
    }

    fn set(&mut self, key: &str, text: &str) -> Option<Result<(), String>> {
        let some_time = |text: &str| value::time(text).and_then(|time| nonzero(text, time));
        Some(match key {
            "interval" => some_time(text).map(|time| self.interval = time),
            "timeout" => some_time(text).map(|time| self.timeout = time),
            "successes" => value::number(text, 1, 1000).map(|number| self.successes = number),
            "failures" => value::number(text, 1, 1000).map(|number| self.failures = number),
            "within" => value::time(text).map(|time| self.within = time),
            "restart" => yes(text).map(|restart| self.restart = restart),
            _ => return None,
        })
    }
}

fn nonzero(text: &str, time: Duration) -> Result<Duration, String> {
    if time < Duration::from_millis(10) { Err(format!("`{text}` is less than 10ms")) } else { Ok(time) }
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("`{text}` is neither `yes` nor `no`")),
    }
}

fn script(text: &str) -> Result<&str, String> {
    if text.is_empty() { Err("it needs a path".into()) } else { Ok(text) }
}

fn http(text: &str) -> Result<HttpCheck, String> {
    let wrong = || format!("`{text}` is no address such as `http://127.0.0.1:6767/`");
    let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let sound = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound(host) || !sound(path) {
        return Err(wrong());
    }
    let named = if host.contains(':') && !host.ends_with(']') { host.to_owned() } else { format!("{host}:80") };
    Ok(HttpCheck { address: address(&named)?, host: host.into(), path: path.into() })
}

/// Names would have to be looked up, and procer waits for nobody.
fn address(text: &str) -> Result<SocketAddr, String> {
    let local = |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
    let found = text.strip_prefix("localhost:").and_then(local).or_else(|| text.parse().ok());
    let found = found.filter(|address| address.port() != 0);
    found.ok_or_else(|| {
        format!("`{text}` is no address such as `127.0.0.1:6767`; names other than `localhost` need a script")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<Ready, Vec<String>> {
        let mut troubles = Vec::new();
        let ready = Ready::parse(text, Path::new("/p"), &mut troubles);
        if troubles.is_empty() { Ok(ready.unwrap()) } else { Err(troubles.iter().map(ToString::to_string).collect()) }
    }

    #[test]
    fn checks_of_each_kind() {
        let local = "127.0.0.1:6767".parse().unwrap();
        assert_eq!(parse("tcp localhost:6767").unwrap().check, Check::Tcp(local));
        assert_eq!(parse("tcp [::1]:80").unwrap().check, Check::Tcp("[::1]:80".parse().unwrap()));
        let path = "/up?x=1".to_owned();
        let check = Check::Http(HttpCheck { address: local, host: "localhost:6767".into(), path });
        assert_eq!(parse("http http://localhost:6767/up?x=1").unwrap().check, check);
        assert!(
            matches!(parse("http http://127.0.0.1").unwrap().check, Check::Http(http) if http.address.port() == 80)
        );
        assert_eq!(parse("script check").unwrap().check, Check::Script("/p/check".into()));
        assert_eq!(parse("script /bin/true").unwrap().check, Check::Script("/bin/true".into()));
        let ready = parse("notify\ninterval 1s\nfailures 1\nrestart yes").unwrap();
        assert_eq!(
            (ready.check, ready.interval, ready.failures, ready.restart),
            (Check::Notify, Duration::from_secs(1), 1, true)
        );
    }

    #[test]
    fn what_is_no_check() {
        for text in [
            "",
            "interval 5s",
            "tcp localhost:1\nnotify",
            "tcp example.org:80",
            "tcp 127.0.0.1:0",
            "tcp 1",
            "http https://x/",
            "http http://exam ple/",
            "http",
            "script",
            "notify\ninterval 0",
            "notify\ntimeout 1ms",
            "notify\nrestart maybe",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
