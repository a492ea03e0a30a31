//! [`Certificate`]: the text of key files, compatible with pyzmq (`zmq.auth`) and czmq (`zcert`).
//!
//! The format is ZPL (RFC 4): sections that contain indented properties.

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
#   Transfer this file to your peers over a channel that prevents changes to it.

";

const SECRET_BANNER: &str = "\
#   ZeroMQ CURVE **Secret** Certificate, written by sansmq
#   Do not share this file, and do not change its permissions.

";

/// Number of bytes to reserve for the line with the secret key, at the end of the text of a secret certificate.
const SECRET_LINE: usize = 64;

/// Error of parsing a certificate, or of metadata that a certificate cannot contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A line is not valid ZPL. Carries the line number, from 1.
    #[error("line {0} is neither a section nor an indented `name = value` with its quotes closed")]
    Line(usize),
    /// A public key or a secret key is invalid.
    #[error("line {line}: {reason}")]
    Key {
        /// Number of the line with the invalid key, from 1.
        line: usize,
        /// Reason why the key is invalid.
        #[source]
        reason: KeyError,
    },
    /// The public key or the secret key appears twice. Carries the number of the line where it appears again, from 1.
    #[error("line {0} has a second key of the same kind; only one is allowed")]
    Twice(usize),
    /// The certificate has no public key.
    #[error(
        "the certificate has no `public-key` in a section `curve`; is it a file of pyzmq, czmq or `write_certificates`?"
    )]
    NoPublicKey,
    /// The public key and the secret key of the certificate do not belong together.
    #[error("the secret key does not belong to the public key; use both keys of one pair")]
    Mismatch,
    /// The name of a metadata entry is empty, or contains characters that ZPL does not allow.
    #[error("a metadata name must consist of ASCII letters, digits and `$-_@.&+`")]
    MetadataName,
    /// The value of a metadata entry contains line breaks, or both kinds of quotes.
    #[error("a metadata value must be one line, and must not contain both kinds of quotes")]
    MetadataValue,
}

/// A public key, optionally its secret key, and metadata about the owner of the key.
///
/// ```
/// use sansmq::curve::{Certificate, KeyPair};
///
/// let certificate = Certificate::from(KeyPair::random()).with_metadata("name", "Frontend")?;
/// let parsed: Certificate = certificate.public_text().parse()?;
/// assert_eq!(parsed.public(), certificate.public());
/// assert_eq!(parsed.metadata().collect::<Vec<_>>(), [("name", "Frontend")]);
/// # Ok::<(), sansmq::curve::CertificateError>(())
/// ```
#[doc(alias = "zcert")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    public: PublicKey,
    pair: Option<KeyPair>,
    metadata: Vec<(String, String)>,
}

impl Certificate {
    /// Returns the public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the public and the secret key, or `None` if this certificate contains only the public key.
    pub const fn key_pair(&self) -> Option<&KeyPair> {
        self.pair.as_ref()
    }

    /// Returns the names and values of the section `metadata`, in order. No signature protects the metadata against
    /// changes.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds an entry to the section `metadata`, which [`public_text`](Self::public_text) and
    /// [`secret_text`](Self::secret_text) both contain.
    ///
    /// # Errors
    ///
    /// [`MetadataName`](CertificateError::MetadataName) and [`MetadataValue`](CertificateError::MetadataValue) if the entry
    /// cannot be represented in ZPL.
    pub fn with_metadata(mut self, name: &str, value: &str) -> Result<Self, CertificateError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"$-_@.&+".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(CertificateError::MetadataName);
        }
        if value.contains(['\r', '\n']) || quote(value).is_none() {
            return Err(CertificateError::MetadataValue);
        }
        self.metadata.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// Returns the text of the public key file, without the secret key. pyzmq and czmq use the file name `*.key`.
    pub fn public_text(&self) -> String {
        self.text(PUBLIC_BANNER)
    }

    /// Returns the text of the secret file, or `None` if the certificate has no secret key. The text is wiped when
    /// dropped. pyzmq and czmq use the file name `*.key_secret`.
    pub fn secret_text(&self) -> Option<Zeroizing<String>> {
        let secret = self.pair.as_ref()?.secret().to_z85();
        let mut text = Zeroizing::new(self.text(SECRET_BANNER));
        // The text must not be reallocated after the secret was added, because the old allocation would not be wiped.
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
            writeln!(text, "    {name} = {quote}{value}{quote}").expect("writing to a String does not fail");
        }
        write!(text, "curve\n    public-key = \"{}\"\n", self.public).expect("writing to a String does not fail");
        text
    }
}

/// Creates a certificate with the public and the secret key, without metadata.
impl From<KeyPair> for Certificate {
    fn from(pair: KeyPair) -> Self {
        Self { public: *pair.public(), pair: Some(pair), metadata: Vec::new() }
    }
}

/// Creates a certificate with only the public key, without metadata.
impl From<PublicKey> for Certificate {
    fn from(public: PublicKey) -> Self {
        Self { public, pair: None, metadata: Vec::new() }
    }
}

/// Parses the text of a public or a secret certificate. Ignores sections and properties that a certificate does not
/// define.
impl FromStr for Certificate {
    type Err = CertificateError;

    fn from_str(text: &str) -> Result<Self, CertificateError> {
        let (mut public, mut secret, mut metadata) = (None, None, Vec::new());
        let mut section = "";
        for (number, line) in (1..).zip(text.lines()) {
            let error = CertificateError::Line(number);
            match Line::parse(line).ok_or(error)? {
                Line::Blank => {}
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

/// Returns a quotation mark (`"` or `'`) that `value` does not contain, or `None` if `value` contains both.
fn quote(value: &str) -> Option<&'static str> {
    ["\"", "'"].into_iter().find(|quote| !value.contains(*quote))
}

/// Parsed line of a certificate, in the format ZPL (RFC 4).
enum Line<'a> {
    /// Empty line, or line with only a comment.
    Blank,
    Section(&'a str),
    Property(&'a str, &'a str),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            return Some(Self::Blank);
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

/// Returns the value of a property without quotes and without a comment. Returns `None` if a quote is not closed, or
/// other text follows the closing quote.
fn unquoted(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Some(without_comment(value));
    };
    let (content, rest) = value[1..].split_once(quote)?;
    without_comment(rest).is_empty().then_some(content)
}

fn without_comment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default().trim_end()
}
