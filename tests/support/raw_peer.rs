//! What peers say that are not ours, octet by octet, and how they come and go: for those who mean no good.

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// More frames of this message follow.
pub const MORE: u8 = 1;

/// The size of the frame has eight octets.
pub const LONG: u8 = 2;

/// The frame is a command.
pub const COMMAND: u8 = 4;

/// The greeting of a client of this mechanism.
pub fn greeting(mechanism: &str) -> Vec<u8> {
    let mut octets = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01".to_vec();
    octets.extend(mechanism.as_bytes());
    octets.resize(64, 0);
    octets
}

/// The head of a frame, in its long form: it can announce whatever it likes.
pub fn head(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | LONG][..], &size.to_be_bytes()].concat()
}

/// A frame, in its shortest form.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let head = u8::try_from(body.len()).map_or_else(|_| head(flags, body.len() as u64), |size| vec![flags, size]);
    [&head, body].concat()
}

/// A command, its name being shorter than 256 octets.
///
/// # Panics
/// If it is not.
pub fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).expect("a short name");
    frame(COMMAND, &[&[len], name.as_bytes(), body].concat())
}

/// A property of READY, its name being shorter than 256 octets.
///
/// # Panics
/// If it is not.
pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).expect("a short name");
    let size = u32::try_from(value.len()).expect("a value that fits into memory");
    [&[len], name.as_bytes(), &size.to_be_bytes(), value].concat()
}

/// The READY of a peer of this socket type, with more properties than that.
pub fn ready(socket_type: &str, more: &[u8]) -> Vec<u8> {
    command("READY", &[&property("Socket-Type", socket_type.as_bytes()), more].concat())
}

/// All that a peer of this socket type has to say before messages: greeting and READY.
pub fn opening(socket_type: &str) -> Vec<u8> {
    [greeting("NULL"), ready(socket_type, b"")].concat()
}

/// Comes from the address next door where the system has one, so that what is limited for each address is limited for
/// strangers and for honest peers apart.
///
/// # Errors
/// Nobody listens there.
pub fn come(to: SocketAddr) -> io::Result<TcpStream> {
    if cfg!(not(target_os = "linux")) {
        return TcpStream::connect(to);
    }
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&stream, &SocketAddr::from((NEXT_DOOR, 0)))?;
    connect(&stream, &to)?;
    let stream = TcpStream::from(stream);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Where strangers come from.
pub const NEXT_DOOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Comes and says something; a peer that hears enough may hang up before the end.
///
/// # Errors
/// Nobody listens there.
pub fn say(to: SocketAddr, octets: &[u8]) -> io::Result<TcpStream> {
    let mut stream = come(to)?;
    let _ = stream.write_all(octets);
    Ok(stream)
}

/// Goes without a farewell: what the system had yet to do for this connection is forgotten (TCP's RST).
///
/// # Errors
/// The system does not know how.
pub fn vanish(stream: TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(&stream, Some(core::time::Duration::ZERO))?;
    drop(stream);
    Ok(())
}
