//! Who a service runs as.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// A user with the groups that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// All other groups.
    pub groups: Vec<u32>,
    /// Name, home and shell, where the user has any.
    pub person: Option<Person>,
}

/// What is known of a user by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The home folder.
    pub home: String,
    /// The shell.
    pub shell: String,
}

impl Account {
    /// The one with these ids.
    pub(crate) fn of(uid: u32, gid: u32) -> Self {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        Self::new(uid, gid, user)
    }

    /// The one that a file `user` names: `NAME` or `NAME:GROUP`.
    pub(crate) fn named(text: &str) -> Result<Self, String> {
        let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
        let user = User::from_name(name).ok().flatten().ok_or_else(|| format!("there is no user `{name}`"))?;
        let gid = match group {
            None => user.gid,
            Some(group) => {
                let found = Group::from_name(group).ok().flatten();
                found.ok_or_else(|| format!("there is no group `{group}`"))?.gid
            }
        };
        Ok(Self::new(user.uid.as_raw(), gid.as_raw(), Some(user)))
    }

    fn new(uid: u32, gid: u32, user: Option<User>) -> Self {
        let groups = user.as_ref().and_then(|user| groups(&user.name, gid)).unwrap_or_else(|| vec![gid]);
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let person = user.map(|user| Person { name: user.name, home: text(&user.dir), shell: text(&user.shell) });
        Self { uid, gid, groups, person }
    }
}

fn groups(name: &str, gid: u32) -> Option<Vec<u32>> {
    let name = std::ffi::CString::new(name).ok()?;
    let groups = getgrouplist(&name, Gid::from_raw(gid)).ok()?;
    Some(groups.into_iter().map(Gid::as_raw).collect())
}
