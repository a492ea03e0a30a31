//! Options that only some socket types have, for the fuzz target `options`.

use arbitrary::Arbitrary;
use sansmq_proto::kind::{
    Any, Client, Conflate, Dealer, DisconnectMessage, FiltersByPrefix, HasRoutingId, HelloMessage, HiccupMessage, Pub,
    Pull, Push, Req, Router, Server, Sub, XPub, XSub,
};
use sansmq_proto::socket::SlowSubscriber;
use sansmq_proto::{Options, SocketType};

/// Option of some socket types. Other socket types ignore it.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Typed<'a> {
    SendHwm(u8),
    RecvHwm(u8),
    SendHwmBytes(u16),
    RecvHwmBytes(u16),
    Slow(Slow),
    MaxSubscriptions(u8),
    MaxSubscriptionSize(u8),
    RoutingId(&'a [u8]),
    ProbeRouter(bool),
    Conflate(bool),
    Hello(&'a [u8]),
    Disconnect(&'a [u8]),
    Hiccup(&'a [u8]),
    InvertMatching(bool),
    Mandatory(bool),
    Handover(bool),
    NotifyConnect(bool),
    NotifyDisconnect(bool),
    Relaxed(bool),
    Correlate(bool),
    Verbose(bool),
    Verboser(bool),
    Manual(bool),
    ManualLastValue(bool),
    Welcome(&'a [u8]),
    OnlyFirst(bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Slow {
    DropNewest,
    DropOldest,
    Disconnect,
    Block,
}

/// Returns options for a socket type: the `settings` that the type has, if their values are valid.
pub(crate) fn typed(socket_type: SocketType, settings: &[Typed<'_>]) -> Options<Any> {
    let options = match socket_type {
        SocketType::Dealer => fold(settings, |options: Options<Dealer>, setting| {
            conflate(hello(hiccup(routing_id(options, setting), setting), setting), setting)
        }),
        SocketType::Router => fold(settings, |options: Options<Router>, setting| {
            of_router(hello(disconnect(routing_id(options, setting), setting), setting), setting)
        }),
        SocketType::Req => fold(settings, |options, setting| of_req(routing_id(options, setting), setting)),
        SocketType::Push => fold(settings, conflate::<Push>),
        SocketType::Pull => fold(settings, conflate::<Pull>),
        SocketType::Pub => fold(settings, |options: Options<Pub>, setting| invert(conflate(options, setting), setting)),
        SocketType::Sub => fold(settings, |options: Options<Sub>, setting| invert(conflate(options, setting), setting)),
        SocketType::XPub => fold(settings, |options, setting| of_xpub(invert(options, setting), setting)),
        SocketType::XSub => fold(settings, of_xsub),
        SocketType::Client => {
            fold(settings, |options: Options<Client>, setting| hello(hiccup(options, setting), setting))
        }
        SocketType::Server => {
            fold(settings, |options: Options<Server>, setting| hello(disconnect(options, setting), setting))
        }
        other => Options::of(other),
    };
    settings.iter().copied().fold(options, of_any)
}

fn fold<T: sansmq_proto::kind::Typed>(
    settings: &[Typed<'_>],
    set: impl Fn(Options<T>, Typed<'_>) -> Options<T>,
) -> Options<Any> {
    settings.iter().fold(Options::new(), |options, &setting| set(options, setting)).erase()
}

fn of_any(options: Options<Any>, setting: Typed<'_>) -> Options<Any> {
    match setting {
        Typed::SendHwm(messages) => options.send_hwm(messages.into()),
        Typed::RecvHwm(messages) => options.recv_hwm(messages.into()),
        Typed::SendHwmBytes(bytes) => options.send_hwm_bytes(bytes.into()),
        Typed::RecvHwmBytes(bytes) => options.recv_hwm_bytes(bytes.into()),
        Typed::Slow(slow) => options.slow_subscriber(match slow {
            Slow::DropNewest => SlowSubscriber::DropNewest,
            Slow::DropOldest => SlowSubscriber::DropOldest,
            Slow::Disconnect => SlowSubscriber::Disconnect,
            Slow::Block => SlowSubscriber::Block,
        }),
        Typed::MaxSubscriptions(count) => options.max_subscriptions(count.into()),
        Typed::MaxSubscriptionSize(bytes) => options.max_subscription_size(bytes.into()),
        _ => options,
    }
}

fn routing_id<T: HasRoutingId>(options: Options<T>, setting: Typed<'_>) -> Options<T> {
    match setting {
        Typed::RoutingId(id) => options.clone().routing_id(id).unwrap_or(options),
        Typed::ProbeRouter(probe) => options.probe_router(probe),
        _ => options,
    }
}

fn conflate<T: Conflate>(options: Options<T>, setting: Typed<'_>) -> Options<T> {
    if let Typed::Conflate(conflate) = setting { options.conflate(conflate) } else { options }
}

fn hello<T: HelloMessage>(options: Options<T>, setting: Typed<'_>) -> Options<T> {
    if let Typed::Hello(message) = setting { options.hello_message(message) } else { options }
}

fn disconnect<T: DisconnectMessage>(options: Options<T>, setting: Typed<'_>) -> Options<T> {
    if let Typed::Disconnect(message) = setting { options.disconnect_message(message) } else { options }
}

fn hiccup<T: HiccupMessage>(options: Options<T>, setting: Typed<'_>) -> Options<T> {
    if let Typed::Hiccup(message) = setting { options.hiccup_message(message) } else { options }
}

fn invert<T: FiltersByPrefix>(options: Options<T>, setting: Typed<'_>) -> Options<T> {
    if let Typed::InvertMatching(invert) = setting { options.invert_matching(invert) } else { options }
}

fn of_router(options: Options<Router>, setting: Typed<'_>) -> Options<Router> {
    match setting {
        Typed::Mandatory(mandatory) => options.mandatory(mandatory),
        Typed::Handover(handover) => options.handover(handover),
        Typed::NotifyConnect(notify) => options.notify_connect(notify),
        Typed::NotifyDisconnect(notify) => options.notify_disconnect(notify),
        _ => options,
    }
}

fn of_req(options: Options<Req>, setting: Typed<'_>) -> Options<Req> {
    match setting {
        Typed::Relaxed(relaxed) => options.relaxed(relaxed),
        Typed::Correlate(correlate) => options.correlate(correlate),
        _ => options,
    }
}

fn of_xpub(options: Options<XPub>, setting: Typed<'_>) -> Options<XPub> {
    match setting {
        Typed::Verbose(verbose) => options.verbose(verbose),
        Typed::Verboser(verboser) => options.verboser(verboser),
        Typed::Manual(manual) => options.manual(manual),
        Typed::ManualLastValue(manual) => options.manual_last_value(manual),
        Typed::Welcome(message) => options.welcome_message(message),
        _ => options,
    }
}

fn of_xsub(options: Options<XSub>, setting: Typed<'_>) -> Options<XSub> {
    if let Typed::OnlyFirst(only_first) = setting { options.only_first_subscribe(only_first) } else { options }
}
