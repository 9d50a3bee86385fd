//! The live detectors: records of a real agent's connection become alerts that are kept, counted and acknowledged.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use palisade_abi::flow::{Direction, FlowState};
use palisade_agent::{
    compile::RuleNames,
    events::{Kind, NameBook, NicNames, Record},
};
use palisade_net::packet::TcpFlags;
use palisade_server::{FlowsTo, Running, ServerOptions};
use serde_json::{Value, json};

use crate::{
    client::Client,
    records::{Host, Place, begun, now_ms},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// One try at a password: it began at a time, and was over half a second later.
fn guess(time_ms: u64, port: u16) -> Record {
    Record {
        kind: Kind::End,
        time_ms: time_ms + 500,
        local: ("10.0.0.4".parse().unwrap(), 3_389),
        remote: ("203.0.113.9".parse().unwrap(), port),
        direction: Direction::Inbound,
        state: Some(FlowState::Established),
        began_ms: Some(time_ms),
        packets: [9, 9],
        bytes: [2_000, 2_000],
        tcp_flags: Some([TcpFlags(0x1b), TcpFlags(0x1b)]),
        ..begun(port)
    }
}

/// What the host calls its only interface.
pub(crate) fn book(nic: &str) -> NameBook {
    let names = NicNames {
        id: nic.to_owned().into(),
        name: "web1-nic".to_owned(),
        interface: "tap0".to_owned(),
        rules: Arc::new(RuleNames::default()),
    };
    let mut book = NameBook::default();
    book.note(1, 0, names);
    book
}

/// Tells of tries, one a second, the last one a moment ago.
async fn guesses(host: &mut Host, nic: &str, count: u16, first_port: u16) {
    let begin = now_ms() - u64::from(count) * 1_000;
    for number in 0..count {
        host.recorder.add(&guess(begin + u64::from(number) * 1_000, first_port + number), &book(nic));
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    host.recorder.keep_time();
}

async fn alerts(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/api/v1/alerts{query}")).await.expect(200);
    answer.body["value"].as_array().unwrap().clone()
}

/// Waits until the alerts are as they should be.
pub(crate) async fn until(client: &Client, query: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = alerts(client, query).await;
        if is_it(&found) {
            return found;
        }
        assert!(Instant::now() < end, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A network interface of a virtual machine; its id.
pub(crate) async fn machine(client: &Client, subscription: &str) -> (String, String) {
    let group = format!("/subscriptions/{subscription}/resourceGroups/lab");
    client.put(&group, json!({ "location": "westeurope" })).await;
    let network = format!("{group}/providers/Microsoft.Network");
    let vnet = format!("{network}/virtualNetworks/v");
    let body = json!({ "location": "westeurope", "properties": {
        "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        "subnets": [{ "name": "s", "properties": { "addressPrefix": "10.0.0.0/24" } }],
    } });
    client.put(&vnet, body).await.expect(201);
    let vm = format!("{group}/providers/Microsoft.Compute/virtualMachines/web1");
    let nic = format!("{network}/networkInterfaces/web1-nic");
    let body = json!({ "location": "westeurope", "properties": {
        "virtualMachine": { "id": vm },
        "ipConfigurations": [{ "name": "a", "properties": {
            "privateIPAddress": "10.0.0.4", "privateIPAllocationMethod": "Static",
            "subnet": { "id": format!("{vnet}/subnets/s") },
        } }],
    } });
    client.put(&nic, body).await.expect(201);
    (nic, vm)
}

/// A server at this place, a host of it, and its first principal.
pub(crate) async fn begin(place: &Place, change: impl FnOnce(&mut ServerOptions)) -> (Running, Host, Client) {
    let server = place.serve_with("127.0.0.1:0".parse().unwrap(), change).await;
    let client = Client::of(&server).await;
    let follow = place.follow(&server).await;
    let host = place.connect(&follow);
    (server, host, client)
}

/// The body of one request, which is taken.
fn posted(listener: &TcpListener) -> Value {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let lines: Vec<String> =
        reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let length =
        lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 204 Taken\r\ncontent-length: 0\r\n\r\n").unwrap();
    serde_json::from_slice(&body).unwrap()
}

pub(crate) async fn end(server: Running, host: Host) {
    tokio::task::spawn_blocking(move || drop((host.recorder, host.link))).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_try_a_second_is_an_alert_by_the_tenth() {
    let place = Place::new();
    let hook = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", hook.local_addr().unwrap());
    let (server, mut host, client) = begin(&place, |options| {
        options.flows = FlowsTo::Watched;
        options.notify.targets = vec![url.parse().unwrap()];
        options.notify.secret = Some(b"0123456789abcdef".to_vec());
    })
    .await;
    let told = tokio::task::spawn_blocking(move || posted(&hook));
    let (nic, vm) = machine(&client, &server.app().site.subscription).await;
    guesses(&mut host, &nic, 10, 40_000).await;
    let found = until(&client, "", |found| !found.is_empty()).await;
    let alert = &found[0];
    assert_eq!(alert["name"], "RDP_Incoming_BF_OneToOne");
    assert_eq!(
        [&alert["subject"], &alert["victims"], &alert["port"], &alert["state"], &alert["severity"]],
        [&json!("203.0.113.9"), &json!(["10.0.0.4"]), &json!(3389), &json!("Open"), &json!("Medium")]
    );
    assert_eq!(
        [&alert["nic"], &alert["machine"], &alert["host"]],
        [&json!(nic), &json!(vm), &json!("host-a")]
    );
    assert_eq!((&alert["flows"], &alert["count"]), (&json!(6), &json!(1)), "{alert:#}");
    assert_eq!(alert["explain"]["guesses"], 6);
    // The same was told elsewhere.
    let told = told.await.unwrap();
    for field in ["id", "name", "subject", "victims", "machine", "nic", "host", "evidence", "last"] {
        assert_eq!(told["alert"][field], alert[field], "{field}");
    }
    // Filters, one alert, and what is no alert.
    let path = format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap());
    assert_eq!(&client.get(&path).await.expect(200).body, alert);
    for (query, count) in [
        ("?state=open&severity=medium&kind=bruteforce&machine=WEB1", 1),
        ("?severity=high", 0),
        ("?state=acknowledged", 0),
        ("?machine=web2", 0),
        ("?since=2100-01-01T00:00:00Z", 0),
        ("?until=2020-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(alerts(&client, query).await.len(), count, "{query}");
    }
    for query in ["?state=closed", "?severity=bad", "?kind=scans", "?limit=0", "?since=yesterday"] {
        client.get(&format!("/api/v1/alerts{query}")).await.refused(400, "InvalidParameter");
    }
    client.get("/api/v1/alerts/000000000000").await.refused(404, "AlertNotFound");
    let status = client.get("/api/v1/status").await.expect(200).body;
    assert_eq!((&status["alerts"]["open"], &status["alerts"]["grave"]), (&json!(1), &json!(0)));
    assert_eq!((&status["detectors"]["lost"], &status["detectors"]["raised"]), (&json!(0), &json!(1)));
    end(server, host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_stay_through_a_restart_and_are_not_raised_twice() {
    let place = Place::new();
    let kept = |options: &mut ServerOptions| options.flows = FlowsTo::Store(place.store());
    let (server, mut host, client) = begin(&place, kept).await;
    guesses(&mut host, "/nics/web1", 12, 40_000).await;
    let first = until(&client, "", |found| found.len() == 1).await;
    // What is acknowledged in the store is there for the next server's detectors.
    place.stored_until(12).await;
    let agents = server.agents_address().unwrap();
    server.stop().await;
    let server = place.serve_with(agents, kept).await;
    let client = client.at(&server);
    // The series goes on: these detectors know that it was told, so that nothing is raised for three more tries.
    guesses(&mut host, "/nics/web1", 3, 41_000).await;
    place.stored_until(15).await;
    let watched = |status: &Value| status["detectors"]["connections"].as_u64() >= Some(15);
    let begin = Instant::now();
    while !watched(&client.get("/api/v1/status").await.expect(200).body) {
        assert!(begin.elapsed() < PATIENCE, "the detectors see past and present");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(alerts(&client, "").await, first);
    // Acknowledged, with a note, once, and in the audit log.
    let path = format!("/api/v1/alerts/{}/acknowledge", first[0]["id"].as_str().unwrap());
    client.post(&path, json!({ "comment": "x" })).await.expect(400);
    let done = client.post(&path, json!({ "note": "our scanner" })).await.expect(200).body;
    assert_eq!((&done["state"], &done["note"]), (&json!("Acknowledged"), &json!("our scanner")));
    assert!(done["acknowledgedBy"].is_string() && done["acknowledgedAt"].is_string(), "{done}");
    assert_eq!(client.post(&path, json!({ "note": "another" })).await.expect(200).body, done);
    let log = client.get("/api/v1/audit?limit=1000").await.expect(200).body;
    let entries = log["value"].as_array().unwrap();
    let acks = entries.iter().filter(|entry| entry["verb"] == "acknowledge alert").count();
    assert_eq!((acks, entries.iter().filter(|entry| entry["verb"] == "raise alert").count()), (1, 1));
    end(server, host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machines_timeline_tells_what_happened_in_order() {
    let place = Place::new();
    let (server, mut host, client) =
        begin(&place, |options| options.flows = FlowsTo::Store(place.store())).await;
    let (nic, vm) = machine(&client, &server.app().site.subscription).await;
    guesses(&mut host, &nic, 10, 40_000).await;
    let found = until(&client, "", |found| !found.is_empty()).await;
    place.stored_until(10).await;
    let path = format!("/api/v1/alerts/{}/acknowledge", found[0]["id"].as_str().unwrap());
    client.post(&path, json!({ "note": "seen" })).await.expect(200);
    let told = client.get("/api/v1/timeline?machine=WEB1").await.expect(200).body;
    assert_eq!(
        [&told["machine"], &told["hasFlows"], &told["isCutOff"]],
        [&json!(vm), &json!(true), &json!(false)]
    );
    let items = told["value"].as_array().unwrap();
    let times: Vec<&str> = items.iter().map(|item| &item["time"].as_str().unwrap()[..19]).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of = |what: &str| items.iter().filter(|item| item["what"] == what).collect::<Vec<_>>();
    // The ten tries were before the network's write or around it, so they may be parted.
    let flows: u64 = of("flow").iter().map(|flow| flow["count"].as_u64().unwrap()).sum();
    assert_eq!(flows, 10, "{items:#?}");
    let flow = of("flow")[0];
    assert_eq!([&flow["remotes"], &flow["ports"]], [&json!(["203.0.113.9"]), &json!([3389])]);
    assert_eq!([&flow["fate"], &flow["outcome"]], [&json!("allowed"), &json!("answered")]);
    let targets: Vec<_> = of("policy").iter().map(|entry| entry["target"].clone()).collect();
    assert!(targets.contains(&json!(nic)), "{targets:?}");
    let [alert] = of("alert")[..] else { panic!("{items:#?}") };
    assert_eq!([&alert["id"], &alert["state"]], [&found[0]["id"], &json!("Acknowledged")]);
    let [ack] = of("acknowledgement")[..] else { panic!("{items:#?}") };
    assert!(ack["summary"].as_str().unwrap().ends_with(": seen"), "{ack}");
    let place_of = |one: &Value| items.iter().position(|item| item == one);
    assert!(place_of(ack) > place_of(alert));
    // The same by its id and for another time; and what is no machine.
    let none = format!("/api/v1/timeline?machine={vm}&since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z");
    assert_eq!(client.get(&none).await.expect(200).body["value"], json!([]));
    client.get("/api/v1/timeline?machine=nobody").await.refused(404, "MachineNotFound");
    client.get("/api/v1/timeline").await.refused(400, "InvalidParameter");
    let wrong = "/api/v1/timeline?machine=web1&since=2020-01-02T00:00:00Z&until=2020-01-01T00:00:00Z";
    client.get(wrong).await.refused(400, "InvalidParameter");
    end(server, host).await;
}
