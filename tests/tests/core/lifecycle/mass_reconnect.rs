//! Many peers lose their server at once, and come back.

use super::faults::Weather;
use super::{PLACE, bound, connected, ms, s};
use sansmq_proto::kind::{Dealer, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options};
use sansmq_tests::{Told, for_seeds, recv_all};
use std::collections::BTreeSet;

struct Crowd {
    server: NodeId,
    peers: Vec<NodeId>,
}

impl Crowd {
    fn server(weather: &Weather) -> Options<Router> {
        weather.dress(Options::new())
    }

    fn gather(net: &mut Net, weather: &Weather, count: usize) -> Self {
        let server = bound(net, Self::server(weather));
        let peers = (0..count).map(|number| {
            let options = Options::<Dealer>::new().routing_id(number.to_string()).unwrap().connect_timeout(s(2));
            connected(net, weather.dress(options))
        });
        let peers = peers.collect();
        Self { server, peers }
    }

    fn restart(&self, net: &mut Net, weather: &Weather) {
        net.restart(self.server, Self::server(weather));
    }

    fn lost(&self, net: &Net) -> bool {
        self.peers.iter().all(|&peer| net.connections(peer) == 0)
    }

    fn everybody_says(&self, net: &mut Net, what: &str) {
        for &peer in &self.peers {
            net[peer].send(what).unwrap();
        }
    }

    /// What each said came once.
    fn is_heard_by_the_server(&self, net: &mut Net, what: &str) {
        let heard = recv_all(net, self.server);
        let whose: BTreeSet<_> = heard.iter().map(|message| message.head().to_text().into_owned()).collect();
        assert!(heard.iter().all(|message| message.body() == what), "{heard:?}");
        assert_eq!((whose.len(), heard.len()), (self.peers.len(), self.peers.len()), "of each came one message");
    }

    /// Each gets what is for it.
    fn is_answered(&self, net: &mut Net) {
        for number in 0..self.peers.len() {
            net[self.server].send([number.to_string(), format!("answer to {number}")]).unwrap();
        }
        net.settle();
        for (number, &peer) in self.peers.iter().enumerate() {
            assert_eq!(recv_all(net, peer), [Message::from(format!("answer to {number}"))]);
        }
    }

    /// Lets time pass until all are there, and tells how many came in each step of that length.
    fn arrivals(&self, net: &mut Net, step: core::time::Duration) -> Vec<usize> {
        let mut there = vec![net.connections(self.server)];
        while *there.last().unwrap() < self.peers.len() {
            assert!(there.len() < 1000, "only {there:?} have come");
            net.pass(step);
            there.push(net.connections(self.server));
        }
        there.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[test]
fn a_thousand_peers_come_back_one_after_another_after_any_disaster_with_all_that_they_had_to_say() {
    for_seeds(4, |seed| {
        // The third kind of weather is the one with heartbeats: nobody tells of a network that falls apart.
        let parted = seed % 4 == 3;
        let weather = Weather::of(if parted { 2 } else { 0 });
        let mut net = Told(Net::seeded(seed).latency(ms(0)..=ms(3)));
        let crowd = Crowd::gather(&mut net, &weather, 1000);
        net.pass(s(1));
        assert_eq!(net.connections(crowd.server), 1000);
        match seed % 4 {
            0 => net.cut(crowd.server),
            1 => {
                crowd.restart(&mut net, &weather);
                net.bind(crowd.server, PLACE);
            }
            2 => crowd.restart(&mut net, &weather),
            _ => net.part(&[crowd.server], &crowd.peers),
        }
        if parted {
            net.pass(s(4));
        } else {
            net.settle();
        }
        assert!(crowd.lost(&net));
        crowd.everybody_says(&mut net, "I am back");
        if seed % 4 < 2 {
            // Those of the first attempt come within the second half of 100 ms.
            let most = crowd.arrivals(&mut net, ms(5)).into_iter().max();
            assert!(most < Some(200), "{most:?} came within 5 ms");
        } else {
            net.pass(s(40));
            if parted {
                net.heal();
            } else {
                net.bind(crowd.server, PLACE);
            }
            let most = crowd.arrivals(&mut net, ms(100)).into_iter().max();
            assert!(most < Some(200), "{most:?} came within 100 ms");
        }
        net.pass(s(1));
        crowd.is_heard_by_the_server(&mut net, "I am back");
        crowd.is_answered(&mut net);
    });
}

#[test]
fn crowds_in_all_weathers_find_their_server_again_and_hear_and_are_heard() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let count = 5 + weather.pick(20);
        let crowd = Crowd::gather(&mut net, &weather, count);
        let nodes = [&[crowd.server][..], &crowd.peers].concat();
        let mut heard = BTreeSet::new();
        let mut hear = |net: &mut Net| {
            while let Ok(message) = net[crowd.server].recv() {
                let whole = message.iter().map(|frame| frame.to_text().into_owned()).collect::<Vec<_>>();
                assert!(heard.insert(whole.join(" ")), "{message:?} came twice");
            }
            heard.len()
        };
        let mut said = 0;
        for round in 0..60 {
            for _ in 0..weather.pick(10) {
                let peer = crowd.peers[weather.pick(count)];
                said += usize::from(net[peer].send(format!("{round} {said}")).is_ok());
            }
            hear(&mut net);
            match weather.pick(20) {
                0 if weather.cuts => {
                    crowd.restart(&mut net, &weather);
                    net.pass(ms(10));
                    net.bind(crowd.server, PLACE);
                }
                1..=3 => net.part(&[crowd.server], &crowd.peers[..weather.pick(count)]),
                4..=6 => net.heal(),
                _ => {}
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        for _ in 0..10 {
            hear(&mut net);
            net.pass(s(5));
        }
        let arrived = hear(&mut net);
        assert!(arrived <= said);
        if !weather.tears() {
            assert_eq!(arrived, said, "nothing is lost");
        }
        assert_eq!(net.connections(crowd.server), count, "all have come back");
        crowd.everybody_says(&mut net, "hello");
        net.pass(s(5));
        crowd.is_heard_by_the_server(&mut net, "hello");
        crowd.is_answered(&mut net);
    });
}
