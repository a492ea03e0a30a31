//! [`lookup_addresses`]: host name lookups on threads, which do not wait for each other.

use sansmq_proto::{Endpoint, NetworkError};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{process, thread};

/// Maximum number of host names that a process looks up at the same time.
// A pool with a queue would be smaller, but names that no server answers, for some 30 seconds each, would delay all
// names behind them in the queue.
pub const MAX_LOOKUPS: usize = 1024;

/// Stack size of a thread that looks a name up, in bytes. The default of 2 MiB, a thousand times, is too much address space
/// for 32 bits.
const STACK: usize = 512 << 10;

/// Returns the addresses of a TCP endpoint. Looks the host name up with the resolver of the operating system if the endpoint
/// has one.
///
/// Does not block. Each host name is looked up on a thread of its own, so a name without answer delays no other name.
/// Concurrent lookups of one name share the thread: repeated attempts to connect to a name without answer use one thread
/// together, and wait for the same answer. If the future is dropped, the thread remains until the resolver answers.
///
/// # Errors
/// - [`NetworkError::UnknownHost`]: the lookup failed;
/// - [`NetworkError::TooManyLookups`]: [`MAX_LOOKUPS`] other names are being looked up, or the operating system did not start
///   a thread;
/// - [`NetworkError::Unsupported`]: the endpoint is not a TCP endpoint.
pub async fn lookup_addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetworkError> {
    if let Some(address) = endpoint.socket_addr() {
        return Ok(vec![address]);
    }
    let (name, port) = endpoint.host_and_port()?;
    let addresses = PROCESS.join(&name, system_resolver)?.await;
    let with_port = |mut address: SocketAddr| {
        address.set_port(port);
        address
    };
    addresses.map(|addresses| addresses.into_iter().map(with_port).collect())
}

/// Addresses of a name, with port 0, or the error of the lookup.
type Addresses = Result<Vec<SocketAddr>, NetworkError>;

fn system_resolver(name: &str) -> Addresses {
    (name, 0).to_socket_addrs().map(Iterator::collect).map_err(|_| NetworkError::UnknownHost)
}

static PROCESS: Lookups = Lookups(Mutex::new(Running { process: 0, names: BTreeMap::new() }));

/// All running lookups.
struct Lookups(Mutex<Running>);

struct Running {
    /// Process that runs the threads of the lookups. A forked child has not inherited the threads.
    process: u32,
    names: BTreeMap<String, Arc<Lookup>>,
}

impl Lookups {
    /// Joins the running lookup of `name`, or starts one that calls `resolve` on a new thread.
    fn join(&'static self, name: &str, resolve: fn(&str) -> Addresses) -> Result<Waiting, NetworkError> {
        let mut running = lock(&self.0);
        if running.process != process::id() {
            *running = Running { process: process::id(), names: BTreeMap::new() };
        }
        if let Some(lookup) = running.names.get(name) {
            return Ok(Waiting::new(lookup));
        }
        if running.names.len() >= MAX_LOOKUPS {
            return Err(NetworkError::TooManyLookups);
        }
        let (lookup, owned) = (Arc::<Lookup>::default(), name.to_owned());
        let waiting = Waiting::new(&lookup);
        let thread = thread::Builder::new().name("sansmq-lookup".into()).stack_size(STACK);
        running.names.insert(owned.clone(), Arc::clone(&lookup));
        let started = thread.spawn(move || {
            let addresses = resolve(&owned);
            lock(&self.0).names.remove(&owned);
            lookup.finish(addresses);
        });
        if started.is_err() {
            running.names.remove(name);
            return Err(NetworkError::TooManyLookups);
        }
        Ok(waiting)
    }
}

/// Lookup of one name.
#[derive(Default)]
struct Lookup(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    addresses: Option<Addresses>,
    /// Waker of each waiting future, by the number of the future.
    wakers: BTreeMap<u64, Waker>,
    /// Number of futures that have joined.
    joined: u64,
}

