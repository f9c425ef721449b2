//! wrk: runs it, and reads what it prints.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::Error;
use crate::peer;
use crate::row::Load;
use crate::running::Running;

/// The load generator of the rows.
#[derive(Debug)]
pub(crate) struct Wrk {
    program: PathBuf,
    pub(crate) version: String,
}

/// What one run of wrk tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    /// The 99th percentile, in seconds.
    pub(crate) p99: f64,
    /// Requests without an answer, or with a bad one.
    pub(crate) failed: f64,
}

impl Wrk {
    /// Looks it up.
    ///
    /// # Errors
    /// It isn't installed.
    pub(crate) fn find() -> Result<Self, Error> {
        let program = peer::program("wrk").ok_or(Error::NoWrk)?;
        let version = peer::first_line(Command::new(&program).arg("-v"));
        let version = version.split(' ').nth(1).unwrap_or_default().to_owned();
        Ok(Self { program, version })
    }

    /// Asks a server for the same thing all the time, with one thread: a core for wrk, one for the server.
    ///
    /// # Errors
    /// It can't be run, or prints what can't be read.
    pub(crate) fn ask(&self, running: &Running, load: Load, turn: Duration) -> Result<Told, Error> {
        let mut command = Command::new(&self.program);
        command.args(["--threads", "1", "--latency", "--timeout", "10s"]);
        command.arg("--connections").arg(load.connections.to_string());
        command.arg("--duration").arg(format!("{}s", turn.as_secs()));
        if !load.keep_alive {
            command.args(["--header", "Connection: close"]);
        }
        if load.body > 0 {
            let script = format!("wrk.method = 'POST'\nwrk.body = string.rep('x', {})\n", load.body);
            let script = running.site.write("post.lua", &script).map_err(Error::doing("write a script for wrk"))?;
            command.arg("--script").arg(script);
        }
        let scheme = if running.site.tls { "https" } else { "http" };
        command.arg(format!("{scheme}://{}{}", running.site.address, running.path(load.path)));
        let output = command.stdin(Stdio::null()).output().map_err(Error::doing("run wrk"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        parse(&text).ok_or_else(|| Error::Wrk(format!("{text}{}", String::from_utf8_lossy(&output.stderr))))
    }
}

fn parse(text: &str) -> Option<Told> {
    let lines = || text.lines().map(str::trim);
    let after = |start: &str| lines().find_map(|line| line.strip_prefix(start)).map(str::trim);
    let requests = lines().find_map(|line| line.split_once(" requests in ")?.0.parse().ok())?;
    let bad = after("Non-2xx or 3xx responses:").map_or(Some(0.0), |count| count.parse().ok())?;
    Some(Told {
        requests,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p99: seconds(after("99%")?)?,
        failed: bad + after("Socket errors:").map_or(0.0, sum),
    })
}

/// Reads `connect 1, read 2, write 3, timeout 4`.
fn sum(errors: &str) -> f64 {
    errors.split([' ', ',']).filter_map(|word| word.parse::<f64>().ok()).sum()
}

/// Reads `635.00us`, `1.20ms`, `2.01s`, `1.00m`.
fn seconds(text: &str) -> Option<f64> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 2s test @ http://127.0.0.1:34567/1k.txt
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   740.13us  319.02us   9.84ms   90.12%
    Req/Sec    67.41k     5.02k   73.10k    85.00%
  Latency Distribution
     50%  690.00us
     75%  801.00us
     90%    1.02ms
     99%    1.90ms
  134109 requests in 2.00s, 161.26MB read
Requests/sec:  67021.43
Transfer/sec:     80.59MB
";

    const TROUBLE: &str = "     99%  635.00us
  17 requests in 2.10s, 1.00KB read
  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 50000
Requests/sec:      8.10
";

    #[test]
    fn output_is_read() {
        let told = Told { requests: 134_109.0, per_second: 67_021.43, p99: 1.9 * 1e-3, failed: 0.0 };
        assert_eq!(parse(OUTPUT), Some(told));
        let told = parse(TROUBLE).unwrap();
        assert_eq!((told.requests, told.failed, told.p99), (17.0, 54_321.0, 635.0 * 1e-6));
        assert_eq!(parse("unable to connect to 127.0.0.1:1 Connection refused\n"), None);
    }

    #[test]
    fn times_have_units() {
        let cases = [("1.00m", Some(60.0)), ("2.50s", Some(2.5)), ("1h", Some(3600.0)), ("1.0", None), ("ms", None)];
        for (text, wanted) in cases {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }
}
