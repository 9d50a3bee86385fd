//! How far the streams of hosts are in the store: a small file that is replaced in one step, and on disk before anybody is told.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use palisade_control::fleet::HostName;

/// Streams of one host that are remembered: it begins one at each boot, and has few that are not read to their end.
const STREAMS_MAX: usize = 8;

/// The file, and what it says: for each host its streams, the newest last, each with its last batch.
#[derive(Debug)]
pub(super) struct Positions {
    path: PathBuf,
    hosts: BTreeMap<String, Vec<(String, u64)>>,
}

impl Positions {
    /// Reads the file; there need not be one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let hosts = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            read => serde_json::from_slice(&read?)?,
        };
        Ok(Self { path: path.to_owned(), hosts })
    }

    /// The last batch of a stream; 0 if there is none.
    pub(super) fn last(&self, host: &HostName, stream: &[u8]) -> u64 {
        let name = HEXLOWER.encode(stream);
        let streams = self.hosts.get(host.as_str()).map(Vec::as_slice).unwrap_or_default();
        streams.iter().find(|(known, _)| *known == name).map_or(0, |(_, last)| *last)
    }

    /// Notes a batch; it counts once [`Self::write`] has returned.
    pub(super) fn note(&mut self, host: &HostName, stream: &[u8], sequence: u64) {
        let name = HEXLOWER.encode(stream);
        let streams = self.hosts.entry(host.as_str().to_owned()).or_default();
        match streams.iter_mut().find(|(known, _)| *known == name) {
            Some((_, last)) => *last = sequence.max(*last),
            None => streams.push((name, sequence)),
        }
        if streams.len() > STREAMS_MAX {
            streams.remove(0);
        }
    }

    /// Writes the file.
    pub(super) fn write(&self) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(&self.hosts)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}
