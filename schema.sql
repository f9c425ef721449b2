-- The configuration database of mongrel2: the model that m2sh writes and the server reads.
--
-- It is an interface.  Programs in other languages read and write these tables with plain SQL, so that
-- names, types and defaults stay as they are; new columns come with a default.
-- `PRAGMA user_version` is 0 in databases of the original tool and 1 in ours.

CREATE TABLE server (id INTEGER PRIMARY KEY,
    uuid TEXT,                              -- names the server: letters, digits, '-'
    access_log TEXT,                        -- path under chroot
    error_log TEXT,                         -- path under chroot
    error_log_level INTEGER DEFAULT 2,      -- 0 errors, 1 + warnings, 2 + information, 3 + debugging
    chroot TEXT DEFAULT '/var/www',
    pid_file TEXT,                          -- path under chroot
    control_port TEXT DEFAULT '',           -- ZeroMQ address; '' is the setting control_port
    default_host TEXT,                      -- name of the host for requests that no host matches
    name TEXT DEFAULT '',
    bind_addr TEXT DEFAULT '0.0.0.0',       -- IPv4 or IPv6 address
    port INTEGER,
    use_ssl INTEGER DEFAULT 0);

CREATE TABLE host (id INTEGER PRIMARY KEY,
    server_id INTEGER,
    maintenance BOOLEAN DEFAULT 0,
    name TEXT,
    matching TEXT,                          -- matched from the end of the Host header
    hsts INTEGER DEFAULT 0);                -- seconds of Strict-Transport-Security, said over TLS; 0: it isn't said

CREATE TABLE alias (id INTEGER PRIMARY KEY,
    host_id INTEGER,
    matching TEXT);                         -- leads to the host too

CREATE TABLE error_page (id INTEGER PRIMARY KEY,
    host_id INTEGER,
    status INTEGER,                         -- 400 to 599
    path TEXT);                             -- path under chroot: the body of that error

CREATE TABLE route (id INTEGER PRIMARY KEY,
    path TEXT,                              -- prefix, or prefix and a pattern from the first '('
    reversed BOOLEAN DEFAULT 0,             -- matched from the end of the path
    host_id INTEGER,
    target_id INTEGER,
    target_type TEXT);                      -- 'dir', 'proxy', 'handler' or 'redirect'

CREATE TABLE handler (id INTEGER PRIMARY KEY,
    send_spec TEXT,                         -- ZeroMQ address of the PUSH socket: requests
    send_ident TEXT,                        -- first word of each message
    recv_spec TEXT,                         -- ZeroMQ address of the SUB socket: replies
    recv_ident TEXT,                        -- subscription; '' is everything
    raw_payload INTEGER DEFAULT 0,
    protocol TEXT DEFAULT 'json',           -- 'json' or 'tnetstring'
    send_type TEXT DEFAULT 'push',          -- 'push': each request to one handler; 'pub': to all of them
    sendfile_root TEXT DEFAULT '');         -- path under chroot: what sendfile replies may send; '' is nothing

CREATE TABLE proxy (id INTEGER PRIMARY KEY,
    addr TEXT,                              -- name or address of the (first) upstream
    port INTEGER,
    host TEXT DEFAULT '',                   -- the Host header for the upstream; '' is the client's
    balance TEXT DEFAULT 'round_robin',     -- or 'least_connections': which of several upstreams gets a request
    connect_timeout INTEGER DEFAULT 5,      -- seconds
    first_byte_timeout INTEGER DEFAULT 60,  -- seconds
    idle_timeout INTEGER DEFAULT 60,        -- seconds
    max_fails INTEGER DEFAULT 1,            -- failures in a row that put an upstream aside; 0: none do
    fail_timeout INTEGER DEFAULT 10,        -- seconds that it is aside
    fallback_id INTEGER DEFAULT 0,          -- who answers when no upstream does
    fallback_type TEXT DEFAULT '',          -- 'dir', 'redirect' or '': the table of fallback_id
    session_cookie TEXT DEFAULT '',         -- name of the cookie that pins a client to a connection; '' pins nobody
    session_idle INTEGER DEFAULT 1800,      -- seconds that a session lives without a request
    session_max INTEGER DEFAULT 86400,      -- seconds that it lives at all; 0: no limit
    session_forward BOOLEAN DEFAULT 0);     -- whether the upstream sees that cookie

CREATE TABLE upstream (id INTEGER PRIMARY KEY,
    proxy_id INTEGER,                       -- which has one more upstream here
    addr TEXT,
    port INTEGER);

