//! Scripts beside services: hooks, and those that ask whether a service is ready.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use super::{Id, Supervisor};
use crate::control::protocol::Kind;
use crate::folder::RUN_LOG;
use crate::poll::{For, Source};
use crate::process::{self, Watch};
use crate::report::Level;
use crate::service::{How, Why};
use crate::signal::Signal;
use crate::spawn::{self, Order};

/// How long a hook may take.
const HOOK: Duration = Duration::from_secs(60);
/// More of them at the same time are a storm, and are not run.
const MAX_HOOKS: usize = 64;

/// A script at work.
pub(super) struct Helper {
    pub(super) watch: Watch,
    /// When it is killed.
    pub(super) by: Duration,
    service: Id,
    purpose: Purpose,
}

/// What it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    /// To ask whether the service is ready.
    Check,
    /// To do something about what has happened.
    Hook(String),
}

impl Supervisor {
    /// Runs a hook, if the profile has it.
    pub(super) fn run_hook(&mut self, id: Id, name: &str, kind: Kind) {
        let Some(unit) = self.units.get(&id) else { return };
        let Some(program) = spawn::hook(&unit.profile, name) else { return };
        if self.helpers.len() >= MAX_HOOKS {
            return self.say(Level::Warning, Some(id), &format!("`{name}` is not run: too many hooks are at work"));
        }
        let mut env = vec![("PROCER_EVENT".to_owned(), kind.word().to_owned())];
        env.push(("PROCER_WHY".to_owned(), unit.why.clone().unwrap_or_default()));
        env.push((
            "PROCER_PID".to_owned(),
            unit.service.process().map(|process| process.pid.to_string()).unwrap_or_default(),
        ));
        if let Err(error) = self.help(id, &program, env, HOOK, Purpose::Hook(name.to_owned())) {
            self.say(Level::Error, Some(id), &format!("cannot run `{name}`: {error}"));
        }
    }

    /// Runs a script that asks whether a service is ready; its number.
    pub(super) fn run_check(&mut self, id: Id, program: &Path, timeout: Duration) -> std::io::Result<u32> {
        self.help(id, program, Vec::new(), timeout, Purpose::Check)
    }

    fn help(
        &mut self,
        id: Id,
        program: &Path,
        more: Vec<(String, String)>,
        time: Duration,
        purpose: Purpose,
    ) -> std::io::Result<u32> {
        let unit = self.units.get(&id).ok_or(std::io::ErrorKind::NotFound)?;
        let output = match &unit.output {
            Some(_) => self.outputs.end(&unit.name)?,
            None => self.folder.log(RUN_LOG)?,
        };
        let env = [self.variables(&unit.name, &unit.profile), more].concat();
        let child = self.nursery.spawn(&Order { program, profile: &unit.profile, env, output: output.as_fd() })?;
        let watch = Watch::open(child.process)?.ok_or(std::io::ErrorKind::NotFound)?;
        self.poll.add(&watch.pidfd, Source::Helper(self.next_helper), For::Reading)?;
        child.go();
        let number = self.next_helper;
        self.next_helper = self.next_helper.wrapping_add(1);
        self.helpers.insert(number, Helper { watch, by: self.now.time + time, service: id, purpose });
        Ok(number)
    }

    /// The kernel says that a script has ended.
    pub(super) fn helper_ended(&mut self, number: u32) {
        if let Some(how) = self.helpers.get(&number).and_then(|helper| helper.watch.end()) {
            self.helper_done(number, how);
        }
    }

    /// A script has ended.
    pub(super) fn helper_done(&mut self, number: u32, how: How) {
        let Some(helper) = self.helpers.remove(&number) else { return };
        self.poll.remove(&helper.watch.pidfd);
        let result = if how == How::Exited(0) { Ok(()) } else { Err(Why::Ended(how).to_string()) };
        match helper.purpose {
            Purpose::Check => {
                self.checked(helper.service, number, result.map_err(|why| format!("its check says no: {why}")));
            }
            Purpose::Hook(name) => {
                if let Err(why) = result {
                    self.say(Level::Warning, Some(helper.service), &format!("`{name}`: {why}"));
                }
            }
        }
    }

    /// Kills scripts that take too long, with all that they have started.
    pub(super) fn end_late_helpers(&mut self) {
        let time = self.now.time;
        let late: Vec<u32> =
            self.helpers.iter().filter(|(_, helper)| helper.by <= time).map(|(number, _)| *number).collect();
        for number in late {
            self.kill_helper(number);
        }
    }

    /// Kills a script; its end comes as that of any other.
    pub(super) fn kill_helper(&mut self, number: u32) {
        let Some(helper) = self.helpers.get_mut(&number) else { return };
        helper.by = self.now.time + HOOK;
        process::signal_group(helper.watch.process.pid, Signal::KILL);
        // Should it not have made its group yet.
        let _ = helper.watch.signal(Signal::KILL);
    }
}
