use super::*;
use crate::address::Keepalive;
use crate::message::Frame;
use crate::security::Authenticator;
use crate::socket::options::{Options, ReconnectStop, SlowSubscriber};
use crate::socket_type::SocketType;
use core::time::Duration;
use proptest::prelude::*;

fn parse(name: &str, value: &str) -> SocketOption {
    SocketOption::parse(name, value).unwrap()
}

fn error(name: &str, value: &str) -> String {
    SocketOption::parse(name, value).unwrap_err().to_string()
}

/// An option of each name, with a value that is not the default.
fn samples() -> Vec<SocketOption> {
    use SocketOption as Is;
    let second = Duration::from_secs(1);
    let keepalive = Keepalive::new().idle(60 * second).unwrap().count(3).unwrap();
    vec![
        Is::Linger(None),
        Is::SendHwm(5000),
        Is::RecvHwm(usize::MAX),
        Is::RoutingId("worker 1".into()),
        Is::Immediate(true),
        Is::Conflate(true),
        Is::FailUnreachable(true),
        Is::SendHwmBytes(0),
        Is::RecvHwmBytes(1 << 20),
        Is::Reconnect(second, 5 * second),
        Is::NoReconnect,
        Is::Heartbeat(Some(Duration::from_millis(1500))),
        Is::HeartbeatWith(2 * second, second, 3 * second),
        Is::ConnectTimeout(None),
        Is::HandshakeTimeout(Some(Duration::from_micros(7))),
        Is::ReconnectStop(ReconnectStop { refused: true, disconnected: true, ..ReconnectStop::NEVER }),
        Is::ReconnectRefused(second, 2 * second),
        Is::Metadata("X-region".into(), "north west".into()),
        Is::AllowLegacyZmtp(false),
        #[cfg(feature = "plain")]
        Is::Security(Security::PlainServer),
        #[cfg(not(feature = "plain"))]
        Is::Security(Security::Null),
        Is::ZapDomain("global".into()),
        Is::Authenticator(Authenticator::new(|_| crate::security::AuthReply::reject())),
        #[cfg(feature = "curve")]
        Is::AnyKey,
        Is::AuthTimeout(None),
        Is::MaxMessageSize(usize::MAX),
        Is::MaxSendSize(100),
        Is::MaxFrames(7),
        Is::MaxPeers(8),
        Is::MaxHandshakes(9, usize::MAX),
        Is::MaxHandshakeRate(10),
        Is::MaxHandshakeBytes(11),
        Is::Mandatory(true),
        Is::Handover(true),
        Is::NotifyConnect(true),
        Is::NotifyDisconnect(true),
        Is::Relaxed(true),
        Is::Correlate(true),
        Is::Notify(false),
        Is::ProbeRouter(true),
        Is::HelloMessage(Frame::from(vec![0, 255])),
        Is::DisconnectMessage("hex:".into()),
        Is::HiccupMessage(" padded ".into()),
        Is::SlowSubscriber(SlowSubscriber::Block),
        Is::MaxSubscriptions(12),
        Is::MaxSubscriptionSize(13),
        Is::InvertMatching(true),
        Is::Verbose(true),
        Is::Verboser(true),
        Is::Manual(true),
        Is::ManualLastValue(true),
        Is::WelcomeMessage(Frame::EMPTY),
        Is::VerboseUnsubscribe(true),
        Is::OnlyFirstSubscribe(false),
        Is::DualStack(true),
        Is::Keepalive(Some(keepalive)),
        Is::SendBuffer(14),
        Is::RecvBuffer(15),
        Is::Backlog(16),
        Is::TcpMaxRetransmitTimeout(second),
        Is::Tos(17),
        Is::Priority(3),
        Is::BindToDevice("eth0".into()),
        Is::SocksProxy("[::1]:1080".into()),
        Is::SocksProxyAs("proxy:1080".into(), "ann".into(), "secret".into()),
    ]
}

