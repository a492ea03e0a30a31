//! Guides: security, and migration from libzmq. The guide for embedding a socket is [`proto::embedding`](crate::proto::embedding).

pub mod migrating_from_libzmq {
    #![doc = include_str!("migrating_from_libzmq.md")]
}
#[cfg(all(feature = "plain", feature = "curve"))]
pub mod security {
    #![doc = include_str!("security.md")]
}
