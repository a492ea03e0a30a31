//! Both ends of a handshake, of each mechanism, with somebody between them who cuts, changes, drops and repeats what they say.

use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::connection::Link;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::security::curve::KeyPair;
use sansmq_proto::security::{AuthReply, Security};
use sansmq_proto::{Buf, Connection, Instant, Message, Options, kind};
use std::sync::Arc;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Plot {
    mechanism: Mechanism,
    deeds: Vec<(u16, Deed)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Mechanism {
    Null,
    Plain,
    Curve,
}

/// What happens to some octets on their way, after so many that were left alone.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Deed {
    Split,
    Change(u8),
    Drop,
    Repeat,
    Insert(u8),
    /// So many tenths of a second pass.
    Wait(u8),
}

/// Nobody panics or speaks without end. If nothing was changed, the ends find each other; if CURVE's traffic was changed, at
/// most one of them thinks so.
pub fn handshake(data: &[u8]) {
    let Ok(plot) = Plot::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (client, server) = securities(plot.mechanism);
    let server = Options::<kind::Router>::new().security(server).authenticate(|_| AuthReply::accept());
    let client = Options::<kind::Dealer>::new().security(client);
    let mut entropy = SeededEntropy::new(1);
    let mut now = Instant::ORIGIN;
    let [mut client, mut server] = [client.connection_config(), server.connection_config()]
        .map(|config| Connection::new(&Arc::new(config), &mut entropy, now));
    client.give(Message::from("after all").into());
    let mut deeds = plot.deeds.iter().copied().peekable();
    let mut honest = true;
    let mut untouched = 0_usize;
    let mut alive = true;
    for _ in 0..20 {
        for turn in [true, false] {
            let (from, to) = if turn { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let mut said = Vec::new();
            while let Some(out) = from.poll_transmit() {
                said.extend_from_slice(&out.copy_to_bytes(out.remaining()));
                assert!(said.len() < 1 << 16, "it speaks without end");
            }
            let mut heard = Vec::new();
            for octet in said {
                heard.push(octet);
                untouched += 1;
                let Some((_, deed)) = deeds.next_if(|&(after, _)| usize::from(after) % 600 < untouched) else {
                    continue;
                };
                untouched = 0;
                honest &= matches!(deed, Deed::Split | Deed::Change(0));
                match deed {
                    Deed::Split => alive &= to.handle_input(&core::mem::take(&mut heard), now).is_ok(),
                    Deed::Change(mask) => *heard.last_mut().expect("it was just put there") ^= mask,
                    Deed::Drop => drop(heard.pop()),
                    Deed::Repeat => heard.push(octet),
                    Deed::Insert(other) => heard.push(other),
                    Deed::Wait(tenths) => {
                        now = now + Duration::from_millis(u64::from(tenths) * 100);
                        alive &= to.handle_timeout(now).is_ok();
                    }
                }
            }
            alive &= to.handle_input(&heard, now).is_ok();
        }
    }
    let met = [&client, &server].map(|end| end.peer().is_some());
    if honest {
        assert!(alive && met == [true, true], "nothing was changed: {plot:?}");
        assert_eq!(server.take(), Some(Message::from("after all").into()));
    }
}

fn securities(mechanism: Mechanism) -> (Security, Security) {
    let pairs = |seed| KeyPair::generate(&mut SeededEntropy::new(seed));
    match mechanism {
        Mechanism::Null => (Security::Null, Security::Null),
        Mechanism::Plain => {
            (Security::plain_client("user", "password").expect("they are short"), Security::PlainServer)
        }
        Mechanism::Curve => {
            let server = pairs(3);
            let client = Security::curve_client(pairs(4), *server.public()).expect("it is a key");
            (client, Security::curve_server(server))
        }
    }
}
