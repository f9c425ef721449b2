//! The proxies of the site in force, for what goes on when another takes its place: their pinned sessions.
//!
//! A session belongs to the upstreams and the cookie of its proxy.  While some proxy of the site has the same, it goes
//! on; when none has any more, it ends.  Here is also who looks whether the time of sessions is up.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mongrel2::config::{self, Settings};
use tokio::time::sleep_until;

use super::names::System;
use super::register::Register;
use super::session::{Seen, Span};
use super::sessions::{Limits, Numbers, Sessions};
use super::{Fallback, Proxy};
use crate::site::Site;

/// How often it is looked at most.
const TICK: Duration = Duration::from_secs(1);

/// What is kept of the proxies.
#[derive(Debug)]
pub(crate) struct Proxies {
    register: Register,
    numbers: Numbers,
    /// Those with sessions, no two with the same.
    pinned: Vec<Routed>,
    /// When it is looked next; `None` if there is nothing to look at.
    next: Option<Instant>,
}

/// A proxy, and the path of its route.
#[derive(Debug, Clone)]
pub(crate) struct Routed {
    pub(crate) route: String,
    pub(crate) proxy: Arc<Proxy>,
}

impl Proxies {
    /// Starts without any.
    pub(crate) fn new(system: System) -> Self {
        Self { register: Register::new(system), numbers: Numbers::default(), pinned: Vec::new(), next: None }
    }

    /// Has these name servers asked from now on; without any, those of the system.
    pub(crate) fn ask(&mut self, nameservers: &[SocketAddr]) {
        self.register.ask(nameservers);
    }

    /// A proxy with the upstreams that exist, and new ones.
    pub(crate) fn proxy(
        &mut self,
        config: &config::Proxy,
        fallback: Option<Fallback>,
        sessions: Option<Arc<Sessions>>,
    ) -> Proxy {
        self.register.proxy(config, fallback, sessions)
    }

    /// The sessions of a proxy that is being built, if it has any: those of one in `built`, of one in force, or new
    /// ones.
    pub(crate) fn sessions_of(
        &self,
        config: &config::Proxy,
        settings: &Settings,
        built: &[Routed],
    ) -> Option<Arc<Sessions>> {
        if config.session_cookie.is_empty() {
            return None;
        }
        let mut known = built.iter().chain(&self.pinned).filter(|known| pin(&known.proxy.config) == pin(config));
        let known = known.find_map(|known| known.proxy.sessions.clone());
        Some(known.unwrap_or_else(|| Arc::new(Sessions::new(limits(config, settings), self.numbers.clone()))))
    }

    /// Goes on with the proxies of the site that is now in force; sessions that none of them has, end.
    pub(crate) fn keep(&mut self, site: &Site) {
        self.pin(site.proxies(), &site.settings);
    }

    /// All sessions, with the paths of their routes.
    pub(crate) fn sessions(&self, now: Instant) -> impl Iterator<Item = (&str, Seen)> {
        self.pools().flat_map(move |(routed, sessions)| {
            sessions.list(now).into_iter().map(|seen| (routed.route.as_str(), seen))
        })
    }

    /// Ends the session of that number, if there is one.
    pub(crate) fn end(&self, number: u64) -> bool {
        self.pools().any(|(_, sessions)| sessions.end(number))
    }

    /// Ends sessions whose time is up, when it is; nothing is lost if this is dropped.
    pub(crate) async fn sweep(&mut self) -> Infallible {
        loop {
            let Some(next) = self.next else {
                return std::future::pending().await;
            };
            sleep_until(next.into()).await;
            let now = Instant::now();
            let wait = self.pools().map(|(_, sessions)| sessions.sweep(now)).min();
            self.next = wait.map(|wait| now + wait.max(TICK));
        }
    }

    fn pin(&mut self, proxies: &[Routed], settings: &Settings) {
        let mut pinned: Vec<Routed> = Vec::new();
        for routed in proxies {
            let Some(sessions) = &routed.proxy.sessions else { continue };
            if !has(&pinned, sessions) {
                sessions.limit(limits(&routed.proxy.config, settings));
                pinned.push(routed.clone());
            }
        }
        let old = std::mem::replace(&mut self.pinned, pinned);
        let gone = old.iter().filter_map(|routed| routed.proxy.sessions.as_ref());
        gone.filter(|sessions| !has(&self.pinned, sessions)).for_each(|sessions| sessions.close());
        self.next = (!self.pinned.is_empty()).then(Instant::now);
    }

    fn pools(&self) -> impl Iterator<Item = (&Routed, &Sessions)> {
        self.pinned.iter().filter_map(|routed| Some((routed, &**routed.proxy.sessions.as_ref()?)))
    }
}

/// What sessions belong to: upstreams, in whatever order, and the name of the cookie.
fn pin(config: &config::Proxy) -> (Vec<(&str, i64)>, &str) {
    let mut upstreams: Vec<_> = config.all_upstreams().collect();
    upstreams.sort_unstable();
    (upstreams, &config.session_cookie)
}

