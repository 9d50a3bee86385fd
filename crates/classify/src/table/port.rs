//! From a port to its class, and from a protocol with its destination port or ICMP type to its class.
//!
//! 65,536 ports are 256 pages of 256; equal pages are kept once, and all protocols draw from the same pages. It must not
//! know rows. Invariant: every page index and every class that is stored exists.

use std::collections::HashMap;

use palisade_net::Protocol;

use super::{
    sweep::Intervals,
    vectors::{Vector, Vectors},
};

/// Ports a page, and pages a port space.
pub(crate) const PAGE: usize = 256;

/// The page of each block of 256 ports.
pub(crate) type PageIndex = [u16; PAGE];

/// The classes of 256 ports.
pub(crate) type Page = [u16; PAGE];

/// Gives equal pages the same index, in order of first appearance.
#[derive(Default)]
pub(super) struct PageInterner {
    pages: Vec<Page>,
    known: HashMap<Page, u16>,
}

impl PageInterner {
    /// Stores the classes of all ports and returns the pages that hold them.
    pub(super) fn index(&mut self, intervals: &Intervals<u16>) -> PageIndex {
        let mut pages = [[0; PAGE]; PAGE];
        let ports = pages.as_flattened_mut();
        for (i, (&start, &class)) in intervals.starts.iter().zip(&intervals.classes).enumerate() {
            let end = intervals.starts.get(i + 1).map_or(ports.len(), |&next| usize::from(next));
            ports[usize::from(start)..end].fill(class);
        }
        pages.map(|page| self.page(page))
    }

    fn page(&mut self, page: Page) -> u16 {
        *self.known.entry(page).or_insert_with(|| {
            self.pages.push(page);
            u16::try_from(self.pages.len() - 1).expect("four protocols have at most 1,024 pages")
        })
    }

    /// The pages that were stored.
    pub(super) fn into_pages(self) -> Vec<Page> {
        self.pages
    }
}

fn class_of(port: u16, index: &PageIndex, pages: &[Page]) -> u16 {
    let [high, low] = port.to_be_bytes().map(usize::from);
    pages[usize::from(index[high])][low]
}

/// How one protocol's packets are classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtocolEntry {
    /// All alike.
    Class(u16),
    /// By port or ICMP type: position in [`ProtocolClasses::indices`].
    Ports(usize),
}

/// Classes of (protocol, destination port or ICMP type).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProtocolClasses {
    /// One entry an IANA protocol number.
    pub(crate) entries: [ProtocolEntry; 256],
    pub(crate) indices: Vec<PageIndex>,
    pub(crate) pages: Vec<Page>,
    pub(crate) vectors: Vectors,
}

impl ProtocolClasses {
    /// The vector of a packet's class.
    pub(super) fn vector(&self, protocol: Protocol, port: u16) -> Vector<'_> {
        let class = match self.entries[usize::from(protocol.0)] {
            ProtocolEntry::Class(class) => class,
            ProtocolEntry::Ports(table) => class_of(port, &self.indices[table], &self.pages),
        };
        self.vectors.vector(class)
    }

    /// Bytes when encoded.
    pub(super) fn size(&self) -> usize {
        size_of::<[u32; 256]>()
            + self.indices.len() * size_of::<PageIndex>()
            + self.pages.len() * size_of::<Page>()
            + self.vectors.size()
    }
}

/// Classes of the source port. Class 0 is that of packets without ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourcePortClasses {
    pub(crate) index: PageIndex,
    pub(crate) pages: Vec<Page>,
    pub(crate) vectors: Vectors,
}

impl SourcePortClasses {
    /// The vector of a packet's class.
    pub(super) fn vector(&self, protocol: Protocol, port: u16) -> Vector<'_> {
        let class = if protocol.has_ports() { class_of(port, &self.index, &self.pages) } else { 0 };
        self.vectors.vector(class)
    }

    /// Bytes when encoded.
    pub(super) const fn size(&self) -> usize {
        size_of::<PageIndex>() + self.pages.len() * size_of::<Page>() + self.vectors.size()
    }
}
