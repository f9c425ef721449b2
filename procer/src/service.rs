//! The life of a service: `(service, event, now) → (service, actions)`, one table.
//!
//! Pure: it reads no clock, knows no process but by its number, and leaves all doing to `supervise`.  Times are since the
//! machine's boot.  A state carries what exists in it and nothing else, so that there are never two processes of a service.

#[cfg(test)]
mod tests;
mod tries;
mod types;

pub use tries::Tries;
pub use types::{Action, After, Event, How, News, Now, Policy, Process, Readiness, Rest, Service, State, Why};

use std::time::Duration;

use crate::profile::When;

/// How often SIGKILL is repeated, should a process outlive one.
const AGAIN: Duration = Duration::from_secs(5);

/// What a service becomes by an event, and what has to be done.
///
/// The outcome of [`Action::Run`] has to be the next event.
#[must_use]
pub fn step(service: Service, policy: &Policy, event: Event, now: &Now) -> (Service, Vec<Action>) {
    let mut turn = Turn { service, policy, now, actions: Vec::new() };
    turn.note(&event);
    let state = std::mem::replace(&mut turn.service.state, State::Idle(Rest::Down));
    turn.service.state = turn.table(state, event);
    (turn.service, turn.actions)
}

struct Turn<'a> {
    service: Service,
    policy: &'a Policy,
    now: &'a Now,
    actions: Vec<Action>,
}