impl Lookup {
    fn finish(&self, addresses: Addresses) {
        let mut progress = lock(&self.0);
        progress.addresses = Some(addresses);
        let wakers = core::mem::take(&mut progress.wakers);
        drop(progress);
        wakers.into_values().for_each(Waker::wake);
    }
}

/// Future that waits for a lookup.
struct Waiting {
    lookup: Arc<Lookup>,
    number: u64,
}

impl Waiting {
    fn new(lookup: &Arc<Lookup>) -> Self {
        let mut progress = lock(&lookup.0);
        progress.joined += 1;
        Self { lookup: Arc::clone(lookup), number: progress.joined }
    }
}

impl Future for Waiting {
    type Output = Addresses;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Addresses> {
        let mut progress = lock(&self.lookup.0);
        if let Some(addresses) = &progress.addresses {
            return Poll::Ready(addresses.clone());
        }
        let former = progress.wakers.insert(self.number, cx.waker().clone());
        drop(progress);
        // The destructor of a waker may run other code, so it runs after unlocking.
        drop(former);
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Dropped after unlocking, as in `poll`.
        let waker = lock(&self.lookup.0).wakers.remove(&self.number);
        drop(waker);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::Wake;
    use std::thread::Thread;

    impl Lookups {
        fn leaked() -> &'static Self {
            Box::leak(Box::new(Self(Mutex::new(Running { process: 0, names: BTreeMap::new() }))))
        }
    }

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let (mut future, waker) = (pin!(future), Arc::new(Unpark(thread::current())).into());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            thread::park();
        }
    }

    /// Resolver without answer for all names except numeric ones.
    fn hanging_resolver(name: &str) -> Addresses {
        while name.parse::<IpAddr>().is_err() {
            thread::park();
        }
        system_resolver(name)
    }

    #[test]
    fn lookups_of_one_name_share_a_thread() {
        let lookups = Lookups::leaked();
        let [first, second] = [(); 2].map(|()| lookups.join("silent", hanging_resolver).unwrap());
        assert!(Arc::ptr_eq(&first.lookup, &second.lookup));
        assert_eq!(lock(&lookups.0).names.len(), 1);
        assert_eq!(block_on(lookups.join("::1", hanging_resolver).unwrap()), system_resolver("::1"));
    }

    #[test]
    fn lookup_beyond_the_limit_returns_an_error() {
        let lookups = Lookups::leaked();
        // Threads are not needed to reach the limit.
        for number in 0..MAX_LOOKUPS {
            let mut running = lock(&lookups.0);
            running.process = process::id();
            running.names.insert(format!("silent-{number}"), Arc::default());
        }
        assert_eq!(lookups.join("::1", hanging_resolver).err(), Some(NetworkError::TooManyLookups));
        assert!(lookups.join("silent-0", hanging_resolver).is_ok());
    }

    #[test]
    fn forked_process_starts_its_own_lookups() {
        let lookups = Lookups::leaked();
        {
            let mut running = lock(&lookups.0);
            running.process = process::id() + 1;
            running.names.insert("::1".to_owned(), Arc::default());
        }
        assert_eq!(block_on(lookups.join("::1", hanging_resolver).unwrap()), system_resolver("::1"));
    }

    #[test]
    fn answer_wakes_all_waiting_futures_once() {
        let lookup = Arc::<Lookup>::default();
        let (sender, receiver) = channel();
        let threads = [(); 2].map(|()| {
            let (waiting, sender) = (Waiting::new(&lookup), sender.clone());
            thread::spawn(move || sender.send(block_on(waiting)).unwrap())
        });
        let dropped = Waiting::new(&lookup);
        assert!(pin!(dropped).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        lookup.finish(Err(NetworkError::UnknownHost));
        assert_eq!(
            [(); 2].map(|()| receiver.recv().unwrap()),
            [Err(NetworkError::UnknownHost), Err(NetworkError::UnknownHost)]
        );
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(lock(&lookup.0).wakers.is_empty());
    }
}
