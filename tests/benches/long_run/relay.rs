//! TCP relay between two processes, which cuts connections.

use rustix::net::sockopt::set_socket_linger;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Ways to cut a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Both peers read the end of the stream.
    Close,
    /// Both connections are reset.
    Reset,
    /// The connection stays open, and no byte passes any more. Only a heartbeat detects this.
    Stall,
}

/// Relay that accepts connections and forwards them to its target.
#[derive(Clone)]
pub(crate) struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    connections: Arc<Mutex<Vec<Connection>>>,
}

struct Connection {
    ends: [TcpStream; 2],
    is_stalled: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Self { address: listener.local_addr()?, target: Arc::default(), connections: Arc::default() };
        let accepting = relay.clone();
        thread::spawn(move || {
            for accepted in listener.incoming() {
                // Without a target, or when its process has ended, the connection is closed at once.
                let _ = accepted.and_then(|stream| accepting.forward(stream));
            }
        });
        Ok(relay)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set_target(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Cuts the connection that was accepted first among those that are open. Returns false if there is none.
    pub(crate) fn cut(&self, cut: Cut) -> bool {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.ends.iter().all(|end| end.peer_addr().is_ok()));
        if connections.is_empty() {
            return false;
        }
        let connection = connections.remove(0);
        match cut {
            Cut::Close => {}
            Cut::Reset => {
                for end in &connection.ends {
                    let _ = set_socket_linger(end, Some(Duration::ZERO));
                }
            }
            Cut::Stall => connection.is_stalled.store(true, Ordering::SeqCst),
        }
        if !matches!(cut, Cut::Stall) {
            for end in &connection.ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        true
    }

    fn forward(&self, accepted: TcpStream) -> io::Result<()> {
        let target = *self.target.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = TcpStream::connect(target.ok_or(io::ErrorKind::NotConnected)?)?;
        let is_stalled = Arc::<AtomicBool>::default();
        for (from, to) in [(&accepted, &opened), (&opened, &accepted)] {
            let (from, to, is_stalled) = (from.try_clone()?, to.try_clone()?, Arc::clone(&is_stalled));
            thread::Builder::new().stack_size(128 << 10).spawn(move || {
                let _ = copy(&from, &to, &is_stalled);
                for end in [from, to] {
                    let _ = end.shutdown(Shutdown::Both);
                }
            })?;
        }
        let connection = Connection { ends: [accepted, opened], is_stalled };
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(())
    }
}

/// Copies bytes until the stream `from` ends or one of the streams fails. Drops the bytes of a stalled connection.
fn copy(mut from: &TcpStream, mut to: &TcpStream, is_stalled: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        if !is_stalled.load(Ordering::SeqCst) {
            to.write_all(&buffer[..read])?;
        }
    }
}
