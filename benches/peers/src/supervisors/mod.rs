//! Compares procer with runit and supervisord: `cargo run --release -p peers -- supervisors`.
//!
//! Each keeps so many services that do nothing.  A service says its process ID into a pipe when it has been started, which
//! is all that is listened to: nobody is asked, and nothing is polled.  [`kind`]: how each is configured, started and ended.

mod kind;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};
use rustix::process::{Pid, Signal, kill_process};

use self::kind::Kind;
use crate::args::Crew;
use crate::error::Error;
use crate::usage;

/// How long a supervisor is watched while nothing happens.
const REST: Duration = Duration::from_secs(5);
/// How often a service is killed in one round.
const KILLS: usize = 20;

/// What one round has come to.
struct Sample {
    started: Duration,
    back: Duration,
    memory: u64,
    cpu: Duration,
}

/// Measures all that are installed, in turns.
pub(crate) fn run(crew: &Crew) -> Result<(), Error> {
    let kinds = kind::find(crew.procer.as_deref())?;
    for services in &crew.services {
        let mut samples: Vec<Vec<Sample>> = kinds.iter().map(|_| Vec::new()).collect();
        for _ in 0..crew.rounds {
            for (kind, samples) in kinds.iter().zip(&mut samples) {
                eprintln!("measuring {} with {services} services", kind.name());
                samples.push(sample(kind, *services)?);
            }
        }
        println!("### {services} services\n");
        println!(
            "| supervisor | all started | back after SIGKILL | memory | CPU in 5 s |\n| --- | ---:| ---:| ---:| ---:|"
        );
        kinds.iter().zip(samples).for_each(|(kind, samples)| println!("{}", line(kind.name(), &samples)));
        println!();
    }
    Ok(())
}

fn line(name: &str, samples: &[Sample]) -> String {
    let middle = |figure: &dyn Fn(&Sample) -> f64| {
        let mut figures: Vec<f64> = samples.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    format!(
        "| {name} | {:.0} ms | {:.1} ms | {:.1} MiB | {:.0} ms |",
        middle(&|sample| sample.started.as_secs_f64() * 1e3),
        middle(&|sample| sample.back.as_secs_f64() * 1e3),
        middle(&|sample| sample.memory as f64 / 1024.0 / 1024.0),
        middle(&|sample| sample.cpu.as_secs_f64() * 1e3),
    )
}

/// A supervisor with its services; all of them end with it.
struct Running<'a> {
    kind: &'a Kind,
    folder: &'a Path,
    child: Child,
    services: Vec<i32>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.kind.end(self.folder, &mut self.child);
        self.services.iter().for_each(|pid| kill(*pid));
    }
}

fn sample(kind: &Kind, services: usize) -> Result<Sample, Error> {
    let folder = tempfile::tempdir().map_err(Error::doing("make a folder"))?;
    let folder = folder.path();
    let pipe = folder.join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).map_err(std::io::Error::from).map_err(Error::doing("make a pipe"))?;
    // Open for writing too, so that it never ends.
    let listened = open(&pipe, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(std::io::Error::from);
    let mut lines = BufReader::new(File::from(listened.map_err(Error::doing("open a pipe"))?)).lines();
    let mut next = || {
        let line = lines.next().expect("the pipe has no end").map_err(Error::doing("read a pipe"))?;
        Ok::<i32, Error>(line.trim().parse().expect("services say numbers"))
    };
    kind.configure(folder, &pipe, services).map_err(Error::doing("write services"))?;
    let begun = Instant::now();
    let child = kind.start(folder).map_err(Error::doing("start a supervisor"))?;
    let mut running = Running { kind, folder, child, services: Vec::new() };
    for _ in 0..services {
        running.services.push(next()?);
    }
    let started = begun.elapsed();
    // supervisord and runit take a second until they count a service as started.
    thread::sleep(Duration::from_secs(2));
    let (memory, cpu) = rest(&running);
    let mut waits = Vec::new();
    for index in 0..KILLS.min(services) {
        // runsv waits a second if a service has run for less than that.
        let killed = Instant::now();
        kill(running.services[index]);
        running.services[index] = next()?;
        waits.push(killed.elapsed());
    }
    waits.sort();
    Ok(Sample { started, back: waits[waits.len() / 2], memory, cpu })
}

/// What the supervisor's own processes take while nothing happens.
fn rest(running: &Running<'_>) -> (u64, Duration) {
    let own = |pid: &u32| !running.services.iter().any(|service| service.unsigned_abs() == *pid);
    let processes: Vec<u32> = usage::processes(running.child.id()).into_iter().filter(own).collect();
    let memory = processes.iter().map(|pid| usage::memory_of(*pid)).sum();
    let before = usage::cpu(running.child.id());
    thread::sleep(REST);
    (memory, usage::cpu(running.child.id()).saturating_sub(before))
}

fn kill(pid: i32) {
    // It may have ended already.
    let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
}
