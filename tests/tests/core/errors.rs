//! Checks that [`sansmq::Error`] has a conversion from every public error of the crates, found in their source code.

use super::layers::{code, sources, tokens};
use core::error::Error as StdError;
use core::time::Duration;
use sansmq::proto::connection::{CloseReason, LikelyReason};
use sansmq::proto::socket::{AcceptError, FailingDials};
use sansmq::{
    BindError, ConnectError, ConnectionError, Endpoint, Error, Message, NetworkError, OptionsError, RecvError,
    RejectReason, SecurityError, SendError, SocksError, SubscribeError, Timeout, UnbindError, WaitError,
    WaitSubscribedError,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Folders with the sources of all crates that the facade re-exports.
const SOURCES: [&str; 6] =
    ["proto/src", "runtime/src", "os/src", "runtime-tokio/src", "runtime-smol/src", "runtime-mio/src"];

#[test]
fn facade_error_converts_from_every_public_error() {
    let public: BTreeSet<_> = SOURCES.into_iter().flat_map(sources).flat_map(|(_, text)| errors(&text)).collect();
    assert!(public.len() >= 29 && public.contains("SendError") && public.contains("ReadError"), "{public:?}");
    let (_, facade) = sources("src").into_iter().find(|(path, _)| path == "error.rs").unwrap();
    let facade = conversions(&facade);
    let missing: Vec<_> = public.difference(&facade).collect();
    assert!(missing.is_empty(), "src/error.rs has no `#[from]` and no `From` for {missing:?}");
}

#[test]
fn public_errors_are_detected_in_every_form() {
    let text = "
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum A { /* pub enum Not */ }
#[derive(Debug, thiserror::Error)]
#[error(\"pub struct Not\")]
// pub struct Not
pub struct B<'a>(&'a str);
#[derive(Debug, Error)]
pub(crate) enum Not {}
#[derive(Debug)]
pub enum Not2 {}
impl core::error::Error for C {}
impl<T: Debug> Error for D<T> {}
#[cfg(test)]
mod tests {
    #[derive(Debug, Error)]
    pub enum Not3 {}
}";
    assert_eq!(errors(text), ["A", "B", "C", "D"].map(String::from).into());
    let text = "enum Error { A(#[from] A), B(#[from] crate::b::B), C(C) }\nimpl From<b::D> for Error {}";
    assert_eq!(conversions(text), ["A", "B", "D"].map(String::from).into());
}

#[test]
fn facade_error_has_text_and_source_of_its_error() {
    let endpoint: Endpoint = "tcp://localhost:5555".parse().unwrap();
    let (error, message) = (NetworkError::Refused, Message::from("secret"));
    assert_same(SendError::Runtime(message.clone(), error));
    assert_same(RecvError::Runtime(error));
    assert_same(RecvError::PeerLost { sent: true, cause: Arc::new(ConnectionError::PeerClosed) });
    assert_same(BindError::Network { endpoint: endpoint.clone(), error });
    assert_same(BindError::Listener(error));
    assert_same(ConnectError::Runtime(error));
    assert_same(ConnectError::Wildcard(endpoint.clone()));
    assert_same(WaitError::Connect(ConnectError::Runtime(error)));
    assert_same(WaitSubscribedError::Runtime(error));
    assert_same(UnbindError::Network { endpoint, error });
    assert_same(SubscribeError::Runtime(error));
    assert_same(OptionsError::RoutingId(0));
    assert_same(ConnectionError::Network(error));
    assert_same(AcceptError::Rejected(RejectReason::MaxPeers));
    assert_same(message.into_array::<2>().unwrap_err());
    for cause in [
        Error::from(BindError::Listener(error)),
        RecvError::Runtime(error).into(),
        ConnectionError::Network(error).into(),
    ] {
        let source = cause.source().and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&error), "{cause} must return its cause");
    }
}

#[test]
fn facade_error_wraps_causes_in_the_error_of_their_call() {
    use ConnectionError::{ClosedBeforeReady, ClosedWithReason, Proxy, TimedOut};
    let security = SecurityError::PlainCredentials;
    assert!(matches!(Error::from(security), Error::Options(OptionsError::Security(_))));
    assert!(matches!(Error::from(CloseReason::PairInUse), Error::Connection(ClosedWithReason(_))));
    assert!(matches!(Error::from(LikelyReason::PairInUse), Error::Connection(ClosedBeforeReady(_))));
    assert!(matches!(Error::from(Timeout::Handshake), Error::Connection(TimedOut(Timeout::Handshake))));
    assert!(matches!(Error::from(SocksError::Denied), Error::Connection(Proxy(SocksError::Denied))));
}

#[test]
fn facade_error_returns_the_unsent_message() {
    let (after, failing) = (Duration::from_secs(1), FailingDials::default());
    let error = Error::from(SendError::TimedOut { message: "unsent".into(), after, failing });
    assert!(error.to_string().contains("within the time-out of 1s"), "{error}");
    let Error::Send(error) = error else { panic!("another variant: {error}") };
    assert_eq!(error.into_message().body(), "unsent");
}

/// Asserts that `error` has the same text and the same source after its conversion, and that `Debug` writes this text.
#[track_caller]
fn assert_same(error: impl StdError + Into<Error>) {
    let (text, source) = (error.to_string(), error.source().map(ToString::to_string));
    let error: Error = error.into();
    assert_eq!((error.to_string(), error.source().map(ToString::to_string)), (text.clone(), source));
    assert_eq!(format!("{error:?}"), text);
}

/// Returns the names of the public types in a source file that implement `Error`.
fn errors(text: &str) -> BTreeSet<String> {
    let tokens = tokens(&code(text));
    let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        if *word == "derive" {
            // The list ends where its parenthesis closes, and the item begins at the first `pub`, `enum` or `struct`.
            let list = words[at..].iter().take_while(|word| **word != ")");
            let is_error = list.clone().any(|word| *word == "Error");
            let item = words[at..].iter().skip_while(|word| !["pub", "enum", "struct"].contains(word));
            let item: Vec<&str> = item.take(3).copied().collect();
            if let (["pub", "enum" | "struct", name], true) = (&item[..], is_error) {
                found.insert((*name).to_string());
            }
        }
        if let ["Error", "for", name] = words[at..].get(..3).unwrap_or_default() {
            found.insert((*name).to_string());
        }
    }
    found
}

/// Returns the names of the types from which the errors of a source file have a conversion.
fn conversions(text: &str) -> BTreeSet<String> {
    let tokens = tokens(&code(text));
    let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        // `#[from] path::Name)` and `From<path::Name> for Error`
        let path = match (*word, words.get(at + 1)) {
            ("from", Some(&"]")) | ("From", Some(&"<")) => &words[at + 2..],
            _ => continue,
        };
        let path =
            path.iter().take_while(|word| **word == "::" || word.starts_with(|first: char| first.is_alphabetic()));
        found.extend(path.last().map(ToString::to_string));
    }
    found
}
