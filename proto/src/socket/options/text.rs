//! Options as text: [`SocketOption::parse`], and the text of the value of an option.

#[cfg(doc)]
use super::SlowSubscriber;
use super::value::{Value, read_security};
use super::{Settings, SocketOption};
use crate::socket_type::{TypeSet, without_zmq};
use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use not_options::NOT_OPTIONS;
use thiserror::Error;

/// Error of [`SocketOption::parse`] and [`Options::get`](crate::Options::get).
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseOptionError {
    /// No option has this name.
    #[error("no option has the name `{name}`; {}", advice(*.nearest))]
    Unknown {
        /// Name that was given.
        name: String,
        /// Name of an option, of this crate or of libzmq, that is most similar to the given name. `None` if no name is
        /// similar.
        nearest: Option<&'static str>,
    },
    /// An option of libzmq that is no option here.
    #[error("`{name}` is not an option here: {instead}")]
    NotAnOption {
        /// Name that was given.
        name: String,
        /// Call or option that takes the place of the option of libzmq, or the reason why there is none.
        instead: &'static str,
    },
    /// The option of libzmq is a part of an option of this crate, which sets all parts together.
    #[error("`{name}` is a part of the option `{option}`; set that instead, to {expected}")]
    Part {
        /// Name that was given.
        name: String,
        /// Name of the option of this crate.
        option: &'static str,
        /// Description of the text that the option of this crate accepts.
        expected: &'static str,
    },
    /// The text is not a value of the option.
    #[error("`{name}` cannot be `{value}`; write {expected}")]
    Value {
        /// Name that was given.
        name: String,
        /// Text that was given; `..` for an option with a password.
        value: String,
        /// Description of the text that the option accepts.
        expected: &'static str,
    },
    /// The text is not a value of the option `security`.
    #[error("`security`: {reason}")]
    Security {
        /// Part of the text that is wrong, and what to write. Contains neither keys nor credentials.
        reason: String,
    },
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice.
impl fmt::Debug for ParseOptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParseOptionError: {self}")
    }
}

fn advice(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || "`SocketOption::NAMES` has all names".into(),
        |nearest| format!("the nearest name is `{nearest}`"),
    )
}

/// Row of the table of options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    /// Name of the option, which is that of its setter.
    pub(super) name: &'static str,
    /// Names of the option in libzmq without `ZMQ_`, with the relation between both texts.
    pub(super) libzmq: &'static [(&'static str, Libzmq)],
    /// Description of the text of the values, for errors.
    pub(super) form: &'static str,
    /// True if the values contain a password.
    pub(super) is_secret: bool,
    /// Socket types that have the option.
    pub(super) types: TypeSet,
    pub(super) read: fn(&str) -> Option<SocketOption>,
    /// Appends the option with its value in effect, if it is in effect.
    pub(super) present: fn(&Settings, &mut Vec<SocketOption>),
}

/// Relation between the text of an option in libzmq and its text here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Libzmq {
    Same,
    /// Milliseconds; -1 for no limit.
    Millis,
    /// Milliseconds; 0 for no limit, or that of the system.
    MillisOrZero,
    /// -1 for no limit, or the size of the system.
    NoLimit,
    /// -1 for the setting of the system.
    Keepalive,
    /// The opposite.
    Inverse,
    /// Bits of `ZMQ_RECONNECT_STOP`.
    StopBits,
    /// 1 for [`SlowSubscriber::Block`], 0 for [`SlowSubscriber::DropNewest`].
    NoDrop,
    /// A property as `X-name:value`.
    Property,
    /// The option here has several options of libzmq.
    Part,
    /// The option here has several options of libzmq. -1 for `no_reconnect`.
    PartOrNever,
}

