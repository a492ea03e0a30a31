//! Fuzz target for a handshake of each mechanism between two connections, while bytes in transit are split, changed,
//! dropped and repeated.

use super::bounded;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::connection::Link;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::security::curve::{KeyPair, PublicKey};
use sansmq_proto::security::{AuthReply, Security};
use sansmq_proto::{Buf, Connection, Instant, Message, Options, kind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario {
    mechanism: Mechanism,
    changes: Vec<(u16, Change)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Mechanism {
    Null,
    Plain,
    Curve,
}

/// Change of the bytes that are in transit between the client and the server. In [`Scenario`], the number in front of
/// each change is the number of bytes that pass unchanged before this change.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Change {
    Split,
    Xor(u8),
    Drop,
    Repeat,
    Insert(u8),
    /// Advances the clock; the number is in tenths of a second.
    Wait(u8),
}

/// Checks a handshake between a client and a server: neither side panics, the output of each side is bounded, and the
/// handshake succeeds if no byte was changed.
pub fn handshake(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (client, server) = securities(scenario.mechanism);
    let server = Options::<kind::Router>::new().security(server).authenticate(|_| AuthReply::accept());
    let client = Options::<kind::Dealer>::new().security(client);
    let mut entropy = SeededEntropy::new(1);
    let mut now = Instant::ORIGIN;
    let [mut client, mut server] = [client.connection_config(), server.connection_config()]
        .map(|config| Connection::new(&Arc::new(config), &mut entropy, now));
    client.give(Message::from("first message").into());
    let mut changes = scenario.changes.iter().copied().peekable();
    let mut unchanged = true;
    let mut passed = 0_usize;
    let mut alive = true;
    for _ in 0..20 {
        for from_client in [true, false] {
            let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let mut sent = Vec::new();
            while let Some(out) = from.poll_transmit() {
                sent.extend_from_slice(&out.copy_to_bytes(out.remaining()));
                assert!(sent.len() < 1 << 16, "the output is unbounded");
            }
            let mut delivered = Vec::new();
            for byte in sent {
                delivered.push(byte);
                passed += 1;
                let Some((_, change)) = changes.next_if(|&(after, _)| usize::from(after) % 600 < passed) else {
                    continue;
                };
                passed = 0;
                unchanged &= matches!(change, Change::Split | Change::Xor(0));
                match change {
                    Change::Split => alive &= to.handle_input(&core::mem::take(&mut delivered), now).is_ok(),
                    Change::Xor(mask) => *delivered.last_mut().expect("the byte was just pushed") ^= mask,
                    Change::Drop => drop(delivered.pop()),
                    Change::Repeat => delivered.push(byte),
                    Change::Insert(other) => delivered.push(other),
                    Change::Wait(tenths) => {
                        now = now + Duration::from_millis(u64::from(tenths) * 100);
                        alive &= to.handle_timeout(now).is_ok();
                    }
                }
            }
            alive &= to.handle_input(&delivered, now).is_ok();
        }
    }
    let ready = [&client, &server].map(|end| end.peer().is_some());
    if unchanged {
        assert!(alive && ready == [true, true], "the handshake failed without changes: {scenario:?}");
        assert_eq!(server.take(), Some(Message::from("first message").into()));
    }
}

/// Keys of the server and of the client.
static KEYS: LazyLock<[KeyPair; 2]> =
    LazyLock::new(|| [3, 4].map(|seed| KeyPair::generate(&mut SeededEntropy::new(seed))));

/// Returns the public key of the client that [`securities`] returns for CURVE.
pub(crate) fn client_key() -> &'static PublicKey {
    KEYS[1].public()
}

/// Returns the settings of a client and of a server.
pub(crate) fn securities(mechanism: Mechanism) -> (Security, Security) {
    match mechanism {
        Mechanism::Null => (Security::Null, Security::Null),
        Mechanism::Plain => {
            (Security::plain_client("user", "password").expect("both are short enough"), Security::PlainServer)
        }
        Mechanism::Curve => {
            let [server, client] = &*KEYS;
            let client = Security::curve_client(client.clone(), *server.public()).expect("a valid key");
            (client, Security::curve_server(server.clone()))
        }
    }
}
