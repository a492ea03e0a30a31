//! Guides: security, and migration from libzmq. How to embed a socket is in [`proto::embedding`](crate::proto::embedding).

pub mod migrating_from_libzmq {
    #![doc = include_str!("migrating_from_libzmq.md")]
}
#[cfg(all(feature = "plain", feature = "curve"))]
pub mod security {
    #![doc = include_str!("security.md")]
}
