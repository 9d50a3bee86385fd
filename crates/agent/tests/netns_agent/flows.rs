//! What is told of flows: at the socket as it happens, and as a list.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;

use palisade_agent::list_flows;
use serde_json::Value;

use crate::fleet::wait_for;
use crate::stage::{Stage, VM};
use crate::{ANSWER, OPEN, SHUT, answers, enforced_machine, is_dropped, stage};

/// Somebody who listens.
fn listen(stage: &Stage) -> BufReader<UnixStream> {
    let path = stage.instance().events_socket();
    let stream = wait_for("the agent to listen", || UnixStream::connect(&path).ok());
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    BufReader::new(stream)
}

/// Lets things happen until a line of this kind comes.
fn told(stage: &Stage, listener: &mut BufReader<UnixStream>, kind: &str, port: u16) -> Value {
    wait_for("a line", || {
        // Whoever has just begun to listen hears of what happens from now on, and a packet that was denied before is
        // told again after a while only: each time it is another.
        stage.host_socket().send_to(b"?", (VM, port)).unwrap();
        let mut line = String::new();
        listener.read_line(&mut line).ok()?;
        let told: Value = serde_json::from_str(&line).unwrap();
        (told["kind"] == kind && told["destinationPort"] == port).then_some(told)
    })
}

#[test]
fn flows_are_told_with_the_names_of_nics_and_rules() {
    let Some(stage) = stage() else { return };
    let (agent, _server) = enforced_machine(&stage);
    is_dropped(&stage, SHUT);
    let mut listener = listen(&stage);

    let denied = told(&stage, &mut listener, "deny", SHUT);
    assert_eq!((&denied["nic"], &denied["interface"]), (&"web1-nic".into(), &"vm0".into()));
    assert_eq!((&denied["reason"], &denied["direction"]), (&"SubnetDeny".into(), &"Inbound".into()));
    let rule = &denied["rules"][0];
    assert_eq!((&rule["list"], &rule["layer"]), (&"web-nsg".into(), &"Subnet".into()));
    assert_eq!(rule["rule"], "defaultSecurityRules/DenyAllInBound");

    let mut other = listen(&stage);
    let told_twice = [&mut listener, &mut other].map(|listener| {
        // Every flow begins once: each listener has one of its own.
        wait_for("a flow to begin", || {
            assert!(answers(&stage, OPEN, ANSWER));
            Some(next_begin(listener)).flatten()
        })
    });
    for began in told_twice {
        assert_eq!(began["rules"][0]["rule"], "securityRules/allow-echo");
        assert!(began["timeMs"].as_u64() >= began["beganMs"].as_u64(), "{began}");
    }

    // It is killed, with somebody listening.
    drop(agent);
    let agent = stage.start_agent();
    wait_for("the next agent to take over", || stage.status().agent_running.then_some(()));
    let mut listener = listen(&stage);
    let denied = told(&stage, &mut listener, "deny", SHUT);
    assert_eq!(denied["rules"][0]["rule"], "defaultSecurityRules/DenyAllInBound");
    assert!(agent.stop().success());
    assert!(!stage.instance().events_socket().exists());
}

/// The next line that tells of a flow that began, if one comes.
fn next_begin(listener: &mut BufReader<UnixStream>) -> Option<Value> {
    loop {
        let mut line = String::new();
        listener.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let told: Value = serde_json::from_str(&line).unwrap();
        if told["kind"] == "begin" && told["destinationPort"] == OPEN {
            return Some(told);
        }
    }
}

#[test]
fn the_flows_that_the_kernel_knows_are_listed() {
    let Some(stage) = stage() else { return };
    let (agent, _server) = enforced_machine(&stage);
    assert!(agent.stop().success());
    let mut flows: Vec<Value> = Vec::new();
    list_flows(stage.instance(), &mut |line| flows.push(serde_json::from_str(line).unwrap())).unwrap();
    let ours: Vec<_> = flows.iter().filter(|flow| flow["destinationPort"] == OPEN).collect();
    let [flow] = ours[..] else { panic!("{flows:?}") };
    assert_eq!((&flow["nic"], &flow["state"]), (&"web1-nic".into(), &"UdpAnswered".into()));
    assert_eq!((&flow["packetsToDestination"], &flow["packetsToSource"]), (&1.into(), &1.into()));
}
