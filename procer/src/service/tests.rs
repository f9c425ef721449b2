//! The table, row by row, and what holds for any row.

use proptest::prelude::*;

use super::*;
use crate::profile::Restart;

const P: Process = Process { pid: 100, start: 7 };
const Q: Process = Process { pid: 200, start: 8 };
const OK: How = How::Exited(0);

fn policy() -> Policy {
    Policy {
        pid_file: false,
        restart: Some(Restart { jitter: 0, ..Restart::default() }),
        start_timeout: Duration::from_secs(10),
        stop_timeout: Duration::from_secs(5),
        ready: None,
        restart_unready: false,
    }
}

fn at(seconds: u64) -> Now {
    Now { time: Duration::from_secs(seconds), chance: 0.5 }
}

fn ended(how: How) -> Event {
    Event::Ended { how, left: false }
}

/// Gives a new service events at times, and compares what is left of all that was wanted from the last one.
fn run(policy: &Policy, events: &[(u64, Event)]) -> (Service, Vec<Action>) {
    let mut last = (Service::default(), Vec::new());
    for (time, event) in events {
        last = step(last.0, policy, event.clone(), &at(*time));
    }
    last
}

fn check(policy: &Policy, events: &[(u64, Event)], state: State, actions: &[Action]) {
    let (service, found) = run(policy, events);
    assert_eq!(service.state, state, "after {events:?}");
    assert_eq!(found, actions, "after {events:?}");
}

fn up(process: Process, since: u64) -> State {
    State::Up { process, since: Duration::from_secs(since), ready: Readiness::Ready }
}

#[test]
fn a_service_in_the_foreground() {
    let policy = policy();
    check(&policy, &[(0, Event::Start)], State::Launching, &[Action::Run]);
    let started = [(0, Event::Start), (1, Event::Spawned(P))];
    check(&policy, &started, up(P, 1), &[Action::Tell(News::Started(P)), Action::Tell(News::Ready)]);
    let died = [started.to_vec(), vec![(20, ended(How::Killed(9)))]].concat();
    let told = Action::Tell(News::Died(Why::Ended(How::Killed(9))));
    check(&policy, &died, State::Launching, &[told, Action::Run]);
}

#[test]
fn a_service_in_the_background() {
    let policy = Policy { pid_file: true, ..policy() };
    let by = Duration::from_secs(11);
    let started = [(0, Event::Start), (1, Event::Spawned(P))];
    check(&policy, &started, State::Starting { run: P, by }, &[]);
    let settling = [started.to_vec(), vec![(1, ended(OK))]].concat();
    check(&policy, &settling, State::Settling { by }, &[Action::Look]);
    let found = [settling.clone(), vec![(2, Event::Found(Q))]].concat();
    check(&policy, &found, up(Q, 2), &[Action::Tell(News::Started(Q)), Action::Tell(News::Ready)]);
    let stays = [started.to_vec(), vec![(2, Event::Found(P))]].concat();
    check(&policy, &stays, up(P, 2), &[Action::Tell(News::Started(P)), Action::Tell(News::Ready)]);
    let dead = [settling.clone(), vec![(2, ended(How::Unknown))]].concat();
    assert_eq!(run(&policy, &dead).0.state, State::Launching, "it has ended before it was found");
    let late = [settling, vec![(11, Event::Due)]].concat();
    let (service, actions) = run(&policy, &late);
    assert_eq!(service.state, State::Launching, "the first restart is at once");
    assert!(matches!(&actions[0], Action::Tell(News::Died(Why::Text(why))) if why.contains("PID file")));
    let slow = [started.to_vec(), vec![(10, Event::Due), (11, Event::Due)]].concat();
    assert!(matches!(run(&policy, &slow).0.state, State::Stopping { run: true, .. }));
}