#[test]
fn every_option_parses_back_from_its_text() {
    let samples = samples();
    let names: Vec<_> = samples.iter().map(SocketOption::name).collect();
    assert_eq!(names, SocketOption::NAMES, "a sample of each option");
    for option in samples {
        let Some(value) = option.value() else {
            assert!(["authenticator", "socks_proxy_as"].contains(&option.name()), "{option}");
            assert_eq!(option.to_string(), format!("{} = ..", option.name()));
            continue;
        };
        assert_eq!(parse(option.name(), &value), option, "{value:?}");
        assert_eq!(option.to_string(), format!("{} = {value}", option.name()));
    }
}

#[test]
fn every_option_that_is_set_is_returned() {
    for option in samples() {
        let socket_type = SocketType::ALL.into_iter().find(|&socket_type| option.exists_for(socket_type)).unwrap();
        let options = Options::of(socket_type).set(option.clone()).unwrap();
        let in_effect = (option.name() != "verbose_unsubscribe").then_some(option);
        let name = in_effect.as_ref().map_or("verbose_unsubscribe", SocketOption::name);
        assert_eq!(options.get(name).unwrap(), in_effect);
        assert_same_when_set_again(&options);
    }
    assert_eq!(Options::of(SocketType::Push).get("recv_hwm"), Ok(None), "a PUSH does not receive");
    assert!(matches!(Options::of(SocketType::Push).get("hwm"), Err(ParseOptionError::Unknown { .. })));
}

#[test]
fn default_of_every_option_parses_back_from_its_text() {
    let mut names = Vec::new();
    for socket_type in SocketType::ALL {
        let options = Options::of(socket_type);
        for option in options.iter() {
            let value = option.value().unwrap();
            assert_eq!(parse(option.name(), &value), option, "{value:?}");
            assert_eq!(options.get(option.name()), Ok(Some(option.clone())));
            names.push(option.name());
        }
        assert_same_when_set_again(&options);
    }
    // These have no value: the operating system has it, there is none, or another option of the same setting is in effect.
    let unset = SocketOption::NAMES.iter().filter(|name| !names.contains(name)).copied().collect::<Vec<_>>();
    let expected = "routing_id no_reconnect heartbeat_with metadata zap_domain authenticator any_key max_handshake_rate \
        hello_message disconnect_message hiccup_message verboser manual_last_value welcome_message verbose_unsubscribe \
        keepalive send_buffer recv_buffer backlog tcp_max_retransmit_timeout tos priority bind_to_device socks_proxy \
        socks_proxy_as";
    let is_built = |name: &&str| cfg!(feature = "curve") || *name != "any_key";
    assert_eq!(unset, expected.split_whitespace().filter(is_built).collect::<Vec<_>>());
}

fn assert_same_when_set_again(options: &Options) {
    let again = options.iter().fold(Options::of(options.socket_type()), |again, option| again.set(option).unwrap());
    assert!(again.iter().eq(options.iter()), "{again:?}");
    assert_eq!(format!("{again:?}"), format!("{options:?}"));
}

#[test]
fn every_property_of_the_metadata_is_in_effect() {
    let options = Options::of(SocketType::Req);
    let options = options.set(parse("metadata", "X-a 1")).unwrap().set(parse("ZMQ_METADATA", "X-b:2:3")).unwrap();
    let properties: Vec<_> =
        options.iter().map(|option| option.to_string()).filter(|text| text.contains('X')).collect();
    assert_eq!(properties, ["metadata = X-a 1", "metadata = X-b 2:3"]);
}

