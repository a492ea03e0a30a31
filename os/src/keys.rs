//! Certificate files with CURVE keys, in the format of pyzmq and czmq: `name.key` has the public key, and `name.key_secret` has
//! both keys.
//!
//! ```
//! use sansmq::curve::{Certificate, KeyPair};
//! use sansmq::keys::{read_certificate, write_certificates};
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

/// Error of reading a certificate file, or a directory of certificate files.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file or directory could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Path of the file or directory that could not be read.
        path: PathBuf,
        /// Error of the operating system; [`InvalidData`](io::ErrorKind::InvalidData) if the file is not UTF-8.
        source: io::Error,
    },
    /// The file is not a certificate.
    #[error("{} is not a valid certificate: {source}", path.display())]
    Certificate {
        /// Path of the file that is not a certificate.
        path: PathBuf,
        /// Error in the content of the file.
        source: CertificateError,
    },
}

/// Reads a certificate file, public or secret.
///
/// # Errors
///
/// [`ReadError`]: the file cannot be read, or does not have the format of pyzmq, czmq and [`write_certificates`].
#[doc(alias("load_certificate", "zcert_load"))]
pub fn read_certificate(path: impl AsRef<Path>) -> Result<Certificate, ReadError> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable(path))?;
    text.parse().map_err(|source| ReadError::Certificate { path: path.to_owned(), source })
}

/// Reads the public keys of all certificates in a directory, which are the files `*.key`. A server can use them as its list of
/// allowed clients.
///
/// # Errors
///
/// [`ReadError`]: the directory or one of the files cannot be read, or one of the files is not a certificate. In this
/// case, the keys of the other files are not returned either.
#[doc(alias = "load_certificates")]
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

/// Writes `name.key` and, if the certificate has a secret key, `name.key_secret`. Never replaces an existing file,
/// because the key in that file would be lost. On an error, removes the files that this call has created.
///
/// On Unix, only the owner may read the secret file (mode 0600). On other systems, the permissions of the directory apply.
///
/// # Errors
///
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if one of the two files existed before the call; or another error of
/// the operating system.
#[doc(alias("create_certificates", "zcert_save"))]
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

/// Unix permissions of the file with the secret key: only the owner can read and write the file.
const OWNER: u32 = 0o600;
/// Unix permissions of the file with the public key, before the umask of the process restricts them.
const ALL: u32 = 0o666;

/// Newly created file. Removed when dropped, unless [`keep`](Self::keep) is called.
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
        // `file` is declared after `new`, so the file is closed before it is removed. Some systems require this order.
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
            // The caller already gets the error because of which the file is removed.
            _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
