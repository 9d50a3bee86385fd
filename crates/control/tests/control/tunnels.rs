//! Tunnels: the one way that each opens, what policies say of it, limits, and what is left when it ends.

use palisade_control::access::{
    self, AccessVerb, Actor, Gone, Opening, Summary, TUNNELS_PER_PRINCIPAL_MAX, TunnelVerb, Way,
};
use palisade_control::{Action, ControlError, Effect, Outcome};
use palisade_model::ResourceId;
use serde_json::json;

use crate::access::{Bench, MACHINE, NIC, NOW, POLICY, end, policy, port};
use crate::support::{caller, id};

/// The host's end of the tunnel; the port is that of [`Bench::verdict`].
const HOST_END: &str = "198.51.100.1:50000";
const ELSEWHERE: &str = "198.51.100.2";

fn tunnel(name: &str) -> ResourceId {
    id(&format!("rg/Palisade.Access/tunnels/{name}"))
}

fn opening(port: u16) -> Opening {
    let way = Way {
        nic: id(NIC),
        address: "10.0.1.4".parse().expect("an address"),
        host: "h".parse().expect("a name"),
    };
    Opening {
        target: id(MACHINE),
        way,
        port,
        source: HOST_END.parse().expect("an address"),
        seconds: None,
        idle: 60,
        reason: "update".to_owned(),
        ticket: None,
    }
}

async fn act(bench: &Bench, name: &str, who: &str, verb: TunnelVerb) -> Result<Outcome, ControlError> {
    let actor = Actor { id: who.to_owned(), name: who.to_owned(), address: "192.0.2.9".to_owned() };
    bench.control.act(&caller(), Action::Tunnel { id: tunnel(name), verb, actor }).await
}

async fn begin(bench: &Bench, name: &str, who: &str, opening: Opening) -> Result<Outcome, ControlError> {
    act(bench, name, who, TunnelVerb::Begin(Box::new(opening))).await
}

fn ended() -> TunnelVerb {
    TunnelVerb::End(Summary { why: "Closed", to_machine: 1, from_machine: 2 })
}

fn stands(bench: &Bench, name: &str) -> Result<(), Gone> {
    bench.control.read(|world| access::stands(world, &tunnel(name), NOW))
}

#[tokio::test]
async fn a_tunnel_opens_one_way_until_its_end_and_closes_it_with_itself() {
    let bench = Bench::new().await;
    assert!(!bench.passes("198.51.100.1", 22));
    let opened = begin(&bench, "one", "ada", Opening { seconds: Some(60), ..opening(22) }).await;
    assert_eq!(opened.expect("no policy has the port").effect, Effect::Created);
    assert_eq!(bench.verdict("198.51.100.1", 22), (true, "tunnel-one".to_owned()));
    assert!(
        !bench.passes(ELSEWHERE, 22) && !bench.passes("198.51.100.1", 23),
        "nobody else, and nothing else"
    );
    let other = Opening { source: "198.51.100.2:50001".parse().expect("an address"), ..opening(22) };
    begin(&bench, "other", "ada", other).await.expect("another one");
    assert!(!bench.passes(ELSEWHERE, 22), "from one port only");
    bench.wait(60);
    assert!(!bench.passes("198.51.100.1", 22), "its time is over");
    begin(&bench, "two", "ada", opening(22)).await.expect("another one");
    assert_eq!(stands(&bench, "one"), Err(Gone::Revoked), "what has ended goes when the next one begins");
    assert!(bench.passes("198.51.100.1", 22));
    act(&bench, "two", "ada", ended()).await.expect("it was there");
    assert!(!bench.passes("198.51.100.1", 22));
    let again = act(&bench, "two", "ada", ended()).await.expect("that is no failure");
    assert_eq!(again.effect, Effect::Absent);
}

#[tokio::test]
async fn a_tunnel_to_a_door_keeps_to_the_policy() {
    let bench = Bench::new().await;
    let near = json!({"allowedSourceAddressPrefix": "192.0.2.0/24"});
    let far = json!({"allowedSourceAddressPrefix": "203.0.113.0/24"});
    let agreed = json!({"requiresApproval": true});
    let mut body = policy(&[port(22, &near), port(23, &far), port(3389, &agreed)]);
    body["properties"]["requiresJustification"] = true.into();
    bench.put(POLICY, body).await.expect("a policy");
    let refused = async |opening: Opening, code: &str| {
        let error = begin(&bench, "x", "ada", opening).await.expect_err(code);
        assert_eq!(error.code, code, "{}", error.message);
        assert_eq!(stands(&bench, "x"), Err(Gone::Revoked));
    };
    refused(opening(23), "JitSourceNotAllowed").await;
    refused(Opening { seconds: Some(4 * 3_600), ..opening(22) }, "JitDurationNotAllowed").await;
    refused(Opening { reason: String::new(), ..opening(22) }, "InvalidJitNetworkAccessPolicy").await;
    refused(Opening { seconds: Some(9 * 3_600), ..opening(80) }, "TunnelTooLong").await;
    refused(opening(3389), "JitApprovalNeeded").await;
    begin(&bench, "near", "ada", opening(22)).await.expect("the policy allows it");

    let request = bench.ask("ada", &end(1_800)).await.expect("it may be asked for");
    refused(opening(3389), "JitApprovalNeeded").await;
    bench.act(AccessVerb::Approve(request.clone()), "bob").await.expect("somebody else approves");
    let error = begin(&bench, "x", "bob", opening(3389)).await.expect_err("it is ada's");
    assert_eq!(error.code, "JitApprovalNeeded");
    let opened = begin(&bench, "x", "ada", opening(3389)).await.expect("it is approved");
    let properties = &opened.resource.expect("the tunnel")["properties"];
    assert_eq!(
        properties["endTimeUtc"],
        palisade_control::time::rfc3339(NOW + 1_800),
        "no longer than the request"
    );
    assert_eq!(stands(&bench, "x"), Ok(()));
    bench.act(AccessVerb::Close(request), "bob").await.expect("it is open");
    assert_eq!(stands(&bench, "x"), Err(Gone::RequestEnded));
}

#[tokio::test]
async fn tunnels_are_limited_and_nobody_writes_one() {
    let bench = Bench::new().await;
    for number in 0..TUNNELS_PER_PRINCIPAL_MAX {
        begin(&bench, &format!("t{number}"), "ada", opening(22)).await.expect("within the limit");
    }
    let error = begin(&bench, "more", "ada", opening(22)).await.expect_err("one too many");
    assert_eq!((error.status, &*error.code), (409, "TunnelLimitReached"));
    begin(&bench, "more", "bob", opening(22)).await.expect("somebody else has his own");
    let body = json!({"properties": {"networkInterface": {"id": id(NIC).as_str()}}});
    let error = bench.put("rg/Palisade.Access/tunnels/own", body).await.expect_err("not by hand");
    assert_eq!((error.status, &*error.code), (405, "MethodNotAllowed"));
}
