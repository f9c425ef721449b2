//! From rows to a tree.  What doesn't belong is told with its table and row.

use std::collections::BTreeMap;

use rusqlite::types::{FromSql, Value, ValueRef};
use rusqlite::{Connection, Row};

use super::{HostRows, ServerRows, StoreError, schema, text_of};
use crate::config::tree::{Config, Dir, Handler, Host, Proxy, Redirect, Route, Server, Target, Upstream};

pub(super) struct Loader<'a> {
    pub(super) connection: &'a Connection,
}

type Id = i64;

/// The rows of a table by id, which is their order.
struct Rows<T>(Vec<(Id, T)>);

impl<T> Rows<T> {
    fn get(&self, id: Id) -> Option<&T> {
        self.0.binary_search_by_key(&id, |row| row.0).ok().map(|index| &self.0[index].1)
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.0.binary_search_by_key(&id, |row| row.0).ok().map(|index| &mut self.0[index].1)
    }

    fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|row| row.1)
    }
}

impl<T> IntoIterator for Rows<T> {
    type Item = (Id, T);
    type IntoIter = std::vec::IntoIter<(Id, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Loader<'_> {
    /// The configuration, and the ids of its servers' rows.
    pub(super) fn config(&self) -> Result<(Config, Vec<ServerRows>), StoreError> {
        let dirs = self.table("directory", "base, index_file, default_ctype, cache_ttl, listing", dir)?;
        let redirects = self.table("redirect", "to, status", redirect)?;
        let targets = Targets {
            proxies: self.proxies(&dirs, &redirects)?,
            dirs,
            redirects,
            handlers: self.table(
                "handler",
                "send_spec, send_ident, recv_spec, recv_ident, raw_payload, protocol, send_type, sendfile_root",
                handler,
            )?,
        };
        let routes =
            self.table("route", "path, reversed, host_id, target_id, target_type", |row| targets.route(row))?;
        let (servers, rows) = self.servers_with(routes)?;
        let config = Config {
            servers,
            settings: self.pairs("setting", "key, value")?,
            mimetypes: self.pairs("mimetype", "extension, mimetype")?,
            secrets: self.pairs("secret", "name, value")?,
        };
        Ok((config, rows))
    }

    /// The servers, whose routes all lead to the same.
    pub(super) fn outline(&self) -> Result<Vec<Server>, StoreError> {
        let nowhere = || Target::Dir(Dir::default());
        let route = |row: &Fields<'_>| {
            let route = Route { path: row.text("path")?, reversed: row.truth("reversed")?, target: nowhere() };
            Ok((row.integer("host_id", 0)?, route))
        };
        Ok(self.servers_with(self.table("route", "path, reversed, host_id", route)?)?.0)
    }

    /// The servers with these routes, each of which comes with the id of its host; and the ids of the servers' rows.
    fn servers_with(&self, all_routes: Rows<(Id, Route)>) -> Result<(Vec<Server>, Vec<ServerRows>), StoreError> {
        let mut hosts = self.hosts()?;
        let mut routes: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for (id, (host_id, route)) in all_routes {
            owner(&mut hosts, "route", id, host_id)?.routes.push(route);
            routes.entry(host_id).or_default().push(id);
        }
        let mut servers = self.servers()?;
        let mut rows: BTreeMap<Id, ServerRows> =
            servers.0.iter().map(|(id, _)| (*id, ServerRows { id: *id, hosts: Vec::new() })).collect();
        for (id, (server_id, host)) in hosts {
            let (Some(server), Some(rows)) = (servers.get_mut(server_id), rows.get_mut(&server_id)) else {
                return Err(dangling("host", id, "server_id", server_id, "server"));
            };
            server.hosts.push(host);
            rows.hosts.push(HostRows { id, routes: routes.remove(&id).unwrap_or_default() });
        }
        Ok((servers.into_values().collect(), rows.into_values().collect()))
    }

    pub(super) fn all_servers(&self) -> Result<Vec<Server>, StoreError> {
        Ok(self.servers()?.into_values().collect())
    }

    fn servers(&self) -> Result<Rows<Server>, StoreError> {
        self.table(
            "server",
            "uuid, access_log, error_log, error_log_level, chroot, pid_file, control_port, default_host, name, \
             bind_addr, port, use_ssl",
            server,
        )
    }

    fn proxies(&self, dirs: &Rows<Dir>, redirects: &Rows<Redirect>) -> Result<Rows<Proxy>, StoreError> {
        let mut proxies = self.table(
            "proxy",
            "addr, port, host, balance, connect_timeout, first_byte_timeout, idle_timeout, max_fails, fail_timeout, \
             fallback_id, fallback_type, session_cookie, session_idle, session_max, session_forward",
            |row| proxy(row, dirs, redirects),
        )?;
        for (id, (proxy_id, upstream)) in self.table("upstream", "proxy_id, addr, port", upstream)? {
            let proxy = proxies.get_mut(proxy_id);
            proxy.ok_or_else(|| dangling("upstream", id, "proxy_id", proxy_id, "proxy"))?.upstreams.push(upstream);
        }
        Ok(proxies)
    }

