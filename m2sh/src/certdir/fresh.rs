//! A new certificate that signs itself, with its key, and how both get into their folder.
//!
//! Nobody but the owner can read the key at any moment, and no server finds a certificate beside another one's key:
//! each file is written under a name of its own and gets its own when it is whole, the key first; what was there
//! before is moved away before that, the certificate first.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use uuid::Uuid;

/// How long ago a new certificate begins, in seconds: clocks differ.
const EARLIER: u64 = 3600;

/// The longest common name (RFC 5280, appendix A.1, ub-common-name).
const LONGEST_COMMON_NAME: usize = 64;

/// Whom files belong to that root makes: user and group.
pub type Owner = Option<(u32, u32)>;

/// A new pair, in PEM.
pub struct Fresh {
    /// The certificate.
    pub certificate: String,
    key: String,
}

impl Fresh {
    /// Makes a pair with a key of ECDSA P-256, for so many days from now (in seconds since 1970).
    ///
    /// # Errors
    /// There are no names, or what is none among them; or the system has no random numbers.
    pub fn make(names: &[String], days: u32, now: i64) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        let now = u64::try_from(now).unwrap_or_default();
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(now.saturating_sub(EARLIER));
        params.not_after = epoch + Duration::from_secs(now + u64::from(days) * 86_400);
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = names.first().filter(|name| name.len() <= LONGEST_COMMON_NAME) {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Writes the pair to these paths of one folder; whether others may be there already is said by `replace`.
    ///
    /// # Errors
    /// What the system says; everything is as it was then.
    pub fn store(&self, [certificate, key]: &[PathBuf; 2], owner: Owner, replace: bool) -> io::Result<()> {
        let folder = certificate.parent().unwrap_or(Path::new(""));
        let new_key = Staged::write(folder, &self.key, 0o600, owner)?;
        let new_certificate = Staged::write(folder, &self.certificate, 0o644, owner)?;
        let mut aside = Aside::default();
        let stored = (|| {
            if replace {
                aside.take(certificate)?;
                aside.take(key)?;
            }
            new_key.place(key)?;
            new_certificate.place(certificate).inspect_err(|_| drop(fs::remove_file(key)))
        })();
        if stored.is_err() {
            aside.put_back();
        }
        stored
    }
}

/// Whether a certificate can be for this: an IP address, a host name, or one that begins with `*.`.
pub fn is_name(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_letter);
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && host.split('.').all(is_label))
}

/// A file that has no name yet that anybody would look for; it goes with this.
struct Staged(PathBuf);

impl Staged {
    fn write(folder: &Path, text: &str, mode: u32, owner: Owner) -> io::Result<Self> {
        let path = nameless(folder);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let staged = Self(path);
        file.write_all(text.as_bytes())?;
        set_rights(&file, mode, owner)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Gives it its name, unless something is there.
    fn place(&self, path: &Path) -> io::Result<()> {
        fs::hard_link(&self.0, path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Nobody needs to know if it stays.
        let _ = fs::remove_file(&self.0);
    }
}

fn set_rights(file: &File, mode: u32, owner: Owner) -> io::Result<()> {
    if let Some((user, group)) = owner {
        fchown(file, Some(user), Some(group))?;
    }
    // Whatever the umask.
    file.set_permissions(Permissions::from_mode(mode))
}

/// Files that are out of the way, by their paths before and now; they go with this, if they aren't put back.
#[derive(Default)]
struct Aside(Vec<(PathBuf, PathBuf)>);

impl Aside {
    fn take(&mut self, path: &Path) -> io::Result<()> {
        let away = nameless(path.parent().unwrap_or(Path::new("")));
        match fs::rename(path, &away) {
            Ok(()) => self.0.push((path.to_owned(), away)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn put_back(&mut self) {
        for (path, away) in std::mem::take(&mut self.0).into_iter().rev() {
            // What can't be put back is better kept under another name than lost.
            let _ = fs::rename(away, path);
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        for (_, away) in &self.0 {
            let _ = fs::remove_file(away);
        }
    }
}

/// A path that nobody has.
fn nameless(folder: &Path) -> PathBuf {
    folder.join(format!(".{}.tmp", Uuid::new_v4()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hosts() {
        for (name, expected) in [
            ("localhost", true),
            ("a-b.example.com", true),
            ("under_score.example", true),
            ("*.example.com", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("", false),
            ("*", false),
            ("*.", false),
            ("a.*.example.com", false),
            (".example.com", false),
            ("example.com.", false),
            ("example.com:443", false),
            ("http://example.com", false),
            ("exämple.com", false),
            ("a b", false),
            (r"(\a+).example.com", false),
            (&"a".repeat(64), false),
            (&"a.".repeat(150), false),
        ] {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }

    #[test]
    fn a_pair_takes_nobodys_place_unless_it_has_to() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["x.crt", "x.key"].map(|name| folder.path().join(name));
        let [first, second] = [1, 2].map(|days| Fresh::make(&["localhost".into()], days, 0).unwrap());
        let files = || paths.clone().map(|path| fs::read_to_string(path).unwrap_or_default());
        first.store(&paths, None, false).unwrap();
        assert_eq!(files(), [first.certificate.clone(), first.key.clone()]);
        assert_eq!(second.store(&paths, None, false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(files(), [first.certificate.clone(), first.key.clone()]);
        second.store(&paths, None, true).unwrap();
        assert_eq!(files(), [second.certificate, second.key]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }

    #[test]
    fn what_fails_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["x.crt", "x.key"].map(|name| folder.path().join(name));
        fs::write(&paths[0], "old").unwrap();
        let fresh = Fresh::make(&["localhost".into()], 1, 0).unwrap();
        assert!(fresh.store(&paths, None, false).is_err());
        let missing = [paths[0].clone(), folder.path().join("missing/x.key")];
        assert!(fresh.store(&missing, None, true).is_err());
        assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
