//! [`Node`]: a socket with one connection over the serial port.

use crate::uart::Uart;
use crate::{Host, now};
use sansmq_proto::address::Host as Peer;
use sansmq_proto::kind::{Kind, Typed, Zmtp};
use sansmq_proto::{Action, Endpoint, Instant, Options, PipeId, Session, SessionBuffers, Socket};

/// A socket and its connection.
#[derive(Debug)]
pub struct Node {
    /// The socket.
    pub socket: Socket,
    session: Option<(PipeId, Session)>,
    uart: Uart,
    buffers: SessionBuffers,
}

/// Public key of the server: that of libzmq's manual.
#[cfg(feature = "curve")]
const SERVER: [u8; 32] = [
    0x54, 0xfc, 0xba, 0x24, 0xe9, 0x32, 0x49, 0x96, 0x93, 0x16, 0xfb, 0x61, 0x7c, 0x87, 0x2b, 0xb0, 0xc1, 0xd1, 0xff,
    0x14, 0x80, 0x04, 0x27, 0xc5, 0x94, 0xcb, 0xfa, 0xcf, 0x1b, 0xc2, 0xd6, 0x52,
];

/// Returns the options of a node: a received message has at most 1 KiB, and the security is that of the feature.
#[must_use]
pub fn options<T: Typed + Zmtp>() -> Options<T> {
    // `immediate`: no messages are queued before the peer is ready.
    let options = Options::new().max_message_size(1 << 10).immediate(true);
    #[cfg(feature = "curve")]
    let options = {
        use sansmq_proto::security::Security;
        use sansmq_proto::security::curve::{KeyPair, PublicKey};
        let own = KeyPair::generate(&mut Host);
        let security = Security::curve_client(own, PublicKey::from_bytes(SERVER));
        options.security(security.expect("the key is a constant"))
    };
    options
}

impl Node {
    /// Creates a socket with these options, and connects it. Must be called once.
    pub fn new<T: Kind>(options: Options<T>) -> Self {
        let mut socket = Socket::new(options, Host);
        let peer = Endpoint::Tcp { host: Peer::Ip([127, 0, 0, 1].into()), port: 1, source: None, resource: None };
        socket.connect(peer, now()).expect("a new socket can be connected");
        Self { socket, session: None, uart: Uart::new(), buffers: SessionBuffers::with_read_size(512) }
    }

    /// Does one round of work, and returns the time.
    pub fn poll(&mut self) -> Instant {
        let now = now();
        self.socket.handle_timeout(now);
        while let Some(action) = self.socket.poll_action() {
            // `turn` is called in each round, so no other action needs more work.
            if let Action::Dial(pipe, _) = action {
                self.session = self.socket.connected(pipe, now).map(|connection| (pipe, Session::new(connection)));
            }
        }
        if let Some((pipe, session)) = &mut self.session {
            let exchange = |connection: &mut _| self.socket.exchange(*pipe, connection);
            if let Err(reason) = session.turn(&mut self.uart, &mut self.buffers, now, exchange)
                && let Some((pipe, session)) = self.session.take()
            {
                self.socket.disconnected(pipe, session.into_connection(), &reason, now);
            }
        }
        now
    }
}
