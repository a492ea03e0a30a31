//! libzmq, through the few declarations that the scenarios need.

use crate::blk::{Blk, BlkSock};
use crate::common::*;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_short, c_void};
use std::sync::Mutex;

#[repr(C, align(8))]
struct ZmqMsg([u8; 64]);

#[repr(C)]
struct PollItem {
    socket: *mut c_void,
    fd: c_int,
    events: c_short,
    revents: c_short,
}

unsafe extern "C" {
    fn zmq_version(a: *mut c_int, b: *mut c_int, c: *mut c_int);
    fn zmq_has(cap: *const c_char) -> c_int;
    fn zmq_errno() -> c_int;
    fn zmq_strerror(e: c_int) -> *const c_char;
    fn zmq_ctx_new() -> *mut c_void;
    fn zmq_ctx_set(ctx: *mut c_void, opt: c_int, v: c_int) -> c_int;
    fn zmq_socket(ctx: *mut c_void, t: c_int) -> *mut c_void;
    fn zmq_bind(s: *mut c_void, ep: *const c_char) -> c_int;
    fn zmq_connect(s: *mut c_void, ep: *const c_char) -> c_int;
    fn zmq_setsockopt(s: *mut c_void, o: c_int, v: *const c_void, n: usize) -> c_int;
    fn zmq_send(s: *mut c_void, b: *const c_void, n: usize, flags: c_int) -> c_int;
    fn zmq_msg_init(m: *mut ZmqMsg) -> c_int;
    fn zmq_msg_init_size(m: *mut ZmqMsg, n: usize) -> c_int;
    fn zmq_msg_copy(dst: *mut ZmqMsg, src: *mut ZmqMsg) -> c_int;
    fn zmq_msg_send(m: *mut ZmqMsg, s: *mut c_void, flags: c_int) -> c_int;
    fn zmq_msg_recv(m: *mut ZmqMsg, s: *mut c_void, flags: c_int) -> c_int;
    fn zmq_msg_close(m: *mut ZmqMsg) -> c_int;
    fn zmq_msg_data(m: *mut ZmqMsg) -> *mut c_void;
    fn zmq_msg_size(m: *const ZmqMsg) -> usize;
    fn zmq_msg_more(m: *const ZmqMsg) -> c_int;
    fn zmq_proxy(front: *mut c_void, back: *mut c_void, capture: *mut c_void) -> c_int;
    fn zmq_poll(items: *mut PollItem, n: c_int, timeout: c_long) -> c_int;
    fn zmq_z85_encode(dst: *mut c_char, data: *const u8, n: usize) -> *mut c_char;
    fn zmq_curve_public(public: *mut c_char, secret: *const c_char) -> c_int;
}

const DONTWAIT: c_int = 1;
const SNDMORE: c_int = 2;
const POLLIN: c_short = 1;
const OPT_SUBSCRIBE: c_int = 6;
const OPT_LINGER: c_int = 17;
const OPT_BACKLOG: c_int = 19;
const OPT_CURVE_SERVER: c_int = 47;
const OPT_CURVE_PUBLICKEY: c_int = 48;
const OPT_CURVE_SECRETKEY: c_int = 49;
const OPT_CURVE_SERVERKEY: c_int = 50;
const OPT_XPUB_NODROP: c_int = 69;
const CTX_MAX_SOCKETS: c_int = 2;

fn check(rc: c_int, what: &str) {
    if rc == -1 {
        // SAFETY: zmq_strerror returns a static string.
        let e = unsafe { CStr::from_ptr(zmq_strerror(zmq_errno())) };
        panic!("{what}: {}", e.to_string_lossy());
    }
}

pub fn version() -> String {
    let (mut a, mut b, mut c) = (0, 0, 0);
    // SAFETY: plain out-parameters and a NUL-terminated name.
    let curve = unsafe {
        zmq_version(&mut a, &mut b, &mut c);
        zmq_has(c"curve".as_ptr())
    };
    format!("libzmq {a}.{b}.{c} (CMake Release -O3, libsodium, curve={curve})")
}

#[derive(Clone)]
pub struct Libzmq {
    ctx: usize,
    sending: Sending,
}

/// Way to send a prepared message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// `zmq_msg_copy`, which shares the body.
    Reference,
    /// `zmq_send`, which copies the body.
    Copy,
}

