//! The server that people put behind servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::{Process, setup, wait};

/// nginx in the foreground, which serves as the lines of its `server` block say, at `address`; it keeps what it writes
/// in `folder`.  `None` where there is none.
///
/// # Panics
/// Instead of `None` when the environment variable `CI` is `true`; if it doesn't start.
pub fn nginx(folder: &Path, address: SocketAddr, server: &str) -> Option<Process> {
    // Debian has it where only root looks.
    let program = ["nginx", "/usr/sbin/nginx"];
    let found = program.into_iter().find(|program| setup::run(Command::new(program).arg("-v")).is_ok());
    let program = setup::or_skip("nginx", found.ok_or_else(|| std::io::Error::other("it is not installed")))?;
    let at = folder.display();
    let paths =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {at}/{name};"));
    let config = format!(
        "daemon off; master_process off; pid {at}/nginx.pid; error_log stderr; events {{}}\n\
         http {{ access_log off; {} server {{ listen {address}; {server} }} }}\n",
        paths.join(" ")
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config).expect("the folder is ours");
    let mut command = Command::new(program);
    let process = Process::start(command.args(["-e", "stderr", "-p"]).arg(folder).arg("-c").arg(file));
    wait::port(address);
    Some(process)
}
