//! What passes between a client and its server inside of a tunnel, after the upgrade.
//!
//! A frame is a kind, a length of three bytes (big-endian), and so many bytes: data; that there are no more; or why the tunnel
//! ends, as UTF-8. TLS is under it, so nothing is hidden or signed here.

use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest content of a frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 << 10;

const DATA: u8 = 0;
const DONE: u8 = 1;
const END: u8 = 2;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Bytes of the connection.
    Data(Bytes),
    /// This side sends no more bytes.
    Done,
    /// The tunnel ends, and why.
    End(String),
}

/// The next frame; `None` if the other side is gone between two frames.
///
/// # Errors
/// The connection fails, or what comes is no frame.
pub async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let mut head = [0; 4];
    if from.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..]).await?;
    let [kind, high, middle, low] = head;
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if length > FRAME_BYTES_MAX {
        return Err(wrong(format!("a frame has {length} bytes, more than {FRAME_BYTES_MAX}")));
    }
    let mut content = vec![0; length];
    from.read_exact(&mut content).await?;
    match kind {
        DATA => Ok(Some(Frame::Data(content.into()))),
        DONE => Ok(Some(Frame::Done)),
        END => Ok(Some(Frame::End(String::from_utf8_lossy(&content).into_owned()))),
        other => Err(wrong(format!("a frame is of the unknown kind {other}"))),
    }
}

/// Writes a frame, and all that was written before; data that are longer than a frame become several.
///
/// # Errors
/// The connection fails.
pub async fn write_frame(to: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    match frame {
        Frame::Data(data) => {
            for part in data.chunks(FRAME_BYTES_MAX) {
                to.write_all(&written(DATA, part)).await?;
            }
        }
        Frame::Done => to.write_all(&written(DONE, &[])).await?,
        Frame::End(why) => {
            let why = &why.as_bytes()[..why.len().min(FRAME_BYTES_MAX)];
            to.write_all(&written(END, why)).await?;
        }
    }
    to.flush().await
}

/// A frame in one piece, so that it is one record of TLS where it fits.
fn written(kind: u8, content: &[u8]) -> BytesMut {
    let mut frame = BytesMut::with_capacity(4 + content.len());
    let length = u32::try_from(content.len()).expect("a frame is short");
    frame.put_u8(kind);
    frame.put_slice(&length.to_be_bytes()[1..]);
    frame.put_slice(content);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let long = Bytes::from(vec![7; FRAME_BYTES_MAX + 1]);
        let frames = [
            Frame::Data(Bytes::from_static(b"x")),
            Frame::Data(long.clone()),
            Frame::Done,
            Frame::End("the time".to_owned()),
        ];
        run(async {
            let mut wire = Vec::new();
            for frame in &frames {
                write_frame(&mut wire, frame).await.expect("memory takes it");
            }
            let (mut rest, mut read) = (&wire[..], Vec::new());
            while let Some(frame) = read_frame(&mut rest).await.expect("whole frames") {
                read.push(frame);
            }
            let parts = [long.slice(..FRAME_BYTES_MAX), long.slice(FRAME_BYTES_MAX..)].map(Frame::Data);
            let expected = [&frames[..1], &parts, &frames[2..]].concat();
            assert_eq!(read, expected);
        });
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for wrong in [&[9, 0, 0, 0][..], &[0, 1, 0, 1], &[0, 0, 0, 2, 1], &[0, 0]] {
            assert!(run(read_frame(&mut &wrong[..])).is_err(), "{wrong:?}");
        }
        assert_eq!(run(read_frame(&mut &[][..])).expect("nothing"), None);
    }
}
