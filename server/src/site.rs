//! What is served: hosts, routes and targets, built whole from a checked configuration.
//!
//! A site is never changed.  A reload builds the next one beside it, takes over the handler sockets and the sessions
//! of proxies that stay, and swaps; if anything fails on the way, the old one has never been touched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mongrel2::config::paths::inside_chroot;
use mongrel2::config::{self, Checked, Settings};
use mongrel2::route::{Found, Hosts, Routes};

use crate::page::Pages;
use crate::statistics::{Place, Places};
use crate::target::Target;
use crate::target::directory::Directory;
use crate::target::directory::hidden::Hidden;
use crate::target::handler::{Dispatch, Handler, Inlet, SocketError, Sockets};
use crate::target::proxy::{Fallback, Proxies, Proxy, Routed, System};
use crate::target::redirect::Redirect;
use crate::tls::Terms;

/// Everything that requests are answered from.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) settings: Settings,
    /// TLS, unless the port speaks in the clear.
    pub(crate) terms: Option<Arc<Terms>>,
    /// Where answers are counted.
    pub(crate) places: Arc<Places>,
    hosts: Hosts<Arc<Host>>,
    default_host: Arc<Host>,
    mimetypes: HashMap<String, String>,
    handlers: Vec<Arc<Handler>>,
    proxies: Vec<Routed>,
    inlets: Vec<Receiver>,
}

/// What a site hands on to the next.
pub(crate) struct Kept {
    pub(crate) sockets: Sockets,
    pub(crate) proxies: Proxies,
    /// What no Dir serves.
    hidden: Arc<Hidden>,
}

impl Kept {
    pub(crate) fn new(settings: &Settings, system: System, hidden: Hidden) -> Result<Self, zmq::Error> {
        Ok(Self { sockets: Sockets::new(settings)?, proxies: Proxies::new(system), hidden: Arc::new(hidden) })
    }
}

/// A virtual host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) maintenance: bool,
    /// For how many seconds browsers shall come back over TLS only; 0 is not said.
    pub(crate) hsts: u32,
    pub(crate) pages: Pages,
    pub(crate) routes: Routes<Destination>,
    /// Where answers are counted that none of the routes has given.
    pub(crate) place: Place,
    pub(crate) places: Arc<Places>,
}

/// Where a route leads, and where its answers are counted.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) target: Target,
    pub(crate) place: Place,
}

/// A handler's receiving address, what is subscribed to, and who replies there.
#[derive(Debug)]
struct Receiver {
    inlet: Arc<Inlet>,
    subscriptions: Vec<String>,
    senders: Vec<Arc<Dispatch>>,
}

impl Site {
    /// Builds the site of a server, in the clear.
    ///
    /// # Errors
    /// A handler address that can't be bound.
    pub(crate) fn build(
        checked: &Checked,
        server: &config::Server,
        places: Places,
        kept: &mut Kept,
    ) -> Result<Self, SocketError> {
        let places = Arc::new(places);
        kept.proxies.ask(&checked.settings().nameservers);
        let (handlers, proxies, inlets) = (Vec::new(), Vec::new(), Vec::new());
        let mut builder = Builder { checked, places: &places, kept, handlers, proxies, inlets };
        let mut hosts = Vec::new();
        for (h, host) in server.hosts.iter().enumerate() {
            hosts.push((host, Arc::new(builder.host(h, host)?)));
        }
        let patterns = |(host, built): &(&config::Host, Arc<Host>)| {
            let built = Arc::clone(built);
            host.parsed_patterns().map(move |pattern| (pattern, Arc::clone(&built))).collect::<Vec<_>>()
        };
        let default = hosts.iter().find(|(host, _)| host.name == server.default_host).expect("checked");
        Ok(Self {
            settings: checked.settings().clone(),
            terms: None,
            default_host: Arc::clone(&default.1),
            hosts: Hosts::new(hosts.iter().flat_map(patterns)),
            mimetypes: checked.config().mimetypes.clone().into_iter().collect(),
            handlers: builder.handlers.into_iter().map(|(_, handler)| handler).collect(),
            proxies: builder.proxies,
            inlets: builder.inlets,
            places,
        })
    }

    /// Puts the site into effect for what handlers send.
    pub(crate) fn activate(&self) {
        for Receiver { inlet, subscriptions, senders } in &self.inlets {
            inlet.serve(subscriptions.clone(), senders.clone());
        }
    }

    /// The host for a `Host:` header without its port.
    pub(crate) fn host(&self, name: Option<&[u8]>) -> &Arc<Host> {
        name.and_then(|name| self.hosts.find(name)).unwrap_or(&self.default_host)
    }

    /// The host of requests that name none that is known.
    pub(crate) fn default_host(&self) -> &Arc<Host> {
        &self.default_host
    }

    /// The proxies, each with the path of the first route that leads to it.
    pub(crate) fn proxies(&self) -> &[Routed] {
        &self.proxies
    }

    /// What a handler is in this site: itself, or the one that has its name at other addresses.
    pub(crate) fn successor(&self, handler: &Arc<Handler>) -> Option<Arc<Handler>> {
        let same = self.handlers.iter().find(|other| other.is_same(handler));
        same.or_else(|| self.handlers.iter().find(|other| other.has_name_of(handler))).cloned()
    }

