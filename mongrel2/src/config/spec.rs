//! ZeroMQ addresses that a server can bind, and why others can't be used.

/// Why an address can't be used; fits after "cannot use the address:".
pub(super) fn spec_fault(spec: &str) -> Option<String> {
    match spec.split_once("://") {
        Some(("tcp", address)) => tcp_fault(address),
        Some(("ipc", "")) => Some("an ipc address needs a path".to_owned()),
        Some(("ipc", path)) if path.contains('\0') => Some("its path has a NUL byte in it".to_owned()),
        Some(("ipc", path)) if path.split('/').any(|part| part == "..") => Some("its path has `..` in it".to_owned()),
        Some(("ipc", _)) => None,
        Some(("inproc", _)) => Some("`inproc` does not leave the process, so that nobody could connect".into()),
        Some((kind @ ("pgm" | "epgm" | "norm"), _)) => {
            Some(format!("`{kind}` carries neither PUSH nor replies to SUB from several senders"))
        }
        _ => Some("it is no ZeroMQ address".into()),
    }
}

fn tcp_fault(address: &str) -> Option<String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some("a tcp address needs a port".into());
    };
    if host.is_empty() {
        return Some("a tcp address needs an IP address or interface before its port".into());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => None,
        _ => Some(format!("`{port}` is not a TCP port")),
    }
}
