//! Raw peers: wire format of ZMTP byte by byte, and TCP connections without a socket of sansmq. Hostile peers are built
//! from these.

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// Frame flag MORE: more frames of the message follow (RFC 23).
pub const MORE: u8 = 1;

/// Frame flag LONG: the size of the frame has eight bytes (RFC 23).
pub const LONG: u8 = 2;

/// Frame flag COMMAND: the frame is a command (RFC 23).
pub const COMMAND: u8 = 4;

/// Returns the greeting of a client with the given mechanism.
pub fn greeting(mechanism: &str) -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01".to_vec();
    bytes.extend(mechanism.as_bytes());
    bytes.resize(64, 0);
    bytes
}

/// Returns the head of a frame in its long form. `size` need not match the size of a body.
pub fn head(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | LONG][..], &size.to_be_bytes()].concat()
}

/// Returns a frame in the short form if its body fits, else in the long form.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let head = u8::try_from(body.len()).map_or_else(|_| head(flags, body.len() as u64), |size| vec![flags, size]);
    [&head, body].concat()
}

/// Returns a command frame.
///
/// # Panics
/// If the name is longer than 255 bytes.
pub fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).expect("the name is at most 255 bytes long");
    frame(COMMAND, &[&[len], name.as_bytes(), body].concat())
}

/// Returns a metadata property of a READY command.
///
/// # Panics
/// If the name is longer than 255 bytes.
pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).expect("the name is at most 255 bytes long");
    let size = u32::try_from(value.len()).expect("the value is shorter than 4 GiB");
    [&[len], name.as_bytes(), &size.to_be_bytes(), value].concat()
}

/// Returns the encoded property by which each socket of sansmq announces in READY that it accepts a reason before a
/// connection is closed.
///
/// # Panics
/// Never, because the name and the value are short.
pub fn close_reason_property() -> Vec<u8> {
    property("Close-Reason", b"1")
}

/// Returns the READY command of a peer with the given socket type. `more` contains further encoded properties.
pub fn ready(socket_type: &str, more: &[u8]) -> Vec<u8> {
    command("READY", &[&property("Socket-Type", socket_type.as_bytes()), more].concat())
}

/// Returns everything that a peer of the given socket type sends before messages: greeting and READY.
pub fn greeting_and_ready(socket_type: &str) -> Vec<u8> {
    [greeting("NULL"), ready(socket_type, b"")].concat()
}

/// Connects from [`HOSTILE_SOURCE`] on Linux, so that limits per address count hostile and honest peers separately. Connects
/// from the default address on other systems.
///
/// # Errors
/// If the connection is refused, or the address is unavailable.
pub fn connect_raw(to: SocketAddr) -> io::Result<TcpStream> {
    if cfg!(not(target_os = "linux")) {
        return TcpStream::connect(to);
    }
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&stream, &SocketAddr::from((HOSTILE_SOURCE, 0)))?;
    connect(&stream, &to)?;
    let stream = TcpStream::from(stream);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Source address of hostile peers.
pub const HOSTILE_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Connects and sends `bytes`. A failed write is no error, because the socket may close the connection before it has
/// read all.
///
/// # Errors
/// If the connection is refused.
pub fn connect_and_send(to: SocketAddr, bytes: &[u8]) -> io::Result<TcpStream> {
    let mut stream = connect_raw(to)?;
    let _ = stream.write_all(bytes);
    Ok(stream)
}

/// Closes a connection with a TCP RST: unsent data is discarded.
///
/// # Errors
/// If the linger time of the stream cannot be set.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(&stream, Some(core::time::Duration::ZERO))?;
    drop(stream);
    Ok(())
}
