//! Tests with hostile peers of sockets that use CURVE or PLAIN, and with hostile peers over `ipc`.

use sansmq::curve::{CurveError, KeyPair};
use sansmq::kind::{Dealer, Router};
use sansmq::proto::socket::RejectReason;
use sansmq::{AuthCredentials, AuthReply, AuthStatus, ConnectionError, Options, Security};
use sansmq_tests::TempDir as Directory;
use sansmq_tests::harness::{Target, on_each_runtime};
use sansmq_tests::raw_peer::{command, greeting};
use std::os::unix::net::UnixStream;

#[test]
fn invalid_curve_hellos_are_limited_by_handshake_rate() {
    const FLOOD: usize = 500;
    const RATE: usize = 100;
    on_each_runtime(async |handle| {
        let (server, client) = (KeyPair::random(), KeyPair::random());
        let security = Security::curve_client(client, *server.public()).unwrap();
        let honest = || Options::<Dealer>::new().security(security.clone());
        let options = Options::<Router>::new().max_handshake_rate(RATE);
        let options = options.security(Security::curve_server(server)).any_key();
        let mut target = Target::with_client(handle, options, honest()).await;
        // A HELLO that is valid except for its box: the most expensive one without the key.
        let body = [&[1, 0][..], &[0; 72], &[9; 32], &[0, 0, 0, 0, 0, 0, 0, 1], &[7; 80]].concat();
        let hello = [greeting("CURVE"), command("HELLO", &body)].concat();
        target.hold_open(FLOOD, hello).await;
        target.serve_new_client(handle, honest()).await;
        let observed = target.serve_until(|observed| observed.ends.len() + observed.refusals.len() >= FLOOD).await;
        let invalid_box = ConnectionError::Curve(CurveError::Box("HELLO"));
        assert!(observed.ends.iter().filter(|end| **end == invalid_box).count() >= RATE);
        assert!(
            observed.refusals.iter().all(|refusal| *refusal == RejectReason::MaxHandshakeRate),
            "{:?}",
            observed.refusals
        );
        target.baseline.assert_growth_below(2 << 20);
        target.finish().await;
    });
}

#[test]
fn wrong_passwords_are_denied_and_right_one_accepted() {
    const FLOOD: usize = 300;
    on_each_runtime(async |handle| {
        let options = Options::<Router>::new().security(Security::PlainServer).authenticate(|request| {
            match &request.credentials {
                AuthCredentials::Plain { password, .. } if &password[..] == b"right" => AuthReply::accept(),
                _ => AuthReply::reject(),
            }
        });
        let honest = || Options::<Dealer>::new().security(Security::plain_client("me", "right").unwrap());
        let mut target = Target::with_client(handle, options, honest()).await;
        let hello = [greeting("PLAIN"), command("HELLO", b"\x02me\x05wrong")].concat();
        target.expect_rejected(FLOOD, hello, |end| *end == ConnectionError::Denied(AuthStatus::Denied)).await;
        target.serve_new_client(handle, honest()).await;
        target.baseline.assert_growth_below(2 << 20);
        target.finish().await;
    });
}

#[test]
fn silent_ipc_peers_are_evicted_for_honest_peers() {
    const ALLOWED: usize = 50;
    on_each_runtime(async |handle| {
        let directory = Directory::new();
        let path = directory.socket();
        let mut target = Target::new(handle, Options::<Router>::new().max_handshakes(ALLOWED, 1)).await;
        let endpoint = target.router.bind(directory.endpoint().as_str()).await.unwrap();
        let streams =
            target.serve_during(move |_| [(); 4 * ALLOWED].map(|()| UnixStream::connect(&path).unwrap())).await;
        assert!(target.hostile_peers() <= ALLOWED as u64);
        target.serve_new_client_at(handle, &endpoint, Options::new()).await;
        let observed = target.serve_until(|observed| observed.ends.contains(&ConnectionError::HandshakeEvicted)).await;
        assert!(observed.refusals.contains(&RejectReason::MaxHandshakes));
        target.baseline.assert_growth_below(2 << 20);
        drop(streams);
        target.finish().await;
    });
}
