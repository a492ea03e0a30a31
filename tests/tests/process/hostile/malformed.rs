//! Conversations that the dice have spoilt: whatever peers send, they lose their connection and nobody else notices.

use sansmq::kind::{Any, Dealer, Pair, Pull, Push, Rep, Req, Router, Typed};
use sansmq::{Handle, Options};
use sansmq_proto::connection::Fault;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::harness::{ANY, Observed, ask, bind_tcp, echo, on_each_runtime, run_until};
use sansmq_tests::raw_peer::{opening, say};
use sansmq_tests::runtimes::RuntimeHandle;
use std::io::Read;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// A conversation as a real peer would have it, for the dice to spoil.
fn conversation(peer: &str) -> Vec<u8> {
    let mut octets = opening(peer);
    for _ in 0..3 {
        octets.extend(b"\x01\x00\x01\x04meta\x00\x05hello");
        octets.extend(b"\x04\x0a\x04PING\x00\x00ctx\x02\0\0\0\0\0\0\0\x03abc");
    }
    octets
}

/// Spoils a conversation: octets changed, cut out, put in, or all of them noise.
fn spoil(mut octets: Vec<u8>, dice: &mut SeededEntropy) -> Vec<u8> {
    let index = |dice: &mut SeededEntropy, len: usize| usize::try_from(dice.below(len as u64)).unwrap();
    match dice.below(5) {
        0 => octets.iter_mut().for_each(|octet| *octet = u8::try_from(dice.below(256)).unwrap()),
        1 => octets.truncate(index(dice, octets.len())),
        2 => {
            let at = index(dice, octets.len());
            octets.drain(at..at + (octets.len() - at).min(5));
        }
        _ => {
            for _ in 0..=dice.below(4) {
                let at = index(dice, octets.len());
                octets[at] = u8::try_from(dice.below(256)).unwrap();
            }
        }
    }
    octets
}

/// Attacks a bound socket from many sides at once.
fn attack(at: SocketAddr, peer: &str, seeds: std::ops::Range<u64>) {
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || {
                let mut dice = SeededEntropy::new(seed);
                let mut stream = say(at, &spoil(conversation(peer), &mut dice)).unwrap();
                if dice.below(2) == 0 {
                    let _ = stream.shutdown(Shutdown::Write);
                }
                // Whatever it answers, for as long as it wants to listen to this, but not long.
                stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                while stream.read(&mut [0; 1000]).is_ok_and(|count| count > 0) {}
            });
        }
    });
}

fn socket<T: Typed>(handle: &RuntimeHandle) -> Handle<T> {
    handle.socket(Options::new())
}

/// One sends, the other receives.
async fn passes(from: &Handle<Any>, to: &Handle<Any>) {
    from.send("still there?").await.unwrap();
    assert_eq!(to.recv().await.unwrap().body(), "still there?");
}

async fn spoilt_conversations(handle: &RuntimeHandle) {
    let (router, rep, pull) = (socket::<Router>(handle), socket::<Rep>(handle), socket::<Pull>(handle));
    let (dealer, push, req) = (socket::<Dealer>(handle), socket::<Push>(handle), socket::<Req>(handle));
    let pair = socket::<Pair>(handle);
    let bound: [(Handle<Any>, &str); 7] = [
        (router.erase(), "DEALER"),
        (rep.erase(), "REQ"),
        (pull.erase(), "PUSH"),
        (pair.erase(), "PAIR"),
        (dealer.erase(), "ROUTER"),
        (push.erase(), "PULL"),
        (req.erase(), "REP"),
    ];
    for (round, (socket, peer)) in (0..).zip(&bound) {
        let (mut monitor, peer) = (socket.monitor(), *peer);
        let at = bind_tcp(socket).await;
        smol::unblock(move || attack(at, peer, round * 100..round * 100 + 100)).await;
        // The attackers are gone; what they had sent whole may be read, and each end has a reason.
        let mut observed = Observed::default();
        while observed.ends.len() < 100 {
            observed.note(monitor.next().await.unwrap());
        }
        let ours = observed.ends.iter().find(|reason| reason.fault() == Fault::Local);
        assert!(ours.is_none() || peer == "PAIR", "{peer}: {ours:?}");
        while socket.try_recv().is_ok() {
            if peer == "REQ" {
                socket.try_send("a REP owes a reply to whatever looked like a request").unwrap();
            }
        }
    }
    // All of them still do their work.
    let (client, server) = (socket::<Dealer>(handle), socket::<Router>(handle));
    for (bound, fresh) in [(rep.erase(), socket::<Req>(handle).erase()), (router.erase(), client.erase())] {
        fresh.connect(bound.bind(ANY).await.unwrap()).unwrap();
        run_until(echo(&bound), ask(&fresh)).await;
    }
    let (puller, pusher) = (socket::<Pull>(handle), socket::<Push>(handle));
    push.connect(puller.bind(ANY).await.unwrap()).unwrap();
    pusher.connect(pull.bind(ANY).await.unwrap()).unwrap();
    dealer.connect(server.bind(ANY).await.unwrap()).unwrap();
    passes(&pusher.erase(), &pull.erase()).await;
    passes(&push.erase(), &puller.erase()).await;
    passes(&dealer.erase(), &server.erase()).await;
}

#[test]
fn every_socket_type_survives_spoilt_conversations_and_goes_on_serving() {
    on_each_runtime(spoilt_conversations);
}
