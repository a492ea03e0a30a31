//! The files that keys are kept in, the same as those of pyzmq and czmq: `name.key` for everybody, `name.key_secret` for
//! their owner.
//!
//! ```
//! use sansmq_os::keys::{read_certificate, write_certificates};
//! use sansmq_proto::security::curve::{Certificate, KeyPair};
//! # let directory = std::env::temp_dir().join(format!("sansmq-keys-{}", std::process::id()));
//! # std::fs::create_dir(&directory)?;
//!
//! write_certificates(&directory, "frontend", &KeyPair::random().into())?;
//! let ours = read_certificate(directory.join("frontend.key_secret"))?;
//! assert!(ours.key_pair().is_some());
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod folder;

pub use folder::KeyFolder;

use sansmq_proto::security::curve::{Certificate, CertificateError, PublicKey};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a certificate could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The system does not give the file, or the directory.
    #[error("{} cannot be read", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// The system's reason. [`InvalidData`](io::ErrorKind::InvalidData) is a file that is not of UTF-8.
        source: io::Error,
    },
    /// The file is no certificate.
    #[error("{} is no certificate", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
}

/// Reads a certificate, public or secret.
///
/// # Errors
///
/// If there is no such file, or it is not what pyzmq, czmq or [`write_certificates`] write.
pub fn read_certificate(path: impl AsRef<Path>) -> Result<Certificate, ReadError> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable(path))?;
    text.parse().map_err(|source| ReadError::Certificate { path: path.to_owned(), source })
}

/// The public keys of all certificates in a directory, which are the files named `*.key`: whom a server knows, say.
///
/// # Errors
///
/// If the directory cannot be read, or one of the files; none of the keys is returned then.
pub fn read_public_keys(directory: impl AsRef<Path>) -> Result<BTreeSet<PublicKey>, ReadError> {
    let directory = directory.as_ref();
    let mut keys = BTreeSet::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if is_public(&path) {
            keys.insert(*read_certificate(path)?.public());
        }
    }
    Ok(keys)
}

/// Writes `name.key` and, if the secret key is known, `name.key_secret`, both or neither.
///
/// On Unix only the file's owner may read the secret one (mode 0600); elsewhere the directory decides.
///
/// # Errors
///
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if one of them is there: a key that is replaced is lost. Or whatever
/// else the system answers.
pub fn write_certificates(directory: impl AsRef<Path>, name: &str, certificate: &Certificate) -> io::Result<()> {
    let path = |extension| directory.as_ref().join(format!("{name}.{extension}"));
    let mut secret = None;
    if let Some(text) = certificate.secret_text() {
        secret = Some(NewFile::write(path("key_secret"), &text, OWNER)?);
    }
    let public = NewFile::write(path("key"), &certificate.public_text(), ALL)?;
    secret.into_iter().chain([public]).for_each(NewFile::keep);
    Ok(())
}

fn is_public(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "key")
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
    |source| ReadError::Io { path: path.to_owned(), source }
}

/// Who may read a file, as the mode of it on Unix.
const OWNER: u32 = 0o600;
const ALL: u32 = 0o666; // as far as the process's umask lets them

/// A file that was not there before, and is removed unless it is kept.
struct NewFile(Option<PathBuf>);

impl NewFile {
    fn write(path: PathBuf, text: &str, mode: u32) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        let _ = mode;
        let opened = options.open(&path)?;
        let new = Self(Some(path));
        // Closed before it is removed, which not every system lets be done otherwise.
        let mut file = opened;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(new)
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What is being told already is why it is removed.
            _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
