//! Sockets that are dropped in the middle of an operation leave neither a task nor a descriptor behind, on any runtime; and what
//! happens when the process has no descriptors left.

mod middles;
mod strangers;

use middles::{ANY, Kept, MIDDLES, router};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use rustix::time::{ClockId, clock_gettime};
use sansmq::kind::{Pull, Router};
use sansmq::{Event, Handle, Monitor, NetworkError, Options, RecvError};
use sansmq_tests::leak_check::{Counts, PATIENCE, counts, descriptors, on_each, settle};
use sansmq_tests::push_peer;
use sansmq_tests::raw_peer::frame;
use sansmq_tests::runtimes::{RuntimeHandle, TestRuntime};
use std::io::Write;
use std::time::{Duration, Instant};
use strangers::{Hoard, World};

#[test]
fn a_socket_that_is_there_is_counted() {
    on_each(|runtime, before| {
        let handle = runtime.handle();
        let router = router(&handle);
        runtime.run(Box::pin(async {
            router.bind(ANY).await.unwrap();
        }));
        runtime.step();
        let now = counts(runtime);
        assert!(now.tasks > before.tasks && (now.descriptors > before.descriptors || before.descriptors == 0));
        drop(router);
        settle(runtime, before, "listening");
    });
}

#[test]
fn sockets_dropped_in_the_middle_of_anything_leave_nothing_behind() {
    on_each(|runtime, mut before| {
        let world = World::new();
        before.descriptors = descriptors();
        for (name, middle) in MIDDLES {
            let handle = runtime.handle();
            let mut kept = Kept::default();
            runtime.run(Box::pin(async { kept = middle(&world, &handle).await }));
            let with_kept = Counts { descriptors: before.descriptors + kept.streams.len(), ..before };
            settle(runtime, with_kept, name);
        }
    });
}

/// Time that this process has had a processor.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// A router to whom somebody comes while there are no descriptors.
fn besieged(runtime: &mut dyn TestRuntime) -> (Handle<Router>, Monitor, Hoard, OwnedFd) {
    let router = router(&runtime.handle());
    let mut endpoint = None;
    runtime.run(Box::pin(async { endpoint = Some(router.bind(ANY).await.unwrap()) }));
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let (monitor, hoard) = (router.monitor(), Hoard::new());
    // The system makes the connection; it is accepting that needs a descriptor.
    connect(&stream, &endpoint.unwrap().socket_addr().unwrap()).unwrap();
    (router, monitor, hoard, stream)
}

/// The next failure to accept, and the pause after it.
async fn pause(monitor: &mut Monitor) -> Duration {
    let failed = monitor.find(|event| match event {
        Event::AcceptFailed { error, pause, .. } => Some((error, pause)),
        _ => None,
    });
    let (error, pause) = failed.await.unwrap();
    assert_eq!(error, NetworkError::TooManyFiles);
    pause
}

#[test]
fn without_descriptors_accepting_pauses_at_no_cost_and_goes_on_when_there_are_some() {
    on_each(|runtime, before| {
        let (router, mut monitor, hoard, stream) = besieged(runtime);
        let (start, had) = (Instant::now(), processor_time());
        runtime.run(Box::pin(async {
            let mut last = pause(&mut monitor).await;
            for _ in 0..6 {
                let next = pause(&mut monitor).await;
                assert_eq!(next, last * 2);
                last = next;
            }
        }));
        let (took, used) = (start.elapsed(), processor_time().saturating_sub(had));
        // A loop that tries again at once, or polls what it cannot accept, uses all of it.
        assert!(used < took / 4, "{used:?} of {took:?}");
        drop(hoard);
        runtime.run(Box::pin(async {
            monitor.find(|event| matches!(event, Event::Accepted { .. }).then_some(())).await.unwrap();
        }));
        drop((router, stream));
        settle(runtime, before, "accepting after a pause");
    });
}

#[test]
fn a_socket_dropped_while_accepting_pauses_leaves_nothing_behind() {
    on_each(|runtime, before| {
        let (router, mut monitor, hoard, stream) = besieged(runtime);
        runtime.run(Box::pin(async { while pause(&mut monitor).await < Duration::from_millis(40) {} }));
        drop((router, stream));
        // Descriptors cannot be counted while there are none.
        let start = Instant::now();
        while runtime.tasks() > before.tasks {
            assert!(start.elapsed() < PATIENCE, "the listener's task stays");
            runtime.step();
        }
        drop(hoard);
        settle(runtime, before, "accepting pauses");
    });
}

#[test]
fn a_blocking_call_ends_when_another_thread_closes_the_socket() {
    on_each(|runtime, before| {
        let RuntimeHandle::Blocking(remote) = runtime.handle() else { return };
        let router = sansmq::mio::Socket::on(&remote, Options::<Router>::new());
        router.bind(ANY).unwrap();
        let threads = [
            std::thread::spawn({
                let router = router.clone();
                move || assert_eq!(router.recv(), Err(RecvError::Closed))
            }),
            std::thread::spawn({
                let router = router.clone();
                move || router.monitor().for_each(drop)
            }),
        ];
        router.recv_timeout(Duration::from_millis(1)).unwrap_err();
        router.close();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(router);
        settle(runtime, before, "blocking calls");
    });
}

/// The resident memory of this process, in KiB. Always 0 where there is no `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

#[test]
fn ten_thousand_connections_that_came_and_went_leave_nothing_behind() {
    const WAVES: u32 = 200;
    const WAVE: u32 = 50;
    /// What waves leave in the allocator's hands; were something kept of each, it would be more than two KiB each.
    const SLACK: u64 = 2 << 10;
    on_each(|runtime, before| {
        let pull = runtime.handle().socket(Options::<Pull>::new());
        let mut after_some = 0;
        runtime.run(Box::pin(async {
            let mut monitor = pull.monitor();
            let address = pull.bind(ANY).await.unwrap().socket_addr().unwrap();
            for wave in 0..WAVES {
                let mut peers = Vec::new();
                for _ in 0..WAVE {
                    let mut peer = push_peer(address).unwrap();
                    peer.write_all(&frame(0, b"hello")).unwrap();
                    peers.push(peer);
                }
                for _ in 0..WAVE {
                    assert_eq!(pull.recv().await.unwrap().body(), "hello");
                }
                drop(peers);
                for _ in 0..WAVE {
                    let gone = |event| matches!(event, Event::Disconnected { .. }).then_some(());
                    monitor.find(gone).await.unwrap();
                }
                if wave == WAVES / 10 {
                    after_some = resident();
                }
            }
            assert_eq!(pull.stats().peers, 0);
            let more = resident().saturating_sub(after_some);
            assert!(more <= SLACK, "{more} KiB more than after a tenth of them");
        }));
        drop(pull);
        settle(runtime, before, "many connections");
    });
}
