//! A service with all that belongs to it: profile, process, output, checks.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::check::Checker;
use crate::control::protocol::{Phase, Status};
use crate::output::Output;
use crate::process::Watch;
use crate::profile::Profile;
use crate::record::Record;
use crate::service::{Policy, Readiness, Rest, Service, State};

/// A service.
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) profile: Profile,
    pub(super) policy: Policy,
    pub(super) service: Service,
    /// Its process, as the state has it.
    pub(super) watch: Option<Watch>,
    /// The group that may be signalled as a whole.
    pub(super) group: Option<i32>,
    /// The process of the last `run`, which has led a group.
    pub(super) run: Option<i32>,
    /// When the PID file had been written, if there was one, before that was started; nothing if none was.
    pub(super) tried: Option<Option<Duration>>,
    pub(super) output: Option<Output>,
    pub(super) checker: Option<Checker>,
    pub(super) notify: Option<UnixDatagram>,
    /// What was written down last.
    pub(super) recorded: Option<Record>,
    /// Why it ended last.
    pub(super) why: Option<String>,
    /// What it says about itself.
    pub(super) words: Option<String>,
    /// Whether others could use it when they were told last.
    pub(super) met: bool,
    /// It is to be stopped when nobody needs it any more.
    pub(super) stopping: bool,
    /// Its folder is gone.
    pub(super) retired: bool,
    /// When the PID file is looked at again, where its folder can't be watched.
    pub(super) look: Option<Duration>,
    /// Whether the folder of its PID file is watched.
    pub(super) awaited: bool,
    /// What is wrong with its profile, as it was read last.
    pub(super) troubles: Vec<String>,
    /// Whether there has ever been a profile in order.
    pub(super) sound: bool,
}

impl Unit {
    pub(super) fn new(name: String, profile: Profile) -> Self {
        Self {
            policy: policy(&profile),
            name,
            service: Service { wanted: !profile.down, ..Service::default() },
            profile,
            watch: None,
            group: None,
            run: None,
            tried: None,
            output: None,
            checker: None,
            notify: None,
            recorded: None,
            why: None,
            words: None,
            met: false,
            stopping: false,
            retired: false,
            look: None,
            awaited: false,
            troubles: Vec::new(),
            sound: true,
        }
    }

    /// One that can't be started, and why.
    pub(super) fn unsound(name: String, folder: std::path::PathBuf, troubles: Vec<String>) -> Self {
        Self { troubles, sound: false, ..Self::new(name, Profile::empty(folder)) }
    }

    /// Takes another profile.
    pub(super) fn take(&mut self, profile: Profile) {
        self.policy = policy(&profile);
        self.profile = profile;
        self.troubles.clear();
        self.sound = true;
    }

    /// Whether what depends on it may run: it is ready, or has done its work.
    pub(super) fn is_met(&self) -> bool {
        self.service.is_ready() || self.service.state == State::Idle(Rest::Exited)
    }

    /// The user whose processes its PID file may name; root's may become anybody.
    pub(super) fn uid(&self) -> u32 {
        self.profile.user.as_ref().map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid)
    }

    /// Who its log belongs to.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        self.profile.user.as_ref().map(|user| (user.uid, user.gid))
    }

    /// When something has to be done for it.
    pub(super) fn due(&self) -> Option<Duration> {
        let checks = self.checker.as_ref().and_then(Checker::due);
        [self.service.due(), checks, self.look].into_iter().flatten().min()
    }

    /// How it is.
    pub(super) fn status(&self, now: Duration, waits_for: &[String]) -> Status {
        let uptime = match &self.service.state {
            State::Up { since, .. } => Some((now.saturating_sub(*since)).as_secs_f64()),
            _ => None,
        };
        Status {
            name: self.name.clone(),
            state: self.phase(),
            pid: self.service.process().map(|process| process.pid),
            uptime: uptime.map(|uptime| (uptime * 1000.0).round() / 1000.0),
            restarts: self.service.tries.total(),
            wanted: self.service.wanted,
            why: self.reason(waits_for),
        }
    }

    fn phase(&self) -> Phase {
        match &self.service.state {
            _ if !self.sound => Phase::Failed,
            State::Idle(Rest::Down) => Phase::Down,
            State::Idle(Rest::Exited) => Phase::Exited,
            State::Idle(Rest::Failed(_)) => Phase::Failed,
            State::Waiting => Phase::Waiting,
            State::Delayed { .. } => Phase::Delayed,
            State::Launching | State::Starting { .. } | State::Settling { .. } => Phase::Starting,
            State::Up { ready: Readiness::Pending { .. }, .. } => Phase::Up,
            State::Up { ready: Readiness::Ready, .. } => Phase::Ready,
            State::Up { ready: Readiness::Unready, .. } => Phase::Unready,
            State::Stopping { .. } | State::Clearing { .. } => Phase::Stopping,
        }
    }

    fn reason(&self, waits_for: &[String]) -> Option<String> {
        match &self.service.state {
            _ if !self.troubles.is_empty() => Some(format!("its profile is not sound: {}", self.troubles.join("; "))),
            State::Idle(Rest::Failed(why)) => Some(why.clone()),
            State::Waiting => Some(format!("waits for {}", waits_for.join(", "))),
            State::Up { ready: Readiness::Ready, .. } => self.words.clone(),
            State::Up { .. } => self.words.clone().or_else(|| self.why.clone()),
            State::Idle(Rest::Down | Rest::Exited) => None,
            _ => self.why.clone(),
        }
    }
}

/// What of a profile decides about the life of its service.
fn policy(profile: &Profile) -> Policy {
    Policy {
        pid_file: profile.pid_file.is_some(),
        restart: profile.restart.clone(),
        start_timeout: profile.start_timeout,
        stop_timeout: profile.stop.timeout,
        ready: profile.ready.as_ref().map(|ready| ready.within),
        restart_unready: profile.ready.as_ref().is_some_and(|ready| ready.restart),
    }
}
