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
    fn index(&self, id: Id) -> Option<usize> {
        self.0.binary_search_by_key(&id, |row| row.0).ok()
    }

    fn get(&self, id: Id) -> Option<&T> {
        self.index(id).map(|index| &self.0[index].1)
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.index(id).map(|index| &mut self.0[index].1)
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
        let handlers = self.table(
            "handler",
            "send_spec, send_ident, recv_spec, recv_ident, raw_payload, protocol, send_type, sendfile_root",
            handler,
        )?;
        let leads =
            self.table("route", "path, reversed, host_id, target_id, target_type", |row| Lead::read(row, place(row)?))?;
        let mut targets = Targets {
            proxies: Stock::of(self.proxies(&dirs, &redirects)?),
            dirs: Stock::of(dirs),
            redirects: Stock::of(redirects),
            handlers: Stock::of(handlers),
        };
        leads.0.iter().for_each(|(_, lead)| targets.order(lead.target));
        let (servers, rows) = self.servers_with(leads, |id, place| targets.take(id, place))?;
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
        let leads = self.table("route", "path, reversed, host_id", |row| Lead::read(row, ()))?;
        Ok(self.servers_with(leads, |_, ()| Ok(Target::Dir(Dir::default())))?.0)
    }

    /// The servers with these routes; and the ids of the servers' rows.
    fn servers_with<P: Copy>(
        &self,
        mut leads: Rows<Lead<P>>,
        mut target: impl FnMut(Id, P) -> Result<Target, StoreError>,
    ) -> Result<(Vec<Server>, Vec<ServerRows>), StoreError> {
        let mut hosts = self.hosts()?;
        leads.0.sort_by_key(|(_, lead)| lead.host_id);
        for leads in leads.0.chunk_by_mut(|(_, one), (_, next)| one.host_id == next.host_id) {
            let owner = owner(&mut hosts, "route", leads[0].0, leads[0].1.host_id)?;
            owner.routes = leads.iter().map(|(id, _)| *id).collect();
            owner.host.routes.reserve_exact(leads.len());
            for (id, lead) in leads {
                let path = std::mem::take(&mut lead.path);
                let route = Route { path, reversed: lead.reversed, target: target(*id, lead.target)? };
                owner.host.routes.push(route);
            }
        }
        let mut servers = self.servers()?;
        let mut rows: BTreeMap<Id, ServerRows> =
            servers.0.iter().map(|(id, _)| (*id, ServerRows { id: *id, hosts: Vec::new() })).collect();
        for (id, Owned { server_id, host, routes }) in hosts {
            let (Some(server), Some(rows)) = (servers.get_mut(server_id), rows.get_mut(&server_id)) else {
                return Err(dangling("host", id, "server_id", server_id, "server"));
            };
            server.hosts.push(host);
            rows.hosts.push(HostRows { id, routes });
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

    /// Hosts without routes.
    fn hosts(&self) -> Result<Rows<Owned>, StoreError> {
        let mut hosts = self.table("host", "server_id, maintenance, name, matching, hsts", host)?;
        for (id, (host_id, matching)) in self.table("alias", "host_id, matching", alias)? {
            owner(&mut hosts, "alias", id, host_id)?.host.aliases.push(matching);
        }
        for (id, (host_id, status, path)) in self.table("error_page", "host_id, status, path", error_page)? {
            owner(&mut hosts, "error_page", id, host_id)?.host.error_pages.insert(status, path);
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
        // A long list that grows would be copied again and again.
        let count = format!("SELECT count(*) FROM {table}");
        let count: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
        let mut result = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
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

/// A route as its row has it, with where its target is.
struct Lead<P> {
    path: String,
    reversed: bool,
    host_id: Id,
    target: P,
}

impl<P> Lead<P> {
    fn read(row: &Fields<'_>, target: P) -> Result<Self, StoreError> {
        let (path, reversed) = (row.text("path")?, row.truth("reversed")?);
        Ok(Self { path, reversed, host_id: row.integer("host_id", 0)?, target })
    }
}

/// The table and the row of a target.
#[derive(Debug, Clone, Copy)]
enum Place {
    Dir(Id),
    Proxy(Id),
    Handler(Id),
    Redirect(Id),
}

/// Where a route leads.
fn place(row: &Fields<'_>) -> Result<Place, StoreError> {
    let id = row.integer("target_id", 0)?;
    match row.text("target_type")?.as_str() {
        "dir" => Ok(Place::Dir(id)),
        "proxy" => Ok(Place::Proxy(id)),
        "handler" => Ok(Place::Handler(id)),
        "redirect" => Ok(Place::Redirect(id)),
        other => Err(row.fault(format!("target_type is `{other}`, not `dir`, `proxy`, `handler` or `redirect`"))),
    }
}

/// All targets, of which each route gets its own.
struct Targets {
    dirs: Stock<Dir>,
    proxies: Stock<Proxy>,
    handlers: Stock<Handler>,
    redirects: Stock<Redirect>,
}

impl Targets {
    /// Says that a route will take it.
    fn order(&mut self, place: Place) {
        match place {
            Place::Dir(id) => self.dirs.order(id),
            Place::Proxy(id) => self.proxies.order(id),
            Place::Handler(id) => self.handlers.order(id),
            Place::Redirect(id) => self.redirects.order(id),
        }
    }

    /// Gives it to a route.
    fn take(&mut self, route: Id, place: Place) -> Result<Target, StoreError> {
        let (table, id, target) = match place {
            Place::Dir(id) => ("directory", id, self.dirs.take(id).map(Target::Dir)),
            Place::Proxy(id) => ("proxy", id, self.proxies.take(id).map(Target::Proxy)),
            Place::Handler(id) => ("handler", id, self.handlers.take(id).map(Target::Handler)),
            Place::Redirect(id) => ("redirect", id, self.redirects.take(id).map(Target::Redirect)),
        };
        target.ok_or_else(|| dangling("route", route, "target_id", id, table))
    }
}

/// Targets of a kind, with how many routes are still to take each: all but the last get a copy.
struct Stock<T> {
    rows: Rows<T>,
    orders: Vec<usize>,
}

impl<T: Clone + Default> Stock<T> {
    fn of(rows: Rows<T>) -> Self {
        Self { orders: vec![0; rows.0.len()], rows }
    }

    fn order(&mut self, id: Id) {
        if let Some(index) = self.rows.index(id) {
            self.orders[index] += 1;
        }
    }

    fn take(&mut self, id: Id) -> Option<T> {
        let index = self.rows.index(id)?;
        self.orders[index] -= 1;
        let (_, target) = &mut self.rows.0[index];
        Some(if self.orders[index] == 0 { std::mem::take(target) } else { target.clone() })
    }
}

/// A host that belongs to a server, with the ids of its routes' rows.
struct Owned {
    server_id: Id,
    host: Host,
    routes: Vec<Id>,
}

/// The host that a row belongs to.
fn owner<'h>(
    hosts: &'h mut Rows<Owned>,
    table: &'static str,
    id: Id,
    host_id: Id,
) -> Result<&'h mut Owned, StoreError> {
    hosts.get_mut(host_id).ok_or_else(|| dangling(table, id, "host_id", host_id, "host"))
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

fn host(row: &Fields<'_>) -> Result<Owned, StoreError> {
    let host = Host {
        maintenance: row.truth("maintenance")?,
        name: row.text("name")?,
        matching: row.text("matching")?,
        hsts: row.integer("hsts", 0)?,
        aliases: Vec::new(),
        error_pages: BTreeMap::new(),
        routes: Vec::new(),
    };
    Ok(Owned { server_id: row.integer("server_id", 0)?, host, routes: Vec::new() })
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

    fn value(&self, column: &str) -> Result<ValueRef<'_>, StoreError> {
        let index = self.names.iter().position(|name| *name == column).expect("only what was asked for is read");
        Ok(self.row.get_ref(1 + index)?)
    }

    /// SQLite keeps whatever type was inserted; here it must be the column's, or NULL.
    fn misfit(&self, column: &str, value: ValueRef<'_>, kind: &str) -> StoreError {
        let found = Value::try_from(value).map_or_else(|_| "?".into(), |value| text_of(&value));
        self.fault(format!("{column} is `{found}`, not {kind}"))
    }

    fn optional(&self, column: &str) -> Result<Option<String>, StoreError> {
        let value = self.value(column)?;
        Option::<String>::column_result(value).map_err(|_| self.misfit(column, value, "a text"))
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        match self.value(column)? {
            ValueRef::Integer(number) => Ok(number.to_string()),
            value => Option::<String>::column_result(value)
                .map(Option::unwrap_or_default)
                .map_err(|_| self.misfit(column, value, "a text")),
        }
    }

    fn integer(&self, column: &str, default: i64) -> Result<i64, StoreError> {
        match self.value(column)? {
            ValueRef::Integer(number) => Ok(number),
            ValueRef::Null => Ok(default),
            other => Err(self.misfit(column, other, "a number")),
        }
    }

    fn truth(&self, column: &str) -> Result<bool, StoreError> {
        match self.integer(column, 0)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.fault(format!("{column} is {other}, not 0 or 1"))),
        }
    }
}
