//! Examples on the pages of the types of sockets. Each is compiled and run on each runtime.

/// Expands to the text of the example of a kind of socket, for the runtime that the tuple describes.
#[doc(hidden)]
#[macro_export]
macro_rules! socket_example {
    ($kind:ident ($module:literal, $wait:literal, $limit:literal, $open:literal, $close:literal)) => {
        concat!(
            "use sansmq::", $module, "::", $crate::socket_example!(@types $kind), ";\n\n",
            $open, "\n",
            $crate::socket_example!(@code $kind $wait $limit),
            $close, "\n",
        )
    };

    (@types Req) => { "{RepSocket, ReqSocket}" };
    (@types Rep) => { "{RepSocket, ReqSocket}" };
    (@types Dealer) => { "{DealerSocket, RouterSocket}" };
    (@types Router) => { "{DealerSocket, RouterSocket}" };
    (@types Pair) => { "PairSocket" };
    (@types Push) => { "{PullSocket, PushSocket}" };
    (@types Pull) => { "{PullSocket, PushSocket}" };
    (@types Pub) => { "{PubSocket, SubSocket}" };
    (@types Sub) => { "{PubSocket, SubSocket}" };
    (@types XPub) => { "{SubSocket, XPubSocket}" };
    (@types XSub) => { "{PubSocket, XSubSocket}" };
    (@types Radio) => { "{DishSocket, RadioSocket}" };
    (@types Dish) => { "{DishSocket, RadioSocket}" };
    (@types Client) => { "{ClientSocket, ServerSocket}" };
    (@types Server) => { "{ClientSocket, ServerSocket}" };
    (@types Scatter) => { "{GatherSocket, ScatterSocket}" };
    (@types Gather) => { "{GatherSocket, ScatterSocket}" };
    (@types Channel) => { "ChannelSocket" };
    (@types Peer) => { "PeerSocket" };
    (@types Stream) => { "StreamSocket" };

    (@code Req $wait:literal $limit:literal) => { concat!(
        "let server = RepSocket::new();\n",
        "let endpoint = server.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let client = ReqSocket::new();\n",
        "client.connect(&endpoint)?;\n\n",
        "client.send(\"Hello\")", $wait, "?;\n",
        "let request = server.recv()", $wait, "?;\n",
        "assert_eq!(request.body(), \"Hello\");\n",
        "server.send(\"World\")", $wait, "?;\n",
        "assert_eq!(client.recv()", $wait, "?.body(), \"World\");\n",
    ) };
    (@code Rep $wait:literal $limit:literal) => { $crate::socket_example!(@code Req $wait $limit) };
    (@code Dealer $wait:literal $limit:literal) => { concat!(
        "let router = RouterSocket::new();\n",
        "let endpoint = router.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let dealer = DealerSocket::new();\n",
        "dealer.connect(&endpoint)?;\n\n",
        "// Several requests without waiting, each with an id. The answers arrive in any order.\n",
        "dealer.send((\"1\", \"first\"))", $wait, "?;\n",
        "dealer.send((\"2\", \"second\"))", $wait, "?;\n",
        "let [client, one, _] = router.recv()", $wait, "?.into_array().expect(\"routing id, id, body\");\n",
        "let [_, two, _] = router.recv()", $wait, "?.into_array().expect(\"routing id, id, body\");\n",
        "router.send((client.clone(), two, \"done\"))", $wait, "?;\n",
        "router.send((client, one, \"done\"))", $wait, "?;\n",
        "let [id, _] = dealer.recv()", $wait, "?.into_array().expect(\"an id and a body\");\n",
        "assert_eq!(id, \"2\");\n",
    ) };
    (@code Router $wait:literal $limit:literal) => { concat!(
        "let router = RouterSocket::new();\n",
        "let endpoint = router.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let dealer = DealerSocket::new();\n",
        "dealer.connect(&endpoint)?;\n",
        "dealer.send(\"Hello\")", $wait, "?;\n\n",
        "let [client, body] = router.recv()", $wait, "?.into_array().expect(\"a routing id and a body\");\n",
        "assert_eq!(body, \"Hello\");\n",
        "router.send((client, \"World\"))", $wait, "?;\n",
        "assert_eq!(dealer.recv()", $wait, "?.body(), \"World\");\n",
    ) };
    (@code Pair $wait:literal $limit:literal) => { concat!(
        "let left = PairSocket::new();\n",
        "left.bind(\"inproc://example\")", $wait, "?;\n",
        "let right = PairSocket::new();\n",
        "right.connect(\"inproc://example\")?;\n\n",
        "left.send(\"ready\")", $wait, "?;\n",
        "right.send(\"go\")", $wait, "?;\n",
        "assert_eq!(right.recv()", $wait, "?.body(), \"ready\");\n",
        "assert_eq!(left.recv()", $wait, "?.body(), \"go\");\n",
    ) };
    (@code Push $wait:literal $limit:literal) => { concat!(
        "let push = PushSocket::new();\n",
        "let endpoint = push.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let pull = PullSocket::new();\n",
        "pull.connect(&endpoint)?;\n\n",
        "push.send(\"job\")", $wait, "?;\n",
        "assert_eq!(pull.recv()", $wait, "?.body(), \"job\");\n",
    ) };
    (@code Pull $wait:literal $limit:literal) => { $crate::socket_example!(@code Push $wait $limit) };
    (@code Pub $wait:literal $limit:literal) => { concat!(
        "let publisher = PubSocket::new();\n",
        "let endpoint = publisher.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let subscriber = SubSocket::new();\n",
        "subscriber.subscribe(\"weather.\")?;\n",
        "subscriber.connect(&endpoint)?;\n\n",
        "publisher.wait_subscribed(\"weather.\", 1", $limit, ")", $wait, "?;\n",
        "publisher.send((\"sports.goal\", \"1:0\"))", $wait, "?;\n",
        "publisher.send((\"weather.rain\", \"3 mm\"))", $wait, "?;\n",
        "let [topic, body] = subscriber.recv()", $wait, "?.into_array().expect(\"a topic and a body\");\n",
        "assert_eq!((topic, body), (\"weather.rain\".into(), \"3 mm\".into()));\n",
    ) };
    (@code Sub $wait:literal $limit:literal) => { $crate::socket_example!(@code Pub $wait $limit) };
    (@code XPub $wait:literal $limit:literal) => { concat!(
        "let publisher = XPubSocket::new();\n",
        "let endpoint = publisher.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let subscriber = SubSocket::new();\n",
        "subscriber.subscribe(\"weather.\")?;\n",
        "subscriber.connect(&endpoint)?;\n\n",
        "assert_eq!(publisher.recv()", $wait, "?.body(), b\"\\x01weather.\");\n",
        "publisher.send(\"weather.rain\")", $wait, "?;\n",
        "assert_eq!(subscriber.recv()", $wait, "?.body(), \"weather.rain\");\n",
    ) };
    (@code XSub $wait:literal $limit:literal) => { concat!(
        "let publisher = PubSocket::new();\n",
        "let endpoint = publisher.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let subscriber = XSubSocket::new();\n",
        "subscriber.connect(&endpoint)?;\n",
        "subscriber.send(\"\\u{1}weather.\")", $wait, "?; // as subscribe(\"weather.\") does\n\n",
        "publisher.wait_subscribed(\"weather.\", 1", $limit, ")", $wait, "?;\n",
        "publisher.send(\"weather.rain\")", $wait, "?;\n",
        "assert_eq!(subscriber.recv()", $wait, "?.body(), \"weather.rain\");\n",
    ) };
    (@code Radio $wait:literal $limit:literal) => { concat!(
        "let radio = RadioSocket::new();\n",
        "let endpoint = radio.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let dish = DishSocket::new();\n",
        "dish.join(\"weather\")?;\n",
        "dish.connect(&endpoint)?;\n\n",
        "radio.wait_subscribed(\"weather\", 1", $limit, ")", $wait, "?;\n",
        "radio.send((\"weather\", \"rain\"))", $wait, "?;\n",
        "let [group, body] = dish.recv()", $wait, "?.into_array().expect(\"a group and a body\");\n",
        "assert_eq!((group, body), (\"weather\".into(), \"rain\".into()));\n",
    ) };
    (@code Dish $wait:literal $limit:literal) => { $crate::socket_example!(@code Radio $wait $limit) };
    (@code Client $wait:literal $limit:literal) => { concat!(
        "let server = ServerSocket::new();\n",
        "let endpoint = server.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let client = ClientSocket::new();\n",
        "client.connect(&endpoint)?;\n",
        "client.send(\"Hello\")", $wait, "?;\n\n",
        "let [id, body] = server.recv()", $wait, "?.into_array().expect(\"a routing id and a body\");\n",
        "assert_eq!(body, \"Hello\");\n",
        "server.send((id, \"World\"))", $wait, "?;\n",
        "assert_eq!(client.recv()", $wait, "?.body(), \"World\");\n",
    ) };
    (@code Server $wait:literal $limit:literal) => { $crate::socket_example!(@code Client $wait $limit) };
    (@code Scatter $wait:literal $limit:literal) => { concat!(
        "let scatter = ScatterSocket::new();\n",
        "let endpoint = scatter.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let gather = GatherSocket::new();\n",
        "gather.connect(&endpoint)?;\n\n",
        "scatter.send(\"job\")", $wait, "?;\n",
        "assert_eq!(gather.recv()", $wait, "?.body(), \"job\");\n",
    ) };
    (@code Gather $wait:literal $limit:literal) => { $crate::socket_example!(@code Scatter $wait $limit) };
    (@code Channel $wait:literal $limit:literal) => { concat!(
        "let left = ChannelSocket::new();\n",
        "left.bind(\"inproc://example-channel\")", $wait, "?;\n",
        "let right = ChannelSocket::new();\n",
        "right.connect(\"inproc://example-channel\")?;\n\n",
        "left.send(\"ready\")", $wait, "?;\n",
        "right.send(\"go\")", $wait, "?;\n",
        "assert_eq!(right.recv()", $wait, "?.body(), \"ready\");\n",
        "assert_eq!(left.recv()", $wait, "?.body(), \"go\");\n",
    ) };
    (@code Peer $wait:literal $limit:literal) => { concat!(
        "let bound = PeerSocket::new();\n",
        "let endpoint = bound.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let caller = PeerSocket::new();\n",
        "let callee = caller.connect_peer(&endpoint)?;\n\n",
        "caller.send((callee, \"Hello\"))", $wait, "?;\n",
        "let [id, body] = bound.recv()", $wait, "?.into_array().expect(\"a routing id and a body\");\n",
        "assert_eq!(body, \"Hello\");\n",
        "bound.send((id, \"World\"))", $wait, "?;\n",
        "assert_eq!(caller.recv()", $wait, "?.body(), \"World\");\n",
    ) };
    (@code Stream $wait:literal $limit:literal) => { concat!(
        "let server = StreamSocket::new();\n",
        "let endpoint = server.bind(\"tcp://127.0.0.1:*\")", $wait, "?;\n",
        "let client = StreamSocket::new(); // or any program that uses TCP\n",
        "client.connect(&endpoint)?;\n\n",
        "let [peer, connected] = client.recv()", $wait, "?.into_array().expect(\"a routing id and bytes\");\n",
        "assert!(connected.is_empty());\n",
        "client.send((peer, \"GET / HTTP/1.0\\r\\n\\r\\n\"))", $wait, "?;\n\n",
        "let [peer, connected] = server.recv()", $wait, "?.into_array().expect(\"a routing id and bytes\");\n",
        "assert!(connected.is_empty());\n",
        "let [from, request] = server.recv()", $wait, "?.into_array().expect(\"a routing id and bytes\");\n",
        "assert_eq!(from, peer);\n",
        "assert!(request.starts_with(b\"GET /\"));\n",
    ) };
}
