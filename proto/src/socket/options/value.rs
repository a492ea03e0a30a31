//! [`Value`]: the text of the values of options.

use super::text::nearest;
use super::{ReconnectStop, SlowSubscriber};
use crate::address::{Keepalive, KeepaliveConfig};
use crate::message::Frame;
#[cfg(feature = "curve")]
use crate::security::curve::{KeyError, PublicKey, SecretKey};
use crate::security::{Authenticator, Security};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
#[cfg(feature = "curve")]
use core::str::FromStr;
use core::time::Duration;
#[cfg(feature = "curve")]
use zeroize::Zeroizing;

/// A type of the values of options.
pub(super) trait Value: Sized {
    /// Description of the text, for errors.
    const FORM: &'static str;

    fn read(text: &str) -> Option<Self>;

    /// Returns the text that [`read`](Self::read) reads; `None` if there is no such text, or if it contains a secret.
    fn write(&self) -> Option<String>;
}

/// The value of an option without values.
impl Value for () {
    const FORM: &'static str = "`true`, or leave the option out";

    fn read(text: &str) -> Option<Self> {
        bool::read(text).filter(|&on| on).map(drop)
    }

    fn write(&self) -> Option<String> {
        true.write()
    }
}

impl Value for bool {
    const FORM: &'static str = "`true` (or `on`, `1`), or `false` (or `off`, `0`)";

