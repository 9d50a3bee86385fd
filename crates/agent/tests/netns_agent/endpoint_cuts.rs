//! Connections through endpoints with real packets: they end with the endpoint that they came through, and no others do.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Instant;

use crate::endpoints::{FRONTENDS, LISTED, PUBLIC_PORT, SILENCE, endpoints, estate, in_force, serve, stage};
use crate::fleet::wait_for;
use crate::stage::{Stage, inside};
use crate::{ANSWER, OPEN};

/// Another public port.
const MOVED_PORT: u16 = 50_002;

/// The estate with endpoints of both transports; `without` is the rule that no machine names.
fn both_transports(without: Option<&str>) -> String {
    let text = estate(OPEN);
    let text = text.replace(r#""protocol": "Udp", "frontendPort""#, r#""protocol": "All", "frontendPort""#);
    let text = text.replace(r#""protocol": "Udp""#, r#""protocol": "*""#);
    let Some(name) = without else { return text };
    let id = format!("[resourceId('Microsoft.Network/loadBalancers/inboundNatRules', 'lb', '{name}')]");
    text.replace(&format!(r#"[{{"id": "{id}"}}]"#), "[]")
}

/// Something that goes on between an address outside and the machine.
enum Talk {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Talk {
    fn udp(outside: &OwnedFd, from: &str, to: SocketAddr) -> Self {
        let from: std::net::IpAddr = from.parse().unwrap();
        let socket = inside(outside, || {
            let socket = UdpSocket::bind(SocketAddr::new(from, 0)).unwrap();
            socket.connect(to).unwrap();
            socket
        });
        Self::Udp(socket)
    }

    fn tcp(outside: &OwnedFd, to: SocketAddr) -> Self {
        Self::Tcp(inside(outside, || TcpStream::connect_timeout(&to, ANSWER).unwrap()))
    }

    /// Whether the machine answers.
    fn goes_on(&mut self, patience: std::time::Duration) -> bool {
        match self {
            Self::Udp(socket) => {
                socket.set_read_timeout(Some(patience)).unwrap();
                socket.send(b"?").is_ok() && socket.recv(&mut [0; 8]).is_ok()
            }
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(patience)).unwrap();
                stream.write_all(b"?").is_ok() && stream.read_exact(&mut [0]).is_ok()
            }
        }
    }

    /// The same of a first datagram, for which neighbours may still be looked.
    fn begins(mut self) -> Self {
        assert!((0..3).any(|_| self.goes_on(ANSWER)), "it does not begin");
        self
    }
}

fn public(family: usize, port: u16) -> SocketAddr {
    SocketAddr::new(FRONTENDS[family].parse().unwrap(), port)
}

/// Waits until so many endpoints are in force, and what came through others has ended.
fn settled(stage: &Stage, count: usize) {
    wait_for("the endpoints to be as they should", || {
        let found = endpoints(stage);
        (found.len() == count && found.iter().all(|endpoint| endpoint.in_force)).then_some(())
    });
}

#[test]
fn what_came_through_an_endpoint_ends_with_it_and_nothing_else_does() {
    let Some((stage, outside)) = stage() else { return };
    stage.write_text(&both_transports(None));
    let (_datagrams, _streams) = (serve(&stage), stage.serve_tcp(OPEN));
    let agent = stage.start_agent();
    in_force(&stage);
    let direct: SocketAddr = format!("10.0.0.4:{OPEN}").parse().unwrap();
    let mut through_four =
        [Talk::udp(&outside, LISTED[0], public(0, PUBLIC_PORT)), Talk::tcp(&outside, public(0, PUBLIC_PORT))]
            .map(Talk::begins);
    let mut through_six = Talk::udp(&outside, LISTED[1], public(1, PUBLIC_PORT)).begins();
    let mut past_them =
        [Talk::udp(&outside, LISTED[0], direct), Talk::tcp(&outside, direct)].map(Talk::begins);

    // One goes, while another keeps the kernel translating.
    let begun = Instant::now();
    stage.write_text(&both_transports(Some("four")));
    while through_four[1].goes_on(SILENCE) {}
    println!("a connection ended {:?} after the estate was written", begun.elapsed());
    settled(&stage, 1);
    assert!(through_four.iter_mut().all(|talk| !talk.goes_on(SILENCE)), "they end with their endpoint");
    assert!(through_six.goes_on(ANSWER), "that of another endpoint goes on");
    assert!(past_them.iter_mut().all(|talk| talk.goes_on(ANSWER)), "so does what came through none");
    let told = "connections through endpoints that are gone are ended (2)";
    wait_for("it to be told", || agent.log().contains(told).then_some(()));

    // It is killed; meanwhile one is moved to another port, and the other comes back.
    drop(agent);
    assert!(through_six.goes_on(ANSWER), "the kernel goes on");
    let moved = both_transports(None).replace(
        &format!(
            r#""frontendPort": {PUBLIC_PORT}, "backendPort": {OPEN},
               "allowedSourceAddressPrefixes": ["{}"]"#,
            LISTED[1]
        ),
        &format!(
            r#""frontendPort": {MOVED_PORT}, "backendPort": {OPEN},
               "allowedSourceAddressPrefixes": ["{}"]"#,
            LISTED[1]
        ),
    );
    assert!(moved.contains(&MOVED_PORT.to_string()));
    stage.write_text(&moved);
    let agent = stage.start_agent();
    settled(&stage, 2);
    assert!(!through_six.goes_on(SILENCE), "it came by the old port");
    assert!(past_them.iter_mut().all(|talk| talk.goes_on(ANSWER)));
    let mut again =
        [Talk::tcp(&outside, public(0, PUBLIC_PORT)), Talk::udp(&outside, LISTED[1], public(1, MOVED_PORT))]
            .map(Talk::begins);
    assert!(!through_four[1].goes_on(SILENCE), "a connection that has ended stays so");

    // An end of all.
    assert!(agent.stop().success());
    assert!(again.iter_mut().all(|talk| talk.goes_on(ANSWER)), "the kernel goes on");
    palisade_agent::remove(stage.instance()).unwrap();
    assert!(again.iter_mut().all(|talk| !talk.goes_on(SILENCE)), "they end with the last endpoint");
    assert!(past_them.iter_mut().all(|talk| talk.goes_on(ANSWER)));
}
