//! The loop: what happens becomes events of services, and what they want done is done.
//!
//! One thread that waits for the kernel, and for nothing else.  `life` gives events to services and carries out their
//! actions; `processes` starts, finds and loses processes; `readiness` asks whether services are ready; `reload` reads the
//! profiles; `helpers` runs hooks and checks; `files` notices PID files; `ask` answers the control socket; `unit` is a
//! service with all that belongs to it.

mod ask;
mod files;
mod helpers;
mod life;
mod processes;
mod readiness;
mod reload;
mod unit;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::control::Control;
use crate::folder::Folder;
use crate::order::Order;
use crate::output::Outputs;
use crate::poll::{For, Poll, Source};
use crate::process;
use crate::record::Records;
use crate::report::{Level, Report};
use crate::service::{Event, Now};
use crate::spawn::Nursery;
use files::Files;
use helpers::Helper;
use unit::Unit;

/// The number of a service, which no other ever gets.
type Id = u32;

/// How often a group is looked at whose leader has ended, as long as it isn't empty.
const CLEARING: Duration = Duration::from_millis(20);
/// How often memory is looked at, where it is limited.
const MEMORY: Duration = Duration::from_secs(2);

/// Everything.
pub(crate) struct Supervisor {
    folder: Folder,
    report: Report,
    poll: Poll,
    signals: SignalFd,
    files: Files,
    control: Control,
    records: Records,
    outputs: Outputs,
    nursery: Nursery,
    units: BTreeMap<Id, Unit>,
    names: BTreeMap<String, Id>,
    next: Id,
    order: Order,
    events: VecDeque<(Id, Event)>,
    helpers: BTreeMap<u32, Helper>,
    next_helper: u32,
    now: Now,
    /// When memory and logs are looked at next.
    memory_due: Option<Duration>,
    ages_due: Option<Duration>,
    /// Services whose output has more than one turn takes.
    busy: Vec<Id>,
    /// Whether it is over.
    over: bool,
}

impl Supervisor {
    /// Opens everything; there is nothing to be supervised yet.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(folder: Folder, report: Report) -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let poll = Poll::new()?;
        let signals = signals()?;
        poll.add(&signals, Source::Signals, For::Reading)?;
        let files = Files::new(&poll)?;
        let control = Control::bind(&folder.own, folder.owner)?;
        control.watch(&poll)?;
        Ok(Self {
            records: Records::open(&folder.own, process::boot())?,
            outputs: Outputs::open(&folder.own)?,
            nursery: Nursery::new()?,
            units: BTreeMap::new(),
            names: BTreeMap::new(),
            next: 0,
            order: Order::default(),
            events: VecDeque::new(),
            helpers: BTreeMap::new(),
            next_helper: 0,
            now: now(),
            memory_due: None,
            ages_due: None,
            busy: Vec::new(),
            over: false,
            folder,
            report,
            poll,
            signals,
            files,
            control,
        })
    }

    /// Adopts what runs, starts what doesn't, and keeps it so until somebody says that it is over.
    ///
    /// # Errors
    /// The kernel can't be waited for any more.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.over {
            self.settle();
            let due = if self.busy.is_empty() { self.due() } else { Some(Duration::ZERO) };
            let sources = self.poll.wait(due, &self.now)?;
            self.now = now();
            for source in sources {
                self.heard(source);
            }
            self.pump_busy();
            self.time_passes();
        }
        self.drain();
        Ok(())
    }

    fn heard(&mut self, source: Source) {
        match source {
            Source::Signals => self.signalled(),
            Source::Files => self.files_changed(),
            Source::Listener => self.control.accept(&self.poll),
            Source::Client(number) => self.client(number),
            Source::Main(id) => self.main_ended(id),
            Source::Output(id) => self.pump(id),
            Source::Notify(id) => self.notified(id),
            Source::Probe(id) => self.probed(id),
            Source::Helper(number) => self.helper_ended(number),
        }
        self.settle();
    }

    fn signalled(&mut self) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            match Number::try_from(info.ssi_signo.cast_signed()) {
                Ok(Number::SIGCHLD) => self.reap(),
                Ok(Number::SIGHUP) => {
                    self.reload();
                }
                Ok(_) => self.over = true,
                Err(_) => {}
            }
        }
    }

    /// When something has to be done if nothing else happens.
    fn due(&self) -> Option<Duration> {
        let units = self.units.values().filter_map(Unit::due).min();
        let helpers = self.helpers.values().map(|helper| helper.by).min();
        let clearing = self.is_clearing().then(|| self.now.time + CLEARING);
        [units, helpers, clearing, self.memory_due, self.ages_due].into_iter().flatten().min()
    }

    fn time_passes(&mut self) {
        let time = self.now.time;
        let due: Vec<Id> = self
            .units
            .iter()
            .filter(|(_, unit)| unit.due().is_some_and(|due| due <= time))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.due_for(id);
            self.settle();
        }
        self.look_at_groups();
        self.end_late_helpers();
        if self.memory_due.is_some_and(|due| due <= time) {
            self.look_at_memory();
        }
        if self.ages_due.is_some_and(|due| due <= time) {
            self.look_at_ages();
        }
    }

    fn due_for(&mut self, id: Id) {
        let time = self.now.time;
        let Some(unit) = self.units.get_mut(&id) else { return };
        if unit.look.is_some_and(|due| due <= time) {
            unit.look = Some(time + files::AGAIN);
            self.look(id);
        }
        let Some(unit) = self.units.get(&id) else { return };
        if unit.service.due().is_some_and(|due| due <= time) {
            self.events.push_back((id, Event::Due));
        }
        self.ask_if_due(id);
    }

    fn say(&self, level: Level, about: Option<Id>, text: &str) {
        let about = about.and_then(|id| self.units.get(&id)).map(|unit| unit.name.as_str());
        self.report.say(&self.folder, level, about, text);
    }

    /// The last lines of all services, as far as they are there.
    fn drain(&mut self) {
        let ids: Vec<Id> = self.units.keys().copied().collect();
        for id in ids {
            self.pump(id);
        }
        self.say(Level::Info, None, "ends; services go on");
    }
}

fn now() -> Now {
    Now { time: process::now(), chance: chance() }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    // Without one, restarts that wait wait equally long.
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

/// Signals as something to read.
fn signals() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Number::SIGCHLD, Number::SIGHUP, Number::SIGTERM, Number::SIGINT] {
        set.add(signal);
    }
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
