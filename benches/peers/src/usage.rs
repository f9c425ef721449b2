//! What a server uses: CPU time and memory of its process and all its descendants, from `/proc`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::error::Error;

/// The CPU time that a process and its descendants have used, in user and system mode.
pub(crate) fn cpu(process: u32) -> Duration {
    let ticks: u64 = family(process).iter().map(|stat| stat.ticks).sum();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// The CPU time that all children have used that have ended.
///
/// # Errors
/// The kernel doesn't tell.
pub(crate) fn children() -> Result<Duration, Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(io::Error::from);
    let usage = usage.map_err(Error::doing("ask for the CPU time of children"))?;
    let total = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(total.num_microseconds()).unwrap_or_default()))
}

/// The resident memory of a process and its descendants, in bytes.
pub(crate) fn memory(process: u32) -> u64 {
    let resident = |stat: &Stat| fs::read_to_string(format!("/proc/{}/smaps_rollup", stat.process));
    family(process).iter().filter_map(|stat| resident(stat).ok()).filter_map(|text| kib(&text, "Rss:")).sum()
}

/// The resident memory of one process, in bytes.
pub(crate) fn memory_of(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    kib(&text, "Rss:").unwrap_or_default()
}

/// The most resident memory that a process and its descendants have had since the last call, in bytes.
pub(crate) fn peak_memory(process: u32) -> u64 {
    let peak = |stat: &Stat| {
        let folder = Path::new("/proc").join(stat.process.to_string());
        let text = fs::read_to_string(folder.join("status")).ok()?;
        // `5` sets the peak back (proc_pid_clear_refs(5)); where that isn't allowed it is that of the whole life.
        let _ = fs::write(folder.join("clear_refs"), "5");
        kib(&text, "VmHWM:")
    };
    family(process).iter().filter_map(peak).sum()
}

/// How many connections of this machine lead to an IPv4 address of its own.
pub(crate) fn connections_to(address: SocketAddr) -> usize {
    let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    text.lines().filter(|line| leads_to(line, address)).count()
}

/// The ids of a process and its descendants.
pub(crate) fn processes(process: u32) -> Vec<u32> {
    family(process).iter().map(|stat| stat.process).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stat {
    process: u32,
    parent: u32,
    ticks: u64,
}

fn family(process: u32) -> Vec<Stat> {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    let mut family = Vec::new();
    for stat in all() {
        if stat.process == process {
            family.push(stat);
        } else {
            children.entry(stat.parent).or_default().push(stat);
        }
    }
    let mut next = 0;
    while let Some(parent) = family.get(next).map(|stat| stat.process) {
        family.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    family
}

fn all() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|text| parse(&text))
}

/// Reads `/proc/PID/stat` (proc_pid_stat(5)): the name in parentheses may hold anything.
fn parse(text: &str) -> Option<Stat> {
    let (process, rest) = text.split_once(" (")?;
    let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let parent = fields.get(1)?.parse().ok()?;
    Some(Stat { process: process.parse().ok()?, parent, ticks: number(11)? + number(12)? })
}

/// Whether a line of `/proc/net/tcp` (proc_net_tcp(5)) is an established connection to that address.
fn leads_to(line: &str, address: SocketAddr) -> bool {
    let SocketAddr::V4(address) = address else { return false };
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let fields: Vec<&str> = line.split_whitespace().collect();
    matches!(fields[..], [_, _, to, "01", ..] if to == remote)
}

/// A line of `/proc` that is a size, in bytes.
fn kib(text: &str, start: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(start))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_behind_the_last_parenthesis() {
        let text = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 9 0 0 0 120 35 0 0 20 0 3 0 100 1 2\n";
        assert_eq!(parse(text), Some(Stat { process: 4711, parent: 1, ticks: 155 }));
        assert_eq!(parse("4711 (short) S 1"), None);
        assert_eq!(kib("00400000-7ffd [rollup]\nRss:        1480 kB\nPss: 3 kB\n", "Rss:"), Some(1480 * 1024));
    }

    #[test]
    fn connections_are_counted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let streams = [(); 3].map(|()| std::net::TcpStream::connect(address).unwrap());
        assert_eq!(connections_to(address), 3);
        drop(streams);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(memory(std::process::id()) > 0);
        assert!(peak_memory(std::process::id()) > 0);
        assert_eq!(processes(std::process::id())[0], std::process::id());
    }
}
