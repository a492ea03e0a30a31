//! Tests of the authentication of peers by synchronous and asynchronous authenticators, and of the authentication
//! timeout.

use super::*;
use crate::security::{AuthCredentials, AuthRequest, AuthSource, Authenticator};
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::Mutex;
use std::task::{Context, Poll, Wake, Waker};

fn authenticating(authenticator: Authenticator) -> Connection {
    let auth_source = AuthSource::Authenticator(authenticator);
    let config = ConnectionConfig {
        auth_source,
        domain: "global".into(),
        routing_id: "me".into(),
        auth_timeout: Duration::from_secs(3),
        ..config(SocketType::Router)
    };
    Connection::new(&Arc::new(config), &mut SystemEntropy, NOW)
}

#[test]
fn authenticator_receives_the_request_of_rfc_27() {
    let seen = Arc::new(Mutex::new(None));
    let request_slot = Arc::clone(&seen);
    let mut connection = authenticating(Authenticator::new(move |request| {
        *request_slot.lock().unwrap() = Some(request.clone());
        AuthReply::accept_as("ann")
    }));
    connection.set_peer_address("tcp://[::ffff:192.0.2.1]:5555".parse().unwrap());
    deliver(&mut connection, &[greeting(3, 1), ready("DEALER")].concat());
    let expected = AuthRequest {
        domain: "global".into(),
        address: "192.0.2.1".into(),
        routing_id: "me".into(),
        credentials: AuthCredentials::Null,
    };
    assert_eq!(seen.lock().unwrap().take(), Some(expected));
    assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
    assert_eq!(connection.poll_auth_request(), None, "the driver gets no request");
}

#[test]
fn peer_metadata_sets_no_user_id_and_no_properties() {
    let mut connection = authenticating(Authenticator::new(|_| AuthReply::accept()));
    let properties = [("Socket-Type", &b"DEALER"[..]), ("User-Id", b"admin"), ("Group", b"wheel")];
    deliver(&mut connection, &[greeting(3, 1), ready_with(&properties)].concat());
    let peer = connection.peer().unwrap();
    assert_eq!((peer.user_id.clone(), peer.properties.iter().count()), (None, 0));
    assert_eq!(peer.metadata.get("User-Id").unwrap(), "admin", "the metadata contain all properties");
}

#[test]
fn ipc_peer_address_contains_its_credentials() {
    let mut connection = authenticating(Authenticator::new(|request| {
        assert_eq!(request.address, ":1000:100:42");
        AuthReply::accept()
    }));
    connection.set_peer_credentials(Some(Credentials { pid: Some(42), uid: 1000, gid: 100 }));
    deliver(&mut connection, &[greeting(3, 1), ready("DEALER")].concat());
    assert!(connection.peer().is_some());
}

/// Asynchronous authenticator that makes no decision until the test calls `decide`. It is also the waker of the
/// connection.
#[derive(Default)]
struct Later {
    reply: Mutex<(Option<AuthReply>, Option<Waker>)>,
    /// Number of times that this authenticator has been woken as the waker of the connection.
    wake_count: Mutex<u32>,
}

impl Wake for Later {
    fn wake(self: Arc<Self>) {
        *self.wake_count.lock().unwrap() += 1;
    }
}

impl Later {
    fn authenticator(self: &Arc<Self>) -> Authenticator {
        let later = Arc::clone(self);
        Authenticator::from_async(move |_| {
            let later = Arc::clone(&later);
            core::future::poll_fn(move |context: &mut Context<'_>| {
                let mut reply = later.reply.lock().unwrap();
                reply.1 = Some(context.waker().clone());
                reply.0.take().map_or(Poll::Pending, Poll::Ready)
            })
        })
    }

    fn decide(&self, reply: AuthReply) {
        let mut state = self.reply.lock().unwrap();
        state.0 = Some(reply);
        state.1.take().expect("the future was polled").wake();
    }
}

#[test]
fn async_authenticator_wakes_the_connection_driver() {
    let later = Arc::new(Later::default());
    let mut connection = authenticating(later.authenticator());
    assert!(connection.may_wait_for_auth());
    connection.set_auth_waker(&Waker::from(Arc::clone(&later)));
    deliver(&mut connection, &[greeting(3, 1), ready("DEALER")].concat());
    connection.poll_auth_reply(NOW).unwrap();
    assert_eq!((connection.peer(), *later.wake_count.lock().unwrap()), (None, 0));
    later.decide(AuthReply::accept());
    assert_eq!(*later.wake_count.lock().unwrap(), 1);
    connection.poll_auth_reply(NOW).unwrap();
    assert!(connection.peer().is_some());
    assert!(!connection.may_wait_for_auth());
}

#[test]
fn authenticator_timeout_sends_no_error() {
    for ready_first in [false, true] {
        let later = Arc::new(Later::default());
        let mut connection = authenticating(later.authenticator());
        deliver(&mut connection, &greeting(3, 1));
        if ready_first {
            deliver(&mut connection, &ready("DEALER"));
        }
        let due = NOW + Duration::from_secs(3);
        assert_eq!(connection.poll_timeout(), Some(due));
        connection.handle_timeout(NOW + Duration::from_millis(2999)).unwrap();
        assert_eq!(connection.handle_timeout(due), Err(ConnectionError::Denied(AuthStatus::TemporaryError)));
        let sent = drain(&mut connection);
        assert!(!sent.windows(5).any(|name| name == b"ERROR"), "{}", sent.escape_ascii());
    }
}

#[test]
fn failed_connection_drops_its_auth_request() {
    let later = Arc::new(Later::default());
    let mut connection = authenticating(later.authenticator());
    deliver(&mut connection, &greeting(3, 1));
    connection.handle_input(&frame(0, b"early"), NOW).unwrap_err();
    assert_eq!(connection.poll_timeout(), None);
    later.decide(AuthReply::accept());
    connection.poll_auth_reply(NOW).unwrap();
    assert_eq!(connection.peer(), None);
}

#[test]
fn metadata_is_counted_while_the_peer_waits_for_authentication() {
    let domain = "global".into();
    let config = ConnectionConfig { auth_source: AuthSource::Driver, domain, ..config(SocketType::Router) };
    let mut connection = Connection::new(&Arc::new(config), &mut SystemEntropy, NOW);
    let properties = [("Socket-Type", &b"DEALER"[..]), ("X-Long", &[0; 10_000])];
    deliver(&mut connection, &[greeting(3, 1), ready_with(&properties)].concat());
    assert!(connection.poll_auth_request().is_some());
    let held = connection.outbox.written_messages().held();
    assert!((10_000..12_000).contains(&held), "{held} bytes");
}
