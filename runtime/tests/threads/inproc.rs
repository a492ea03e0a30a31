//! Two sockets of one process, each on a thread of its own.

use super::{PLACE, Pipeline, in_every_order, now, pipeline, socket};
use core::time::Duration;
use loom::future::block_on;
use loom::thread;
use sansmq_proto::Options;
use sansmq_proto::kind::{Dealer, Pull, Push};
use sansmq_runtime::{Context as SocketContext, Handle};

#[test]
fn more_than_there_is_room_for_goes_over_in_order() {
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
fn two_that_send_to_each_other_do_not_wait_for_each_others_locks() {
    fn speak(socket: &Handle<Dealer>) {
        for number in 0..3 {
            block_on(socket.send(&[number])).unwrap();
        }
        for number in 0..3 {
            assert_eq!(block_on(socket.recv()).unwrap().body(), &[number]);
        }
    }
    in_every_order(3, || {
        let names = SocketContext::new();
        let options = || Options::<Dealer>::new().send_hwm(1).recv_hwm(1);
        let ((one, _driver), (other, _other_driver)) = (socket(options(), &names), socket(options(), &names));
        assert!(now(one.bind(PLACE)).is_ready());
        other.connect(PLACE).unwrap();
        let thread = thread::spawn({
            let other = other.clone();
            move || speak(&other)
        });
        speak(&one);
        thread.join().unwrap();
    });
}

#[test]
fn what_was_sent_before_a_close_arrives() {
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
fn a_close_does_not_wait_for_one_who_has_closed_too() {
    in_every_order(3, || {
        let Pipeline { push, pull, drivers: _drivers } = pipeline();
        let other = thread::spawn(move || block_on(push.close()).unsent);
        assert_eq!(block_on(pull.close()).unsent, 0);
        assert_eq!(other.join().unwrap(), 0);
    });
}

#[test]
fn who_binds_while_the_other_connects_is_found() {
    in_every_order(3, || {
        let names = SocketContext::new();
        let (push, _driver) = socket(Options::<Push>::new(), &names);
        let (pull, _other_driver) = socket(Options::<Pull>::new(), &names);
        let dialler = thread::spawn(move || {
            push.connect(PLACE).unwrap();
            block_on(push.send("x")).unwrap();
            push
        });
        block_on(pull.bind(PLACE)).unwrap();
        assert_eq!(block_on(pull.recv()).unwrap().body(), "x");
        drop(dialler.join().unwrap());
    });
}

#[test]
fn who_goes_while_the_other_connects_is_not_waited_for_and_leaves_no_name() {
    in_every_order(3, || {
        let names = SocketContext::new();
        let (push, _driver) = socket(Options::<Push>::new().linger(Duration::ZERO), &names);
        let (pull, _other_driver) = socket(Options::<Pull>::new(), &names);
        let dialler = thread::spawn(move || {
            push.connect(PLACE).unwrap();
            push.disconnect(PLACE).unwrap();
            block_on(push.close())
        });
        block_on(pull.bind(PLACE)).unwrap();
        block_on(pull.unbind(PLACE)).unwrap();
        block_on(pull.close());
        let _ = dialler.join().unwrap();
        assert_eq!(format!("{names:?}"), format!("{:?}", SocketContext::new()));
    });
}

#[test]
fn a_dial_that_is_given_up_while_it_is_met_leaves_no_peer_behind() {
    in_every_order(3, || {
        let names = SocketContext::new();
        let (push, _driver) = socket(Options::<Push>::new(), &names);
        let (pull, _other_driver) = socket(Options::<Pull>::new(), &names);
        let dialler = thread::spawn(move || {
            push.connect(PLACE).unwrap();
            push.disconnect(PLACE).unwrap();
            push
        });
        block_on(pull.bind(PLACE)).unwrap();
        let push = dialler.join().unwrap();
        assert_eq!([push.stats().peers, pull.stats().peers], [0, 0]);
    });
}