impl Libzmq {
    pub fn new(sending: Sending) -> Self {
        // SAFETY: a context pointer is thread-safe and lives for the whole process.
        unsafe {
            let ctx = zmq_ctx_new();
            assert!(!ctx.is_null());
            check(zmq_ctx_set(ctx, CTX_MAX_SOCKETS, 60_000), "MAX_SOCKETS");
            Self { ctx: ctx as usize, sending }
        }
    }
}

pub struct Sock {
    s: *mut c_void,
    msg: ZmqMsg,
    sending: Sending,
}
// SAFETY: a 0MQ socket may move to another thread (a full fence is implied by the move).
unsafe impl Send for Sock {}

impl Sock {
    fn opt_int(&self, o: c_int, v: c_int) {
        // SAFETY: the option value points at a live int.
        check(unsafe { zmq_setsockopt(self.s, o, (&raw const v).cast(), 4) }, "setsockopt");
    }
    fn opt_bytes(&self, o: c_int, v: &[u8]) {
        // SAFETY: the option value points at a live slice.
        check(unsafe { zmq_setsockopt(self.s, o, v.as_ptr().cast(), v.len()) }, "setsockopt");
    }
    /// Receives one frame into `self.msg` (left open). False: EAGAIN.
    fn frame(&mut self, flags: c_int) -> bool {
        // SAFETY: `msg` is always an initialised message.
        unsafe {
            loop {
                if zmq_msg_recv(&mut self.msg, self.s, flags) >= 0 {
                    return true;
                }
                match zmq_errno() {
                    libc::EAGAIN => return false,
                    libc::EINTR => continue,
                    _ => check(-1, "recv"),
                }
            }
        }
    }
    fn recv_flags(&mut self, flags: c_int) -> Option<Seen> {
        if !self.frame(flags) {
            return None;
        }
        // SAFETY: as above.
        unsafe {
            let mut frames = 1;
            while zmq_msg_more(&self.msg) != 0 {
                self.frame(0);
                frames += 1;
            }
            let body = std::slice::from_raw_parts(zmq_msg_data(&mut self.msg).cast(), zmq_msg_size(&self.msg));
            Some(Seen::last_of(frames, body))
        }
    }
}

fn public_of(secret: &[u8; 32]) -> [c_char; 41] {
    let mut z_secret = [0 as c_char; 41];
    let mut z_public = [0 as c_char; 41];
    // SAFETY: buffers of the documented 41 bytes.
    unsafe {
        zmq_z85_encode(z_secret.as_mut_ptr(), secret.as_ptr(), 32);
        check(zmq_curve_public(z_public.as_mut_ptr(), z_secret.as_ptr()), "curve_public");
    }
    z_public
}

impl Blk for Libzmq {
    type Sock = Sock;
    fn socket(&self, kind: Kind, a: &Args) -> Sock {
        let t = match kind {
            Kind::Pub => 1,
            Kind::Sub => 2,
            Kind::Req => 3,
            Kind::Rep => 4,
            Kind::Dealer => 5,
            Kind::Router => 6,
            Kind::Pull => 7,
            Kind::Push => 8,
            Kind::XPub => 9,
            Kind::XSub => 10,
        };
        // SAFETY: the context is live; the message is initialised before use.
        let s = unsafe {
            let s = zmq_socket(self.ctx as *mut c_void, t);
            if s.is_null() {
                check(-1, "zmq_socket");
            }
            let mut msg = ZmqMsg([0; 64]);
            zmq_msg_init(&mut msg);
            Sock { s, msg, sending: self.sending }
        };
        s.opt_int(OPT_LINGER, -1);
        if matches!(kind, Kind::Pub | Kind::XPub) {
            // Blocks when a subscriber's queue is full, so nothing is dropped.
            s.opt_int(OPT_XPUB_NODROP, 1);
        }
        if matches!(a.scenario, Scenario::Conns | Scenario::Fanin) {
            // The other implementations listen with 1024; the default of libzmq is 100.
            s.opt_int(OPT_BACKLOG, 1024);
        }
        if a.scenario == Scenario::Curve {
            match a.role {
                Role::Bind => {
                    s.opt_int(OPT_CURVE_SERVER, 1);
                    s.opt_bytes(OPT_CURVE_SECRETKEY, &SERVER_SECRET);
                }
                _ => {
                    let public = public_of(&CLIENT_SECRET);
                    // SAFETY: 41 bytes with the terminating NUL.
                    let public = unsafe { std::slice::from_raw_parts(public.as_ptr().cast(), 41) };
                    s.opt_bytes(OPT_CURVE_PUBLICKEY, public);
                    s.opt_bytes(OPT_CURVE_SECRETKEY, &CLIENT_SECRET);
                    s.opt_bytes(OPT_CURVE_SERVERKEY, &SERVER_PUBLIC);
                }
            }
        }
        s
    }
    fn poll(&self, socks: &[Sock], ready: &mut Vec<usize>) {
        // zmq_poll wants an array; it is built once and kept.
        struct Items(Vec<PollItem>);
        // SAFETY: used from the one polling thread only.
        unsafe impl Send for Items {}
        static ITEMS: Mutex<Items> = Mutex::new(Items(Vec::new()));
        let mut items = ITEMS.lock().expect("one thread uses the items");
        if items.0.len() != socks.len() {
            items.0 = socks.iter().map(|s| PollItem { socket: s.s, fd: 0, events: POLLIN, revents: 0 }).collect();
        }
        // SAFETY: every item names a live socket.
        let rc = unsafe { zmq_poll(items.0.as_mut_ptr(), items.0.len() as c_int, -1) };
        check(rc, "zmq_poll");
        ready.extend((0..socks.len()).filter(|&k| items.0[k].revents & POLLIN != 0));
    }
    fn proxy(&self, front: Sock, back: Sock) {
        // SAFETY: two live sockets, and none to capture.
        check(unsafe { zmq_proxy(front.s, back.s, std::ptr::null_mut()) }, "zmq_proxy");
    }
}

