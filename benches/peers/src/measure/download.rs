//! A file that is too long to be kept in memory, again and again.

use std::io;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::Error;
use crate::running::Running;

const MIB: f64 = 1024.0 * 1024.0;

/// How fast it comes, what the memory grows by at most meanwhile, and the CPU time of a MiB.
pub(super) fn measure(running: &Running, path: &str, turn: Duration) -> Result<Vec<f64>, Error> {
    running.peak_memory();
    let (memory, cpu, began) = (running.memory(), running.cpu(), Instant::now());
    let size = download(running, path, began + turn).map_err(Error::doing("download"))? as f64 / MIB;
    let lasted = began.elapsed().as_secs_f64();
    let grown = running.peak_memory().saturating_sub(memory);
    let cpu = running.cpu().saturating_sub(cpu).as_secs_f64();
    Ok(vec![size / lasted, grown as f64, cpu / size])
}

/// Bytes that have come; the last file is whole.
fn download(running: &Running, path: &str, end: Instant) -> io::Result<usize> {
    let mut client = Client::connect(running.site.address)?;
    let path = running.path(path);
    let mut size = 0;
    while Instant::now() < end {
        size += client.size(&path)?;
    }
    Ok(size)
}