impl Libzmq {
    /// Returns the text that the option has here. Text that is none of libzmq's stays as it is, without a copy, because it may
    /// be a secret.
    fn translate(self, text: &str) -> Cow<'_, str> {
        let number = text.parse::<i64>().ok();
        let translated = match (self, number) {
            (Self::Millis | Self::NoLimit, Some(-1)) | (Self::MillisOrZero, Some(0)) => "none",
            (Self::Millis | Self::MillisOrZero, Some(_)) => return format!("{text}ms").into(),
            (Self::Keepalive, Some(-1)) => "system",
            (Self::StopBits, Some(0)) => "never",
            (Self::StopBits, Some(bits @ 1..=7)) => {
                let words = [(1, "refused"), (2, "handshake_failed"), (4, "disconnected")];
                let words: Vec<_> =
                    words.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| word).collect();
                return words.join(" ").into();
            }
            (Self::Inverse, _) => match bool::read(text) {
                Some(true) => "false",
                Some(false) => "true",
                None => text,
            },
            (Self::NoDrop, _) => match bool::read(text) {
                Some(true) => "block",
                Some(false) => "drop_newest",
                None => text,
            },
            (Self::Property, _) => match text.split_once(':') {
                Some((name, value)) if !name.contains(char::is_whitespace) => return format!("{name} {value}").into(),
                _ => text,
            },
            _ => text,
        };
        translated.into()
    }
}

impl Names {
    /// Returns the option with this name, of this crate or of libzmq, and the relation of its text to the text here.
    pub(super) fn find(name: &str) -> Result<(&'static Self, Libzmq), ParseOptionError> {
        let table = SocketOption::TABLE;
        if let Some(names) = table.iter().find(|names| names.name == name) {
            return Ok((names, Libzmq::Same));
        }
        let short = without_zmq(name);
        let of_libzmq = |names: &Self| names.libzmq.iter().find(|(known, _)| known.eq_ignore_ascii_case(short));
        if let Some((names, (_, relation))) = table.iter().find_map(|names| Some((names, of_libzmq(names)?))) {
            return Ok((names, *relation));
        }
        let known =
            table.iter().flat_map(|names| [names.name].into_iter().chain(names.libzmq.iter().map(|(name, _)| *name)));
        let is_listed = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(short));
        if let Some((_, instead)) = NOT_OPTIONS.iter().find(|(names, _)| is_listed(names)) {
            return Err(ParseOptionError::NotAnOption { name: name.to_owned(), instead });
        }
        Err(ParseOptionError::Unknown { name: name.to_owned(), nearest: nearest(known, short) })
    }
}