    fn read(text: &str) -> Option<Self> {
        match text {
            "true" | "on" | "1" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for usize {
    const FORM: &'static str = "a number, or `none` for no limit";

    fn read(text: &str) -> Option<Self> {
        if text == "none" { Some(Self::MAX) } else { text.parse().ok() }
    }

    fn write(&self) -> Option<String> {
        Some(if *self == Self::MAX { "none".to_owned() } else { self.to_string() })
    }
}

impl Value for Option<usize> {
    const FORM: &'static str = "a number, or `none`";

    fn read(text: &str) -> Option<Self> {
        if text == "none" { Some(None) } else { text.parse().ok().map(Some) }
    }

    fn write(&self) -> Option<String> {
        Some(self.map_or_else(|| "none".to_owned(), |number| number.to_string()))
    }
}

impl Value for u32 {
    const FORM: &'static str = "a number up to 4294967295";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for u8 {
    const FORM: &'static str = "a number up to 255";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Units of durations with their nanoseconds, largest first.
const UNITS: [(&str, u128); 6] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1)];

impl Value for Duration {
    const FORM: &'static str = "a duration with a unit (ns, us, ms, s, m or h), such as `500ms`";

    fn read(text: &str) -> Option<Self> {
        let (digits, unit) = text.split_at(text.find(|symbol: char| !symbol.is_ascii_digit())?);
        let (_, nanoseconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let time = digits.parse::<u128>().ok()?.checked_mul(nanoseconds)?;
        let second = Self::from_secs(1).as_nanos();
        Some(Self::new(u64::try_from(time / second).ok()?, u32::try_from(time % second).ok()?))
    }

    fn write(&self) -> Option<String> {
        let time = self.as_nanos();
        // Seconds at most: `60s` needs no second thought, unlike `1m`.
        let (unit, nanoseconds) =
            UNITS.into_iter().skip(2).find(|(_, nanoseconds)| time.is_multiple_of(*nanoseconds))?;
        Some(format!("{}{unit}", time / nanoseconds))
    }
}

impl Value for Option<Duration> {
    const FORM: &'static str = "a duration with a unit (ns, us, ms, s, m or h), such as `500ms`, or `none`";

    fn read(text: &str) -> Option<Self> {
        if text == "none" { Some(None) } else { Duration::read(text).map(Some) }
    }

    fn write(&self) -> Option<String> {
        self.map_or_else(|| Some("none".to_owned()), |time| time.write())
    }
}

impl Value for String {
    const FORM: &'static str = "text";

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn write(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Value for Bytes {
    const FORM: &'static str = "text, or pairs of hexadecimal digits as in `hex:00ff`";

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix(HEX) {
            Some(digits) => unhex(digits).map(Self::from),
            None => Some(Self::copy_from_slice(text.as_bytes())),
        }
    }

    fn write(&self) -> Option<String> {
        Some(match core::str::from_utf8(self) {
            Ok(text) if !text.contains(char::is_control) && text.trim() == text && !text.starts_with(HEX) => {
                text.to_owned()
            }
            _ => self.iter().fold(HEX.to_owned(), |text, byte| text + &format!("{byte:02x}")),
        })
    }
}

/// Prefix of bytes that are written as hexadecimal digits.
const HEX: &str = "hex:";

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

impl Value for Frame {
    const FORM: &'static str = Bytes::FORM;

    fn read(text: &str) -> Option<Self> {
        Bytes::read(text).map(Self::from)
    }

    fn write(&self) -> Option<String> {
        self.clone().into_bytes().write()
    }
}

impl Value for ReconnectStop {
    const FORM: &'static str =
        "`never`, or any of `refused`, `handshake_failed`, `error_received` and `disconnected`, separated by spaces";

    fn read(text: &str) -> Option<Self> {
        let mut stop = Self::NEVER;
        if text == "never" {
            return Some(stop);
        }
        for word in text.split_whitespace() {
            match word {
                "refused" => stop.refused = true,
                "handshake_failed" => stop.handshake_failed = true,
                "error_received" => stop.error_received = true,
                "disconnected" => stop.disconnected = true,
                _ => return None,
            }
        }
        (stop != Self::NEVER).then_some(stop)
    }

    fn write(&self) -> Option<String> {
        let Self { refused, handshake_failed, error_received, disconnected } = *self;
        let words = [
            (refused, "refused"),
            (handshake_failed, "handshake_failed"),
            (error_received, "error_received"),
            (disconnected, "disconnected"),
        ];
        let words: Vec<_> = words.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word).collect();
        Some(if words.is_empty() { "never".to_owned() } else { words.join(" ") })
    }
}

const POLICIES: [(SlowSubscriber, &str); 4] = [
    (SlowSubscriber::DropNewest, "drop_newest"),
    (SlowSubscriber::DropOldest, "drop_oldest"),
    (SlowSubscriber::Disconnect, "disconnect"),
    (SlowSubscriber::Block, "block"),
];

impl Value for SlowSubscriber {
    const FORM: &'static str = "`drop_newest`, `drop_oldest`, `disconnect` or `block`";

    fn read(text: &str) -> Option<Self> {
        POLICIES.into_iter().find(|(_, name)| *name == text).map(|(policy, _)| policy)
    }

    fn write(&self) -> Option<String> {
        POLICIES.into_iter().find(|(policy, _)| policy == self).map(|(_, name)| name.to_owned())
    }
}

impl Value for KeepaliveConfig {
    const FORM: &'static str =
        "`system`, `on`, `off`, or any of `idle=60s`, `interval=10s` and `count=3`, separated by spaces";

    fn read(text: &str) -> Option<Self> {
        if let Some(on) = bool::read(text) {
            return Some(on.then(Keepalive::new).into());
        }
        if text == "system" {
            return Some(Self::System);
        }
        let mut keepalive = Keepalive::new();
        for word in text.split_whitespace() {
            keepalive = match word.split_once('=')? {
                ("idle", time) => keepalive.idle(Duration::read(time)?).ok()?,
                ("interval", time) => keepalive.interval(Duration::read(time)?).ok()?,
                ("count", probes) => keepalive.count(u32::read(probes)?).ok()?,
                _ => return None,
            };
        }
        (keepalive != Keepalive::new()).then_some(Self::On(keepalive))
    }

    fn write(&self) -> Option<String> {
        let keepalive = match self {
            Self::System => return Some("system".to_owned()),
            Self::Off => return Some("off".to_owned()),
            Self::On(keepalive) => keepalive,
        };
        let time = |name: &str, time: Option<Duration>| {
            time.and_then(|time| time.write()).map(|text| format!("{name}={text}"))
        };
        let words = [
            time("idle", keepalive.idle_time()),
            time("interval", keepalive.interval_time()),
            keepalive.probes().map(|probes| format!("count={probes}")),
        ];
        let words: Vec<_> = words.into_iter().flatten().collect();
        Some(if words.is_empty() { "on".to_owned() } else { words.join(" ") })
    }
}

impl Value for Security {
    const FORM: &'static str = "`null`, `plain_server`, `plain_client USER PASSWORD`, `curve_server SECRET_KEY` or \
         `curve_client SECRET_KEY SERVER_KEY`";

    fn read(text: &str) -> Option<Self> {
        read_security(text).ok()
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            #[cfg(feature = "plain")]
            Self::PlainServer => Some("plain_server".to_owned()),
            #[cfg(feature = "plain")]
            Self::PlainClient(_) => None,
            #[cfg(feature = "curve")]
            Self::CurveServer(_) | Self::CurveClient(_) => None,
        }
    }
}

/// Names of the mechanisms, with the values that follow each.
const MECHANISMS: [(&str, &str); 5] = [
    ("null", ""),
    ("plain_server", ""),
    ("plain_client", " USER PASSWORD"),
    ("curve_server", " SECRET_KEY"),
    ("curve_client", " SECRET_KEY SERVER_KEY"),
];

/// Reads the text of the option `security`. The error is the reason, without keys and credentials.
pub(super) fn read_security(text: &str) -> Result<Security, String> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim_start();
    let Some((_, form)) = MECHANISMS.into_iter().find(|(known, _)| *known == name) else {
        // The text may be a key without a mechanism, so only a name that resembles a mechanism is shown.
        return Err(match nearest(MECHANISMS.into_iter().map(|(known, _)| known), name) {
            Some(nearest) => format!("no mechanism has the name `{name}`; the nearest name is `{nearest}`"),
            None => format!("the first word is not a mechanism; write {}", Security::FORM),
        });
    };
    let values = if form.is_empty() { 0 } else { form.split(' ').count() - 1 };
    let words = rest.split_whitespace().count();
    if words < values || (words > values && name != "plain_client") {
        let plural = if values == 1 { "value" } else { "values" };
        return Err(format!("`{name}` has {values} {plural}, not {words}; write `{name}{form}`"));
    }
    match name {
        "null" => Ok(Security::Null),
        #[cfg(feature = "plain")]
        "plain_server" => Ok(Security::PlainServer),
        #[cfg(feature = "plain")]
        "plain_client" => {
            let (user, password) = rest.split_once(char::is_whitespace).unwrap_or_default();
            Security::plain_client(user.to_owned(), password.trim_start().to_owned()).map_err(|error| error.to_string())
        }
        #[cfg(feature = "curve")]
        "curve_server" => Ok(Security::curve_server(key::<SecretKey>("secret", rest.trim())?.into())),
        #[cfg(feature = "curve")]
        "curve_client" => {
            let (own, server) = rest.split_once(char::is_whitespace).unwrap_or_default();
            let (own, server) = (key::<SecretKey>("secret", own)?, key::<PublicKey>("server", server.trim())?);
            Security::curve_client(own.into(), server).map_err(|error| error.to_string())
        }
        _ => {
            let feature = name.split('_').next().unwrap_or_default();
            Err(format!("`{name}` requires the feature `{feature}` of this crate, which is off"))
        }
    }
}

/// Reads a key, which has 40 characters of Z85 or 64 hexadecimal digits.
#[cfg(feature = "curve")]
fn key<K>(kind: &str, text: &str) -> Result<K, String>
where
    K: FromStr<Err = KeyError> + for<'a> TryFrom<&'a [u8], Error = KeyError>,
{
    let wrong = |error: KeyError| format!("the {kind} key is wrong: {error}");
    match text.chars().count() {
        40 => text.parse().map_err(wrong),
        64 => match unhex(text).map(Zeroizing::new) {
            Some(digits) => K::try_from(&digits).map_err(wrong),
            None => Err(format!("the {kind} key has 64 characters, but not all of them are hexadecimal digits")),
        },
        count => {
            Err(format!("the {kind} key has {count} characters; write 40 characters of Z85, or 64 hexadecimal digits"))
        }
    }
}

/// A function, which only the program itself can create.
impl Value for Authenticator {
    const FORM: &'static str = "no text, because the value is a function; call `Options::authenticator`";

    fn read(_: &str) -> Option<Self> {
        None
    }

    fn write(&self) -> Option<String> {
        None
    }
}
