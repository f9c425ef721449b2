//! A body that is too long to be kept in memory.

use std::io;
use std::time::Instant;

use crate::client::{Client, broken};
use crate::error::Error;
use crate::running::Running;

const MIB: f64 = 1024.0 * 1024.0;

/// How fast a body gets into a file, what the memory grows by meanwhile, and the CPU time.
pub(super) fn measure(running: &Running, size: usize) -> Result<Vec<f64>, Error> {
    running.peak_memory();
    let (memory, cpu, began) = (running.memory(), running.cpu(), Instant::now());
    upload(running, size).map_err(Error::doing("upload"))?;
    let lasted = began.elapsed().as_secs_f64();
    let grown = running.peak_memory().saturating_sub(memory);
    let cpu = running.cpu().saturating_sub(cpu);
    Ok(vec![size as f64 / MIB / lasted, grown as f64, cpu.as_secs_f64()])
}

fn upload(running: &Running, size: usize) -> io::Result<()> {
    let stored = Client::connect(running.site.address)?.post(&running.path("upload"), size)?;
    if stored == size.to_string() { Ok(()) } else { Err(broken(&format!("the file has {stored} bytes"))) }
}