impl SocketOption {
    /// Parses an option from its name and the text of its value, as a configuration file has them.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansmq::{Options, SocketOption, SocketType};
    ///
    /// let mut options = Options::of("dealer".parse()?);
    /// for (name, value) in [("send_hwm", "5000"), ("reconnect", "100ms 5s"), ("ZMQ_LINGER", "500")] {
    ///     options = options.set(SocketOption::parse(name, value)?)?;
    /// }
    /// assert_eq!(options.get("linger")?, Some(SocketOption::Linger(Some(Duration::from_millis(500)))));
    ///
    /// let error = SocketOption::parse("sndhvm", "5000").unwrap_err();
    /// assert_eq!(error.to_string(), "no option has the name `sndhvm`; the nearest name is `SNDHWM`");
    /// let error = SocketOption::parse("linger", "500").unwrap_err();
    /// let expected = "a duration with a unit (ns, us, ms, s, m or h), such as `500ms`, or `none`";
    /// assert_eq!(error.to_string(), format!("`linger` cannot be `500`; write {expected}"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// A name is that of the setter in [`Options`](crate::Options), in lower case, or that of libzmq in any case, with or
    /// without `ZMQ_`: `send_hwm`, `ZMQ_SNDHWM`, `sndhwm`.
    ///
    /// | value | text |
    /// |---|---|
    /// | on or off | `true`, `on` or `1`; `false`, `off` or `0` |
    /// | number, size in bytes | decimal digits; `none` for no limit, or for the size of the system |
    /// | duration | digits and a unit: `500ms`, `2s`, `1m`; units are `ns`, `us`, `ms`, `s`, `m` (minutes) and `h`; `none` where the option has no limit or is off without a duration |
    /// | several values, as of `reconnect` | the values, separated by spaces: `100ms 5s`. The last value may contain spaces |
    /// | routing id, message, property | the text itself, or `hex:` and hexadecimal digits |
    /// | `keepalive` | `system`, `on`, `off`, or any of `idle=60s interval=10s count=3`, separated by spaces |
    /// | `reconnect_stop` | `never`, or any of `refused`, `handshake_failed`, `error_received`, `disconnected`, separated by spaces |
    /// | `slow_subscriber` | `drop_newest`, `drop_oldest`, `disconnect` or `block` |
    /// | `security` | `null`, `plain_server`, `plain_client USER PASSWORD`, `curve_server SECRET_KEY`, or `curve_client SECRET_KEY SERVER_KEY`. The keys are 40 characters of Z85 or 64 hexadecimal digits. PLAIN and CURVE require their features |
    /// | `no_reconnect`, `any_key` | `true` |
    ///
    /// With a name of libzmq, a number also has its meaning in libzmq: a duration is in milliseconds, -1 stands for no limit,
    /// and so does 0 of `CONNECT_TIMEOUT` and `HANDSHAKE_IVL`. -1 of `SNDBUF`, `RCVBUF` and `TCP_KEEPALIVE` and 0 of `TCP_MAXRT`
    /// stand for the setting of the system, and -1 of `RECONNECT_IVL` is `no_reconnect`. `METADATA` is `X-name:value`.
    /// `linger` and other names that are the same in lower case are those of this crate.
    ///
    /// Options of libzmq that are a part of an option here, such as `RECONNECT_IVL_MAX` or `CURVE_SERVERKEY`, are an error that
    /// names the option. `HEARTBEAT_IVL` is `heartbeat`, which replaces the timeout and the time to live of `heartbeat_with`.
    /// Options of libzmq that are no options here, such as `RCVTIMEO`, are an error that names the call.
    ///
    /// Only the form of the value is checked; [`Options::set`](crate::Options::set) checks its range. Authenticators have no
    /// text.
    ///
    /// # Errors
    /// [`ParseOptionError`], which names the nearest known name, or what to write, and contains no keys or passwords.
    #[doc(alias("zmq_setsockopt", "setsockopt"))]
    pub fn parse(name: &str, value: &str) -> Result<Self, ParseOptionError> {
        let (names, relation) = Names::find(name)?;
        if relation == Libzmq::PartOrNever && value == "-1" {
            return Ok(Self::NoReconnect);
        }
        if matches!(relation, Libzmq::Part | Libzmq::PartOrNever) {
            let (name, option, expected) = (name.to_owned(), names.name, names.form);
            return Err(ParseOptionError::Part { name, option, expected });
        }
        if names.name == "security" {
            return read_security(value).map(Self::Security).map_err(|reason| ParseOptionError::Security { reason });
        }
        (names.read)(&relation.translate(value)).ok_or_else(|| {
            let value = if names.is_secret { ".." } else { value };
            ParseOptionError::Value { name: name.to_owned(), value: value.to_owned(), expected: names.form }
        })
    }
}

/// Writes `name = value`. The value of an option with a key or a password, and that of an authenticator, is `..`.
impl fmt::Display for SocketOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name(), self.value().as_deref().unwrap_or(".."))
    }
}

/// Returns the name that is most similar, if at most a third of its letters differ, and at most four.
pub(super) fn nearest<'a>(known: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let distances = known.map(|known| (distance(known, name), known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.len() / 3).min(4)).then_some(nearest)
}

/// Returns the number of letters to insert, remove or replace in order to make two names the same in lower case
/// (Levenshtein distance). Ignores all but the first 64 bytes.
fn distance(known: &str, name: &str) -> usize {
    let name: Vec<_> = name.bytes().take(64).map(|byte| byte.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (above, letter) in known.bytes().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], above + 1);
        for (column, other) in name.iter().enumerate() {
            let replaced = diagonal + usize::from(letter.to_ascii_lowercase() != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[name.len()]
}

/// Values of an option in its text, separated by spaces. The last value is the rest of the text.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) text: &'a str,
    pub(super) left: usize,
}

impl Values<'_> {
    pub(super) fn next<T: Value>(&mut self) -> Option<T> {
        self.left -= 1;
        if self.left == 0 {
            return T::read(self.text);
        }
        let (first, rest) = self.text.split_once(char::is_whitespace)?;
        self.text = rest.trim_start();
        T::read(first)
    }
}

mod not_options;

#[cfg(test)]
mod tests;