fn has(pinned: &[Routed], sessions: &Arc<Sessions>) -> bool {
    pinned.iter().filter_map(|routed| routed.proxy.sessions.as_ref()).any(|known| Arc::ptr_eq(known, sessions))
}

fn limits(config: &config::Proxy, settings: &Settings) -> Limits {
    let seconds = |seconds: i64| Duration::from_secs(seconds.try_into().expect("checked"));
    let max = seconds(config.session_max);
    let span = Span { idle: seconds(config.session_idle), max: (!max.is_zero()).then_some(max) };
    Limits { span, count: settings.sessions }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings() -> Settings {
        Settings::new(&BTreeMap::new())
    }

    fn config(upstreams: &[i64], cookie: &str) -> config::Proxy {
        let more = upstreams[1..].iter().map(|&port| config::Upstream { addr: "a".into(), port });
        let (upstreams, port) = (more.collect(), upstreams[0]);
        config::Proxy { addr: "a".into(), port, upstreams, session_cookie: cookie.into(), ..Default::default() }
    }

    /// Goes on with a site that has such proxies.
    fn reload(proxies: &mut Proxies, configs: &[config::Proxy]) -> Vec<Option<Arc<Sessions>>> {
        let settings = settings();
        let mut built = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            let sessions = proxies.sessions_of(config, &settings, &built);
            let proxy = Arc::new(proxies.proxy(config, None, sessions));
            built.push(Routed { route: format!("/{index}"), proxy });
        }
        proxies.pin(&built, &settings);
        built.iter().map(|routed| routed.proxy.sessions.clone()).collect()
    }

    #[test]
    fn sessions_stay_with_upstreams_and_cookie() {
        for (old, new, stays) in [
            (config(&[1], "sid"), config(&[1], "sid"), true),
            (config(&[1, 2], "sid"), config(&[2, 1], "sid"), true),
            (config(&[1], "sid"), config::Proxy { session_idle: 5, ..config(&[1], "sid") }, true),
            (config(&[1], "sid"), config(&[1], "other"), false),
            (config(&[1], "sid"), config(&[1], ""), false),
            (config(&[1], "sid"), config(&[2], "sid"), false),
            (config(&[1], "sid"), config(&[1, 2], "sid"), false),
        ] {
            let (mut proxies, now) = (Proxies::new(System::read()), Instant::now());
            let before = reload(&mut proxies, &[old]).remove(0).unwrap();
            let (token, session) = before.open(now).unwrap();
            let after = reload(&mut proxies, std::slice::from_ref(&new)).remove(0);
            let is_found = after.is_some_and(|after| after.find(&token, now).is_some());
            assert_eq!((is_found, before.open(now).is_ok()), (stays, stays), "{new:?}");
            assert_eq!(proxies.end(session.number), stays, "{new:?}");
        }
    }

    #[test]
    fn proxies_share_sessions_and_none_has_those_of_others() {
        let (mut proxies, now) = (Proxies::new(System::read()), Instant::now());
        let other = config::Proxy { first_byte_timeout: 5, ..config(&[1], "sid") };
        let sessions = reload(&mut proxies, &[config(&[1], "sid"), other, config(&[2], "sid"), config(&[1], "")]);
        let [Some(first), Some(second), Some(third), None] = &sessions[..] else { panic!("{sessions:?}") };
        assert!(Arc::ptr_eq(first, second) && !Arc::ptr_eq(first, third));
        for sessions in [third, first] {
            sessions.open(now).unwrap();
        }
        let mut seen: Vec<_> = proxies.sessions(now).map(|(route, seen)| (seen.number, route)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [(1, "/2"), (2, "/0")]);
        assert!(proxies.end(2) && !proxies.end(2) && proxies.end(1));
    }

    #[test]
    fn a_site_that_does_not_come_to_be_changes_nothing() {
        let (mut proxies, now) = (Proxies::new(System::read()), Instant::now());
        let sessions = reload(&mut proxies, &[config(&[1], "sid")]).remove(0).unwrap();
        let shorter = config::Proxy { session_idle: 1, ..config(&[1], "sid") };
        proxies.sessions_of(&shorter, &settings(), &[]);
        let (token, _) = sessions.open(now).unwrap();
        assert!(sessions.find(&token, now + Duration::from_secs(100)).is_some());
    }

    #[test]
    fn time_is_up_for_sessions() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut proxies = Proxies::new(System::read());
        let sessions = reload(&mut proxies, &[config(&[1], "sid")]).remove(0).unwrap();
        let began = Instant::now().checked_sub(Duration::from_secs(86_400));
        sessions.open(began.expect("the machine runs for a day, or its clock began earlier")).unwrap();
        runtime.block_on(async {
            tokio::select! {
                never = proxies.sweep() => match never {},
                () = async { while sessions.len() > 0 { tokio::task::yield_now().await } } => {}
            }
        });
        assert!(proxies.next.is_some_and(|next| next > Instant::now()));
        reload(&mut proxies, &[]);
        assert_eq!(proxies.next, None);
    }
}
