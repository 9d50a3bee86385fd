//! A connection that carries much to a server of the lab, as somebody does who has come in.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{error::Result, netns::Namespace};

/// The longest that a server says in a session.
const ANSWER_MAX: u64 = 64 * 1024;

/// Sends so many bytes, and waits until the server has taken them and hung up; what it said is the answer's length.
///
/// The outer error means that the lab is broken, the inner one that the session did not come about.
pub fn hold(from: &Namespace, at: SocketAddr, bytes: usize, patience: Duration) -> Result<io::Result<usize>> {
    from.enter(|| {
        let mut stream = TcpStream::connect_timeout(&at, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.write_all(&vec![b'x'; bytes])?;
        stream.shutdown(Shutdown::Write)?;
        stream.take(ANSWER_MAX).read_to_end(&mut Vec::new())
    })
}
