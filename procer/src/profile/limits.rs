//! What a service may use: the file `limits`.
//!
//! All but `memory` are those of setrlimit(2).  `memory` is what procer looks at itself, now and then: the resident
//! memory of the service's process group.

use rustix::process::{Resource, Rlimit};

use super::lines::Lines;
use super::{Trouble, value};

/// The limits of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Those of the kernel.
    pub resources: Vec<Limit>,
    /// A service that has more resident memory, in bytes, is restarted.
    pub memory: Option<u64>,
}

/// A limit of the kernel: the one that holds, and the one up to which a process may raise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    name: &'static str,
    soft: Option<u64>,
    hard: Option<u64>,
}

const RESOURCES: [(&str, Resource); 9] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("memlock", Resource::Memlock),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("stack", Resource::Stack),
];

impl Limits {
    pub(super) fn parse(text: &str, troubles: &mut Vec<Trouble>) -> Self {
        let mut limits = Self::default();
        let known: Vec<&str> = RESOURCES.iter().map(|(name, _)| *name).chain(["memory"]).collect();
        Lines::of("limits", text).each(&known, troubles, |key, text| {
            if key == "memory" {
                return Some(value::size(text).map(|size| limits.memory = Some(size)));
            }
            let (name, _) = RESOURCES.iter().find(|(name, _)| *name == key)?;
            Some(limit(name, text).map(|limit| limits.resources.push(limit)))
        });
        limits
    }
}

impl Limit {
    /// Which resource is limited.
    pub(crate) fn resource(&self) -> Resource {
        let found = RESOURCES.iter().find(|(name, _)| *name == self.name);
        found.expect("limits are made of names in the list").1
    }

    /// As setrlimit(2) takes it.
    pub(crate) fn rlimit(&self) -> Rlimit {
        Rlimit { current: self.soft, maximum: self.hard }
    }
}

/// One value for both, or `SOFT:HARD`; `unlimited` is none.
fn limit(name: &'static str, text: &str) -> Result<Limit, String> {
    let one = |text: &str| if text == "unlimited" { Ok(None) } else { value::size(text).map(Some) };
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let (soft, hard) = (one(soft)?, one(hard)?);
    let exceeds = hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard));
    if exceeds { Err(format!("in `{text}` the first exceeds the second")) } else { Ok(Limit { name, soft, hard }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_one_value_or_two() {
        let mut troubles = Vec::new();
        let limits = Limits::parse("nofile 1024:4096\nmemory 200M\ncore unlimited\n", &mut troubles);
        assert_eq!(troubles, []);
        assert_eq!(limits.memory, Some(200 << 20));
        assert_eq!(limits.resources[0], Limit { name: "nofile", soft: Some(1024), hard: Some(4096) });
        assert_eq!(limits.resources[1], Limit { name: "core", soft: None, hard: None });
        Limits::parse("nofile 10:5\nnofiles 3\nstack big\nmemory unlimited\ncpu unlimited:1", &mut troubles);
        assert_eq!(troubles.len(), 5);
    }
}
