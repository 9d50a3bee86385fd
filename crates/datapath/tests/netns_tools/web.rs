//! curl and a web server: whole files both ways over both families, and no answer from a port that is not allowed.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::AtomicBool,
};

use palisade_abi::{flow::Direction, verdict::Reason};

use crate::{
    scene::{CLOSED, Host, Scene, VM},
    tool::{self, Said},
    traffic::{Echo, read_some},
};

/// Bytes of a file: more than the buffers on the way hold.
const FILE: usize = 5_000_000;
/// curl's code for what took too long.
const TIMEOUT: i32 = 28;

/// Byte `index` of the file.
fn byte(index: usize) -> u8 {
    (index * 31 + index / 251) as u8
}

fn file() -> Vec<u8> {
    (0..FILE).map(byte).collect()
}

/// Answers one request: GET with the file, PUT with whether the file arrived.
fn serve(mut stream: TcpStream, stop: &AtomicBool) {
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    let body_at = loop {
        match read_some(&mut stream, &mut bytes, stop) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend(&bytes[..length]),
        }
        if let Some(at) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let answer = if request.starts_with(b"PUT ") {
        let mut body = request.split_off(body_at);
        stream.set_read_timeout(None).expect("a socket can be");
        let read = (&stream).take((FILE - body.len()) as u64).read_to_end(&mut body);
        if read.is_ok() && body == file() { b"whole".to_vec() } else { b"damaged".to_vec() }
    } else {
        file()
    };
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
    let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer));
}

fn curl(scene: &Scene, arguments: &[&str], url: &str) -> Said {
    let mut command = scene.peer.command("curl");
    tool::run(command.args(["-s", "-S", "--max-time", "30"]).args(arguments).arg(url))
}

#[test]
fn curl_gets_and_puts_whole_files_where_it_may() {
    if !tool::are_here(&[("curl", "curl")]) {
        return;
    }
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(&["allow tcp * * 80", "deny * * * *"], CLOSED);
    let _server = Echo::serve(&scene.vm, &[80, 81], serve);
    let sent = std::env::temp_dir().join(format!("palisade-curl-{}", std::process::id()));
    let got = sent.with_extension("got");
    std::fs::write(&sent, file()).expect("there is room");
    let [sent_path, got_path] = [&sent, &got].map(|path| path.to_str().expect("it is ASCII"));
    for url in [format!("http://{}/", VM.v4), format!("http://[{}]/", VM.v6)] {
        assert_eq!(curl(&scene, &["-o", got_path], &url).code, Some(0), "{url}");
        assert!(std::fs::read(&got).expect("it was written") == file(), "{url} came damaged");
        let said = curl(&scene, &["-H", "Expect:", "-T", sent_path], &url);
        assert_eq!((said.code, said.out.as_str()), (Some(0), "whole"), "{url}");
        let denied = format!("{}:81/", url.trim_end_matches('/'));
        assert_eq!(curl(&scene, &["--connect-timeout", "1"], &denied).code, Some(TIMEOUT), "{denied}");
    }
    let counters = scene.counters();
    let [inbound, outbound] = [&counters.inbound, &counters.outbound];
    assert_eq!((counters.flows_created, outbound.dropped()), (4, 0), "{counters:?}");
    assert_eq!(inbound.dropped(), scene.counted(Direction::Inbound, Reason::SubnetDeny), "{counters:?}");
    assert!(inbound.bytes > 2 * FILE as u64 && outbound.bytes > 2 * FILE as u64, "{counters:?}");
    for path in [sent, got] {
        let _gone = std::fs::remove_file(path);
    }
}
