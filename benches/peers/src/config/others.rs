//! The configurations of nginx, lighttpd and haproxy.

use std::net::SocketAddr;
use std::path::Path;

use super::database::certificate;
use crate::row::Setup;

/// That of nginx.
pub(super) fn nginx(folder: &Path, address: SocketAddr, setup: Setup, upstream: Option<SocketAddr>) -> String {
    // Started as root, its worker would be a user who can't enter the folder.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let bodies: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("    {what}_temp_path tmp/{what};\n"))
        .collect();
    format!(
        "{user}daemon off;\n\
         worker_processes 1;\n\
         pid run/nginx.pid;\n\
         error_log logs/error.log;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n{bodies}    types {{ text/plain txt; }}\n    access_log off;\n    gzip off;\n    sendfile on;\n    \
         tcp_nopush on;\n    keepalive_timeout 3600s;\n    keepalive_requests 1000000000;\n    \
         {}}}\n",
        nginx_server(folder, address, setup, upstream)
    )
}

fn nginx_server(folder: &Path, address: SocketAddr, setup: Setup, upstream: Option<SocketAddr>) -> String {
    let folder = folder.display();
    if let Some(upstream) = upstream {
        return format!(
            "upstream peers {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; \
             keepalive_timeout 3600s; }}\n    \
             server {{ listen {address}; location / {{ proxy_pass http://peers; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; }} }}\n"
        );
    }
    let (ssl, lines) = if setup == Setup::Tls { (" ssl", nginx_tls(&folder.to_string())) } else { ("", String::new()) };
    format!("server {{ listen {address}{ssl}; root {folder}/static;{lines} }}\n")
}

fn nginx_tls(folder: &str) -> String {
    let [file, key] = ["crt", "key"].map(certificate);
    // Its default has no TLS 1.3 before 1.23.4.
    format!(" ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {folder}/{file}; ssl_certificate_key {folder}/{key};")
}

/// That of haproxy.
pub(super) fn haproxy(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "global\n    nbthread 1\n    maxconn 4000\n\
         defaults\n    mode http\n    timeout connect 5s\n    timeout client 3600s\n    timeout server 3600s\n\
         frontend peers\n    bind {address}\n    default_backend upstream\n\
         backend upstream\n    server upstream {upstream}\n"
    )
}

/// That of lighttpd.
pub(super) fn lighttpd(folder: &Path, address: SocketAddr) -> String {
    format!(
        "server.bind = \"{}\"\n\
         server.port = {}\n\
         server.document-root = \"{}/static\"\n\
         server.errorlog = \"{}/logs/error.log\"\n\
         server.max-fds = 20000\n\
         server.max-connections = 10000\n\
         server.max-keep-alive-requests = 1000000000\n\
         server.max-keep-alive-idle = 3600\n\
         server.network-backend = \"sendfile\"\n\
         mimetype.assign = ( \".txt\" => \"text/plain\" )\n",
        address.ip(),
        address.port(),
        folder.display(),
        folder.display()
    )
}
