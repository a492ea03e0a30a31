//! PUB and SUB, XPUB and XSUB, RADIO and DISH.

use super::{fan, message, net, star};
use sansmq_proto::Options;
use sansmq_proto::kind::{Dish, Pub, Radio, Sub, XPub, XSub};
use sansmq_tests::{bodies, recv_all};

#[test]
fn a_sub_receives_what_it_subscribed_to_and_nothing_else() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, Options::<Pub>::new(), [Options::<Sub>::new(), Options::<Sub>::new()]);
    net[a].subscribe("news").unwrap();
    net[b].subscribe("").unwrap();
    net.settle();
    for topic in ["news.sport", "weather", "new"] {
        net[publisher].send(topic).unwrap();
    }
    assert_eq!(bodies(&recv_all(&mut net, a)), ["news.sport"]);
    assert_eq!(bodies(&recv_all(&mut net, b)), ["news.sport", "weather", "new"]);
}

#[test]
fn a_bound_sub_subscribes_without_receiving() {
    let mut net = net();
    let (publisher, [sub]) = fan(&mut net, Options::<Pub>::new(), [Options::<Sub>::new()]);
    net[sub].subscribe("a").unwrap();
    net.settle();
    assert_eq!(net[publisher].audience("abc"), 1);
    assert_eq!(net[publisher].audience("b"), 0);
}

#[test]
fn an_xpub_hears_of_the_first_subscription_and_of_the_last_cancel() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, Options::<XPub>::new(), [Options::<XSub>::new(), Options::<XSub>::new()]);
    for sub in [a, b] {
        net[sub].send("\x01topic").unwrap();
        net.settle();
    }
    assert_eq!(recv_all(&mut net, publisher), [message(["\x01topic"])]);
    net[a].send("\0topic").unwrap();
    net.settle();
    assert_eq!(recv_all(&mut net, publisher), []);
    net[b].send("\0topic").unwrap();
    net.settle();
    assert_eq!(recv_all(&mut net, publisher), [message(["\0topic"])]);
}

#[test]
fn a_dish_receives_the_groups_it_joined() {
    let mut net = net();
    let (radio, [dish]) = star(&mut net, Options::<Radio>::new(), [Options::<Dish>::new()]);
    net[dish].join("tv").unwrap();
    net.settle();
    net[radio].send(("tv", "show")).unwrap();
    net[radio].send(("tv2", "other")).unwrap();
    assert_eq!(recv_all(&mut net, dish), [message(["tv", "show"])]);
}