CREATE TABLE directory (id INTEGER PRIMARY KEY,
    base TEXT,                              -- path under chroot
    index_file TEXT,
    default_ctype TEXT,
    cache_ttl INTEGER DEFAULT 0,            -- seconds
    listing BOOLEAN DEFAULT 0);             -- whether a folder without its index file is listed

CREATE TABLE redirect (id INTEGER PRIMARY KEY,
    "to" TEXT,                              -- where to, with $path, $query, $host and $$
    status INTEGER DEFAULT 301);            -- 301, 302, 303, 307 or 308

CREATE TABLE setting (id INTEGER PRIMARY KEY,
    key TEXT,
    value TEXT);

CREATE TABLE mimetype (id INTEGER PRIMARY KEY,
    mimetype TEXT,
    extension TEXT);                        -- with its dot

-- Values that the configuration refers to as ${secret:NAME}.  They are nowhere else.
CREATE TABLE secret (id INTEGER PRIMARY KEY,
    name TEXT,
    value TEXT);

CREATE TABLE filter (id INTEGER PRIMARY KEY,
    server_id INTEGER,
    name TEXT,
    settings TEXT);

-- What servers have counted under the generation that they serve.  A server writes its own rows and no others; it
-- touches no other table but past_statistic.  The ids mean what they meant in that generation.
CREATE TABLE statistic (id SERIAL,
    other_type TEXT,                        -- 'server', 'host' or 'route': the table of other_id
    other_id INTEGER,
    name TEXT,                              -- 'latency' (seconds), 'bytes', 'errors' (0 or 1 each); of servers 'starts'
    sum REAL,
    sumsq REAL,                             -- sum of the squares
    n INTEGER,                              -- how many samples
    min REAL,
    max REAL,
    mean REAL,
    sd REAL,                                -- standard deviation
    generation INTEGER DEFAULT 0,           -- 0 if they have never been counted
    server TEXT DEFAULT '',                 -- uuid
    host TEXT DEFAULT '',                   -- name of the host, of hosts and routes
    route TEXT DEFAULT '',                  -- path of the route, of routes
    first_at TIMESTAMP DEFAULT '',          -- UTC: when the row was first written
    last_at TIMESTAMP DEFAULT '',           -- UTC: when it was last written
    PRIMARY KEY (other_type, other_id, name));

-- The same of the generations before.  It survives `m2sh init` and `m2sh load`, which give new ids.
CREATE TABLE past_statistic (generation INTEGER,
    server TEXT,
    other_type TEXT,
    host TEXT,
    route TEXT,
    name TEXT,
    sum REAL,
    sumsq REAL,
    n INTEGER,
    min REAL,
    max REAL,
    mean REAL,
    sd REAL,
    first_at TIMESTAMP,
    last_at TIMESTAMP,
    PRIMARY KEY (generation, server, other_type, host, route, name));

-- Who changed what, when and why.  It survives `m2sh init` and `m2sh load`.
CREATE TABLE log (id INTEGER PRIMARY KEY,
    who TEXT,
    what TEXT,
    location TEXT,
    happened_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,    -- UTC
    how TEXT,
    why TEXT,
    seal TEXT DEFAULT '',                   -- SHA-256 of the seal before it and of what has come since; '': it has none
    servers TEXT DEFAULT NULL,              -- uuids of the servers that it is about, with blanks between; '*': all; NULL: none
    login TEXT DEFAULT NULL,                -- as whom the user logged in, where the kernel knows it (proc_pid_loginuid(5))
    uid INTEGER DEFAULT NULL);              -- user id of the program that wrote it

-- One row for each change of the configuration, numbered; it outlives the configuration like the log.
CREATE TABLE generation (id INTEGER PRIMARY KEY,
    log_id INTEGER,                         -- the entry of the log that says who changed it, when and why
    digest TEXT,                            -- SHA-256 of the configuration as JSON, in hexadecimal digits
    config BLOB,                            -- that JSON, compressed (RFC 1951); NULL when it was thrown away
    changes BLOB,                           -- which objects and fields it changed, as JSON, compressed
    origin TEXT);                           -- the script: its files with their SHA-256, and what it asked for, as JSON

-- The texts of scripts that generations were made from.
CREATE TABLE source (digest TEXT PRIMARY KEY,   -- SHA-256 of the text
    content BLOB);                          -- the text, compressed (RFC 1951)

-- The generations whose configuration `m2sh gc` has thrown away.
CREATE TABLE collected (generation INTEGER PRIMARY KEY,
    log_id INTEGER);                        -- the entry of the log that says who did that
