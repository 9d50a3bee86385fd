//! Bytes both ways between something local and a tunnel, until one side ends it.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, split};

use super::{FRAME_BYTES_MAX, Frame, Tunnel, read_frame, write_frame};

/// The server's word for a tunnel that both ends have closed.
const CLOSED: &str = "Closed";
/// Bytes that are read from the local side at once.
const CHUNK_BYTES: usize = 32 << 10;

/// How a tunnel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Both sides had sent everything.
    Closed,
    /// The server ended it, with this word for why.
    ByServer(String),
    /// The server or the way to it is gone.
    Lost(String),
}

impl Tunnel {
    /// Carries bytes until the tunnel ends. That the local side sends no more ends nothing: it may still read.
    ///
    /// # Errors
    /// The local side cannot be written to.
    pub async fn carry(
        self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<Ended> {
        let (incoming, mut outgoing) = split(self.stream);
        let mut incoming = BufReader::with_capacity(FRAME_BYTES_MAX, incoming);
        let up = async {
            // What fails here the other way tells better.
            let _failed = send(from, &mut outgoing).await;
            std::future::pending::<io::Result<Ended>>().await
        };
        let down = async {
            loop {
                match read_frame(&mut incoming).await {
                    Ok(Some(Frame::Data(data))) => {
                        to.write_all(&data).await?;
                        to.flush().await?;
                    }
                    Ok(Some(Frame::Done)) => to.shutdown().await?,
                    Ok(Some(Frame::End(why))) if why == CLOSED => return Ok(Ended::Closed),
                    Ok(Some(Frame::End(why))) => return Ok(Ended::ByServer(why)),
                    Ok(None) => return Ok(Ended::Lost("the server closed the connection".to_owned())),
                    Err(error) => return Ok(Ended::Lost(error.to_string())),
                }
            }
        };
        tokio::select! {
            ended = up => ended,
            ended = down => ended,
        }
    }
}

async fn send(mut from: impl AsyncRead + Unpin, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
    loop {
        chunk.reserve(CHUNK_BYTES);
        if from.read_buf(&mut chunk).await? == 0 {
            return write_frame(to, &Frame::Done).await;
        }
        write_frame(to, &Frame::Data(chunk.split().freeze())).await?;
    }
}
