//! What the system's files say about names: name servers and search domains, and the addresses in `/etc/hosts`.
//!
//! It is read once, while the files can be seen, and nothing is asked here.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::system_conf::parse_resolv_conf;

/// What the system knows about names.
#[derive(Debug, Clone)]
pub(crate) struct System {
    /// By names in lower case; IPv4 first.
    hosts: HashMap<String, Vec<IpAddr>>,
    resolver: ResolverConfig,
    dots: usize,
}

impl System {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`; what is missing there says nothing.
    pub(crate) fn read() -> Self {
        let [resolver, hosts] = ["/etc/resolv.conf", "/etc/hosts"].map(|path| fs::read(path).unwrap_or_default());
        Self::parse(&resolver, &hosts)
    }

    /// Reads the contents of those files.
    pub(super) fn parse(resolver: &[u8], hosts: &[u8]) -> Self {
        let (resolver, dots) = match parse_resolv_conf(resolver) {
            Ok((config, options)) => (config, options.ndots),
            // It names no name server.
            Err(_) => (ResolverConfig::from_name_servers(Vec::new()), 1),
        };
        Self { hosts: parse_hosts(&String::from_utf8_lossy(hosts)), resolver, dots }
    }

    /// The addresses of a name that needs no name server (RFC 6761, section 6.3 about `localhost`).
    pub(super) fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        let name = plain(name);
        let is_local = name == "localhost";
        let local = || vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let known = self.hosts.get(&name).filter(|_| !is_local).cloned();
        known.or_else(|| (is_local || name.ends_with(".localhost")).then(local))
    }

    /// Whom to ask for other names: the system's name servers, or others instead; the search domains stay.
    pub(super) fn config(&self, nameservers: &[SocketAddr]) -> ResolverConfig {
        let (domain, search, own) = self.resolver.clone().into_parts();
        let others = nameservers.iter().copied().map(name_server).collect();
        ResolverConfig::from_parts(domain, search, if nameservers.is_empty() { own } else { others })
    }

    /// How many dots a name has that is asked for as it is, before search domains are tried.
    pub(super) fn dots(&self) -> usize {
        self.dots
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
}

/// Lines of an address and its names, with comments (hosts(5)).
fn parse_hosts(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for name in words {
            let addresses = hosts.entry(plain(name)).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    hosts.values_mut().for_each(|addresses| addresses.sort_by_key(IpAddr::is_ipv6));
    hosts
}

/// A name as it is compared: in lower case, without the dot at its end.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "# nothing\n10.0.0.1 DB db.example.com. # the database\n::5 db\n10.0.0.2 db\n10.0.0.1 db\n\
        9.9.9.9 localhost other.localhost\nfe80::1%lo0 scoped\nnonsense x\n10.0.0.9\n";

    #[test]
    fn hosts_have_their_addresses() {
        let system = System::parse(b"", HOSTS.as_bytes());
        let local = ["127.0.0.1", "::1"];
        for (name, expected) in [
            ("db", &["10.0.0.1", "10.0.0.2", "::5"][..]),
            ("DB.", &["10.0.0.1", "10.0.0.2", "::5"]),
            ("db.EXAMPLE.com", &["10.0.0.1"]),
            ("localhost", &local),
            ("LocalHost.", &local),
            ("a.localhost", &local),
            ("other.localhost", &["9.9.9.9"]),
            ("scoped", &[]),
            ("nonsense", &[]),
            ("x", &[]),
            ("#", &[]),
            ("", &[]),
        ] {
            let found = system.addresses(name).unwrap_or_default();
            assert_eq!(found.iter().map(IpAddr::to_string).collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn every_system_knows_itself() {
        assert_eq!(System::read().addresses("localhost").map(|addresses| addresses.len()), Some(2));
    }

    #[test]
    fn name_servers_are_the_systems_or_others() {
        let check = |file: &str, nameservers: &[&str], expected: &str| {
            let nameservers: Vec<SocketAddr> = nameservers.iter().map(|address| address.parse().unwrap()).collect();
            let config = System::parse(file.as_bytes(), b"").config(&nameservers);
            let servers = config.name_servers().iter().map(|server| (server.ip, server.connections[0].port));
            let found = servers.map(|(ip, port)| SocketAddr::new(ip, port).to_string());
            let search = config.search().iter().map(ToString::to_string);
            assert_eq!(found.chain(search).collect::<Vec<_>>().join(" "), expected, "{file}");
        };
        check("", &[], "");
        check("nonsense\n", &[], "");
        check("nameserver 10.0.0.1\nnameserver ::1\n", &[], "10.0.0.1:53 [::1]:53");
        check("search a.example b.example\nnameserver 10.0.0.1\n", &[], "10.0.0.1:53 a.example b.example");
        check("search a.example\nnameserver 10.0.0.1\n", &["10.0.0.2:5353"], "10.0.0.2:5353 a.example");
        check("", &["[::1]:54", "10.0.0.2:53"], "[::1]:54 10.0.0.2:53");
    }
}
