//! A DEALER in WebAssembly. Its standard input and output are the byte stream to a ROUTER: the host, which is Node in
//! `.ci/wasm`, connects them. The DEALER sends three requests, and ends after their replies. With an argument, the public key
//! of the server in Z85, it uses CURVE.
//!
//! WASI (preview 1) has no call to open a socket, and `std` no wait for input with a deadline. So the event loop of this
//! program waits in `read`, and its timers run late.

use sansmq_proto::security::Security;
use sansmq_proto::security::curve::KeyPair;
use sansmq_proto::{
    Action, Endpoint, Instant, IoStream, Options, Session, SessionBuffers, Socket, SystemEntropy, kind::Dealer,
};
use std::error::Error;
use std::io::{self, Read, Write, stdin, stdout};
use std::time;

/// Standard input and output as one stream, which claims to be empty after each read: otherwise, a session would read, and so
/// wait, again before the program has received the messages of the first read.
#[derive(Default)]
struct Stdio {
    has_read: bool,
}

impl Read for Stdio {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.has_read = !self.has_read;
        if self.has_read { stdin().lock().read(buffer) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Stdio {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut output = stdout().lock();
        output.write_all(bytes)?;
        output.flush()?; // `stdout` waits for the end of a line
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = time::Instant::now();
    let now = || Instant::from_elapsed(start.elapsed());
    let mut options = Options::<Dealer>::new();
    if let Some(key) = std::env::args().nth(1) {
        let own = KeyPair::generate(&mut SystemEntropy);
        options = options.security(Security::curve_client(own, key.parse()?)?);
    }
    let mut dealer = Socket::new(options, SystemEntropy);
    let endpoint: Endpoint = "tcp://host:1".parse()?;
    dealer.connect(endpoint, now())?;
    for request in ["one", "two", "three"] {
        dealer.send(request)?;
    }
    let mut session = None;
    let mut stream = IoStream::new(Stdio::default(), |_| Ok(()));
    let mut buffers = SessionBuffers::new();
    let mut replies = 0;
    while replies < 3 {
        dealer.handle_timeout(now());
        while let Some(action) = dealer.poll_action() {
            if let Action::Dial(pipe, _) = action {
                session = dealer.connected(pipe, now()).map(|connection| (pipe, Session::new(connection)));
            }
        }
        let Some((pipe, session)) = &mut session else { return Err("the connection has ended".into()) };
        let _ = session.turn(&mut stream, &mut buffers, now(), |connection| dealer.exchange(*pipe, connection))?;
        while let Ok(reply) = dealer.recv() {
            eprintln!("reply: {:?}", reply.head());
            replies += 1;
        }
    }
    Ok(())
}
