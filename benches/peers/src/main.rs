//! `peer-bench IMPLEMENTATION SCENARIO ROLE --endpoint E --size N --count M …`: one side of a run. See README.md.

mod aio;
mod args;
mod blk;
mod check;
mod common;
#[cfg(feature = "sansmq")]
mod exclusive;
#[cfg(feature = "sansmq")]
mod floors;
#[cfg(feature = "libzmq")]
mod impl_libzmq;
#[cfg(feature = "monocoque")]
mod impl_monocoque;
#[cfg(feature = "omq")]
mod impl_omq;
#[cfg(feature = "rzmq")]
mod impl_rzmq;
#[cfg(feature = "sansmq")]
mod impl_sansmq;
#[cfg(feature = "zmqrs")]
mod impl_zmqrs;
mod measure;
#[cfg(feature = "sansmq")]
mod on_mio;
#[cfg(feature = "sansmq")]
mod on_smol;
#[cfg(feature = "tokio")]
mod on_tokio;
mod raw;

use common::*;
#[cfg(feature = "tokio")]
use on_tokio::{Flavor, flavor, run_on};

fn main() {
    if std::env::args().nth(1).as_deref() == Some("list") {
        list();
        return;
    }
    let a = match Args::parse() {
        Ok(a) => a,
        Err(error) => {
            eprintln!("{error}\nusage: peer-bench IMPLEMENTATION SCENARIO ROLE --endpoint E --size N --count M …");
            std::process::exit(2);
        }
    };
    measure::raise_open_files();
    measure::fail_on_errors(&a);
    run(a)
}

fn run(a: Args) -> ! {
    match a.implementation.clone().as_str() {
        "raw" => raw::run(a, raw::Wait::Read),
        "raw-epoll" => raw::run(a, raw::Wait::Epoll),
        #[cfg(feature = "sansmq")]
        "raw-mio" => raw::run(a, raw::Wait::Mio),
        #[cfg(feature = "sansmq")]
        "raw-tokio" => floors::run_tokio(&a),
        #[cfg(feature = "sansmq")]
        "raw-smol" => floors::run_smol(&a),
        #[cfg(feature = "libzmq")]
        "libzmq" => blk::run(impl_libzmq::Libzmq::new(impl_libzmq::Sending::Reference), a),
        #[cfg(feature = "libzmq")]
        "libzmq-copy" => blk::run(impl_libzmq::Libzmq::new(impl_libzmq::Sending::Copy), a),
        #[cfg(feature = "monocoque")]
        "monocoque" => impl_monocoque::run(a, impl_monocoque::Writes::Together),
        #[cfg(feature = "monocoque")]
        "monocoque-eager" => impl_monocoque::run(a, impl_monocoque::Writes::Each),
        #[cfg(feature = "omq")]
        "omq-ct" | "omq-mt" | "omq-cts" => run_on(flavor(&a.implementation), impl_omq::Omq::current, a),
        #[cfg(feature = "omq")]
        "omq-io" => run_on(Flavor::CurrentThread, impl_omq::Omq::owned, a),
        #[cfg(feature = "omq")]
        "omq-blk" => blk::run(impl_omq::Omq::owned(), a),
        #[cfg(feature = "omq")]
        "omq-excl" => run_on(Flavor::CurrentThread, || impl_omq::Exclusive, a),
        #[cfg(feature = "rzmq")]
        "rzmq-ct" | "rzmq-mt" => run_on(flavor(&a.implementation), impl_rzmq::Rzmq::new, a),
        #[cfg(feature = "rzmq")]
        "rzmq-cork" => run_on(Flavor::MultiThread, || impl_rzmq::Rzmq::new().corked(), a),
        #[cfg(feature = "rzmq")]
        "rzmq-uring" => run_on(Flavor::MultiThread, || impl_rzmq::Rzmq::new().on_uring(), a),
        #[cfg(feature = "sansmq")]
        "sansmq-ct" | "sansmq-mt" | "sansmq-cts" => run_on(flavor(&a.implementation), || impl_sansmq::Sansmq::Tokio, a),
        #[cfg(feature = "sansmq")]
        "sansmq-smol" => on_smol::run(impl_sansmq::Sansmq::on_smol, a),
        #[cfg(feature = "sansmq")]
        "sansmq-smolg" => on_smol::run_global(impl_sansmq::Sansmq::Smolg, a),
        #[cfg(feature = "sansmq")]
        "sansmq-mio" => impl_sansmq::run_mio(a),
        #[cfg(feature = "sansmq")]
        "sansmq-blk" => blk::run(impl_sansmq::Blocking, a),
        #[cfg(feature = "sansmq")]
        "sansmq-excl" => run_on(Flavor::CurrentThread, || exclusive::OnTokio, a),
        #[cfg(feature = "sansmq")]
        "sansmq-exclblk" => blk::run(exclusive::OnThread, a),
        #[cfg(feature = "zmqrs")]
        "zmqrs-ct" | "zmqrs-mt" | "zmqrs-cts" => run_on(flavor(&a.implementation), || impl_zmqrs::Zmqrs, a),
        other => panic!("implementation {other} is unknown or was not built in"),
    }
}

/// Prints the features of this build and the versions of native libraries.
fn list() {
    let features = [
        ("libzmq", cfg!(feature = "libzmq")),
        ("monocoque", cfg!(feature = "monocoque")),
        ("omq", cfg!(feature = "omq")),
        ("rzmq", cfg!(feature = "rzmq")),
        ("sansmq", cfg!(feature = "sansmq")),
        ("zmqrs", cfg!(feature = "zmqrs")),
    ];
    let built: Vec<_> = features.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect();
    println!("features: {}", built.join(" "));
    #[cfg(feature = "libzmq")]
    println!("{}", impl_libzmq::version());
}
