//! Tests of the feature `serde` of the facade: values that programs store are the same after a round trip through JSON.

use sansmq::runtime::{ProxyStatistics, ProxyTraffic, SocketTraffic};
use sansmq::{Endpoint, Frame, Message};

#[test]
fn proxy_statistics_are_restored_from_json() {
    let mut statistics = ProxyStatistics::default();
    let received = ProxyTraffic { messages: 1, frames: 2, bytes: 30 };
    statistics.frontend = SocketTraffic { received, sent: ProxyTraffic::default() };
    statistics.dropped = 4;
    let json = serde_json::to_value(statistics).unwrap();
    assert_eq!((&json["frontend"]["received"]["bytes"], &json["dropped"]), (&30.into(), &4.into()));
    assert_eq!(serde_json::from_value::<ProxyStatistics>(json).unwrap(), statistics);
    // Statistics that were stored by an older version have fewer fields.
    assert_eq!(serde_json::from_str::<ProxyStatistics>(r#"{"captured": 5}"#).unwrap().captured, 5);
}

#[test]
fn job_with_endpoint_and_message_is_restored_from_json() {
    let job: (Endpoint, Frame, Message) =
        ("ipc://@jobs".parse().unwrap(), Frame::from(&[0, 255]), Message::from(("id", "", vec![1, 2])));
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(json, r#"["ipc://@jobs",[0,255],[[105,100],[],[1,2]]]"#);
    assert_eq!(serde_json::from_str::<(Endpoint, Frame, Message)>(&json).unwrap(), job);
    let error = serde_json::from_str::<Endpoint>(r#""jobs""#).unwrap_err();
    assert!(error.to_string().contains("write it like tcp://127.0.0.1:5555"), "{error}");
}