#[test]
fn what_runs_already_is_not_started() {
    let policy = Policy { pid_file: true, ..policy() };
    check(
        &policy,
        &[(0, Event::Start), (0, Event::Found(Q))],
        up(Q, 0),
        &[Action::Tell(News::Started(Q)), Action::Tell(News::Ready)],
    );
    let adopted = |ready, run, wanted| Event::Adopted { process: Q, since: Duration::from_secs(1), ready, run, wanted };
    check(&policy, &[(3, adopted(true, false, true))], up(Q, 1), &[Action::Tell(News::Adopted(Q))]);
    let unwanted = adopted(true, false, false);
    assert!(matches!(run(&policy, &[(3, unwanted)]).0.state, State::Stopping { after: After::Rest, .. }));
    let half = adopted(false, true, true);
    assert!(matches!(run(&policy, &[(3, half)]).0.state, State::Starting { run: Q, .. }));
}

#[test]
fn what_depends_waits() {
    let policy = policy();
    let waiting = [(0, Event::Needs(false)), (0, Event::Start)];
    check(&policy, &waiting, State::Waiting, &[]);
    let met = [waiting.to_vec(), vec![(5, Event::Needs(true))]].concat();
    check(&policy, &met, State::Launching, &[Action::Run]);
    let lost = [met, vec![(5, Event::Spawned(P)), (6, Event::Needs(false)), (6, Event::Lost)]].concat();
    assert!(matches!(run(&policy, &lost).0.state, State::Stopping { after: After::Again, .. }));
    let ended_then = [lost.clone(), vec![(7, ended(How::Killed(15)))]].concat();
    check(&policy, &ended_then, State::Waiting, &[]);
    let good = [lost, vec![(6, Event::LostForGood), (7, ended(How::Killed(15)))]].concat();
    check(&policy, &good, State::Idle(Rest::Down), &[Action::Tell(News::Stopped)]);
}

#[test]
fn a_stop_asks_then_kills_the_group() {
    let policy = policy();
    let stop = vec![(0, Event::Start), (0, Event::Spawned(P)), (1, Event::Stop)];
    let stopping =
        |by, hard| State::Stopping { process: P, run: false, by: Duration::from_secs(by), hard, after: After::Rest };
    check(&policy, &stop, stopping(6, false), &[Action::Stop]);
    let deaf = [stop.clone(), vec![(6, Event::Due)]].concat();
    check(&policy, &deaf, stopping(11, true), &[Action::Kill]);
    let children = [stop, vec![(2, Event::Ended { how: OK, left: true })]].concat();
    let clearing = |by| State::Clearing { by: Duration::from_secs(by), after: After::Rest };
    check(&policy, &children, clearing(6), &[]);
    let deaf = [children.clone(), vec![(6, Event::Due)]].concat();
    check(&policy, &deaf, clearing(11), &[Action::Kill]);
    let cleared = [children, vec![(3, Event::Cleared)]].concat();
    check(&policy, &cleared, State::Idle(Rest::Down), &[Action::Tell(News::Stopped)]);
}

#[test]
fn what_a_dead_service_has_left_goes_before_the_next_one() {
    let policy = policy();
    let left = [(0, Event::Start), (0, Event::Spawned(P)), (1, Event::Ended { how: How::Killed(9), left: true })];
    assert!(matches!(run(&policy, &left).0.state, State::Clearing { after: After::Retry(..), .. }));
    let cleared = [left.to_vec(), vec![(1, Event::Cleared)]].concat();
    assert_eq!(run(&policy, &cleared).0.state, State::Launching);
}

#[test]
fn restarts_wait_longer_until_it_is_stable() {
    let policy = policy();
    let mut service = run(&policy, &[(0, Event::Start)]).0;
    let mut waits = Vec::new();
    let mut time = Duration::ZERO;
    for uptime in [1, 1, 1, 1, 20, 1] {
        service = step(service, &policy, Event::Spawned(P), &Now { time, chance: 0.5 }).0;
        time += Duration::from_secs(uptime);
        service = step(service, &policy, ended(How::Exited(1)), &Now { time, chance: 0.5 }).0;
        let until = service.due().unwrap_or(time);
        waits.push((until - time).as_millis());
        time = until;
        service = step(service, &policy, Event::Due, &Now { time, chance: 0.5 }).0;
        assert_eq!(service.state, State::Launching);
    }
    assert_eq!(waits, [0, 200, 400, 800, 0, 200]);
    assert_eq!(service.tries.total(), 6);
}

