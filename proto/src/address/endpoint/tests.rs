use super::*;
use crate::properties::config;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

#[test]
fn valid_endpoints_round_trip() {
    for text in [
        "tcp://*:5555",
        "tcp://127.0.0.1:0",
        "tcp://localhost:65535",
        "tcp://[::1]:80",
        "tcp://[fe80::1%eth0]:80",
        "tcp://bücher.example:80",
        "tcp://192.0.2.1:0;localhost:80",
        "tcp://[::1]:5555;[::2]:80",
        "tcp://*:5555;host:80",
        "tcp://*:5555/service",
        "tcp://[::1]:80/system/name-service/test",
        "tcp://127.0.0.1:0/$-_@.&+",
        "ipc:///tmp/a socket",
        "ipc://relative",
        "ipc://@abstract",
        "ipc://*",
        "inproc://any: text * at all",
    ] {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!(endpoint.to_string(), text);
    }
    assert_eq!("tcp://*:*".parse::<Endpoint>().unwrap().to_string(), "tcp://*:0");
}

#[test]
fn host_and_port_have_the_form_of_resolvers() {
    let parse = |text: &str| text.parse::<Endpoint>().unwrap().host_and_port();
    assert_eq!(parse("tcp://*:*"), Ok(("0.0.0.0".into(), 0)));
    assert_eq!(parse("tcp://[::1]:80"), Ok(("::1".into(), 80)), "without brackets");
    assert_eq!(parse("tcp://[fe80::1%eth0]:80"), Ok(("fe80::1%eth0".into(), 80)));
    assert_eq!(parse("tcp://localhost:80"), Ok(("localhost".into(), 80)));
    assert_eq!(parse("ipc://name"), Err(NetworkError::Unsupported));
}

#[test]
fn invalid_endpoints_return_the_specific_error() {
    use ParseEndpointError as E;
    let parse = |text: &str| text.parse::<Endpoint>().unwrap_err();
    assert_eq!(parse("127.0.0.1:5555"), E::NoTransport("127.0.0.1:5555".into()));
    assert_eq!(parse(""), E::NoTransport(String::new()));
    assert_eq!(parse("pgm://x:1"), E::UnknownTransport("pgm".into()));
    for text in ["ipc://", "ipc://@", "inproc://"] {
        assert_eq!(parse(text), E::NoName(text.into()));
    }
    let longest = "x".repeat(107);
    assert!(alloc::format!("ipc://{longest}").parse::<Endpoint>().is_ok());
    assert_eq!(parse(&alloc::format!("ipc://{longest}x")), E::TooLong(longest.clone() + "x"));
    for text in ["tcp://h:1/", "tcp://h:1//a", "tcp://h:1/a/", "tcp://h:1/a b", "tcp://h:1/a:2", "tcp://h/a:2*"] {
        assert_eq!(parse(text), E::Resource(text.into()));
    }
    assert_eq!(parse("tcp://h/a"), E::Port("tcp://h/a".into()));
    for text in ["tcp://host", "tcp://host:", "tcp://host:80x", "tcp://host:+80", "tcp://host:65536", "tcp://h:99999"] {
        assert_eq!(parse(text), E::Port(text.into()));
    }
    for text in ["tcp://:80", "tcp://::1:80", "tcp://[::1:80", "tcp://[nonsense]:80", "tcp://a b:80", "tcp://*:0;:80"] {
        assert_eq!(parse(text), E::Host(text.into()));
    }
    for source in ["a", ";", "", "1.2.3.4", "eth0:0", "1.2.3.4:x", "[::1]:0", "[fe80::1%eth0]:0", "1.2.3.4:0;*:0"] {
        let text = alloc::format!("tcp://{source};1.2.3.4:80");
        let error = parse(&text);
        // A second `;` is part of the host, where it is invalid.
        let expected = if source.contains(';') { E::Host(text) } else { E::Source(text) };
        assert_eq!(error, expected);
    }
}

