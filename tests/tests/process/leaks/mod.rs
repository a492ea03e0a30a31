//! Tests, on each runtime, that a socket that is dropped in any state leaves no task and no file descriptor behind.
//! Other tests check sockets while the process has no free descriptor, blocking calls while a socket is closed, and
//! memory after many connections.

mod peers;
mod states;

use peers::{Descriptors, RawPeers};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use rustix::time::{ClockId, clock_gettime};
use sansmq::kind::{Pull, Router};
use sansmq::{Event, Handle, Monitor, NetworkError, Options, RecvError};
use sansmq_tests::leak_check::{Counts, RELEASE_TIMEOUT, counts, descriptors, on_each, wait_for_release};
use sansmq_tests::push_peer;
use sansmq_tests::raw_peer::frame;
use sansmq_tests::runtimes::{RuntimeHandle, TestRuntime};
use states::{ANY, Kept, STATES, router};
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn listening_socket_is_counted() {
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
        wait_for_release(runtime, before, "listening");
    });
}

#[test]
fn sockets_dropped_in_any_state_leave_nothing() {
    on_each(|runtime, mut before| {
        let peers = RawPeers::new();
        before.descriptors = descriptors();
        for (name, state) in STATES {
            let handle = runtime.handle();
            let mut kept = Kept::default();
            runtime.run(Box::pin(async { kept = state(&peers, &handle).await }));
            let with_kept = Counts { descriptors: before.descriptors + kept.streams.len(), ..before };
            wait_for_release(runtime, with_kept, name);
        }
    });
}

/// Returns the processor time that this process has used.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Returns a ROUTER to which a peer has connected while the process has no free descriptor, so that its `accept` fails.
/// Also returns the monitor of the ROUTER, the guard that uses the descriptors, and the stream of the peer.
fn router_without_descriptors(runtime: &mut dyn TestRuntime) -> (Handle<Router>, Monitor, Descriptors, OwnedFd) {
    let router = router(&runtime.handle());
    let mut endpoint = None;
    runtime.run(Box::pin(async { endpoint = Some(router.bind(ANY).await.unwrap()) }));
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let (monitor, all_descriptors) = (router.monitor(), Descriptors::new());
    // The system completes the connection; only `accept` needs a descriptor.
    connect(&stream, &endpoint.unwrap().socket_addr().unwrap()).unwrap();
    (router, monitor, all_descriptors, stream)
}

/// Waits for a failed `accept` and returns the pause before the next attempt.
async fn accept_pause(monitor: &mut Monitor) -> Duration {
    let failed = monitor.find(|event| match event {
        Event::AcceptFailed { error, pause, .. } => Some((error, pause)),
        _ => None,
    });
    let (error, pause) = failed.await.unwrap();
    assert_eq!(error, NetworkError::TooManyFiles);
    pause
}

#[test]
fn accepting_without_descriptors_pauses_and_resumes() {
    on_each(|runtime, before| {
        let (router, mut monitor, all_descriptors, stream) = router_without_descriptors(runtime);
        let (start, used_before) = (Instant::now(), processor_time());
        runtime.run(Box::pin(async {
            let mut last = accept_pause(&mut monitor).await;
            for _ in 0..6 {
                let next = accept_pause(&mut monitor).await;
                assert_eq!(next, last * 2);
                last = next;
            }
        }));
        let (elapsed, used) = (start.elapsed(), processor_time().saturating_sub(used_before));
        // A task that retries at once, or is woken by the listener that it cannot accept from, uses all processor time.
        assert!(used < elapsed / 4, "{used:?} of {elapsed:?}");
        drop(all_descriptors);
        runtime.run(Box::pin(async {
            monitor.find(|event| matches!(event, Event::Accepted { .. }).then_some(())).await.unwrap();
        }));
        drop((router, stream));
        wait_for_release(runtime, before, "accepting after a pause");
    });
}

#[test]
fn socket_dropped_while_accepting_pauses_leaves_nothing() {
    on_each(|runtime, before| {
        let (router, mut monitor, all_descriptors, stream) = router_without_descriptors(runtime);
        runtime.run(Box::pin(async { while accept_pause(&mut monitor).await < Duration::from_millis(40) {} }));
        drop((router, stream));
        // Counting descriptors needs a free descriptor.
        let start = Instant::now();
        while runtime.tasks() > before.tasks {
            assert!(start.elapsed() < RELEASE_TIMEOUT, "the task of the listener did not end");
            runtime.step();
        }
        drop(all_descriptors);
        wait_for_release(runtime, before, "accepting pauses");
    });
}

#[test]
fn close_by_another_thread_ends_blocking_calls() {
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
        wait_for_release(runtime, before, "blocking calls");
    });
}

/// Returns the resident memory of this process in KiB; always 0 on systems without `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

#[test]
fn ten_thousand_ended_connections_leave_no_memory() {
    const WAVES: u32 = 200;
    const WAVE: u32 = 50;
    /// Maximum growth of memory, in KiB, that does not count as a leak, because the allocator may keep freed memory. A
    /// leak of 2 KiB per connection would exceed this limit several times.
    const SLACK: u64 = 2 << 10;
    on_each(|runtime, before| {
        let pull = runtime.handle().socket(Options::<Pull>::new());
        let mut after_tenth = 0;
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
                    let disconnected = |event| matches!(event, Event::Disconnected { .. }).then_some(());
                    monitor.find(disconnected).await.unwrap();
                }
                if wave == WAVES / 10 {
                    after_tenth = resident();
                }
            }
            assert_eq!(pull.stats().peers, 0);
            let growth = resident().saturating_sub(after_tenth);
            assert!(growth <= SLACK, "{growth} KiB more than after a tenth of the connections");
        }));
        drop(pull);
        wait_for_release(runtime, before, "many connections");
    });
}
