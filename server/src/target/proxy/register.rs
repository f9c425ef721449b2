//! The upstreams of the server by their addresses: what a reload keeps is used on, with what is known of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mongrel2::config;

use super::names::{Names, System};
use super::upstream::{Patience, Upstream};
use super::{Fallback, Proxy, Sessions};

/// All upstreams, by name or address and port.
#[derive(Debug)]
pub(super) struct Register {
    upstreams: HashMap<(String, u16), Weak<Upstream>>,
    system: System,
    nameservers: Vec<SocketAddr>,
    names: Names,
    /// The number of the next upstream.
    next: u64,
}

impl Register {
    /// Starts without any.
    pub(super) fn new(system: System) -> Self {
        let names = Names::start(&system, &[]);
        Self { upstreams: HashMap::new(), system, nameservers: Vec::new(), names, next: 0 }
    }

    /// Asks these name servers from now on; without any, those of the system.
    pub(super) fn ask(&mut self, nameservers: &[SocketAddr]) {
        if self.nameservers != nameservers {
            self.nameservers = nameservers.to_vec();
            self.names = Names::start(&self.system, nameservers);
        }
    }

    /// A proxy with those upstreams that exist, and new ones.
    pub(super) fn proxy(
        &mut self,
        proxy: &config::Proxy,
        fallback: Option<Fallback>,
        sessions: Option<Arc<Sessions>>,
    ) -> Proxy {
        self.upstreams.retain(|_, upstream| upstream.strong_count() > 0);
        let seconds = |seconds: i64| Duration::from_secs(u64::try_from(seconds).expect("checked"));
        Proxy {
            upstreams: proxy.all_upstreams().map(|(addr, port)| self.upstream(addr, port)).collect(),
            turn: AtomicUsize::new(0),
            balance: proxy.balance,
            patience: Patience {
                failures: u32::try_from(proxy.max_fails).expect("checked"),
                aside: seconds(proxy.fail_timeout),
            },
            names: self.names.clone(),
            host: Some(&proxy.host).filter(|host| !host.is_empty()).map(|host| host.as_bytes().into()),
            connect_timeout: seconds(proxy.connect_timeout),
            first_byte_timeout: seconds(proxy.first_byte_timeout),
            idle_timeout: seconds(proxy.idle_timeout),
            fallback,
            sessions,
            config: proxy.clone(),
        }
    }

    fn upstream(&mut self, addr: &str, port: i64) -> Arc<Upstream> {
        let key = (addr.to_ascii_lowercase(), u16::try_from(port).expect("checked"));
        if let Some(upstream) = self.upstreams.get(&key).and_then(Weak::upgrade) {
            return upstream;
        }
        self.next += 1;
        let upstream = Arc::new(Upstream::new(self.next, addr, key.1));
        self.upstreams.insert(key, Arc::downgrade(&upstream));
        upstream
    }
}