fn host() -> impl Strategy<Value = Host> {
    let name =
        "[A-Za-z0-9._-]{1,12}|bücher[.]example".prop_filter("an address", |name| name.parse::<IpAddr>().is_err());
    let zone = (any::<Ipv6Addr>(), "[a-z0-9]{1,8}").prop_map(|(address, zone)| alloc::format!("{address}%{zone}"));
    prop_oneof![
        Just(Host::Any),
        any::<IpAddr>().prop_map(Host::Ip),
        name.prop_map(Host::Name),
        zone.prop_map(Host::Name)
    ]
}

/// Generates source addresses with the same IP version as the host `to`.
fn source(to: &Host) -> impl Strategy<Value = Source> + use<> {
    let version = match to {
        Host::Ip(address) => Some(address.is_ipv4()),
        Host::Any | Host::Name(_) => None,
    };
    let ip =
        any::<IpAddr>().prop_filter("IP versions differ", move |ip| version.is_none_or(|four| ip.is_ipv4() == four));
    (option::of(ip), any::<u16>()).prop_map(|(ip, port)| Source { ip, port })
}

fn tcp() -> impl Strategy<Value = Endpoint> {
    let resource =
        "[a-z0-9$_@.&+-]{1,8}(/[A-Za-z0-9$_@.&+-]{1,8}){0,3}".prop_map(|text| text.parse::<Resource>().unwrap());
    let parts = (host(), any::<u16>(), option::of(resource));
    parts.prop_flat_map(|(host, port, resource)| {
        option::of(source(&host)).prop_map(move |source| Endpoint::Tcp {
            host: host.clone(),
            port,
            source,
            resource: resource.clone(),
        })
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let ipc =
        prop_oneof![Just(IpcName::Any), "[^@*].{0,26}".prop_map(IpcName::Path), ".{1,26}".prop_map(IpcName::Abstract)];
    prop_oneof![4 => tcp(), 1 => ipc.prop_map(Endpoint::Ipc), 1 => ".{1,30}".prop_map(Endpoint::Inproc)]
}

/// Generates text from parts of endpoints in random order. Some of these texts are valid endpoints.
fn near_endpoint() -> impl Strategy<Value = String> {
    let pieces =
        ["*", ":", "0", "80", "65536", "[", "]", "::1", "fe80::1%eth0", "1.2.3.4", "/", ";", "a", "é", "@", " "];
    let transport = select(["tcp://", "tcp:/", "ipc://", "inproc://", "udp://", ""].as_slice());
    let rest = vec(select(pieces.to_vec()), 0..9).prop_map(|pieces| pieces.concat());
    (transport, rest).prop_map(|(transport, rest)| transport.to_owned() + &rest)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_endpoint_round_trips(endpoint in endpoint()) {
        prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }

    #[test]
    fn parsed_text_round_trips(text in near_endpoint()) {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }

    #[test]
    fn routes_alternate_and_keep_ip_version_of_source(
        endpoint in tcp(), addresses in vec(any::<SocketAddr>(), 0..6),
    ) {
        let from = endpoint.source().and_then(|source| source.ip);
        let reachable = addresses.iter().filter(|to| from.is_none_or(|ip| ip.is_ipv4() == to.is_ipv4()));
        let routes = endpoint.routes(addresses.clone());
        prop_assert_eq!(routes.first().map(|route| &route.to), reachable.clone().next());
        for is_ipv4 in [false, true] {
            let kept = routes.iter().map(|route| &route.to).filter(|to| to.is_ipv4() == is_ipv4);
            prop_assert!(kept.eq(reachable.clone().filter(|to| to.is_ipv4() == is_ipv4)));
        }
        for (place, pair) in routes.windows(2).enumerate() {
            let alternates = pair[0].to.is_ipv4() != pair[1].to.is_ipv4();
            prop_assert!(alternates || routes[place + 1..].iter().all(|route| route.to.is_ipv4() == pair[1].to.is_ipv4()));
        }
        for route in routes {
            prop_assert_eq!(route.from.is_some(), endpoint.source().is_some());
            if let (Some(source), Some(from)) = (endpoint.source(), route.from) {
                prop_assert_eq!(from.port(), source.port);
                prop_assert_eq!(from.is_ipv4(), route.to.is_ipv4());
                prop_assert!(source.ip.map_or_else(|| from.ip().is_unspecified(), |ip| ip == from.ip()));
            }
        }
    }
}
