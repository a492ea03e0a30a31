//! Random sends, receives, cuts, freezes and passes of time against the simplest of models.

use super::faults::{Got, Weather};
use super::s;
use sansmq_proto::Options;
use sansmq_proto::kind::{Dealer, Pull, Push, Router};
use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::Net;
use sansmq_tests::{dropped, events, for_seeds};

#[test]
fn a_pipeline_in_all_weathers_keeps_order_and_duplicates_nothing_and_loses_nothing_while_connected() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let marks: Vec<_> = (0..4).map(|_| 1 + weather.pick(12)).collect();
        let pulls = [0, 1].map(|number| {
            let pull = net.socket(weather.dress(Options::<Pull>::new().recv_hwm(marks[number])));
            net.bind(pull, &format!("tcp://pull:{}", number + 1));
            pull
        });
        let pushes = [2, 3].map(|number| {
            let push = net.socket(weather.dress(Options::<Push>::new().send_hwm(marks[number])));
            net.connect(push, "tcp://pull:1");
            net.connect(push, "tcp://pull:2");
            push
        });
        let nodes = [pulls, pushes].concat();
        let (mut next, mut got) = ([0_u32; 2], Got::of(&weather));
        for _ in 0..300 {
            let who = weather.pick(2);
            if weather.pick(3) > 0 {
                let mut burst = 0;
                while net[pushes[who]].send(format!("{who} {}", next[who])).is_ok() && burst < 30 {
                    (next[who], burst) = (next[who] + 1, burst + 1);
                    assert!(burst <= 2 * marks[2 + who], "more is accepted at once than two queues hold");
                }
            }
            if let Ok(message) = net[pulls[who]].recv() {
                got.note(&message, who);
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        // A reader that does not read hears no PING either, and may be left. So all is read first, and time passes.
        for _ in 0..10 {
            for (by, pull) in pulls.into_iter().enumerate() {
                while let Ok(message) = net[pull].recv() {
                    got.note(&message, by);
                    net.settle();
                }
            }
            net.pass(s(1));
        }
        let sent = next.map(|next| next as usize).iter().sum::<usize>();
        if !weather.tears() {
            assert_eq!(got.all.len(), sent, "nothing is lost");
        }
        assert!(got.all.len() <= sent);
        for node in nodes {
            assert_eq!(net.connections(node), 2, "all have found each other again");
        }
    });
}

#[test]
fn a_router_and_its_dealers_in_all_weathers_echo_in_order_and_account_for_every_message() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let router = Options::<Router>::new().send_hwm(1 + weather.pick(9)).recv_hwm(1 + weather.pick(9));
        let router = net.socket(weather.dress(router));
        net.bind(router, "tcp://router:1");
        let dealers = [0, 1, 2].map(|number| {
            let options = Options::<Dealer>::new().send_hwm(1 + weather.pick(9)).recv_hwm(1 + weather.pick(9));
            let dealer = net.socket(weather.dress(options.routing_id(format!("dealer {number}")).unwrap()));
            net.connect(dealer, "tcp://router:1");
            dealer
        });
        let nodes = [&[router][..], &dealers].concat();
        let (mut next, mut asked, mut echoed, mut drops) = ([0_u32; 3], Got::of(&weather), Got::of(&weather), 0);
        let mut serve = |net: &mut Net, asked: &mut Got| {
            while let Ok(request) = net[router].recv() {
                assert!(request.head().starts_with(b"dealer "), "{request:?} has an address");
                asked.note(&request, 0);
                net[router].send(request).unwrap();
            }
            let events = events(net, router);
            drops += dropped(&events, DropReason::PeerFull) + dropped(&events, DropReason::Unroutable);
        };
        for _ in 0..300 {
            let who = weather.pick(3);
            if net[dealers[who]].send(format!("{who} {}", next[who])).is_ok() {
                next[who] += 1;
            }
            if let Ok(echo) = net[dealers[who]].recv() {
                echoed.note(&echo, who);
            }
            if weather.pick(2) == 0 {
                serve(&mut net, &mut asked);
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        // A peer whose old connection is not read to its end is not let in again: so all is read first, and time passes.
        for round in 0..120 {
            serve(&mut net, &mut asked);
            net.settle();
            if round % 20 == 0 {
                net.pass(s(6));
            }
            for (by, dealer) in dealers.into_iter().enumerate() {
                while let Ok(echo) = net[dealer].recv() {
                    echoed.note(&echo, by);
                }
            }
        }
        if !weather.tears() {
            assert_eq!(asked.all.len(), next.map(|next| next as usize).iter().sum::<usize>(), "no request is lost");
            assert_eq!(echoed.all.len() + drops, asked.all.len(), "every echo came or was dropped by the mark");
        }
        assert!(echoed.all.is_subset(&asked.all));
        assert_eq!(net.connections(router), 3, "all have found each other again");
    });
}
