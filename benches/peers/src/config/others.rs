//! The configurations of nginx and lighttpd.

use std::net::SocketAddr;
use std::path::Path;

/// That of nginx.
pub(super) fn nginx(folder: &Path, address: SocketAddr) -> String {
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
         server {{ listen {address}; root {}/static; }}\n}}\n",
        folder.display()
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
