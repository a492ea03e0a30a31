//! Tests of futures that wait for a socket on one thread, while another thread sends, receives or closes.

use super::{FILL, Pipeline, full_pipeline, in_every_order, now, pipeline, socket};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use loom::future::block_on;
use loom::thread;
use sansmq_proto::kind::{Dealer, Push};
use sansmq_proto::{Event, Message, Options, RecvError, SendError};
use sansmq_runtime::{Context as SocketContext, Proxy};

#[test]
fn recv_is_woken_by_message() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let sender = thread::spawn(move || push.try_send("x").unwrap());
        assert_eq!(block_on(pull.recv()).unwrap().body(), "x");
        sender.join().unwrap();
    });
}

#[test]
fn send_is_woken_by_room() {
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
fn two_receivers_get_one_message_each() {
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
fn cancelled_recv_does_not_lose_a_wakeup() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let (again, other) = (push.clone(), pull.clone());
        let cancelling = thread::spawn(move || {
            if let Poll::Ready(message) = now(other.recv()) {
                again.try_send(message.unwrap()).unwrap();
            }
        });
        let sender = thread::spawn(move || push.try_send("x").unwrap());
        assert_eq!(block_on(pull.recv()).unwrap().body(), "x");
        cancelling.join().unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn batches_share_the_messages_without_loss() {
    in_every_order(2, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let other = pull.clone();
        let receiver = thread::spawn(move || {
            let mut received = Vec::new();
            block_on(other.recv_many(&mut received, 1)).unwrap();
            received
        });
        let sender = thread::spawn(move || {
            let mut batch = vec![Message::from("1"), "2".into()];
            while !batch.is_empty() {
                block_on(push.send_many(&mut batch)).unwrap();
            }
        });
        let mut received = Vec::new();
        // The future that is served first leaves a message for the other.
        assert_eq!(block_on(pull.recv_many(&mut received, 1)), Ok(1));
        received.extend(receiver.join().unwrap());
        received.sort_by(|one: &Message, other| one.body().cmp(other.body()));
        sender.join().unwrap();
        assert_eq!(received, ["1".into(), "2".into()]);
    });
}

#[test]
fn cancelled_recv_many_does_not_lose_a_wakeup() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let (again, other) = (push.clone(), pull.clone());
        let cancelling = thread::spawn(move || {
            let mut received = Vec::new();
            if now(other.recv_many(&mut received, 8)).is_ready() {
                assert_eq!(again.try_send_many(&mut received), Ok(1));
            }
        });
        let sender = thread::spawn(move || push.try_send("x").unwrap());
        let mut received = Vec::new();
        assert_eq!(block_on(pull.recv_many(&mut received, 8)), Ok(1));
        assert_eq!(received, ["x".into()]);
        cancelling.join().unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn cancelled_send_does_not_lose_a_wakeup() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = full_pipeline();
        let (waiting, cancelled) = (push.clone(), push);
        let cancelling = thread::spawn(move || now(cancelled.send("cancelled")).is_ready());
        let sender = thread::spawn(move || {
            block_on(waiting.send("x")).unwrap();
            waiting
        });
        let mut bodies = Vec::new();
        while bodies.last().is_none_or(|body: &Message| body.body() != "x") {
            bodies.push(block_on(pull.recv()).unwrap());
        }
        let was_sent = cancelling.join().unwrap();
        drop(sender.join().unwrap());
        let rest = usize::from(pull.try_recv().is_ok());
        assert_eq!(bodies.len() + rest, usize::from(FILL) + 1 + usize::from(was_sent));
    });
}

#[test]
fn receiver_that_is_cancelled_after_its_wakeup_passes_its_turn_on() {
    in_every_order(2, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let (first, second) = (pull.clone(), pull);
        let mut cancelled = Box::pin(first.recv());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(cancelled.as_mut().poll(&mut cx).is_pending());
        let receiver = thread::spawn(move || block_on(second.recv()).unwrap());
        push.try_send("x").unwrap();
        drop(cancelled);
        assert_eq!(receiver.join().unwrap().body(), "x");
    });
}

#[test]
fn close_wakes_all_waiters_and_returns_unsent_messages() {
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
fn end_of_runtime_wakes_all_waiters() {
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
fn monitor_is_woken_by_events_and_close() {
    in_every_order(3, || {
        let (socket, _driver) = socket(Options::<Push>::new(), &SocketContext::new());
        let mut monitor = socket.monitor();
        let application = thread::spawn(move || {
            socket.connect("tcp://1.1.1.1:1").unwrap();
            block_on(socket.close());
        });
        let mut events = Vec::new();
        while let Some(event) = block_on(monitor.next()) {
            events.push(event);
        }
        assert!(
            matches!(events[..], [Event::Connecting { .. }, Event::ConnectCancelled { .. }, Event::Closed]),
            "{events:?}"
        );
        application.join().unwrap();
    });
}

#[test]
fn proxy_forwards_until_terminated_unless_paused() {
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