pub struct Template {
    msg: ZmqMsg,
    bytes: Vec<u8>,
    frames: usize,
}
// SAFETY: moved, never shared.
unsafe impl Send for Template {}

impl BlkSock for Sock {
    type Template = Template;
    fn template(body: &[u8]) -> Template {
        let mut msg = ZmqMsg([0; 64]);
        // SAFETY: init_size allocates body.len() bytes, which are then filled.
        unsafe {
            check(zmq_msg_init_size(&mut msg, body.len()), "init_size");
            std::ptr::copy_nonoverlapping(body.as_ptr(), zmq_msg_data(&mut msg).cast(), body.len());
        }
        Template { msg, bytes: body.to_vec(), frames: 1 }
    }
    fn frames(n: usize, body: &[u8]) -> Template {
        Template { frames: n, ..Self::template(body) }
    }
    fn bind(&mut self, ep: &str) {
        let ep = CString::new(ep).expect("an endpoint has no zero bytes");
        // SAFETY: NUL-terminated endpoint.
        check(unsafe { zmq_bind(self.s, ep.as_ptr()) }, "bind");
    }
    fn connect(&mut self, ep: &str) {
        let ep = CString::new(ep).expect("an endpoint has no zero bytes");
        // SAFETY: NUL-terminated endpoint.
        check(unsafe { zmq_connect(self.s, ep.as_ptr()) }, "connect");
    }
    fn subscribe_all(&mut self) {
        self.opt_bytes(OPT_SUBSCRIBE, &[]);
    }
    #[inline]
    fn send(&mut self, t: &Template) {
        // SAFETY: zmq_msg_copy changes the reference count and the flags of the source, and no two threads use a template.
        unsafe {
            for left in (0..t.frames).rev() {
                let flags = if left == 0 { 0 } else { SNDMORE };
                if self.sending == Sending::Copy {
                    check(zmq_send(self.s, t.bytes.as_ptr().cast(), t.bytes.len(), flags), "send");
                } else {
                    let mut m = ZmqMsg([0; 64]);
                    zmq_msg_init(&mut m);
                    zmq_msg_copy(&mut m, (&raw const t.msg).cast_mut());
                    check(zmq_msg_send(&mut m, self.s, flags), "send");
                }
            }
        }
    }
    #[inline]
    fn recv(&mut self) -> Seen {
        self.recv_flags(0).expect("blocking receive")
    }
    #[inline]
    fn try_recv(&mut self) -> Option<Seen> {
        self.recv_flags(DONTWAIT)
    }
    fn echo(&mut self) {
        self.frame(0);
        // SAFETY: the received frame is sent on; sending empties it again.
        unsafe {
            loop {
                let more = zmq_msg_more(&self.msg) != 0;
                let rc = zmq_msg_send(&mut self.msg, self.s, if more { SNDMORE } else { 0 });
                check(rc, "send");
                if !more {
                    return;
                }
                self.frame(0);
            }
        }
    }
}

impl Drop for Sock {
    fn drop(&mut self) {
        // SAFETY: closes the last received frame; the socket itself lives on.
        unsafe { zmq_msg_close(&mut self.msg) };
    }
}
