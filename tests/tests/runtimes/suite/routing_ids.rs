//! Tests of the routing ids that a ROUTER learns from the peers that it dials.

use super::super::fixture::{Socket, run};
use super::ANY;
use super::inproc::unique_endpoint;
use sansmq::kind::{Dealer, Router};
use sansmq::{DropReason, Event, Message, Options, SendError};
use std::time::Duration;

#[test]
fn router_gives_another_peer_at_an_endpoint_its_own_id() {
    run(|| async {
        for at in [ANY.parse().unwrap(), unique_endpoint()] {
            let named = |id: &str| Socket::with_options(Options::<Dealer>::new().routing_id(id).unwrap());
            let delay = Duration::from_millis(1);
            let router = Socket::with_options(Options::<Router>::new().mandatory(true).reconnect(delay, delay));
            let mut monitor = router.monitor();
            let ann = named("ann");
            let endpoint = ann.bind(&at).await.unwrap();
            router.connect(&endpoint).unwrap();
            ann.send("from ann").await.unwrap();
            assert_eq!(router.recv().await.unwrap(), Message::from(["ann", "from ann"]));
            ann.close().await;
            monitor.find(|event| matches!(event, Event::Disconnected { .. }).then_some(())).await.unwrap();
            router.send(["ann", "waits"]).await.unwrap();

            let bob = named("bob");
            bob.bind(&endpoint).await.unwrap();
            bob.send("from bob").await.unwrap();
            assert_eq!(router.recv().await.unwrap(), Message::from(["bob", "from bob"]));
            assert!(matches!(router.send(["ann", "late"]).await, Err(SendError::Unroutable(_))));
            router.send(["bob", "for bob"]).await.unwrap();
            assert_eq!(bob.recv().await.unwrap(), Message::from("for bob"));
            assert_eq!(router.stats().dropped.of(DropReason::Undelivered), 1);
        }
    });
}