    /// Hosts without routes, each with the id of its server.
    fn hosts(&self) -> Result<Rows<(Id, Host)>, StoreError> {
        let mut hosts = self.table("host", "server_id, maintenance, name, matching, hsts", host)?;
        for (id, (host_id, matching)) in self.table("alias", "host_id, matching", alias)? {
            owner(&mut hosts, "alias", id, host_id)?.aliases.push(matching);
        }
        for (id, (host_id, status, path)) in self.table("error_page", "host_id, status, path", error_page)? {
            owner(&mut hosts, "error_page", id, host_id)?.error_pages.insert(status, path);
        }
        Ok(hosts)
    }

    /// All rows of a table by id, which is their order; none if there is no such table.
    fn table<T>(
        &self,
        table: &'static str,
        columns: &str,
        read: impl Fn(&Fields<'_>) -> Result<T, StoreError>,
    ) -> Result<Rows<T>, StoreError> {
        let Some(query) = schema::select(self.connection, table, columns)? else {
            return Ok(Rows(Vec::new()));
        };
        let names: Vec<&str> = columns.split(", ").collect();
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut result = Vec::new();
        while let Some(row) = rows.next()? {
            let fields = Fields { table, names: &names, id: row.get(0)?, row };
            result.push((fields.id, read(&fields)?));
        }
        Ok(Rows(result))
    }

    pub(super) fn pairs(&self, table: &'static str, columns: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = self.table(table, columns, |row| {
            let (key, value) = columns.split_once(", ").expect("two columns");
            Ok((row.text(key)?, row.text(value)?))
        })?;
        Ok(rows.into_values().collect())
    }
}

struct Targets {
    dirs: Rows<Dir>,
    proxies: Rows<Proxy>,
    handlers: Rows<Handler>,
    redirects: Rows<Redirect>,
}

impl Targets {
    fn route(&self, row: &Fields<'_>) -> Result<(Id, Route), StoreError> {
        let target_id = row.integer("target_id", 0)?;
        let target_type = row.text("target_type")?;
        let (table, target) = match target_type.as_str() {
            "dir" => ("directory", self.dirs.get(target_id).cloned().map(Target::Dir)),
            "proxy" => ("proxy", self.proxies.get(target_id).cloned().map(Target::Proxy)),
            "handler" => ("handler", self.handlers.get(target_id).cloned().map(Target::Handler)),
            "redirect" => ("redirect", self.redirects.get(target_id).cloned().map(Target::Redirect)),
            other => {
                let message = format!("target_type is `{other}`, not `dir`, `proxy`, `handler` or `redirect`");
                return Err(row.fault(message));
            }
        };
        let target = target.ok_or_else(|| dangling("route", row.id, "target_id", target_id, table))?;
        let route = Route { path: row.text("path")?, reversed: row.truth("reversed")?, target };
        Ok((row.integer("host_id", 0)?, route))
    }
}

/// The host that a row belongs to.
fn owner<'h>(
    hosts: &'h mut Rows<(Id, Host)>,
    table: &'static str,
    id: Id,
    host_id: Id,
) -> Result<&'h mut Host, StoreError> {
    let found = hosts.get_mut(host_id).map(|(_, host)| host);
    found.ok_or_else(|| dangling(table, id, "host_id", host_id, "host"))
}

fn dangling(table: &'static str, id: Id, column: &str, value: Id, other: &str) -> StoreError {
    StoreError::Row { table, id, message: format!("{column} is {value}, but table `{other}` has no such row") }
}

fn server(row: &Fields<'_>) -> Result<Server, StoreError> {
    let defaults = Server::default();
    Ok(Server {
        uuid: row.text("uuid")?,
        access_log: row.text("access_log")?,
        error_log: row.text("error_log")?,
        error_log_level: row.integer("error_log_level", defaults.error_log_level)?,
        chroot: row.optional("chroot")?.unwrap_or(defaults.chroot),
        pid_file: row.text("pid_file")?,
        control_port: row.text("control_port")?,
        default_host: row.text("default_host")?,
        name: row.text("name")?,
        bind_addr: row.optional("bind_addr")?.unwrap_or(defaults.bind_addr),
        port: row.integer("port", 0)?,
        use_ssl: row.truth("use_ssl")?,
        hosts: Vec::new(),
    })
}

fn host(row: &Fields<'_>) -> Result<(Id, Host), StoreError> {
    let host = Host {
        maintenance: row.truth("maintenance")?,
        name: row.text("name")?,
        matching: row.text("matching")?,
        hsts: row.integer("hsts", 0)?,
        aliases: Vec::new(),
        error_pages: BTreeMap::new(),
        routes: Vec::new(),
    };
    Ok((row.integer("server_id", 0)?, host))
}

fn alias(row: &Fields<'_>) -> Result<(Id, String), StoreError> {
    Ok((row.integer("host_id", 0)?, row.text("matching")?))
}

