//! Stress tests of `inproc` between busy threads. High-water marks are small, so that every sender waits often. The
//! tests check that no message is lost, repeated or reordered, and that every waiting thread is woken.

use sansmq::kind::{Dealer, Pull, Push};
use sansmq::mio::Socket;
use sansmq::{Context, Options};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::for_seeds;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns a random high-water mark, most often a small one.
fn random_hwm(random: &mut SeededEntropy) -> usize {
    [1, 1, 2, 3, 7, 8, 9, 300][usize::try_from(random.below(8)).unwrap()]
}

#[test]
fn sockets_flooding_each_other_keep_order() {
    const COUNT: u32 = 5000;
    for_seeds(12, |seed| {
        let mut random = SeededEntropy::new(seed);
        let context = Context::new();
        let ends = [(); 2].map(|()| {
            let (send, recv) = (random_hwm(&mut random), random_hwm(&mut random));
            Socket::in_context(&context, Options::<Dealer>::new().send_hwm(send).recv_hwm(recv))
        });
        ends[0].bind("inproc://flood").unwrap();
        ends[1].connect("inproc://flood").unwrap();
        thread::scope(|scope| {
            for end in &ends {
                scope.spawn(|| {
                    for number in 0..COUNT {
                        end.send_timeout(&number.to_be_bytes(), RELEASE_TIMEOUT)
                            .expect("no timeout: the other socket receives");
                    }
                });
                scope.spawn(|| {
                    for number in 0..COUNT {
                        let message = end.recv_timeout(RELEASE_TIMEOUT).expect("no timeout: the other socket sends");
                        assert_eq!(message.body(), &number.to_be_bytes());
                    }
                });
            }
        });
    });
}

#[test]
fn tokens_circulate_in_a_ring_without_deadlock() {
    const HOPS: u32 = 20_000;
    for_seeds(12, |seed| {
        let mut random = SeededEntropy::new(seed);
        let context = Context::new();
        // In a ring of size 1 the PUSH connects to the PULL of the same thread.
        let size = usize::try_from(1 + random.below(3)).unwrap();
        let members: Vec<_> = (0..size)
            .map(|member| {
                let pull = Socket::in_context(&context, Options::<Pull>::new().recv_hwm(random_hwm(&mut random)));
                let push = Socket::in_context(
                    &context,
                    Options::<Push>::new().send_hwm(random_hwm(&mut random)).linger(Duration::ZERO),
                );
                pull.bind(format!("inproc://{member}")).unwrap();
                push.connect(format!("inproc://{}", (member + 1) % size)).unwrap();
                push.send_timeout("token", RELEASE_TIMEOUT).unwrap();
                (pull, push)
            })
            .collect();
        let hops = AtomicU32::new(0);
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            for (pull, push) in &members {
                let (hops, done) = (&hops, done.clone());
                scope.spawn(move || {
                    while let Ok(token) = pull.recv() {
                        if hops.fetch_add(1, Ordering::Relaxed) == HOPS {
                            done.send(()).unwrap();
                        }
                        if push.send(token).is_err() {
                            return; // the socket is closed
                        }
                    }
                });
            }
            let finished = is_done.recv_timeout(RELEASE_TIMEOUT);
            for (pull, push) in &members {
                pull.close();
                push.close();
            }
            finished.expect("no timeout: the tokens circulate");
        });
    });
}
