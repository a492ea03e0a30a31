//! [`KeyFolder`]: the public keys of a directory, as they are now.

use super::{ReadError, is_public, read_certificate, read_public_keys};
use sansmq_proto::security::curve::PublicKey;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The public keys of a directory of certificates, which are its files `*.key`, as they are now: whoever's certificate is
/// put there or taken away may come in, or no longer. Who is in already stays.
///
/// ```no_run
/// use sansmq_os::keys::KeyFolder;
/// use sansmq_proto::security::AllowList;
/// use std::time::Duration;
///
/// let folder = KeyFolder::open("clients", Duration::from_secs(1))?;
/// let rules = AllowList::new().curve_keys_known_by(move |key| folder.contains(key));
/// # let _ = rules;
/// # Ok::<(), sansmq_os::keys::ReadError>(())
/// ```
#[derive(Debug)]
pub struct KeyFolder {
    directory: PathBuf,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: BTreeSet<PublicKey>,
    files: Files,
    looked: Instant,
}

/// What tells that a file has changed.
type Files = BTreeMap<OsString, (Option<SystemTime>, u64)>;

impl KeyFolder {
    /// Reads the directory, and looks for changes after every `pause` at the earliest, when somebody asks.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, or one of its files is no certificate. Later such a file lets nobody in, and
    /// neither does a directory that is gone.
    pub fn open(directory: impl Into<PathBuf>, pause: Duration) -> Result<Self, ReadError> {
        let directory = directory.into();
        // In this order: what changes meanwhile is noticed the next time.
        let files = files(&directory);
        let keys = read_public_keys(&directory)?;
        Ok(Self { directory, pause, state: Mutex::new(State { keys, files, looked: Instant::now() }) })
    }

    /// Whether this key is there. It may read the directory, a local one hopefully: whoever waits for the answer waits for
    /// that too.
    pub fn contains(&self, key: &PublicKey) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= self.pause {
            let files = files(&self.directory);
            if files != state.files {
                let certificates = files.keys().filter_map(|name| read_certificate(self.directory.join(name)).ok());
                state.keys = certificates.map(|certificate| *certificate.public()).collect();
                state.files = files;
            }
            state.looked = Instant::now();
        }
        state.keys.contains(key)
    }
}

fn files(directory: &PathBuf) -> Files {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let public = entries.filter(|entry| is_public(&entry.path()));
    let told = public.filter_map(|entry| {
        let about = fs::metadata(entry.path()).ok()?;
        Some((entry.file_name(), (about.modified().ok(), about.len())))
    });
    told.collect()
}