#[test]
fn too_many_restarts_are_a_failure_until_somebody_starts_it() {
    let restart = Restart { limit: 2, window: Duration::from_secs(10), delay: Duration::ZERO, ..Restart::default() };
    let policy = Policy { restart: Some(restart), ..policy() };
    let mut events = vec![(0, Event::Start)];
    for time in 1..4 {
        events.extend([(time, Event::Spawned(P)), (time, ended(How::Exited(3)))]);
    }
    let why = "exit status 3, for the 3th time in 10s".to_owned();
    assert_eq!(run(&policy, &events).0.state, State::Idle(Rest::Failed(why)));
    events.push((5, Event::Start));
    check(&policy, &events, State::Launching, &[Action::Run]);
    let slowly: Vec<_> = (0..9).flat_map(|n| [(n * 6, Event::Spawned(P)), (n * 6, ended(How::Exited(3)))]).collect();
    let slowly = [vec![(0, Event::Start)], slowly].concat();
    assert_eq!(run(&policy, &slowly).0.state, State::Launching, "never three within ten seconds");
}

#[test]
fn without_restart_the_end_is_the_end() {
    let policy = Policy { restart: None, ..policy() };
    let started = vec![(0, Event::Start), (0, Event::Spawned(P))];
    let end = |how| [started.clone(), vec![(1, ended(how))]].concat();
    assert_eq!(run(&policy, &end(OK)).0.state, State::Idle(Rest::Exited));
    assert_eq!(run(&policy, &end(How::Exited(2))).0.state, State::Idle(Rest::Failed("exit status 2".into())));
    let restart = Some(Restart { when: When::Failure, ..Restart::default() });
    let policy = Policy { restart, ..policy };
    assert_eq!(run(&policy, &end(OK)).0.state, State::Idle(Rest::Exited));
    assert_eq!(run(&policy, &end(How::Exited(2))).0.state, State::Launching);
}

#[test]
fn ready_comes_from_checks() {
    let policy = Policy { ready: Some(Duration::from_secs(9)), ..policy() };
    let by = Some(Duration::from_secs(9));
    let started = vec![(0, Event::Start), (0, Event::Spawned(P))];
    let since = Duration::ZERO;
    let state = State::Up { process: P, since, ready: Readiness::Pending { by } };
    check(&policy, &started, state, &[Action::Tell(News::Started(P)), Action::Check]);
    let ready = [started.clone(), vec![(1, Event::Ready)]].concat();
    check(&policy, &ready, up(P, 0), &[Action::Tell(News::Ready)]);
    let unready = [ready, vec![(2, Event::Unready("no answer".into()))]].concat();
    let state = State::Up { process: P, since, ready: Readiness::Unready };
    check(&policy, &unready, state, &[Action::Tell(News::Unready("no answer".into()))]);
    let restarting = Policy { restart_unready: true, ..policy.clone() };
    assert!(matches!(run(&restarting, &unready).0.state, State::Stopping { after: After::Retry(..), .. }));
    let late = [started, vec![(9, Event::Due)]].concat();
    assert!(matches!(run(&policy, &late).0.state, State::Stopping { after: After::Retry(..), .. }));
}

/// Processes as the kernel would have them.
#[derive(Debug, Default)]
struct World {
    main: Option<Process>,
    /// A service in the background that `run` has started.
    hidden: Option<Process>,
    next: i32,
    time: Duration,
}

