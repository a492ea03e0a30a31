//! Tests of message exchange, connect and close between two `inproc` sockets, each on its own thread.

use super::{ENDPOINT, FILL, Pipeline, in_every_order, now, pipeline, socket};
use core::time::Duration;
use loom::future::block_on;
use loom::thread;
use sansmq_proto::Options;
use sansmq_proto::kind::{Dealer, Pull, Push};
use sansmq_runtime::{Context as SocketContext, Handle};

#[test]
fn inproc_keeps_order_when_queues_are_full() {
    in_every_order(3, || {
        const COUNT: u8 = 6;
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let sender = thread::spawn(move || {
            for number in 0..COUNT {
                block_on(push.send(&[number])).unwrap();
            }
            push
        });
        for number in 0..COUNT {
            assert_eq!(block_on(pull.recv()).unwrap().body(), &[number]);
        }
        drop(sender.join().unwrap());
    });
}

#[test]
fn inproc_sockets_that_send_to_each_other_do_not_deadlock() {
    fn exchange(socket: &Handle<Dealer>) {
        for number in 0..FILL {
            block_on(socket.send(&[number])).unwrap();
        }
        for number in 0..FILL {
            assert_eq!(block_on(socket.recv()).unwrap().body(), &[number]);
        }
    }
    in_every_order(3, || {
        let context = SocketContext::new();
        let options = || Options::<Dealer>::new().send_hwm(1).recv_hwm(1);
        let ((one, _driver), (other, _other_driver)) = (socket(options(), &context), socket(options(), &context));
        assert!(now(one.bind(ENDPOINT)).is_ready());
        other.connect(ENDPOINT).unwrap();
        let thread = thread::spawn({
            let other = other.clone();
            move || exchange(&other)
        });
        exchange(&one);
        thread.join().unwrap();
    });
}

#[test]
fn inproc_delivers_messages_sent_before_close() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let sender = thread::spawn(move || {
            for number in 0..3 {
                block_on(push.send(&[number])).unwrap();
            }
            assert_eq!(block_on(push.close()).unsent, 0);
        });
        for number in 0..3 {
            assert_eq!(block_on(pull.recv()).unwrap().body(), &[number]);
        }
        sender.join().unwrap();
    });
}

#[test]
fn close_does_not_wait_for_closed_peer() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let other = thread::spawn(move || block_on(push.close()).unsent);
        assert_eq!(block_on(pull.close()).unsent, 0);
        assert_eq!(other.join().unwrap(), 0);
    });
}

#[test]
fn inproc_connects_during_concurrent_bind() {
    in_every_order(3, || {
        let context = SocketContext::new();
        let (push, _driver) = socket(Options::<Push>::new(), &context);
        let (pull, _other_driver) = socket(Options::<Pull>::new(), &context);
        let connecting = thread::spawn(move || {
            push.connect(ENDPOINT).unwrap();
            block_on(push.send("x")).unwrap();
            push
        });
        block_on(pull.bind(ENDPOINT)).unwrap();
        assert_eq!(block_on(pull.recv()).unwrap().body(), "x");
        drop(connecting.join().unwrap());
    });
}

#[test]
fn inproc_unbind_during_connect_leaves_no_name() {
    in_every_order(3, || {
        let context = SocketContext::new();
        let (push, _driver) = socket(Options::<Push>::new().linger(Duration::ZERO), &context);
        let (pull, _other_driver) = socket(Options::<Pull>::new(), &context);
        let connecting = thread::spawn(move || {
            push.connect(ENDPOINT).unwrap();
            push.disconnect(ENDPOINT).unwrap();
            block_on(push.close())
        });
        block_on(pull.bind(ENDPOINT)).unwrap();
        block_on(pull.unbind(ENDPOINT)).unwrap();
        block_on(pull.close());
        let _ = connecting.join().unwrap();
        assert_eq!(format!("{context:?}"), format!("{:?}", SocketContext::new()));
    });
}

#[test]
fn inproc_disconnect_during_join_leaves_no_peer() {
    in_every_order(3, || {
        let context = SocketContext::new();
        let (push, _driver) = socket(Options::<Push>::new(), &context);
        let (pull, _other_driver) = socket(Options::<Pull>::new(), &context);
        let connecting = thread::spawn(move || {
            push.connect(ENDPOINT).unwrap();
            push.disconnect(ENDPOINT).unwrap();
            push
        });
        block_on(pull.bind(ENDPOINT)).unwrap();
        let push = connecting.join().unwrap();
        assert_eq!([push.stats().peers, pull.stats().peers], [0, 0]);
    });
}
