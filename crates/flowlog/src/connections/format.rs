//! Which format a file has, by how it begins.
//!
//! Names of files say nothing: storage, rotation and compression rename them. It must not read further than the beginning.

use super::{argus, capture};
use crate::guests::{event_log, journal, syslog};

/// Bytes of a file that are looked at.
pub(super) const HEAD_MAX: u64 = 1 << 16;

/// A format of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Argus,
    ZeekText,
    ZeekJson,
    Capture,
    /// What guests tell of logons: of Windows, of the journal, and in lines of syslog.
    EventLog,
    Journal,
    Syslog,
    /// A flow log of Azure's or ours, or nothing that is known: reading it will tell.
    FlowLog,
    /// One that is known and not read; why, and what to do.
    Other(&'static str),
}

impl Format {
    pub(super) fn of(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match first {
            _ if capture::is_one(head) => Self::Capture,
            _ if event_log::is_one(head) => Self::EventLog,
            [b'P', b'A', b'R', b'1', ..] => {
                Self::Other("it is a Parquet file (export it: palisade flows export)")
            }
            [b'#', ..] => Self::zeek_text(head),
            _ if argus::is_one(first) => Self::Argus,
            [b'{', ..] if has(first, b"\"id.orig_h\"") => Self::zeek_json(first),
            _ if journal::is_one(first) => Self::Journal,
            [b'{' | b'[', ..] => Self::FlowLog,
            _ if syslog::is_one(head) => Self::Syslog,
            _ => Self::FlowLog,
        }
    }

    /// Zeek says in its header which log it is.
    fn zeek_text(head: &[u8]) -> Self {
        let mut header = head.split(|byte| *byte == b'\n').take_while(|line| line.starts_with(b"#"));
        // What stands between depends on the log.
        let is_conn =
            |line: &[u8]| matches!(line.trim_ascii_end().get(5..), Some([_, b'c', b'o', b'n', b'n']));
        match header.find(|line| line.starts_with(b"#path")) {
            Some(path) if !is_conn(path) => Self::Other("it is another log of Zeek's (name its conn.log)"),
            _ => Self::ZeekText,
        }
    }

    /// As JSON only the fields tell: other logs have addresses, but no packets.
    fn zeek_json(first: &[u8]) -> Self {
        let is_conn = has(first, b"\"conn_state\"") || has(first, b"\"orig_pkts\"");
        if is_conn { Self::ZeekJson } else { Self::Other("it is another log of Zeek's (name its conn.log)") }
    }
}

fn has(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        let cases: &[(&[u8], Format)] = &[
            (b"StartTime,Dur,Proto,SrcAddr,DstAddr", Format::Argus),
            (b"\xef\xbb\xbfStartTime,Dur,Proto,SrcAddr,DstAddr", Format::Argus),
            (b"SrcAddr,DstAddr, Proto,StartTime\r\n", Format::Argus),
            (b"#separator \\x09\n#fields\tts", Format::ZeekText),
            (b"#separator \\x09\n#path\tconn\n#fields\tts", Format::ZeekText),
            (b"#separator \\x2c\n#path,conn\n#fields,ts", Format::ZeekText),
            (b"{\"ts\":1,\"id.orig_h\":\"10.0.0.1\",\"conn_state\":\"SF\"}", Format::ZeekJson),
            (b"{\"records\":[]}", Format::FlowLog),
            (&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], Format::Capture),
            (b"\x0a\x0d\x0d\x0a\x1c", Format::Capture),
            (b"ElfFile\0\0\0", Format::EventLog),
            (b"Jan 31 08:00:00 web1 sshd[812]: Server listening", Format::Syslog),
            (b"{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"x\"}", Format::Journal),
            (b"", Format::FlowLog),
        ];
        for (head, format) in cases {
            assert_eq!(Format::of(head), *format, "{}", String::from_utf8_lossy(head));
        }
        let others: [&[u8]; 3] = [
            b"PAR1",
            b"#separator \\x09\n#path\tdns\n#fields\tts",
            b"{\"ts\":1,\"id.orig_h\":\"10.0.0.1\",\"query\":\"a.example\"}",
        ];
        for head in others {
            assert!(matches!(Format::of(head), Format::Other(_)), "{}", String::from_utf8_lossy(head));
        }
    }
}