/// What happens next.
#[derive(Debug, Clone)]
enum Happening {
    Asked(Event),
    Ends { status: i32, daemon: bool },
    TimePasses,
    Checked(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let asked = prop_oneof![
        Just(Event::Start),
        Just(Event::Stop),
        Just(Event::Restart),
        Just(Event::Lost),
        Just(Event::LostForGood),
        any::<bool>().prop_map(Event::Needs),
        Just(Event::Excess("too much".into())),
    ];
    let one = prop_oneof![
        asked.prop_map(Happening::Asked),
        (0..3, any::<bool>()).prop_map(|(status, daemon)| Happening::Ends { status, daemon }),
        Just(Happening::TimePasses),
        any::<bool>().prop_map(Happening::Checked),
    ];
    prop::collection::vec(one, 0..60)
}

impl World {
    /// A step, and whatever the actions lead to.
    fn give(&mut self, service: Service, policy: &Policy, event: Event) -> Service {
        let (mut service, actions) = step(service, policy, event, &Now { time: self.time, chance: 0.5 });
        for action in actions {
            match action {
                Action::Run => {
                    let event = match self.hidden.take() {
                        Some(process) => Event::Found(process),
                        None => Event::Spawned(self.spawn()),
                    };
                    if let Event::Found(process) = &event {
                        assert_eq!(self.main.replace(*process), None);
                    }
                    service = self.give(service, policy, event);
                }
                Action::Look => {
                    if let Some(process) = self.hidden.take() {
                        assert_eq!(self.main.replace(process), None);
                        service = self.give(service, policy, Event::Found(process));
                    }
                }
                Action::Kill => {
                    // What is killed ends, and whoever watches it is told.
                    if self.main.take().is_some() {
                        service = self.give(service, policy, ended(How::Killed(9)));
                    } else if matches!(service.state, State::Clearing { .. }) {
                        service = self.give(service, policy, Event::Cleared);
                    }
                }
                Action::Stop | Action::Check | Action::Tell(_) => {}
            }
        }
        service
    }

    fn spawn(&mut self) -> Process {
        assert_eq!((self.main, self.hidden), (None, None), "never two processes at once");
        self.next += 1;
        let process = Process { pid: self.next, start: 0 };
        self.main = Some(process);
        process
    }

    fn happen(&mut self, service: Service, policy: &Policy, happening: Happening) -> Service {
        match happening {
            Happening::Asked(event) => self.give(service, policy, event),
            Happening::Checked(true) => self.give(service, policy, Event::Ready),
            Happening::Checked(false) => self.give(service, policy, Event::Unready("no".into())),
            Happening::TimePasses => self.pass(service, policy),
            Happening::Ends { status, daemon } => {
                if self.main.take().is_none() {
                    return service;
                }
                if daemon && matches!(service.state, State::Starting { .. }) {
                    self.next += 1;
                    self.hidden = Some(Process { pid: self.next, start: 0 });
                }
                self.give(service, policy, ended(How::Exited(status)))
            }
        }
    }

    /// Whatever waits for time gets it.
    fn pass(&mut self, service: Service, policy: &Policy) -> Service {
        let Some(due) = service.due() else { return service };
        self.time = self.time.max(due);
        let before = service.clone();
        let after = self.give(service, policy, Event::Due);
        assert_ne!(before, after, "a timer that is set leads to something");
        after
    }
}

proptest! {
    #[test]
    fn there_is_one_process_at_most_and_every_stop_ends(
        pid_file in any::<bool>(),
        restarts in any::<bool>(),
        checks in any::<bool>(),
        happenings in happenings(),
    ) {
        let policy = Policy {
            pid_file,
            restart: restarts.then(Restart::default),
            ready: checks.then(|| Duration::from_secs(3)),
            ..policy()
        };
        let mut world = World::default();
        let mut service = Service::default();
        for happening in happenings {
            service = world.happen(service, &policy, happening);
            prop_assert_ne!(&service.state, &State::Launching);
            if let Some(process) = service.process() {
                prop_assert_eq!(world.main, Some(process), "what it takes for its process runs");
            } else {
                prop_assert_eq!(world.main, None, "what runs is known");
            }
            if !service.wanted && world.main.is_some() {
                let stopping = matches!(service.state, State::Stopping { after: After::Rest | After::Retry(..), .. });
                prop_assert!(stopping, "{:?}", service.state);
            }
        }
        // A process that ignores everything but SIGKILL.
        service = world.give(service, &policy, Event::Stop);
        for _ in 0..4 {
            service = world.pass(service, &policy);
        }
        prop_assert_eq!(&service.state, &State::Idle(Rest::Down));
        prop_assert_eq!(world.main, None);
    }
}
