//! [`Value`]: the text of the values of options.

use super::{ReconnectStop, SlowSubscriber};
use crate::address::Keepalive;
use crate::message::Frame;
use crate::security::{Authenticator, Security};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

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
    const FORM: &'static str = "text, or `hex:` and pairs of hexadecimal digits";

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

impl Value for Option<Keepalive> {
    const FORM: &'static str = "`on`, `off`, or any of `idle=60s`, `interval=10s` and `count=3`, separated by spaces";

    fn read(text: &str) -> Option<Self> {
        if let Some(on) = bool::read(text) {
            return Some(on.then(Keepalive::new));
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
        (keepalive != Keepalive::new()).then_some(Some(keepalive))
    }

    fn write(&self) -> Option<String> {
        let Some(keepalive) = self else { return Some("off".to_owned()) };
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
    const FORM: &'static str = "`null`; with the feature `plain` `plain_server` or `plain_client USER PASSWORD`; with the feature \
         `curve` `curve_server SECRET_KEY` or `curve_client SECRET_KEY SERVER_KEY`, keys in Z85 or as 64 hexadecimal digits";

    fn read(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (name, rest.trim_start()) {
            ("null", "") => Some(Self::Null),
            #[cfg(feature = "plain")]
            ("plain_server", "") => Some(Self::PlainServer),
            #[cfg(feature = "plain")]
            ("plain_client", login) => {
                let (user, password) = login.split_once(char::is_whitespace)?;
                Self::plain_client(user.to_owned(), password.trim_start().to_owned()).ok()
            }
            #[cfg(feature = "curve")]
            ("curve_server", key) => secret_key(key).map(|key| Self::curve_server(key.into())),
            #[cfg(feature = "curve")]
            ("curve_client", keys) => {
                let (own, server) = keys.split_once(char::is_whitespace)?;
                Self::curve_client(secret_key(own)?.into(), public_key(server.trim())?).ok()
            }
            _ => None,
        }
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

#[cfg(feature = "curve")]
fn secret_key(text: &str) -> Option<crate::security::curve::SecretKey> {
    use zeroize::Zeroizing;
    match text.len() {
        64 => Zeroizing::new(unhex(text)?).as_slice().try_into().ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(feature = "curve")]
fn public_key(text: &str) -> Option<crate::security::curve::PublicKey> {
    match text.len() {
        64 => unhex(text)?.as_slice().try_into().ok(),
        _ => text.parse().ok(),
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
