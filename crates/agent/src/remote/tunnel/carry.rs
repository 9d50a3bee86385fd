//! Bytes both ways between a machine and the server, each way as slowly as its reader.

use std::io;

use bytes::BytesMut;
use palisade_sync::limits::TUNNEL_CHUNK_BYTES;
use palisade_sync::tunnel_down::Message as Down;
use palisade_sync::tunnel_up::Message as Up;
use palisade_sync::{TunnelDone, TunnelDown, TunnelUp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tonic::Streaming;

/// Carries until the server ends the tunnel, or a side fails. That the machine sends no more ends nothing: it may still read.
pub(super) async fn both(
    stream: TcpStream,
    incoming: Streaming<TunnelDown>,
    outgoing: mpsc::Sender<TunnelUp>,
) -> io::Result<()> {
    let (from_machine, to_machine) = stream.into_split();
    let up = async {
        up(from_machine, &outgoing).await?;
        std::future::pending().await
    };
    tokio::select! {
        ended = up => ended,
        ended = down(incoming, to_machine) => ended,
        () = outgoing.closed() => Ok(()),
    }
}

async fn up(mut machine: OwnedReadHalf, outgoing: &mpsc::Sender<TunnelUp>) -> io::Result<()> {
    let mut chunk = BytesMut::with_capacity(TUNNEL_CHUNK_BYTES);
    loop {
        chunk.reserve(TUNNEL_CHUNK_BYTES);
        let message = match machine.read_buf(&mut chunk).await? {
            0 => Up::Done(TunnelDone {}),
            _ => Up::Data(chunk.split().freeze()),
        };
        let is_last = matches!(message, Up::Done(_));
        let sent = outgoing.send(TunnelUp { message: Some(message) }).await;
        if is_last || sent.is_err() {
            return Ok(());
        }
    }
}

async fn down(mut incoming: Streaming<TunnelDown>, mut machine: OwnedWriteHalf) -> io::Result<()> {
    while let Some(message) = incoming.message().await.map_err(io::Error::other)? {
        match message.message {
            Some(Down::Data(data)) => machine.write_all(&data).await?,
            Some(Down::Done(_)) => machine.shutdown().await?,
            Some(Down::Go(_)) | None => {}
        }
    }
    Ok(())
}
