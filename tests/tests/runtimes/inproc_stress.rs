//! `inproc` between threads that never rest, with marks so small that everybody waits for everybody: nothing is lost, repeated
//! or overtaken, and nobody is left asleep.

use sansmq::kind::{Dealer, Pull, Push};
use sansmq::mio::Socket;
use sansmq::{Context, Options};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::for_seeds;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A small mark, most often.
fn mark(dice: &mut SeededEntropy) -> usize {
    [1, 1, 2, 3, 7, 8, 9, 300][usize::try_from(dice.below(8)).unwrap()]
}

#[test]
fn two_that_flood_each_other_get_everything_in_order() {
    const COUNT: u32 = 5000;
    for_seeds(12, |seed| {
        let mut dice = SeededEntropy::new(seed);
        let context = Context::new();
        let ends = [(); 2].map(|()| {
            let (send, recv) = (mark(&mut dice), mark(&mut dice));
            Socket::in_context(&context, Options::<Dealer>::new().send_hwm(send).recv_hwm(recv))
        });
        ends[0].bind("inproc://flood").unwrap();
        ends[1].connect("inproc://flood").unwrap();
        thread::scope(|scope| {
            for end in &ends {
                scope.spawn(|| {
                    for number in 0..COUNT {
                        end.send_timeout(&number.to_be_bytes(), PATIENCE).expect("the other one receives");
                    }
                });
                scope.spawn(|| {
                    for number in 0..COUNT {
                        let message = end.recv_timeout(PATIENCE).expect("the other one sends");
                        assert_eq!(message.body(), &number.to_be_bytes());
                    }
                });
            }
        });
    });
}

#[test]
fn tokens_never_stop_going_round_a_ring() {
    const HOPS: u32 = 20_000;
    for_seeds(12, |seed| {
        let mut dice = SeededEntropy::new(seed);
        let context = Context::new();
        // A ring of one is a socket that is bound where another of its own process is connected.
        let size = usize::try_from(1 + dice.below(3)).unwrap();
        let seats: Vec<_> = (0..size)
            .map(|seat| {
                let pull = Socket::in_context(&context, Options::<Pull>::new().recv_hwm(mark(&mut dice)));
                let push = Socket::in_context(
                    &context,
                    Options::<Push>::new().send_hwm(mark(&mut dice)).linger(Duration::ZERO),
                );
                pull.bind(format!("inproc://{seat}")).unwrap();
                push.connect(format!("inproc://{}", (seat + 1) % size)).unwrap();
                push.send_timeout("token", PATIENCE).unwrap();
                (pull, push)
            })
            .collect();
        let hops = AtomicU32::new(0);
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            for (pull, push) in &seats {
                let (hops, done) = (&hops, done.clone());
                scope.spawn(move || {
                    while let Ok(token) = pull.recv() {
                        if hops.fetch_add(1, Ordering::Relaxed) == HOPS {
                            done.send(()).unwrap();
                        }
                        if push.send(token).is_err() {
                            return; // it is closed
                        }
                    }
                });
            }
            let outcome = is_done.recv_timeout(PATIENCE);
            for (pull, push) in &seats {
                pull.close();
                push.close();
            }
            outcome.expect("the tokens go round");
        });
    });
}
