//! From a tree to rows, within a transaction.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::{Transaction, params};

use super::generations::Draft;
use super::load::Loader;
use super::origin::Origin;
use super::schema::Schema;
use super::{StoreError, VERSION};
use crate::config::history::About;
use crate::config::tree::{Config, Host, Proxy, Route, Server, Target};

/// A change in progress.
pub struct Change<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    /// The new generation, if there is one.
    pub(super) draft: Cell<Option<Draft>>,
    /// The servers that the new configuration changes.
    pub(super) about: Cell<About>,
    /// The generations whose configuration was thrown away.
    pub(super) collected: RefCell<Vec<i64>>,
    /// The configuration, once it was read.
    found: RefCell<Option<Rc<Config>>>,
}

impl<'a> Change<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>) -> Self {
        Self {
            transaction,
            draft: Cell::default(),
            about: Cell::default(),
            collected: RefCell::default(),
            found: RefCell::default(),
        }
    }

    /// Makes the tables and columns that are missing, and empties those of the configuration, but for the media types,
    /// which it fills.  The log and the statistics stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn init(&self) -> Result<(), StoreError> {
        self.save(&Config::fresh())
    }

    /// The configuration as this change finds it, or leaves it; a database without tables has a fresh one.
    ///
    /// # Errors
    /// A row that has a value that doesn't belong there, or refers to nothing.
    pub fn config(&self) -> Result<Rc<Config>, StoreError> {
        if let Some(found) = &*self.found.borrow() {
            return Ok(Rc::clone(found));
        }
        let found = match self.transaction.table_exists(None, "server")? {
            true => Loader { connection: self.transaction }.config()?.0,
            false => Config::fresh(),
        };
        Ok(Rc::clone(self.found.borrow_mut().insert(Rc::new(found))))
    }

    /// Replaces the configuration, unless it is the same already; makes the tables and columns that are missing.  The log
    /// and the statistics stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save(&self, config: &Config) -> Result<(), StoreError> {
        self.save_from(config, None)
    }

    /// The same, for a configuration of which it is known what it was made of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save_from(&self, config: &Config, origin: Option<&Origin>) -> Result<(), StoreError> {
        // As it was found, before there are tables.
        let found = self.config();
        let schema = Schema::read()?;
        schema.complete(self.transaction)?;
        self.transaction.pragma_update(None, "user_version", VERSION)?;
        let Some(draft) = Draft::new(self, config)? else { return Ok(()) };
        let draft = match origin {
            Some(origin) => draft.made_of(self.transaction, origin)?,
            None => draft,
        };
        self.draft.set(Some(draft));
        if found.as_ref().is_ok_and(|found| !found.secrets.is_empty()) {
            // What was a secret must not stay in the free pages of the file.
            self.transaction.pragma_update(None, "secure_delete", true)?;
        }
        self.about.set(found.map_or(About::All, |found| About::change(&found, config)));
        self.found.take();
        for table in schema.config_tables()? {
            self.transaction.execute(&format!("DELETE FROM {table}"), [])?;
        }
        let mut targets = HashMap::new();
        for server in &config.servers {
            self.save_server(server, &mut targets)?;
        }
        let mut setting = self.transaction.prepare("INSERT INTO setting (key, value) VALUES (?, ?)")?;
        for pair in &config.settings {
            setting.execute(pair)?;
        }
        let mut mimetype = self.transaction.prepare("INSERT INTO mimetype (extension, mimetype) VALUES (?, ?)")?;
        for pair in &config.mimetypes {
            mimetype.execute(pair)?;
        }
        let mut secret = self.transaction.prepare("INSERT INTO secret (name, value) VALUES (?, ?)")?;
        for pair in &config.secrets {
            secret.execute(pair)?;
        }
        Ok(())
    }

    fn save_server<'c>(&self, server: &'c Server, targets: &mut HashMap<&'c Target, i64>) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO server (uuid, access_log, error_log, error_log_level, chroot, pid_file, control_port,
             default_host, name, bind_addr, port, use_ssl) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                server.uuid,
                server.access_log,
                server.error_log,
                server.error_log_level,
                server.chroot,
                server.pid_file,
                server.control_port,
                server.default_host,
                server.name,
                server.bind_addr,
                server.port,
                server.use_ssl,
            ])?;
        let server_id = self.transaction.last_insert_rowid();
        server.hosts.iter().try_for_each(|host| self.save_host(server_id, host, targets))
    }

    fn save_host<'c>(
        &self,
        server_id: i64,
        host: &'c Host,
        targets: &mut HashMap<&'c Target, i64>,
    ) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached("INSERT INTO host (server_id, maintenance, name, matching, hsts) VALUES (?, ?, ?, ?, ?)")?
            .execute(params![server_id, host.maintenance, host.name, host.matching, host.hsts])?;
        let host_id = self.transaction.last_insert_rowid();
        let mut alias = self.transaction.prepare_cached("INSERT INTO alias (host_id, matching) VALUES (?, ?)")?;
        for matching in &host.aliases {
            alias.execute(params![host_id, matching])?;
        }
        let mut page =
            self.transaction.prepare_cached("INSERT INTO error_page (host_id, status, path) VALUES (?, ?, ?)")?;
        for (status, path) in &host.error_pages {
            page.execute(params![host_id, status, path])?;
        }
        host.routes.iter().try_for_each(|route| self.save_route(host_id, route, targets))
    }

    fn save_route<'c>(
        &self,
        host_id: i64,
        route: &'c Route,
        targets: &mut HashMap<&'c Target, i64>,
    ) -> Result<(), StoreError> {
        let target_id = match targets.get(&route.target) {
            Some(id) => *id,
            None => {
                let id = self.save_target(&route.target)?;
                targets.insert(&route.target, id);
                id
            }
        };
        self.transaction
            .prepare_cached(
                "INSERT INTO route (path, reversed, host_id, target_id, target_type) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![route.path, route.reversed, host_id, target_id, route.target.target_type()])?;
        Ok(())
    }

    fn save_target(&self, target: &Target) -> Result<i64, StoreError> {
        match target {
            Target::Dir(dir) => self
                .transaction
                .prepare_cached(
                    "INSERT INTO directory (base, index_file, default_ctype, cache_ttl, listing)
                     VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![dir.base, dir.index_file, dir.default_ctype, dir.cache_ttl, dir.listing])?,
            Target::Proxy(proxy) => return self.save_proxy(proxy),
            Target::Handler(handler) => self
                .transaction
                .prepare_cached(
                    "INSERT INTO handler (send_spec, send_ident, recv_spec, recv_ident, raw_payload, protocol, send_type,
                     sendfile_root) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    handler.send_spec,
                    handler.send_ident,
                    handler.recv_spec,
                    handler.recv_ident,
                    handler.raw_payload,
                    handler.protocol.as_str(),
                    handler.send_type.as_str(),
                    handler.sendfile_root,
                ])?,
            Target::Redirect(redirect) => self
                .transaction
                .prepare_cached("INSERT INTO redirect (\"to\", status) VALUES (?, ?)")?
                .execute(params![redirect.to, redirect.status])?,
        };
        Ok(self.transaction.last_insert_rowid())
    }

    fn save_proxy(&self, proxy: &Proxy) -> Result<i64, StoreError> {
        let fallback = match &proxy.fallback {
            Some(target) => (self.save_target(target)?, target.target_type()),
            None => (0, ""),
        };
        self.transaction
            .prepare_cached(
                "INSERT INTO proxy (addr, port, host, balance, connect_timeout, first_byte_timeout, idle_timeout, max_fails,
                 fail_timeout, fallback_id, fallback_type, session_cookie, session_idle, session_max, session_forward)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                proxy.addr,
                proxy.port,
                proxy.host,
                proxy.balance.as_str(),
                proxy.connect_timeout,
                proxy.first_byte_timeout,
                proxy.idle_timeout,
                proxy.max_fails,
                proxy.fail_timeout,
                fallback.0,
                fallback.1,
                proxy.session_cookie,
                proxy.session_idle,
                proxy.session_max,
                proxy.session_forward,
            ])?;
        let proxy_id = self.transaction.last_insert_rowid();
        let mut upstream =
            self.transaction.prepare_cached("INSERT INTO upstream (proxy_id, addr, port) VALUES (?, ?, ?)")?;
        for more in &proxy.upstreams {
            upstream.execute(params![proxy_id, more.addr, more.port])?;
        }
        Ok(proxy_id)
    }
}
