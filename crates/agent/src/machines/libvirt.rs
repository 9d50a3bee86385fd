//! Libvirt's records of running machines, for what a command line does not tell.
//!
//! They are XML that libvirt itself writes, one file a machine. Read are the few attributes that matter, by their tags;
//! whatever else there is passes by.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use palisade_net::Mac;

use super::{Card, Hypervisor, Machine};

/// Bytes of one record that are read.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// A machine as libvirt has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub(super) name: String,
    pub(super) cards: Vec<Card>,
}

/// The machines of a directory of records.
pub(super) fn domains(dir: &Path) -> Vec<Domain> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let records =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "xml"));
    records.filter_map(|path| read(&text(&path)?)).collect()
}

fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(RECORD_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// One record.
pub(super) fn read(text: &str) -> Option<Domain> {
    let name = plain(text.split_once("<name>")?.1.split_once("</name>")?.0);
    let parts = text.split("<interface ").skip(1).filter_map(|part| part.split("</interface>").next());
    let card = |part: &str| {
        let interface = attribute(part, "<target ", "dev")?;
        let mac: Option<Mac> = attribute(part, "<mac ", "address").and_then(|mac| mac.parse().ok());
        Some(Card { interface, mac })
    };
    Some(Domain { name, cards: parts.filter_map(card).collect() })
}

/// An attribute of the first tag that begins so.
fn attribute(text: &str, tag: &str, name: &str) -> Option<String> {
    let inside = text.split_once(tag)?.1.split('>').next()?;
    let rest = inside.split_once(&format!("{name}="))?.1;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    Some(plain(rest[1..].split(quote).next()?))
}

/// A text without its entities.
fn plain(text: &str) -> String {
    let each = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    each.into_iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

impl Domain {
    /// Adds what libvirt knows to the machine of this name. A record without a process is of a machine that is gone.
    pub(super) fn complete(self, machines: &mut [Machine]) {
        let is_it =
            |machine: &&mut Machine| machine.hypervisor == Hypervisor::Libvirt && machine.name == self.name;
        let Some(machine) = machines.iter_mut().find(is_it) else { return };
        for card in self.cards {
            match machine.cards.iter_mut().find(|known| known.interface == card.interface) {
                Some(known) => known.mac = known.mac.or(card.mac),
                None => machine.cards.push(card),
            }
        }
    }
}
