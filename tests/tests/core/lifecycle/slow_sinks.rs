//! A pipeline whose sinks differ in speed: nothing is lost or comes twice, nobody waits for another, and memory is bounded.

use super::faults::{Got, Weather};
use super::{close, s};
use sansmq_proto::kind::{Pull, Push};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Options, SendError};
use sansmq_tests::{Told, for_seeds};

struct Scene {
    push: NodeId,
    pulls: [NodeId; 3],
    marks: [usize; 2],
    sent: u32,
    got: Got,
    /// What each sink had.
    shares: [usize; 3],
}

impl Scene {
    fn new(net: &mut Net, weather: &mut Weather) -> Self {
        let marks = [2 + weather.pick(20), 1 + weather.pick(20)];
        let push = net.socket(weather.dress(Options::<Push>::new().send_hwm(marks[0]).linger(None)));
        let pulls = [1, 2, 3].map(|number| {
            let pull = net.socket(weather.dress(Options::<Pull>::new().recv_hwm(marks[1])));
            net.bind(pull, &format!("tcp://sink:{number}"));
            net.connect(push, &format!("tcp://sink:{number}"));
            pull
        });
        Self { push, pulls, marks, sent: 0, got: Got::of(weather), shares: [0; 3] }
    }

    /// True if there was room.
    fn send(&mut self, net: &mut Net, size: usize) -> bool {
        let mut body = format!("0 {} 0", self.sent);
        body.extend(core::iter::repeat_n('0', size));
        match net[self.push].send(body) {
            Ok(()) => {
                self.sent += 1;
                true
            }
            Err(SendError::Full(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }

    fn recv(&mut self, net: &mut Net, sink: usize) -> bool {
        let Ok(message) = net[self.pulls[sink]].recv() else { return false };
        self.got.note(&message, sink);
        self.shares[sink] += 1;
        true
    }

    /// Receives everything there is.
    fn drain(&mut self, net: &mut Net) {
        for _ in 0..10 {
            for sink in 0..3 {
                while self.recv(net, sink) {
                    net.settle();
                }
            }
            net.pass(s(1));
        }
    }

    /// What waits is within the marks. A connection that is lost leaves what was on its way, beyond them.
    fn check_marks(&self, net: &Net) {
        let outgoing = net[self.push].stats().outgoing.messages;
        assert!(outgoing <= 3 * self.marks[0] as u64, "{outgoing} wait to be sent");
        for pull in self.pulls {
            let incoming = net[pull].stats().incoming.messages;
            assert!(incoming <= self.marks[1] as u64, "{incoming} wait to be received");
        }
    }
}

#[test]
fn sinks_of_different_speeds_lose_nothing_and_hear_nothing_twice_and_queues_keep_their_marks_in_all_weathers() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let mut scene = Scene::new(&mut net, &mut weather);
        let nodes = [&[scene.push][..], &scene.pulls].concat();
        for _ in 0..200 {
            for _ in 0..weather.pick(6) {
                scene.send(&mut net, 0);
            }
            // The second is rather slow, and the third asleep.
            for (sink, times) in [(0, 1), (1, 5), (2, 50)] {
                if weather.once_in(times) {
                    while scene.recv(&mut net, sink) && !weather.once_in(6) {}
                }
            }
            if !weather.tears() {
                scene.check_marks(&net);
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        scene.drain(&mut net);
        if !weather.tears() {
            assert_eq!(scene.got.all.len(), scene.sent as usize, "nothing is lost");
        }
        // Only what a lost connection had begun to send may be lost; the rest is sent by the next one.
        let sent = net[scene.push].stats().sent.messages;
        assert_eq!(sent, u64::from(scene.sent), "each message is begun to be sent, and once");
        assert_eq!(net.connections(scene.push), 3, "all have found each other again");
        // And it goes on as before.
        let (before, sent) = (scene.shares, scene.sent);
        for _ in 0..6 {
            assert!(scene.send(&mut net, 0), "there is room for {} more", 6 + sent - scene.sent);
            net.settle();
        }
        scene.drain(&mut net);
        let gained: Vec<_> = (0..3).map(|sink| scene.shares[sink] - before[sink]).collect();
        assert_eq!(gained, [2; 3], "all have room, so each has its share");
    });
}

#[test]
fn who_has_room_gets_a_fair_share_whatever_another_does() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(3 * seed);
        let mut net = weather.net(seed);
        let mut scene = Scene::new(&mut net, &mut weather);
        net.pass(s(1));
        for _ in 0..100 {
            // So few that those who have read everything are never without room.
            for _ in 0..=weather.pick(scene.marks[0]) {
                assert!(scene.send(&mut net, 0));
            }
            net.settle();
            for brisk in 0..2 {
                while scene.recv(&mut net, brisk) {
                    net.settle();
                }
            }
            if weather.once_in(10) {
                scene.recv(&mut net, 2);
            }
            let [one, other, _] = scene.shares;
            assert!(one.abs_diff(other) <= 1, "{:?}", scene.shares);
        }
        scene.drain(&mut net);
        assert_eq!(scene.got.all.len(), scene.sent as usize, "nothing is lost");
    });
}

#[test]
fn sinks_that_do_not_receive_bound_what_a_sender_may_send_and_get_all_of_it_though_it_closes() {
    for_seeds(60, |seed| {
        let mut weather = Weather::of(3 * seed);
        let mut net = Told(Net::seeded(seed).chunks(1..=5000).capacity(100 + weather.pick(5000)));
        let mut scene = Scene::new(&mut net, &mut weather);
        let size = 500 + weather.pick(1000);
        for _ in 0..50 {
            while scene.send(&mut net, size) {}
            net.pass(s(1));
            scene.check_marks(&net);
        }
        // Beside both queues there is a batch of 64 KiB on its way to the network at each end, and what the network holds.
        let most = 3 * (scene.marks[0] + scene.marks[1] + (2 * (64 << 10) + 5100) / size + 6);
        assert!((scene.sent as usize) < most, "{} of {size} octets, of at most {most}", scene.sent);
        close(&mut net, scene.push);
        scene.drain(&mut net);
        assert_eq!(scene.got.all.len(), scene.sent as usize, "nothing is lost");
    });
}