fn error_page(row: &Fields<'_>) -> Result<(Id, i64, String), StoreError> {
    Ok((row.integer("host_id", 0)?, row.integer("status", 0)?, row.text("path")?))
}

fn dir(row: &Fields<'_>) -> Result<Dir, StoreError> {
    Ok(Dir {
        base: row.text("base")?,
        index_file: row.text("index_file")?,
        default_ctype: row.text("default_ctype")?,
        cache_ttl: row.integer("cache_ttl", 0)?,
        listing: row.truth("listing")?,
    })
}

fn redirect(row: &Fields<'_>) -> Result<Redirect, StoreError> {
    Ok(Redirect { to: row.text("to")?, status: row.integer("status", Redirect::default().status)? })
}

fn proxy(row: &Fields<'_>, dirs: &Rows<Dir>, redirects: &Rows<Redirect>) -> Result<Proxy, StoreError> {
    let defaults = Proxy::default();
    let balance = row.text("balance")?.parse();
    let fallback_id = row.integer("fallback_id", 0)?;
    let (table, fallback) = match row.text("fallback_type")?.as_str() {
        "" => ("", None),
        "dir" => ("directory", Some(dirs.get(fallback_id).cloned().map(Target::Dir))),
        "redirect" => ("redirect", Some(redirects.get(fallback_id).cloned().map(Target::Redirect))),
        other => return Err(row.fault(format!("fallback_type is `{other}`, not `dir`, `redirect` or empty"))),
    };
    let missing = || dangling("proxy", row.id, "fallback_id", fallback_id, table);
    Ok(Proxy {
        addr: row.text("addr")?,
        port: row.integer("port", 0)?,
        upstreams: Vec::new(),
        host: row.text("host")?,
        balance: balance.map_err(|message| row.fault(format!("balance: {message}")))?,
        connect_timeout: row.integer("connect_timeout", defaults.connect_timeout)?,
        first_byte_timeout: row.integer("first_byte_timeout", defaults.first_byte_timeout)?,
        idle_timeout: row.integer("idle_timeout", defaults.idle_timeout)?,
        max_fails: row.integer("max_fails", defaults.max_fails)?,
        fail_timeout: row.integer("fail_timeout", defaults.fail_timeout)?,
        fallback: fallback.map(|target| target.ok_or_else(missing)).transpose()?.map(Box::new),
        session_cookie: row.text("session_cookie")?,
        session_idle: row.integer("session_idle", defaults.session_idle)?,
        session_max: row.integer("session_max", defaults.session_max)?,
        session_forward: row.truth("session_forward")?,
    })
}

fn upstream(row: &Fields<'_>) -> Result<(Id, Upstream), StoreError> {
    let upstream = Upstream { addr: row.text("addr")?, port: row.integer("port", 0)? };
    Ok((row.integer("proxy_id", 0)?, upstream))
}

fn handler(row: &Fields<'_>) -> Result<Handler, StoreError> {
    let protocol = row.text("protocol")?.parse();
    let send_type = row.text("send_type")?.parse();
    Ok(Handler {
        send_spec: row.text("send_spec")?,
        send_ident: row.text("send_ident")?,
        recv_spec: row.text("recv_spec")?,
        recv_ident: row.text("recv_ident")?,
        raw_payload: row.truth("raw_payload")?,
        protocol: protocol.map_err(|message| row.fault(format!("protocol: {message}")))?,
        send_type: send_type.map_err(|message| row.fault(format!("send_type: {message}")))?,
        sendfile_root: row.text("sendfile_root")?,
    })
}

/// A row whose faults are told with table and id.
struct Fields<'a> {
    table: &'static str,
    /// The columns behind `id`: asking SQLite for them would cost more than reading the values.
    names: &'a [&'a str],
    id: Id,
    row: &'a Row<'a>,
}

impl Fields<'_> {
    fn fault(&self, message: String) -> StoreError {
        StoreError::Row { table: self.table, id: self.id, message }
    }

    /// SQLite keeps whatever type was inserted; here it must be the column's, or NULL.
    fn value<T: FromSql>(&self, column: &str, kind: &str) -> Result<Option<T>, StoreError> {
        let index = self.index(column);
        self.row.get(index).map_err(|_| {
            let found = self.row.get::<_, Value>(index).map_or_else(|_| "?".into(), |value| text_of(&value));
            self.fault(format!("{column} is `{found}`, not {kind}"))
        })
    }

    fn index(&self, column: &str) -> usize {
        1 + self.names.iter().position(|name| *name == column).expect("only what was asked for is read")
    }

    fn optional(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.value(column, "a text")
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        match self.row.get_ref(self.index(column))? {
            ValueRef::Integer(number) => Ok(number.to_string()),
            _ => Ok(self.optional(column)?.unwrap_or_default()),
        }
    }

    fn integer(&self, column: &str, default: i64) -> Result<i64, StoreError> {
        Ok(self.value(column, "a number")?.unwrap_or(default))
    }

    fn truth(&self, column: &str) -> Result<bool, StoreError> {
        match self.integer(column, 0)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.fault(format!("{column} is {other}, not 0 or 1"))),
        }
    }
}
