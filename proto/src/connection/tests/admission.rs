//! Who decides about a peer, and when.

use super::*;
use crate::security::{AuthCredentials, AuthRequest, AuthSource, Authenticator};
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::Mutex;
use std::task::{Context, Poll, Wake, Waker};

fn asking(authenticator: Authenticator) -> Connection {
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
fn an_authenticator_is_told_what_rfc_27_asks_for() {
    let seen = Arc::new(Mutex::new(None));
    let asked = Arc::clone(&seen);
    let mut connection = asking(Authenticator::new(move |request| {
        *asked.lock().unwrap() = Some(request.clone());
        AuthReply::accept_as("ann")
    }));
    connection.set_peer_address("tcp://[::ffff:192.0.2.1]:5555".parse().unwrap());
    say(&mut connection, &[greeting(3, 1), ready("DEALER")].concat());
    let expected = AuthRequest {
        domain: "global".into(),
        address: "192.0.2.1".into(),
        routing_id: "me".into(),
        credentials: AuthCredentials::Null,
    };
    assert_eq!(seen.lock().unwrap().take(), Some(expected));
    assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
    assert_eq!(connection.poll_auth_request(), None, "nobody else is asked");
}

#[test]
fn what_a_peer_calls_itself_is_no_user_id_and_no_property() {
    let mut connection = asking(Authenticator::new(|_| AuthReply::accept()));
    let lies = [("Socket-Type", &b"DEALER"[..]), ("User-Id", b"admin"), ("Group", b"wheel")];
    say(&mut connection, &[greeting(3, 1), ready_saying(&lies)].concat());
    let peer = connection.peer().unwrap();
    assert_eq!((peer.user_id.clone(), peer.properties.iter().count()), (None, 0));
    assert_eq!(peer.metadata.get("User-Id").unwrap(), "admin", "it is known that it says so");
}

#[test]
fn over_ipc_the_peer_is_told_by_its_process() {
    let mut connection = asking(Authenticator::new(|request| {
        assert_eq!(request.address, ":1000:100:42");
        AuthReply::accept()
    }));
    connection.set_peer_credentials(Some(Credentials { pid: Some(42), uid: 1000, gid: 100 }));
    say(&mut connection, &[greeting(3, 1), ready("DEALER")].concat());
    assert!(connection.peer().is_some());
}

/// A decision that comes later, and how often somebody was woken for it.
#[derive(Default)]
struct Later {
    reply: Mutex<(Option<AuthReply>, Option<Waker>)>,
    woken: Mutex<u32>,
}

impl Wake for Later {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() += 1;
    }
}

impl Later {
    fn authenticator(self: &Arc<Self>) -> Authenticator {
        let later = Arc::clone(self);
        Authenticator::later(move |_| {
            let later = Arc::clone(&later);
            core::future::poll_fn(move |context: &mut Context<'_>| {
                let mut reply = later.reply.lock().unwrap();
                reply.1 = Some(context.waker().clone());
                reply.0.take().map_or(Poll::Pending, Poll::Ready)
            })
        })
    }

    fn decide(&self, reply: AuthReply) {
        let mut place = self.reply.lock().unwrap();
        place.0 = Some(reply);
        place.1.take().expect("it has been asked").wake();
    }
}

#[test]
fn one_that_decides_later_wakes_who_drives_the_connection() {
    let later = Arc::new(Later::default());
    let mut connection = asking(later.authenticator());
    assert!(connection.may_ask());
    connection.wake_with(&Waker::from(Arc::clone(&later)));
    say(&mut connection, &[greeting(3, 1), ready("DEALER")].concat());
    connection.poll_auth_reply(NOW).unwrap();
    assert_eq!((connection.peer(), *later.woken.lock().unwrap()), (None, 0));
    later.decide(AuthReply::accept());
    assert_eq!(*later.woken.lock().unwrap(), 1);
    connection.poll_auth_reply(NOW).unwrap();
    assert!(connection.peer().is_some());
    assert!(!connection.may_ask());
}

#[test]
fn one_that_does_not_decide_in_time_means_try_again_later() {
    for ready_first in [false, true] {
        let later = Arc::new(Later::default());
        let mut connection = asking(later.authenticator());
        say(&mut connection, &greeting(3, 1));
        if ready_first {
            say(&mut connection, &ready("DEALER"));
        }
        let due = NOW + Duration::from_secs(3);
        assert_eq!(connection.poll_timeout(), Some(due));
        connection.handle_timeout(NOW + Duration::from_millis(2999)).unwrap();
        assert_eq!(connection.handle_timeout(due), Err(ConnectionError::Denied(AuthStatus::TemporaryError)));
        assert!(drain(&mut connection).ends_with(&command("ERROR", b"\x03300")));
    }
}

#[test]
fn a_peer_that_goes_takes_its_question_with_it() {
    let later = Arc::new(Later::default());
    let mut connection = asking(later.authenticator());
    say(&mut connection, &greeting(3, 1));
    connection.handle_input(&frame(0, b"early"), NOW).unwrap_err();
    assert_eq!(connection.poll_timeout(), None);
    later.decide(AuthReply::accept());
    connection.poll_auth_reply(NOW).unwrap();
    assert_eq!(connection.peer(), None);
}
