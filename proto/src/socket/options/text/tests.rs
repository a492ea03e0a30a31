use super::*;
use crate::address::Keepalive;
use crate::message::Frame;
use crate::security::{Authenticator, Security};
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
        Is::CloseReasons(false),
        #[cfg(feature = "plain")]
        Is::Security(Security::PlainServer),
        #[cfg(not(feature = "plain"))]
        Is::Security(Security::Null),
        Is::ZapDomain("global".into()),
        Is::EnforceZapDomain(false),
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
        Is::ReportLostPeer(false),
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
        Is::ReusePort(true),
        Is::Keepalive(keepalive.into()),
        Is::SendBuffer(Some(14)),
        Is::RecvBuffer(Some(15)),
        Is::Backlog(16),
        Is::TcpMaxRetransmitTimeout(Some(second)),
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
    assert!(matches!(Options::of(SocketType::Push).get("high_water_mark"), Err(ParseOptionError::Unknown { .. })));
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
        backlog tos priority bind_to_device socks_proxy socks_proxy_as";
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
        ("RECONNECT_IVL", "-1", "no_reconnect = true"),
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
            let is_several = name == "ROUTER_NOTIFY" && error(name, "3").contains(row.split('`').next().unwrap());
            let is_found = Names::find(name).is_ok() && Names::find(&format!("ZMQ_{name}")).is_ok();
            assert!(is_found || is_several, "{name}");
        }
    }
    assert!(count > 60, "{count} names");
}

#[test]
fn errors_of_options_state_what_to_write() {
    assert_eq!(error("heartbet", "1s"), "no option has the name `heartbet`; the nearest name is `heartbeat`");
    assert_eq!(error("ZMQ_RCVHVM", "1"), "no option has the name `ZMQ_RCVHVM`; the nearest name is `RCVHWM`");
    assert_eq!(error("SEND_HWM", "1"), "no option has the name `SEND_HWM`; the nearest name is `send_hwm`");
    let reconnect =
        "two durations with a unit (ns, us, ms, s, m or h), such as `100ms 5s`: the first delay and the longest";
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
fn options_of_libzmq_that_are_calls_here_name_the_call() {
    for (name, instead) in [
        ("ZMQ_RCVTIMEO", "call `recv_timeout`, or `recv` with a timeout of the async runtime"),
        ("subscribe", "call `subscribe`"),
        ("HWM", "set `send_hwm` and `recv_hwm`"),
        ("ROUTER_NOTIFY", "set `notify_connect` and `notify_disconnect`"),
        ("ZMQ_IO_THREADS", "the runtime has its own threads and limits"),
    ] {
        assert_eq!(error(name, "1"), format!("`{name}` is not an option here: {instead}"));
        let options = Options::of(SocketType::Router).set(SocketOption::NotifyDisconnect(true)).unwrap();
        assert!(matches!(options.get(name), Err(ParseOptionError::NotAnOption { .. })), "{name}");
    }
    let known = SocketOption::TABLE.iter().flat_map(|names| names.libzmq.iter().map(|(name, _)| *name));
    let known: Vec<_> = known.collect();
    assert!(NOT_OPTIONS.iter().flat_map(|(names, _)| *names).all(|name| !known.contains(name)));
}

#[test]
fn unknown_name_that_resembles_no_name_gets_no_suggestion() {
    for name in ["", "x", "colour", "ZMQ_", "ZMQ_FOO", "interval", "thread_count", "üüüüüüüü"] {
        let expected = format!("no option has the name `{name}`; `SocketOption::NAMES` has all names");
        assert_eq!(error(name, "1"), expected);
    }
}

/// Returns the values that an error advises: texts in backticks without names of values such as `USER`, and bounds.
fn advised(form: &str) -> Vec<&str> {
    let is_name = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let quoted = form.split('`').skip(1).step_by(2).filter(|text| !text.split(' ').any(|word| is_name(&word)));
    let words = form.split(' ').filter(|word| !word.contains('`')).map(|word| word.trim_end_matches(','));
    let bounds = words.filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()));
    let zero = (form.starts_with("a number") && !form.contains("from")).then_some("0");
    quoted.chain(bounds).chain(zero).collect()
}

#[test]
fn values_that_an_error_advises_are_accepted() {
    let mut count = 0;
    for names in SocketOption::TABLE.iter().filter(|names| names.name != "authenticator") {
        let socket_type = names.types.to_vec()[0];
        let of_libzmq = names
            .libzmq
            .iter()
            .filter(|(_, relation)| !matches!(relation, Libzmq::Part | Libzmq::PartOrNever))
            .map(|(name, _)| *name);
        for name in of_libzmq.chain([names.name]) {
            let text = SocketOption::parse(name, "\0\0").map_or_else(|error| error.to_string(), |_| String::new());
            for value in advised(names.form) {
                count += 1;
                assert!(
                    text.is_empty() || value == "0" || text.contains(value) || name == "security",
                    "{text} lacks {value}"
                );
                let is_built =
                    ["plain", "curve"].iter().all(|feature| !value.starts_with(feature)) || cfg!(feature = "plain");
                if is_built {
                    let option = SocketOption::parse(name, value).unwrap();
                    if let Err(error) = Options::of(socket_type).set(option) {
                        panic!("{name} = {value}: {error}");
                    }
                }
            }
        }
    }
    assert!(count > 150, "{count} values");
}