#[test]
fn options_of_libzmq_have_its_values() {
    let limit = |text| parse("ZMQ_MAXMSGSIZE", text);
    assert_eq!([limit("-1"), limit("7")], [usize::MAX, 7].map(SocketOption::MaxMessageSize));
    for (name, value, ours) in [
        ("ZMQ_LINGER", "-1", "linger = none"),
        ("LINGER", "0", "linger = 0s"),
        ("zmq_linger", "1500", "linger = 1500ms"),
        ("Linger", "2s", "linger = 2s"),
        ("SNDHWM", "0", "send_hwm = 0"),
        ("rcvhwm", "10", "recv_hwm = 10"),
        ("IDENTITY", "ann", "routing_id = ann"),
        ("CONNECT_TIMEOUT", "0", "connect_timeout = none"),
        ("HANDSHAKE_IVL", "30000", "handshake_timeout = 30s"),
        ("HEARTBEAT_IVL", "1000", "heartbeat = 1s"),
        ("TCP_MAXRT", "5", "tcp_max_retransmit_timeout = 5ms"),
        ("RECONNECT_STOP", "5", "reconnect_stop = refused disconnected"),
        ("RECONNECT_STOP", "0", "reconnect_stop = never"),
        ("XPUB_NODROP", "1", "slow_subscriber = block"),
        ("XPUB_NODROP", "0", "slow_subscriber = drop_newest"),
        ("IPV6", "1", "dual_stack = true"),
        ("IPV4ONLY", "1", "dual_stack = false"),
        ("TCP_KEEPALIVE", "1", "keepalive = on"),
        ("ROUTER_MANDATORY", "1", "mandatory = true"),
        ("METADATA", "X-key:value", "metadata = X-key value"),
        ("METADATA", "X-url:http://a:1", "metadata = X-url http://a:1"),
        ("METADATA", "X-url http://a:1", "metadata = X-url http://a:1"),
    ] {
        assert_eq!(parse(name, value).to_string(), ours, "{name} = {value}");
    }
}

/// The table in the documentation of [`Options`] has the names of libzmq for each option.
#[test]
fn names_of_libzmq_in_the_table_of_options_are_known() {
    let mut count = 0;
    for row in include_str!("../mod.rs").lines().filter_map(|line| line.strip_prefix("/// | [`")) {
        let names = row.split(" | ").next().unwrap().split('`').skip(2).step_by(2);
        for name in names.filter(|name| !name.starts_with("NOTIFY_")) {
            count += 1;
            assert!(Names::find(name).is_ok() && Names::find(&format!("ZMQ_{name}")).is_ok(), "{name}");
        }
    }
    assert!(count > 60, "{count} names");
}

#[test]
fn errors_of_options_state_what_to_write() {
    assert_eq!(error("heartbet", "1s"), "no option has the name `heartbet`; the nearest name is `heartbeat`");
    assert_eq!(error("ZMQ_RCVHVM", "1"), "no option has the name `ZMQ_RCVHVM`; the nearest name is `RCVHWM`");
    assert_eq!(error("SEND_HWM", "1"), "no option has the name `SEND_HWM`; the nearest name is `send_hwm`");
    let duration = "a duration with a unit (ns, us, ms, s, m or h), such as `500ms`";
    let reconnect = format!("2 values separated by spaces (first: {duration}; max: {duration})");
    assert_eq!(
        error("ZMQ_RECONNECT_IVL_MAX", "5000"),
        format!("`ZMQ_RECONNECT_IVL_MAX` is a part of the option `reconnect`; set that instead, to {reconnect}")
    );
    assert_eq!(error("reconnect", "100ms"), format!("`reconnect` cannot be `100ms`; write {reconnect}"));
    assert_eq!(error("send_hwm", "ten"), "`send_hwm` cannot be `ten`; write a number, or `none` for no limit");
    assert!(error("authenticator", "allow").ends_with("call `Options::authenticator`"));
    let error = SocketOption::parse("tos", "256").unwrap_err();
    assert_eq!(format!("{error:?}"), format!("ParseOptionError: {error}"));
}

#[test]
fn errors_of_options_do_not_contain_secrets() {
    for (name, value) in [
        ("security", "plain_klient ann secret"),
        ("socks_proxy_as", "proxy:1-secret"),
        ("ZMQ_PLAIN_PASSWORD", "secret"),
        ("ZMQ_CURVE_SECRETKEY", "secret"),
    ] {
        let text = error(name, value);
        assert!(!text.contains("secret"), "{text}");
    }
    // The form of other programs, with the login in the address.
    for proxy in ["ann:secret@proxy:1080", "socks5://ann:secret@proxy:1080", "ann:secret@more@proxy:1080"] {
        let error = Options::of(SocketType::Push).set(parse("socks_proxy", proxy)).unwrap_err().to_string();
        assert_eq!(error, "`..@proxy:1080` is not a proxy; write host:port, as in localhost:1080");
    }
    #[cfg(feature = "plain")]
    assert_eq!(parse("security", "plain_client ann secret").to_string(), "security = ..");
}

