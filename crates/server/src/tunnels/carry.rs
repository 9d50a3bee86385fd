//! Bytes both ways between a client and a host, and what ends that.
//!
//! Each way waits for its own reader: what one side does not take is not read from the other, so a tunnel holds a few chunks and no more.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use palisade_client::tunnel::{FRAME_BYTES_MAX, Frame, read_frame, write_frame};
use palisade_sync::{
    TunnelDone, TunnelDown, TunnelUp, limits::TUNNEL_CHUNK_BYTES, tunnel_down::Message as Down,
    tunnel_up::Message as Up,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, split},
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};
use tonic::{Status, Streaming};

use super::{Ending, lock};

/// How long a client may take to read why its tunnel ended.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// How far the host's clock may be before ours, at the end of a tunnel's time.
const END_SLACK: Duration = Duration::from_secs(1);

/// How long a tunnel may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until when.
    pub(super) until: tokio::time::Instant,
    /// How long without a byte.
    pub(super) idle: Duration,
}

/// What has passed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) to_machine: u64,
    pub(super) from_machine: u64,
}

/// What both ways know of each other.
struct Shared(Mutex<State>);

struct State {
    passed: Passed,
    last: Instant,
    /// Ways on which everything was sent.
    done: u8,
    /// Whether a frame to the client is half written.
    is_writing: bool,
}

/// Carries bytes until something ends it, which may be `must_end`.
pub(super) async fn carry(
    client: impl AsyncRead + AsyncWrite + Unpin,
    mut incoming: Streaming<TunnelUp>,
    outgoing: mpsc::Sender<Result<TunnelDown, Status>>,
    limits: Limits,
    must_end: impl Future<Output = Ending>,
) -> (Ending, Passed) {
    let shared = Shared(Mutex::new(State {
        passed: Passed::default(),
        last: Instant::now(),
        done: 0,
        is_writing: false,
    }));
    let (from_client, mut to_client) = split(client);
    let mut from_client = BufReader::with_capacity(FRAME_BYTES_MAX, from_client);
    let ending = tokio::select! {
        ending = down(&mut from_client, &outgoing, &shared) => ending,
        ending = up(&mut incoming, &mut to_client, &shared) => ending,
        () = sleep_until(limits.until) => Ending::TimeLimit,
        () = idle(limits.idle, &shared) => Ending::IdleLimit,
        ending = must_end => ending,
    };
    let ending = match ending {
        // At its end the kernel cuts the connection to the machine, which the host may be the first to see.
        Ending::MachineGone if limits.until <= tokio::time::Instant::now() + END_SLACK => Ending::TimeLimit,
        ending => ending,
    };
    // The host's way ends with this: its agent closes the connection to the machine.
    drop(outgoing);
    if !shared.state().is_writing {
        let farewell = async {
            write_frame(&mut to_client, &Frame::End(ending.name().to_owned())).await?;
            to_client.shutdown().await?;
            // What comes is read until the client goes: a connection that is closed before is reset, and takes the reason with it.
            tokio::io::copy(&mut from_client, &mut tokio::io::sink()).await
        };
        let _gone = timeout(FAREWELL_TIMEOUT, farewell).await;
    }
    let passed = shared.state().passed;
    (ending, passed)
}

/// From the client to the host.
async fn down(
    client: &mut (impl AsyncRead + Unpin),
    host: &mpsc::Sender<Result<TunnelDown, Status>>,
    shared: &Shared,
) -> Ending {
    loop {
        let message = match read_frame(client).await {
            Ok(Some(Frame::Data(data))) => {
                shared.note(|passed| passed.to_machine += data.len() as u64);
                Down::Data(data)
            }
            Ok(Some(Frame::Done)) => Down::Done(TunnelDone {}),
            Ok(Some(Frame::End(_)) | None) | Err(_) => return Ending::ClientGone,
        };
        let is_last = matches!(message, Down::Done(_));
        if host.send(Ok(TunnelDown { message: Some(message) })).await.is_err() {
            return Ending::MachineGone;
        }
        if is_last && shared.finished_a_way() {
            return Ending::Closed;
        }
    }
}

/// From the host to the client.
async fn up(
    host: &mut Streaming<TunnelUp>,
    client: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
) -> Ending {
    loop {
        let frame = match host.message().await {
            Ok(Some(TunnelUp { message: Some(Up::Data(data)) })) if data.len() <= TUNNEL_CHUNK_BYTES * 2 => {
                shared.note(|passed| passed.from_machine += data.len() as u64);
                Frame::Data(data)
            }
            Ok(Some(TunnelUp { message: Some(Up::Done(_)) })) => Frame::Done,
            _ => return Ending::MachineGone,
        };
        shared.state().is_writing = true;
        if write_frame(client, &frame).await.is_err() {
            return Ending::ClientGone;
        }
        shared.state().is_writing = false;
        if frame == Frame::Done && shared.finished_a_way() {
            return Ending::Closed;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Bytes have passed.
    fn note(&self, count: impl FnOnce(&mut Passed)) {
        let mut state = self.state();
        count(&mut state.passed);
        state.last = Instant::now();
    }

    /// One way has sent everything; whether both have.
    fn finished_a_way(&self) -> bool {
        let mut state = self.state();
        state.done += 1;
        state.done >= 2
    }
}

/// Waits until no byte has passed for so long.
async fn idle(limit: Duration, shared: &Shared) {
    loop {
        let left = limit.saturating_sub(shared.state().last.elapsed());
        if left.is_zero() {
            return;
        }
        sleep(left).await;
    }
}
