//! Those who wait for a socket.

use super::{FILL, Pipeline, full_pipeline, in_every_order, now, pipeline, socket};
use core::task::Poll;
use core::time::Duration;
use loom::future::block_on;
use loom::thread;
use sansmq_proto::kind::{Dealer, Push};
use sansmq_proto::{Event, Options, RecvError, SendError};
use sansmq_runtime::{Context as SocketContext, Proxy};

#[test]
fn who_waits_for_a_message_is_woken_by_it() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let sender = thread::spawn(move || push.try_send("x").unwrap());
        assert_eq!(block_on(pull.recv()).unwrap().body(), "x");
        sender.join().unwrap();
    });
}

#[test]
fn who_waits_for_room_is_woken_when_it_comes() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = full_pipeline();
        let sender = thread::spawn(move || {
            block_on(push.send(&[FILL])).unwrap();
            push
        });
        for number in 0..=FILL {
            assert_eq!(block_on(pull.recv()).unwrap().body(), &[number]);
        }
        drop(sender.join().unwrap());
    });
}

#[test]
fn two_who_wait_for_messages_get_one_each() {
    in_every_order(2, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let other = pull.clone();
        let receiver = thread::spawn(move || block_on(other.recv()).unwrap());
        let sender = thread::spawn(move || {
            for body in ["x", "y"] {
                block_on(push.send(body)).unwrap();
            }
            push
        });
        let ours = block_on(pull.recv()).unwrap();
        let theirs = receiver.join().unwrap();
        assert_ne!(ours, theirs);
        drop(sender.join().unwrap());
    });
}

#[test]
fn who_gives_up_waiting_takes_no_wake_away_from_others() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let (again, other) = (push.clone(), pull.clone());
        let fickle = thread::spawn(move || {
            if let Poll::Ready(message) = now(other.recv()) {
                again.try_send(message.unwrap()).unwrap();
            }
        });
        let sender = thread::spawn(move || push.try_send("x").unwrap());
        assert_eq!(block_on(pull.recv()).unwrap().body(), "x");
        fickle.join().unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn a_close_wakes_all_who_wait_and_gives_unsent_messages_back() {
    in_every_order(2, || {
        let (socket, _driver) = socket(Options::<Dealer>::new().linger(Duration::ZERO), &SocketContext::new());
        let [receiver, sender] = [socket.clone(), socket.clone()];
        let receiver = thread::spawn(move || block_on(receiver.recv()));
        let sender = thread::spawn(move || block_on(sender.send("x")));
        assert_eq!(block_on(socket.close()).unsent, 0);
        assert_eq!(receiver.join().unwrap(), Err(RecvError::Closed));
        assert_eq!(sender.join().unwrap(), Err(SendError::Closed("x".into())));
    });
}

#[test]
fn a_runtime_that_ends_wakes_all_who_wait() {
    in_every_order(2, || {
        let (socket, driver) = socket(Options::<Dealer>::new(), &SocketContext::new());
        let [receiver, closer] = [socket.clone(), socket.clone()];
        let receiver = thread::spawn(move || block_on(receiver.recv()));
        let closer = thread::spawn(move || block_on(closer.close()));
        let runtime = thread::spawn(move || drop(driver));
        receiver.join().unwrap().unwrap_err();
        closer.join().unwrap();
        runtime.join().unwrap();
    });
}

#[test]
fn a_monitor_is_woken_by_every_event_and_by_the_end() {
    in_every_order(3, || {
        let (socket, _driver) = socket(Options::<Push>::new(), &SocketContext::new());
        let mut monitor = socket.monitor();
        let application = thread::spawn(move || {
            socket.connect("tcp://1.1.1.1:1").unwrap();
            block_on(socket.close());
        });
        let mut story = Vec::new();
        while let Some(event) = block_on(monitor.next()) {
            story.push(event);
        }
        assert!(
            matches!(story[..], [Event::Connecting { .. }, Event::ConnectCancelled { .. }, Event::Closed]),
            "{story:?}"
        );
        application.join().unwrap();
    });
}

#[test]
fn a_proxy_passes_on_what_comes_unless_it_pauses_until_it_is_told_to_end() {
    in_every_order(2, || {
        let (before, after) = (pipeline(), pipeline());
        let mut proxy = Proxy::new(&before.pull, &after.push);
        let control = proxy.control_handle();
        control.pause();
        let runner = thread::spawn(move || block_on(proxy.run()).unwrap());
        before.push.try_send("x").unwrap();
        control.resume();
        assert_eq!(block_on(after.pull.recv()).unwrap().body(), "x");
        control.terminate();
        assert_eq!(runner.join().unwrap().frontend.received.messages, 1);
    });
}
