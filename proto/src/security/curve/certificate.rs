//! The text of the files that keys are kept in, as pyzmq (`zmq.auth`) and czmq (`zcert`) write and read it.
//!
//! It is ZPL (RFC 4): sections, and indented properties in them.

use super::{KeyError, KeyPair, PublicKey, SecretKey};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::str::{self, FromStr};
use thiserror::Error;
use zeroize::Zeroizing;

const PUBLIC_BANNER: &str = "\
#   ZeroMQ CURVE Public Certificate, written by sansmq
#   Give it to whom you talk to by a way on which nobody can change it.

";

const SECRET_BANNER: &str = "\
#   ZeroMQ CURVE **Secret** Certificate, written by sansmq
#   Give it to nobody, and leave its permissions as they are.

";

/// The octets around a secret key in its line, and the key's own.
const SECRET_LINE: usize = 64;

/// Why a text is no certificate, or something cannot be in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// This line, from 1, is not as ZPL wants it.
    #[error("line {0} is neither a section nor an indented `name = value` with its quotes closed")]
    Line(usize),
    /// The key in this line, from 1, is none.
    #[error("line {line}: {reason}")]
    Key {
        /// Which line.
        line: usize,
        /// What is wrong with the key.
        #[source]
        reason: KeyError,
    },
    /// There are two public or two secret keys; this line, from 1, has the second.
    #[error("line {0} has a second key where one is allowed")]
    Twice(usize),
    /// There is no public key.
    #[error("there is no `public-key` in a section `curve`")]
    NoPublicKey,
    /// Both keys are there, but are no pair.
    #[error("the secret key does not belong to the public key")]
    Mismatch,
    /// A name of metadata is empty, or has other characters than ZPL allows.
    #[error("a name of metadata consists of ASCII letters, digits and `$-_@.&+`")]
    MetadataName,
    /// A value of metadata cannot be written.
    #[error("a value of metadata is one line, and has not both kinds of quotes")]
    MetadataValue,
}

/// A public key, the secret one if it is known, and metadata that tells whose they are.
///
/// ```
/// use sansmq_proto::security::curve::{Certificate, KeyPair};
///
/// let certificate = Certificate::from(KeyPair::random()).with_metadata("name", "Frontend")?;
/// let told: Certificate = certificate.public_text().parse()?;
/// assert_eq!(told.public(), certificate.public());
/// assert_eq!(told.metadata().collect::<Vec<_>>(), [("name", "Frontend")]);
/// # Ok::<(), sansmq_proto::security::curve::CertificateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    public: PublicKey,
    pair: Option<KeyPair>,
    metadata: Vec<(String, String)>,
}

impl Certificate {
    /// The key that others may know.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Both keys, if this is a secret certificate.
    pub const fn key_pair(&self) -> Option<&KeyPair> {
        self.pair.as_ref()
    }

    /// The names and values of section `metadata`, in their order. Nobody vouches for them.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// With one more entry in section `metadata`, which the public text has as well as the secret one.
    ///
    /// # Errors
    ///
    /// [`MetadataName`](CertificateError::MetadataName) and [`MetadataValue`](CertificateError::MetadataValue) if it could
    /// not be read again.
    pub fn with_metadata(mut self, name: &str, value: &str) -> Result<Self, CertificateError> {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"$-_@.&+".contains(&octet);
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(CertificateError::MetadataName);
        }
        if value.contains(['\r', '\n']) || quote(value).is_none() {
            return Err(CertificateError::MetadataValue);
        }
        self.metadata.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// The file that others may have; pyzmq and czmq name it `*.key`.
    pub fn public_text(&self) -> String {
        self.text(PUBLIC_BANNER)
    }

    /// The file that nobody else may have, wiped when dropped; pyzmq and czmq name it `*.key_secret`. `None` without a
    /// secret key.
    pub fn secret_text(&self) -> Option<Zeroizing<String>> {
        let secret = self.pair.as_ref()?.secret().to_z85();
        let mut text = Zeroizing::new(self.text(SECRET_BANNER));
        // Once the secret is in it, it must not move: nobody would wipe where it was.
        text.reserve(SECRET_LINE);
        for part in ["    secret-key = \"", &secret, "\"\n"] {
            text.push_str(part);
        }
        Some(text)
    }

    fn text(&self, banner: &str) -> String {
        let mut text = banner.to_owned();
        text.push_str("metadata\n");
        for (name, value) in &self.metadata {
            let quote = quote(value).unwrap_or_default();
            writeln!(text, "    {name} = {quote}{value}{quote}").expect("a String takes all");
        }
        write!(text, "curve\n    public-key = \"{}\"\n", self.public).expect("a String takes all");
        text
    }
}

/// A secret certificate without metadata.
impl From<KeyPair> for Certificate {
    fn from(pair: KeyPair) -> Self {
        Self { public: *pair.public(), pair: Some(pair), metadata: Vec::new() }
    }
}

/// A public certificate without metadata.
impl From<PublicKey> for Certificate {
    fn from(public: PublicKey) -> Self {
        Self { public, pair: None, metadata: Vec::new() }
    }
}

/// From the text of a public or a secret certificate. What is in other sections, or under other names, is passed over.
impl FromStr for Certificate {
    type Err = CertificateError;

    fn from_str(text: &str) -> Result<Self, CertificateError> {
        let (mut public, mut secret, mut metadata) = (None, None, Vec::new());
        let mut section = "";
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = CertificateError::Line(number);
            match Line::parse(line).ok_or(wrong)? {
                Line::Nothing => {}
                Line::Section(name) => section = name,
                Line::Property(name, value) => match (section, name) {
                    ("metadata", _) => metadata.push((name.to_owned(), value.to_owned())),
                    ("curve", "public-key") => set(&mut public, value, number)?,
                    ("curve", "secret-key") => set(&mut secret, value, number)?,
                    _ => {}
                },
            }
        }
        let public = public.ok_or(CertificateError::NoPublicKey)?;
        let pair = secret.map(|secret: SecretKey| KeyPair::from(secret));
        if pair.as_ref().is_some_and(|pair| *pair.public() != public) {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self { public, pair, metadata })
    }
}

fn set<K: FromStr<Err = KeyError>>(key: &mut Option<K>, value: &str, line: usize) -> Result<(), CertificateError> {
    let value = value.parse().map_err(|reason| CertificateError::Key { line, reason })?;
    match key.replace(value) {
        None => Ok(()),
        Some(_) => Err(CertificateError::Twice(line)),
    }
}

/// What `value` can be put between, so that it is read again; `None` if there is nothing.
fn quote(value: &str) -> Option<&'static str> {
    ["\"", "'"].into_iter().find(|quote| !value.contains(*quote))
}

/// A line of ZPL.
enum Line<'a> {
    Nothing,
    Section(&'a str),
    Property(&'a str, &'a str),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            return Some(Self::Nothing);
        }
        let (name, rest) = content.split_at(content.find(['=', '#']).unwrap_or(content.len()));
        let name = name.trim_end();
        let value = unquoted(rest.strip_prefix('=').unwrap_or_default().trim_start())?;
        if name.is_empty() {
            return None;
        }
        Some(if line.starts_with([' ', '\t']) { Self::Property(name, value) } else { Self::Section(name) })
    }
}

/// What is between the quotes, or before a comment.
fn unquoted(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Some(without_comment(value));
    };
    let (inside, behind) = value[1..].split_once(quote)?;
    without_comment(behind).is_empty().then_some(inside)
}

fn without_comment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default().trim_end()
}
