//! Gives the shared library the name by which programs of libzmq find it.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system != "macos" && system != "windows") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libzmq.so.5");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