impl Turn<'_> {
    /// What holds in whatever state.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Start | Event::Restart => {
                self.service.wanted = true;
                self.service.tries.forget();
            }
            Event::Stop | Event::LostForGood => self.service.wanted = false,
            Event::Needs(met) => self.service.met = *met,
            Event::Adopted { wanted, .. } => self.service.wanted = *wanted,
            _ => {}
        }
    }

    /// The table: every state by every event.
    fn table(&mut self, state: State, event: Event) -> State {
        match (state, event) {
            // What rests, and what waits for something.
            (State::Idle(_) | State::Waiting | State::Delayed { .. }, Event::Start | Event::Restart) => self.begin(),
            (State::Waiting | State::Delayed { .. } | State::Idle(_), Event::Stop | Event::LostForGood) => {
                self.rest(Rest::Down)
            }
            (State::Waiting, Event::Needs(true)) => self.begin(),
            (State::Delayed { until }, Event::Due) if self.now.time >= until => self.begin(),
            (State::Idle(_) | State::Waiting | State::Delayed { .. }, Event::Found(process)) if self.service.wanted => {
                self.up(process)
            }
            (State::Idle(_), Event::Adopted { process, since, ready, run, .. }) => {
                self.adopted(process, since, ready, run)
            }

            // What is about to run.
            (State::Launching, Event::Spawned(process)) if self.policy.pid_file => self.starting(process),
            (State::Launching, Event::Spawned(process) | Event::Found(process)) => self.up(process),
            (State::Launching, Event::Unspawnable(why)) => self.died(Why::Text(why), Duration::ZERO),

            // `run` of a service that goes into the background.
            (State::Starting { run, .. }, Event::Found(process)) if process == run => self.up(process),
            (State::Starting { .. }, Event::Ended { how: How::Exited(0), .. }) => self.settling(),
            (State::Starting { .. }, Event::Ended { how, left }) => self.gone(left, Why::Ended(how), Duration::ZERO),
            (State::Starting { run, .. }, Event::Stop | Event::LostForGood) => self.stopping(run, true, After::Rest),
            (State::Starting { run, .. }, Event::Restart | Event::Lost) => self.stopping(run, true, After::Again),
            (State::Starting { run, by }, Event::Due) if self.now.time >= by => {
                self.stopping(run, true, After::Retry(Why::Text("`run` did not end in time".into()), Duration::ZERO))
            }
            (State::Settling { .. }, Event::Found(process)) if self.service.wanted => self.up(process),
            (State::Settling { .. }, Event::Found(process)) => self.stopping(process, false, After::Rest),
            (State::Settling { .. }, Event::Ended { how, left }) if self.service.wanted => {
                self.gone(left, Why::Ended(how), Duration::ZERO)
            }
            (State::Settling { by }, Event::Due) if self.now.time >= by => self.unsettled(),

            // What runs.
            (State::Up { process, .. }, Event::Stop | Event::LostForGood) => self.stopping(process, false, After::Rest),
            (State::Up { process, .. }, Event::Restart | Event::Lost) => self.stopping(process, false, After::Again),
            (State::Up { since, .. }, Event::Ended { how, left }) => {
                self.gone(left, Why::Ended(how), self.now.time.saturating_sub(since))
            }
            (State::Up { since, ready, .. }, Event::Found(process)) => {
                self.actions.push(Action::Tell(News::Started(process)));
                State::Up { process, since, ready }
            }
            (State::Up { process, since, .. }, Event::Ready) => self.ready(process, since),
            (State::Up { process, since, ready: Readiness::Ready }, Event::Unready(why)) => {
                self.unready(process, since, why)
            }
            (State::Up { process, since, .. }, Event::Excess(why)) => {
                self.stopping(process, false, After::Retry(Why::Text(why), self.now.time.saturating_sub(since)))
            }
            (State::Up { process, since, ready: Readiness::Pending { by: Some(by) } }, Event::Due)
                if self.now.time >= by =>
            {
                let uptime = self.now.time.saturating_sub(since);
                self.stopping(process, false, After::Retry(Why::Text("it was not ready in time".into()), uptime))
            }

            // What is about to end.
            (State::Stopping { process, run, by, hard, .. }, Event::Stop | Event::LostForGood) => {
                State::Stopping { process, run, by, hard, after: After::Rest }
            }
            (State::Stopping { process, run, by, hard, .. }, Event::Start | Event::Restart) => {
                State::Stopping { process, run, by, hard, after: After::Again }
            }
            (State::Stopping { process, run, by, after, .. }, Event::Due) if self.now.time >= by => {
                self.actions.push(Action::Kill);
                State::Stopping { process, run, by: self.now.time + AGAIN, hard: true, after }
            }
            (State::Stopping { after, by, .. }, Event::Ended { left: true, .. }) => State::Clearing { by, after },
            (State::Stopping { after, .. }, Event::Ended { left: false, .. }) => self.then(after),
            (State::Clearing { by, .. }, Event::Stop | Event::LostForGood) => {
                State::Clearing { by, after: After::Rest }
            }
            (State::Clearing { by, .. }, Event::Start | Event::Restart) => State::Clearing { by, after: After::Again },
            (State::Clearing { by, after }, Event::Due) if self.now.time >= by => {
                self.actions.push(Action::Kill);
                State::Clearing { by: self.now.time + AGAIN, after }
            }
            (State::Clearing { after, .. }, Event::Cleared) => self.then(after),

            // Whatever else comes was meant for a state that is over.
            (state, _) => state,
        }
    }

    /// Starts, or waits for what it depends on.
    fn begin(&mut self) -> State {
        if !self.service.met {
            return State::Waiting;
        }
        self.actions.push(Action::Run);
        State::Launching
    }

    fn rest(&mut self, rest: Rest) -> State {
        match &rest {
            Rest::Down => self.actions.push(Action::Tell(News::Stopped)),
            Rest::Failed(why) => self.actions.push(Action::Tell(News::Failed(why.clone()))),
            Rest::Exited => {}
        }
        State::Idle(rest)
    }

    fn adopted(&mut self, process: Process, since: Duration, ready: bool, run: bool) -> State {
        self.actions.push(Action::Tell(News::Adopted(process)));
        if !self.service.wanted {
            return self.stopping(process, run, After::Rest);
        }
        if run {
            return self.starting(process);
        }
        match self.policy.ready {
            Some(_) if !ready => self.pending(process, since),
            Some(_) => {
                self.actions.push(Action::Check);
                State::Up { process, since, ready: Readiness::Ready }
            }
            None => State::Up { process, since, ready: Readiness::Ready },
        }
    }

    fn starting(&mut self, run: Process) -> State {
        State::Starting { run, by: self.now.time + self.policy.start_timeout }
    }

    fn settling(&mut self) -> State {
        self.actions.push(Action::Look);
        State::Settling { by: self.now.time + self.policy.start_timeout }
    }

    /// Nobody has made a PID file.
    fn unsettled(&mut self) -> State {
        if !self.service.wanted {
            return self.rest(Rest::Down);
        }
        self.died(Why::Text("`run` has ended, but its PID file names no process of it".into()), Duration::ZERO)
    }

    fn up(&mut self, process: Process) -> State {
        self.actions.push(Action::Tell(News::Started(process)));
        match self.policy.ready {
            None => self.ready(process, self.now.time),
            Some(_) => self.pending(process, self.now.time),
        }
    }

    /// It runs, and is asked from now on whether it is ready.
    fn pending(&mut self, process: Process, since: Duration) -> State {
        self.actions.push(Action::Check);
        let within = self.policy.ready.filter(|within| !within.is_zero());
        State::Up { process, since, ready: Readiness::Pending { by: within.map(|within| self.now.time + within) } }
    }

    fn ready(&mut self, process: Process, since: Duration) -> State {
        self.actions.push(Action::Tell(News::Ready));
        State::Up { process, since, ready: Readiness::Ready }
    }

    fn unready(&mut self, process: Process, since: Duration, why: String) -> State {
        self.actions.push(Action::Tell(News::Unready(why.clone())));
        if self.policy.restart_unready {
            let uptime = self.now.time.saturating_sub(since);
            return self.stopping(process, false, After::Retry(Why::Text(why), uptime));
        }
        State::Up { process, since, ready: Readiness::Unready }
    }

    fn stopping(&mut self, process: Process, run: bool, after: After) -> State {
        self.actions.push(Action::Stop);
        State::Stopping { process, run, by: self.now.time + self.policy.stop_timeout, hard: false, after }
    }

    /// A process has ended by itself; others of its group may be left, and go before there is another.
    fn gone(&mut self, left: bool, why: Why, uptime: Duration) -> State {
        if !left {
            return self.died(why, uptime);
        }
        self.actions.push(Action::Stop);
        State::Clearing { by: self.now.time + self.policy.stop_timeout, after: After::Retry(why, uptime) }
    }

    fn then(&mut self, after: After) -> State {
        match after {
            // It may have put another process into the background, which goes as well.
            After::Rest if self.policy.pid_file => {
                self.actions.push(Action::Look);
                State::Settling { by: self.now.time }
            }
            After::Rest => self.rest(Rest::Down),
            // Before each start the PID file is looked at anyway.
            After::Again => self.begin(),
            After::Retry(why, uptime) => self.died(why, uptime),
        }
    }

    /// What the policy says about an end that nobody has asked for.
    fn died(&mut self, why: Why, uptime: Duration) -> State {
        self.actions.push(Action::Tell(News::Died(why.clone())));
        let well = why == Why::Ended(How::Exited(0));
        if !self.service.wanted {
            return self.rest(Rest::Down);
        }
        let Some(restart) = &self.policy.restart else {
            return self.rest(if well { Rest::Exited } else { Rest::Failed(why.to_string()) });
        };
        if well && restart.when == When::Failure {
            return self.rest(Rest::Exited);
        }
        match self.service.tries.next(restart, uptime, self.now) {
            None => {
                let limit = format!("{why}, for the {}th time in {:?}", restart.limit + 1, restart.window);
                self.rest(Rest::Failed(limit))
            }
            Some(Duration::ZERO) => self.begin(),
            Some(wait) => {
                self.actions.push(Action::Tell(News::Delayed(wait)));
                State::Delayed { until: self.now.time + wait }
            }
        }
    }
}