/// A copy of a secret would stay in freed memory.
#[test]
fn text_with_the_same_meaning_is_not_copied() {
    for relation in [Libzmq::Same, Libzmq::Part] {
        assert!(matches!(relation.translate("curve_server secret"), Cow::Borrowed("curve_server secret")));
    }
}

#[test]
fn invalid_values_are_errors() {
    for (name, values) in [
        ("linger", &["", "5", "-1", "5 s", "5S", "s", "1.5s", "99999999999999999999h", "infinite"][..]),
        ("linger", &["340282366920938463463374607431768211455h", "9999999999999999999999999999999999999999ns"]),
        ("immediate", &["", "yes", "TRUE", "2", " true"]),
        ("send_hwm", &["", "-1", "1e3", "18446744073709551616"]),
        ("tos", &["256", "none"]),
        ("no_reconnect", &["false", ""]),
        ("reconnect_stop", &["", "refused never", "all"]),
        ("slow_subscriber", &["", "drop"]),
        ("keepalive", &["", "idle", "idle=60", "count=0", "count=3,idle=60s", "idle=0s"]),
        ("routing_id", &["hex:1", "hex:0g", "hex:0é"]),
        ("max_handshakes", &["4096", "4096,1024", "1 2 3"]),
        ("metadata", &["X-a"]),
        ("security", &["", "none", "null x", "plain_client ann", "curve_server", "curve_client k"]),
    ] {
        for value in values {
            let error = SocketOption::parse(name, value);
            assert!(matches!(error, Err(ParseOptionError::Value { .. })), "{name} = {value:?}: {error:?}");
        }
    }
}

#[cfg(feature = "curve")]
#[test]
fn security_parses_curve_keys_in_z85_and_hexadecimal() {
    use crate::security::curve::{KeyPair, PublicKey, SecretKey};
    let own = || KeyPair::from(SecretKey::from_bytes([7; 32]));
    let server = KeyPair::from(SecretKey::from_bytes([9; 32]));
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"));
    let expected = SocketOption::Security(Security::curve_client(own(), *server.public()).unwrap());
    let z85 = format!("curve_client {} {}", *own().secret().to_z85(), server.public());
    let hexadecimal = format!("curve_client {}  {}", hex(own().secret().as_bytes()), hex(server.public().as_bytes()));
    assert_eq!([parse("security", &z85), parse("security", &hexadecimal)], [expected.clone(), expected]);
    let expected = SocketOption::Security(Security::curve_server(own()));
    assert_eq!(parse("security", &format!("curve_server {}", *own().secret().to_z85())), expected);
    let unusable = format!("curve_client {} {}", *own().secret().to_z85(), PublicKey::from_bytes([0; 32]));
    assert!(SocketOption::parse("security", &unusable).is_err());
}

proptest! {
    #[test]
    fn durations_and_bytes_parse_back_from_their_text(seconds: u64, nanoseconds in 0..1_000_000_000_u32, bytes: Vec<u8>) {
        let option = SocketOption::Linger(Some(Duration::new(seconds, nanoseconds)));
        prop_assert_eq!(parse("linger", &option.value().unwrap()), option);
        let option = SocketOption::WelcomeMessage(bytes.into());
        let text = option.value().unwrap();
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(parse("welcome_message", &text), option);
    }

    #[test]
    fn any_text_parses_or_is_an_error(name: String, value: String, index: prop::sample::Index) {
        let _ = SocketOption::parse(&name, &value);
        let known = index.get(SocketOption::NAMES);
        if let Ok(option) = SocketOption::parse(known, &value) {
            prop_assert_eq!(&option.name(), known);
        }
    }
}
