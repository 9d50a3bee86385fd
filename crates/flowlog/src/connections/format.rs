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
            _ if begins_as_json(head) => Self::FlowLog,
            _ if syslog::is_one(head) => Self::Syslog,
            _ => Self::Other(foreign(head)),
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

/// White space and commas may stand in front of records, and nothing in a file.
fn begins_as_json(head: &[u8]) -> bool {
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != b',');
    first.is_none_or(|byte| matches!(byte, b'{' | b'['))
}

/// What a file of no known format may be.
fn foreign(head: &[u8]) -> &'static str {
    const KINDS: [(&[u8], &str); 7] = [
        (b"\xff\xfe", "it is text in UTF-16 (make it UTF-8: iconv -f UTF-16 -t UTF-8 IN > OUT)"),
        (b"\xfe\xff", "it is text in UTF-16 (make it UTF-8: iconv -f UTF-16 -t UTF-8 IN > OUT)"),
        (b"\x1f\x8b", "it is compressed twice (unpack it once: gunzip)"),
        (b"\x28\xb5\x2f\xfd", "it is compressed with Zstandard (unpack it first: unzstd)"),
        (b"\xfd7zXZ\0", "it is compressed with xz (unpack it first: unxz)"),
        (b"BZh", "it is compressed with bzip2 (unpack it first: bunzip2)"),
        (b"PK\x03\x04", "it is a zip archive (unpack it first: unzip)"),
    ];
    let known = KINDS.iter().find(|(start, _)| head.starts_with(start));
    known.map_or(
        "its format is not known (flow logs of Azure or Palisade, Zeek's conn.log, Argus as CSV, pcap, pcapng, evtx, and \
         syslog or the journal are)",
        |(_, what)| what,
    )
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
            (b"\n ,{\"records\":[]}", Format::FlowLog),
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
        let others: [&[u8]; 6] = [
            b"\xff\xfeJ\0a\0n\0",
            b"\x1f\x8b\x08\0",
            b"\0\0\0\0",
            b"PAR1",
            b"#separator \\x09\n#path\tdns\n#fields\tts",
            b"{\"ts\":1,\"id.orig_h\":\"10.0.0.1\",\"query\":\"a.example\"}",
        ];
        for head in others {
            assert!(matches!(Format::of(head), Format::Other(_)), "{}", String::from_utf8_lossy(head));
        }
    }
}