    /// Whether there are proxies.
    pub(crate) fn has_proxies(&self) -> bool {
        !self.proxies.is_empty()
    }

    /// Whether a proxy has the upstream of that number.
    pub(crate) fn has_upstream(&self, number: u64) -> bool {
        self.proxies.iter().any(|routed| routed.proxy.numbers().any(|other| other == number))
    }

    /// The media type of an extension, which starts with its dot.
    pub(crate) fn mimetype(&self, extension: &str) -> Option<&str> {
        self.mimetypes.get(extension).map(String::as_str)
    }
}

struct Builder<'a> {
    checked: &'a Checked,
    places: &'a Arc<Places>,
    kept: &'a mut Kept,
    handlers: Vec<(config::Handler, Arc<Handler>)>,
    proxies: Vec<Routed>,
    inlets: Vec<Receiver>,
}

impl Builder<'_> {
    fn host(&mut self, h: usize, host: &config::Host) -> Result<Host, SocketError> {
        let mut rules = Vec::new();
        for (r, route) in host.routes.iter().enumerate() {
            let place = self.places.route(h, r);
            rules.push((route.parsed_path(), Destination { target: self.target(route)?, place }));
        }
        let mimetypes = &self.checked.config().mimetypes;
        Ok(Host {
            name: host.name.clone(),
            maintenance: host.maintenance,
            hsts: u32::try_from(host.hsts).unwrap_or(u32::MAX),
            pages: Pages::new(&host.error_pages, |extension| mimetypes.get(extension).map(String::as_str)),
            routes: Routes::new(rules),
            place: self.places.host(h),
            places: Arc::clone(self.places),
        })
    }

    fn target(&mut self, route: &config::Route) -> Result<Target, SocketError> {
        match &route.target {
            config::Target::Dir(dir) => Ok(Target::Directory(Arc::new(directory(dir, &self.kept.hidden)))),
            config::Target::Proxy(proxy) => Ok(Target::Proxy(self.proxy(&route.path, proxy))),
            config::Target::Handler(handler) => Ok(Target::Handler(self.handler(handler)?)),
            config::Target::Redirect(config) => Ok(Target::Redirect(Arc::new(redirect(config)))),
        }
    }

    fn handler(&mut self, config: &config::Handler) -> Result<Arc<Handler>, SocketError> {
        if let Some((_, handler)) = self.handlers.iter().find(|(known, _)| known == config) {
            return Ok(Arc::clone(handler));
        }
        let handler = Arc::new(self.kept.sockets.handler(config, self.checked.settings())?);
        self.handlers.push((config.clone(), Arc::clone(&handler)));
        self.receive(&handler, &config.recv_ident);
        Ok(handler)
    }

    fn proxy(&mut self, route: &str, config: &config::Proxy) -> Arc<Proxy> {
        if let Some(known) = self.proxies.iter().find(|known| known.proxy.config == *config) {
            return Arc::clone(&known.proxy);
        }
        let fallback = config.fallback.as_deref().map(|target| fallback(target, &self.kept.hidden));
        let sessions = self.kept.proxies.sessions_of(config, self.checked.settings(), &self.proxies);
        let proxy = Arc::new(self.kept.proxies.proxy(config, fallback, sessions));
        self.proxies.push(Routed { route: route.to_owned(), proxy: Arc::clone(&proxy) });
        proxy
    }

    fn receive(&mut self, handler: &Handler, subscription: &str) {
        let known = self.inlets.iter_mut().find(|receiver| Arc::ptr_eq(&receiver.inlet, &handler.inlet));
        let senders = vec![Arc::clone(&handler.dispatch)];
        match known {
            Some(receiver) => {
                receiver.subscriptions.push(subscription.to_owned());
                receiver.senders.extend(senders);
            }
            None => self.inlets.push(Receiver {
                inlet: Arc::clone(&handler.inlet),
                subscriptions: vec![subscription.to_owned()],
                senders,
            }),
        }
    }
}

fn fallback(target: &config::Target, hidden: &Arc<Hidden>) -> Fallback {
    match target {
        config::Target::Dir(dir) => Fallback::Directory(Arc::new(directory(dir, hidden))),
        config::Target::Redirect(config) => Fallback::Redirect(Arc::new(redirect(config))),
        config::Target::Proxy(_) | config::Target::Handler(_) => unreachable!("checked"),
    }
}

fn directory(dir: &config::Dir, hidden: &Arc<Hidden>) -> Directory {
    Directory {
        base: inside_chroot(&dir.base),
        index_file: dir.index_file.clone(),
        default_ctype: dir.default_ctype.clone(),
        cache_ttl: Duration::from_secs(u64::try_from(dir.cache_ttl).expect("checked")),
        listing: dir.listing,
        hidden: Arc::clone(hidden),
    }
}

fn redirect(redirect: &config::Redirect) -> Redirect {
    Redirect { location: redirect.location(), status: u16::try_from(redirect.status).expect("checked") }
}

impl Host {
    /// The route for a path.
    pub(crate) fn route(&self, path: &[u8]) -> Found<'_, Destination> {
        self.routes.find(path)
    }
}
