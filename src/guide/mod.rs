//! Guides: security, and migration from libzmq. The guide for embedding a socket is [`proto::embedding`](crate::proto::embedding).

pub mod migrating_from_libzmq {
    #![doc = include_str!("migrating_from_libzmq.md")]
    // The option exists only with the feature, so a link in the file would be unresolved without it.
    #![cfg_attr(feature = "curve", doc = "\n\n[any_key]: crate::Options::any_key")]
    #![cfg_attr(not(feature = "curve"), doc = "\n\n[any_key]: crate::Options")]
}
#[cfg(all(feature = "plain", feature = "curve"))]
pub mod security {
    #![doc = include_str!("security.md")]
}
