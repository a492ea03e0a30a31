//! Tests of random sends and receives under random network faults. The results are compared with a simple model.

use super::faults::{FaultPlan, Received};
use super::s;
use sansmq_proto::Options;
use sansmq_proto::kind::{Dealer, Pull, Push, Router};
use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::Net;
use sansmq_tests::{dropped, events, for_seeds};

#[test]
fn pipeline_keeps_order_under_faults_without_duplicates() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let marks: Vec<_> = (0..4).map(|_| 1 + faults.pick(12)).collect();
        let pulls = [0, 1].map(|number| {
            let pull = net.socket(faults.configure(Options::<Pull>::new().recv_hwm(marks[number])));
            net.bind(pull, &format!("tcp://pull:{}", number + 1));
            pull
        });
        let pushes = [2, 3].map(|number| {
            let push = net.socket(faults.configure(Options::<Push>::new().send_hwm(marks[number])));
            net.connect(push, "tcp://pull:1");
            net.connect(push, "tcp://pull:2");
            push
        });
        let nodes = [pulls, pushes].concat();
        let (mut next, mut received) = ([0_u32; 2], Received::new(&faults));
        for _ in 0..300 {
            let index = faults.pick(2);
            if faults.pick(3) > 0 {
                let mut burst = 0;
                while net[pushes[index]].send(format!("{index} {}", next[index])).is_ok() && burst < 30 {
                    (next[index], burst) = (next[index] + 1, burst + 1);
                    assert!(burst <= 2 * marks[2 + index], "more messages were accepted at once than two queues hold");
                }
            }
            if let Ok(message) = net[pulls[index]].recv() {
                received.record(&message, index);
            }
            faults.inject(&mut net, &nodes);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        // A receiver with a full queue stops reading, also PINGs, and may lose its connection: receive everything
        // before time passes.
        for _ in 0..10 {
            for (receiver, pull) in pulls.into_iter().enumerate() {
                while let Ok(message) = net[pull].recv() {
                    received.record(&message, receiver);
                    net.settle();
                }
            }
            net.advance(s(1));
        }
        let sent = next.map(|next| next as usize).iter().sum::<usize>();
        if !faults.loses_connections() {
            assert_eq!(received.all.len(), sent, "messages were lost");
        }
        assert!(received.all.len() <= sent);
        for node in nodes {
            assert_eq!(net.connections(node), 2, "all peers have reconnected");
        }
    });
}

#[test]
fn router_echoes_keep_order_under_faults_and_all_are_counted() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let router = Options::<Router>::new().send_hwm(1 + faults.pick(9)).recv_hwm(1 + faults.pick(9));
        let router = net.socket(faults.configure(router));
        net.bind(router, "tcp://router:1");
        let dealers = [0, 1, 2].map(|number| {
            let options = Options::<Dealer>::new().send_hwm(1 + faults.pick(9)).recv_hwm(1 + faults.pick(9));
            let dealer = net.socket(faults.configure(options.routing_id(format!("dealer {number}")).unwrap()));
            net.connect(dealer, "tcp://router:1");
            dealer
        });
        let nodes = [&[router][..], &dealers].concat();
        let (mut next, mut requests, mut echoes, mut drops) =
            ([0_u32; 3], Received::new(&faults), Received::new(&faults), 0);
        let mut serve = |net: &mut Net, requests: &mut Received| {
            while let Ok(request) = net[router].recv() {
                assert!(request.head().starts_with(b"dealer "), "{request:?} has no routing id");
                requests.record(&request, 0);
                net[router].send(request).unwrap();
            }
            let events = events(net, router);
            drops += dropped(&events, DropReason::PeerFull) + dropped(&events, DropReason::Unroutable);
        };
        for _ in 0..300 {
            let index = faults.pick(3);
            if net[dealers[index]].send(format!("{index} {}", next[index])).is_ok() {
                next[index] += 1;
            }
            if let Ok(echo) = net[dealers[index]].recv() {
                echoes.record(&echo, index);
            }
            if faults.pick(2) == 0 {
                serve(&mut net, &mut requests);
            }
            faults.inject(&mut net, &nodes);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        // A DEALER is rejected while its former connection has unread messages: receive everything before time passes.
        for round in 0..120 {
            serve(&mut net, &mut requests);
            net.settle();
            if round % 20 == 0 {
                net.advance(s(6));
            }
            for (receiver, dealer) in dealers.into_iter().enumerate() {
                while let Ok(echo) = net[dealer].recv() {
                    echoes.record(&echo, receiver);
                }
            }
        }
        if !faults.loses_connections() {
            assert_eq!(requests.all.len(), next.map(|next| next as usize).iter().sum::<usize>(), "requests were lost");
            assert_eq!(
                echoes.all.len() + drops,
                requests.all.len(),
                "each echo was received, or dropped at the high-water mark"
            );
        }
        assert!(echoes.all.is_subset(&requests.all));
        assert_eq!(net.connections(router), 3, "all peers have reconnected");
    });
}
