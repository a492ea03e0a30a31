//! [`KeyFolder`]: the current public keys of a directory.

use super::{ReadError, is_public, read_certificate, read_public_keys};
use sansmq_proto::security::curve::PublicKey;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Public keys of all certificate files (`*.key`) in a directory, kept up to date while files are added and removed. A
/// server can use the folder as its list of allowed clients: a new file allows later connections with its key, and
/// removing the file denies them. Existing connections are not closed.
///
/// ```no_run
/// use sansmq::AllowList;
/// use sansmq::keys::KeyFolder;
/// use std::time::Duration;
///
/// let folder = KeyFolder::open("clients", Duration::from_secs(1))?;
/// let rules = AllowList::new().curve_keys_known_by(move |key| folder.contains(key));
/// # let _ = rules;
/// # Ok::<(), sansmq::keys::ReadError>(())
/// ```
#[doc(alias("configure_curve", "zcertstore"))]
#[derive(Debug)]
pub struct KeyFolder {
    directory: PathBuf,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: BTreeSet<PublicKey>,
    files: Files,
    checked: Instant,
}

/// Modification time and size in bytes of each certificate file, by file name. The time is `None` if the file system
/// does not store one. Used to detect changes of the directory.
type Files = BTreeMap<OsString, (Option<SystemTime>, u64)>;

impl KeyFolder {
    /// Reads the keys of all certificates in `directory`. Later, [`contains`](Self::contains) checks the directory for
    /// changes, but not more often than once per `interval`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: the directory cannot be read, or one of its files `*.key` is not a certificate. There are no
    /// errors after `open`: if a file becomes invalid later, only the key of this file is denied, and if the directory
    /// is removed, all keys are denied.
    pub fn open(directory: impl Into<PathBuf>, interval: Duration) -> Result<Self, ReadError> {
        let directory = directory.into();
        // The file times are read before the keys, so that a change in between is detected by the next check.
        let files = files(&directory);
        let keys = read_public_keys(&directory)?;
        Ok(Self { directory, interval, state: Mutex::new(State { keys, files, checked: Instant::now() }) })
    }

    /// Returns true if the directory has a certificate with the public key `key`. If the interval that was passed to
    /// [`open`](Self::open) has passed since the last check, first reads the directory again. This blocks the caller,
    /// so the directory should be on a local disk.
    pub fn contains(&self, key: &PublicKey) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.checked.elapsed() >= self.interval {
            let files = files(&self.directory);
            if files != state.files {
                let certificates = files.keys().filter_map(|name| read_certificate(self.directory.join(name)).ok());
                state.keys = certificates.map(|certificate| *certificate.public()).collect();
                state.files = files;
            }
            state.checked = Instant::now();
        }
        state.keys.contains(key)
    }
}

fn files(directory: &PathBuf) -> Files {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let public = entries.filter(|entry| is_public(&entry.path()));
    let files = public.filter_map(|entry| {
        let metadata = fs::metadata(entry.path()).ok()?;
        Some((entry.file_name(), (metadata.modified().ok(), metadata.len())))
    });
    files.collect()
}
