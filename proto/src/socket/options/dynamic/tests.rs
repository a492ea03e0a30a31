use super::*;
use alloc::format;
use alloc::string::ToString;

/// Compares each option with the table in the documentation of [`Options`], which another test compares with the setters.
#[test]
fn dynamic_options_exist_for_the_types_of_the_table() {
    let mut rows = 0;
    for line in include_str!("../mod.rs").lines().filter_map(|line| line.strip_prefix("/// | [`")) {
        let (name, rest) = line.split_once('`').unwrap();
        let types = rest.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        rows += 1;
        if matches!(name, "zap_handler" | "authenticate") || cfg!(not(feature = "curve")) && name == "any_key" {
            continue; // Their values are functions; `Authenticator` is the same as `authenticate`.
        }
        let names = SocketOption::TABLE.iter().find(|names| names.name == name).expect(name);
        let expected: Vec<_> = SocketType::ALL
            .into_iter()
            .filter(|socket_type| match types {
                "all" => true,
                "that send" => socket_type.can_send(),
                "that receive" => socket_type.can_receive(),
                "all but STREAM" => *socket_type != SocketType::Stream,
                _ if name == "only_first_subscribe" => ["XPUB", "XSUB"].contains(&socket_type.name()),
                list => list.split(", ").any(|name| name == socket_type.name()),
            })
            .collect();
        assert_eq!(names.types.to_vec(), expected, "{name}");
    }
    assert!(rows > 60, "{rows} rows");
}

#[test]
fn option_of_another_type_is_an_error_that_names_the_types() {
    let error = Options::of(SocketType::Pull).set(SocketOption::Conflate(true).clone());
    assert!(error.unwrap().settings.conflate);
    let error = Options::of(SocketType::Rep).set(SocketOption::HiccupMessage(Frame::EMPTY)).unwrap_err();
    let OptionsError::NotForType { option, socket_type, types } = error else { panic!("{error}") };
    assert_eq!((option, socket_type), ("hiccup_message", SocketType::Rep));
    assert_eq!(types, [SocketType::Dealer, SocketType::Client, SocketType::Peer]);
    let error = Options::of(SocketType::XPub).set(SocketOption::Relaxed(true)).unwrap_err();
    assert_eq!(error.to_string(), "an XPUB socket does not have the option `relaxed`; it exists for REQ");
}

#[test]
fn error_of_heartbeats_names_the_option() {
    let [second, zero] = [1, 0].map(Duration::from_secs);
    let error = Options::of(SocketType::Req).set(SocketOption::HeartbeatWith(second, zero, zero)).unwrap_err();
    assert_eq!(error.to_string(), "the timeout of `heartbeat_with` must be longer than zero");
}

/// Options of kind `Any` cannot be changed before `erase` if they are created with `of`.
#[test]
fn options_that_do_not_compile_for_any_are_set_by_name() {
    for note in include_str!("../../../kind.rs").lines().filter(|line| line.contains("for `Any`, set")) {
        assert!(note.contains("with `Options::set`"), "{note}");
    }
    let options = Options::of(SocketType::Dealer).set(SocketOption::RoutingId("ann".into())).unwrap();
    assert_eq!(options.settings.connection.routing_id, "ann");
}

#[cfg(feature = "curve")]
#[test]
fn refused_change_of_any_key_names_any_key() {
    use crate::entropy::SeededEntropy;
    use crate::socket::{SetOptionsError, Socket};
    let mut socket = Socket::new(Options::of(SocketType::Router), SeededEntropy::new(1));
    socket.bind("tcp://127.0.0.1:1".parse().unwrap());
    let reject = || Authenticator::new(|_| crate::security::AuthReply::reject());
    for option in [SocketOption::AnyKey, SocketOption::Authenticator(reject())] {
        assert_eq!(socket.set_option(option.clone()), Err(SetOptionsError::InUse(option.name())));
    }
}

#[test]
fn debug_text_of_an_option_does_not_contain_the_password() {
    let text = format!("{:?}", SocketOption::SocksProxyAs("proxy:1".into(), "ann".into(), "secret".into()));
    assert_eq!(text, "SocksProxyAs(\"proxy:1\", \"ann\", ..)");
    assert_eq!(format!("{:?}, {:?}", SocketOption::SendHwm(7), SocketOption::NoReconnect), "SendHwm(7), NoReconnect");
    let login = Security::plain_client("ann", "secret").unwrap();
    assert!(!format!("{:?}", SocketOption::Security(login)).contains("secret"));
}

#[test]
fn dynamic_option_out_of_range_is_the_error_of_its_setter() {
    let error = Options::of(SocketType::Req).set(SocketOption::RoutingId(Frame::EMPTY)).unwrap_err();
    assert_eq!(error, OptionsError::RoutingId(0));
}
