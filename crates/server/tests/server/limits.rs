//! Slow clients, many clients, and clients that ask too often.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use palisade_server::{Event, Events, limits::Rate};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::client::Site;

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_when_to_come_back() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let events = told.clone();
    let site = Site::with(move |options| {
        options.rate_per_principal = Rate { per_second: 1, burst: 5 };
        options.events = Events::to(move |event| events.lock().unwrap().push(event));
    })
    .await;
    let mut refused = None;
    for _ in 0..20 {
        let answer = site.client.get("/subscriptions").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit").refused(429, "TooManyRequests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let count =
        told.lock().unwrap().iter().filter(|event| matches!(event, Event::RateLimited { .. })).count();
    assert_eq!(count, 1);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_cut_off_and_keeps_nobody_waiting() {
    let site = Site::start().await;
    // Nothing is said, not even a handshake.
    let mut silent = TcpStream::connect(site.running.address()).await.unwrap();
    let begin = Instant::now();
    site.client.get("/subscriptions").await.expect(200);
    let patience = palisade_server::limits::HANDSHAKE_TIMEOUT + Duration::from_secs(5);
    let end = timeout(patience, silent.read(&mut [0; 16])).await.expect("the server hangs up");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?} after {:?}", begin.elapsed());
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed() {
    let site = Site::with(|options| options.connections_max = 3).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(TcpStream::connect(site.running.address()).await.unwrap());
    }
    // Those beyond the limit are closed without a word; it does not matter which they are. Nobody says anything: a place would be free
    // again as soon as its client has spoken nonsense.
    let mut closed = 0;
    for stream in &mut held {
        let read = timeout(Duration::from_millis(500), stream.read(&mut [0; 64])).await;
        closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    // The site's own client may hold a place since it logged in.
    assert!((5..=6).contains(&closed), "{closed} were closed");
    drop(held);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_places_says_so_and_slow_bodies_hold_none_for_long() {
    let site = Site::with(|options| options.requests_max = 1).await;
    // The only place is taken by somebody who does not finish.
    let mut slow = site.client.raw(&site.running).await;
    let head = format!(
        "POST /api/v1/joinTokens HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 9\r\n\r\n{{",
        site.client.token()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let begin = Instant::now();
    let wait = async |status: u16, patience: Duration| loop {
        let answer = site.client.stranger().get("/status").await;
        if answer.status == status {
            return answer;
        }
        assert!(begin.elapsed() < patience, "{answer:?}");
    };
    let refused = wait(503, Duration::from_secs(10)).await.refused(503, "ServerBusy");
    assert_eq!(refused.header("retry-after"), Some("1"));
    wait(200, palisade_server::limits::BODY_READ_TIMEOUT + Duration::from_secs(10)).await;
    let mut told = vec![0; 1_024];
    let length = slow.read(&mut told).await.unwrap();
    assert!(
        String::from_utf8_lossy(&told[..length]).starts_with("HTTP/1.1 408 "),
        "the slow one is told why"
    );
    site.running.stop().await;
}