#[test]
fn numbers_that_libzmq_reads_as_not_set_reset_the_option() {
    for (name, number, value) in [
        ("SNDBUF", "-1", "100"),
        ("RCVBUF", "-1", "100"),
        ("TCP_KEEPALIVE", "-1", "1"),
        ("TCP_MAXRT", "0", "5"),
        ("CONNECT_TIMEOUT", "0", "5"),
        ("HANDSHAKE_IVL", "0", "5"),
        ("HEARTBEAT_IVL", "0", "5"),
        ("LINGER", "-1", "5"),
        ("MAXMSGSIZE", "-1", "5"),
        ("SNDHWM", "0", "5"),
        ("TOS", "0", "5"),
        ("PRIORITY", "0", "5"),
        ("RECONNECT_STOP", "0", "1"),
    ] {
        let [unset, set] = [number, value].map(|value| parse(name, value));
        let options = Options::of(SocketType::Dealer).set(unset.clone()).unwrap();
        let changed = options.clone().set(set).unwrap().set(unset).unwrap();
        assert_eq!(format!("{changed:?}"), format!("{options:?}"), "{name}");
        if ["SNDBUF", "RCVBUF", "TCP_KEEPALIVE", "TCP_MAXRT"].contains(&name) {
            assert_eq!(format!("{options:?}"), format!("{:?}", Options::of(SocketType::Dealer)), "{name}");
        }
    }
}

#[test]
fn heartbeats_and_proxies_in_effect_are_returned_by_each_name() {
    let text = |options: &Options, name: &str| options.get(name).unwrap().map(|option| option.to_string());
    let options = Options::of(SocketType::Req);
    let with = options.clone().set(parse("heartbeat_with", "1s 5s 3s")).unwrap();
    assert_eq!(text(&with, "HEARTBEAT_IVL").as_deref(), Some("heartbeat = 1s"));
    assert_eq!(text(&with, "HEARTBEAT_TTL").as_deref(), Some("heartbeat_with = 1s 5s 3s"));
    let simple = options.clone().set(parse("heartbeat", "2s")).unwrap();
    assert_eq!(text(&simple, "HEARTBEAT_TIMEOUT").as_deref(), Some("heartbeat_with = 2s 2s 0s"));
    assert_eq!(text(&options, "HEARTBEAT_TIMEOUT"), None);
    let proxy = options.set(parse("socks_proxy_as", "proxy:1080 ann secret")).unwrap();
    assert_eq!(text(&proxy, "SOCKS_PROXY").as_deref(), Some("socks_proxy = proxy:1080"));
    for options in [with, simple, proxy] {
        assert_same_when_set_again(&options);
    }
}

#[test]
fn options_that_a_socket_type_has_are_known_by_name() {
    let dealer = Options::of(SocketType::Dealer);
    for (name, is_known) in [("routing_id", true), ("ZMQ_TOS", true), ("RECONNECT_IVL", true), ("mandatory", false)] {
        assert_eq!(dealer.has(name), Ok(is_known), "{name}");
        assert!(is_known || dealer.get(name) == Ok(None));
    }
    assert!(dealer.has("colour").is_err() && dealer.has("RCVTIMEO").is_err());
}

#[test]
fn errors_of_security_state_the_reason() {
    for (value, reason) in [
        ("Null", "no mechanism has the name `Null`; the nearest name is `null`"),
        ("plain_server x", "`plain_server` has 0 values, not 1; write `plain_server`"),
        ("plain_client ann", "`plain_client` has 2 values, not 1; write `plain_client USER PASSWORD`"),
        ("curve_client a", "`curve_client` has 2 values, not 1; write `curve_client SECRET_KEY SERVER_KEY`"),
    ] {
        assert_eq!(error("security", value), format!("`security`: {reason}"));
    }
    assert!(error("security", "").contains("the first word is not a mechanism; write `null`, `plain_server`"));
    let key = "curve_server short";
    let expected = if cfg!(feature = "curve") {
        "`security`: the secret key has 5 characters; write 40 characters of Z85, or 64 hexadecimal digits"
    } else {
        "`security`: `curve_server` requires the feature `curve` of this crate, which is off"
    };
    assert_eq!(error("security", key), expected);
}

#[test]
fn errors_of_options_do_not_contain_secrets() {
    for (name, value) in [
        ("security", "plain_klient ann hunter"),
        ("security", "hunter"),
        ("security", "plain_client hunter"),
        ("security", "plain_server hunter"),
        ("security", "curve_server hunter"),
        ("security", "curve_server ~123456789012345678901234567890123hunter"),
        ("security", "curve_client hunter hunter"),
        ("security", "curve_client hunter"),
        ("socks_proxy_as", "proxy:1-hunter"),
        ("ZMQ_PLAIN_PASSWORD", "hunter"),
        ("ZMQ_CURVE_SECRETKEY", "hunter"),
    ] {
        let text = error(name, value);
        assert!(!text.contains("hunter"), "{text}");
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
            assert!(
                matches!(error, Err(ParseOptionError::Value { .. } | ParseOptionError::Security { .. })),
                "{name} = {value:?}: {error:?}"
            );
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
