//! Peers that mean no good, over real TCP: whatever they send, they lose their connection and nobody else notices.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sansmq::tokio::{DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket};
use sansmq::{Endpoint, Event};
use sansmq_proto::{Fault, SeededEntropy};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const GREETING: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A conversation as a real peer would have it, for the dice to spoil.
fn conversation(peer: &str) -> Vec<u8> {
    let mut octets = GREETING.to_vec();
    let len = u8::try_from(peer.len()).unwrap();
    octets.extend([4, 22 + len]);
    octets.extend(b"\x05READY\x0bSocket-Type\0\0\0");
    octets.push(len);
    octets.extend(peer.as_bytes());
    for _ in 0..3 {
        octets.extend(b"\x01\x00\x01\x04meta\x00\x05hello");
        octets.extend(b"\x04\x0a\x04PING\x00\x00ctx\x02\0\0\0\0\0\0\0\x03abc");
    }
    octets
}

/// Spoils a conversation: octets changed, cut out, put in, or all of them noise.
fn spoil(mut octets: Vec<u8>, dice: &mut SeededEntropy) -> Vec<u8> {
    let place = |dice: &mut SeededEntropy, len: usize| usize::try_from(dice.below(len as u64)).unwrap();
    match dice.below(5) {
        0 => octets.iter_mut().for_each(|octet| *octet = u8::try_from(dice.below(256)).unwrap()),
        1 => octets.truncate(place(dice, octets.len())),
        2 => {
            let at = place(dice, octets.len());
            octets.drain(at..at + (octets.len() - at).min(5));
        }
        _ => {
            for _ in 0..=dice.below(4) {
                let at = place(dice, octets.len());
                octets[at] = u8::try_from(dice.below(256)).unwrap();
            }
        }
    }
    octets
}

/// Attacks a bound socket from many sides at once.
async fn attack(endpoint: &Endpoint, peer: &str, seeds: std::ops::Range<u64>) {
    let address = endpoint.to_string().replace("tcp://", "");
    let attacks = seeds.map(|seed| {
        let (address, octets) = (address.clone(), conversation(peer));
        tokio::spawn(async move {
            let mut dice = SeededEntropy::new(seed);
            let octets = spoil(octets, &mut dice);
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(&octets).await;
            if dice.below(2) == 0 {
                let _ = stream.shutdown().await;
            }
            // Whatever it answers, for as long as it wants to listen to this, but not long.
            let _ = tokio::time::timeout(Duration::from_millis(20), stream.read_to_end(&mut Vec::new())).await;
        })
    });
    for attack in attacks.collect::<Vec<_>>() {
        attack.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_socket_type_survives_spoilt_conversations_and_goes_on_serving() {
    let any = "tcp://127.0.0.1:*";
    let (router, rep, pull, pair) = (RouterSocket::new(), RepSocket::new(), PullSocket::new(), PairSocket::new());
    let (dealer, push, req) = (DealerSocket::new(), PushSocket::new(), ReqSocket::new());
    let bound: [(Socket, &str); 7] = [
        (router.erase(), "DEALER"),
        (rep.erase(), "REQ"),
        (pull.erase(), "PUSH"),
        (pair.erase(), "PAIR"),
        (dealer.erase(), "ROUTER"),
        (push.erase(), "PULL"),
        (req.erase(), "REP"),
    ];
    for (round, (socket, peer)) in (0..).zip(&bound) {
        let mut monitor = socket.monitor();
        let endpoint = socket.bind(any).await.unwrap();
        attack(&endpoint, peer, round * 100..round * 100 + 100).await;
        // The attackers are gone; what they had sent whole may be read, and each end has a reason.
        let mut ended = 0;
        while ended < 100 {
            match tokio::time::timeout(Duration::from_secs(20), monitor.next()).await.unwrap().unwrap() {
                Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => {
                    assert!(reason.fault() != Fault::Local || peer == &"PAIR", "{peer}: {reason}");
                    ended += 1;
                }
                Event::Missed(missed) => panic!("the monitor missed {missed}"),
                _ => {}
            }
        }
        while socket.try_recv().is_ok() {
            if *peer == "REQ" {
                socket.try_send("a REP owes a reply to whatever looked like a request").unwrap();
            }
        }
    }
    // All of them still do their work.
    let (client, server) = (DealerSocket::new(), RouterSocket::new());
    let ends = [(&rep.erase(), ReqSocket::new().erase()), (&router.erase(), client.erase())];
    for (bound, fresh) in ends {
        fresh.connect(bound.bind(any).await.unwrap()).unwrap();
        fresh.send("still there?").await.unwrap();
        let request = tokio::time::timeout(Duration::from_secs(10), bound.recv()).await.unwrap().unwrap();
        assert_eq!(request.body(), "still there?");
        bound.send(request).await.unwrap();
        assert_eq!(fresh.recv().await.unwrap().body(), "still there?");
    }
    let puller = PullSocket::new();
    push.connect(puller.bind(any).await.unwrap()).unwrap();
    let pusher = PushSocket::new();
    pusher.connect(pull.bind(any).await.unwrap()).unwrap();
    pusher.send("still there?").await.unwrap();
    push.send("still here").await.unwrap();
    assert_eq!(pull.recv().await.unwrap().body(), "still there?");
    assert_eq!(puller.recv().await.unwrap().body(), "still here");
    dealer.connect(server.bind(any).await.unwrap()).unwrap();
    dealer.send("hello").await.unwrap();
    assert_eq!(server.recv().await.unwrap().body(), "hello");
}
