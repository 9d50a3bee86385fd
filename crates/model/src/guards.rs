//! What is checked of every frame of an interface before any rule is asked.
//!
//! Each guard stands alone and is on unless the interface turns it off (`docs/semantics.md`, Guards).

/// The guards of one interface; true means checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guards {
    /// Frames from the machine carry the interface's hardware address.
    pub mac: bool,
    /// Packets from the machine carry an address of the interface.
    pub source: bool,
    /// ARP and neighbour discovery of the machine speak of the interface's own addresses only.
    pub neighbour: bool,
    /// The machine sends nothing that only a DHCP or DHCPv6 server does.
    pub dhcp_server: bool,
    /// The machine sends no router advertisements and no redirects.
    pub router: bool,
    /// Frames are IPv4, IPv6 or ARP.
    pub ether_type: bool,
    /// Frames have no VLAN tag; unchecked, a tagged frame is judged as if it had none.
    pub vlan: bool,
    /// Packets from the machine do not claim to come from the platform, even where `source` is not checked
    /// ([`crate::platform_addresses`]).
    pub platform: bool,
}

/// A guard's field.
type Field = fn(&mut Guards) -> &mut bool;

/// The words that turn guards off.
const WORDS: [(&str, Field); 8] = [
    ("no-mac", |guards| &mut guards.mac),
    ("no-source", |guards| &mut guards.source),
    ("no-neighbour", |guards| &mut guards.neighbour),
    ("no-dhcp-server", |guards| &mut guards.dhcp_server),
    ("no-router", |guards| &mut guards.router),
    ("no-ether-type", |guards| &mut guards.ether_type),
    ("no-vlan", |guards| &mut guards.vlan),
    ("no-platform", |guards| &mut guards.platform),
];

impl Guards {
    /// Everything is checked.
    pub const ALL: Self = Self {
        mac: true,
        source: true,
        neighbour: true,
        dhcp_server: true,
        router: true,
        ether_type: true,
        vlan: true,
        platform: true,
    };

    /// Every word that turns a guard off.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }

    /// The words of the guards that are off.
    pub fn words_off(mut self) -> impl Iterator<Item = &'static str> {
        WORDS.iter().filter(move |(_, field)| !*field(&mut self)).map(|(word, _)| *word)
    }

    /// Turns off the guard of a word; false if there is none of that word.
    pub(crate) fn turn_off(&mut self, word: &str) -> bool {
        let found = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        found.map(|(_, field)| *field(self) = false).is_some()
    }
}

impl Default for Guards {
    fn default() -> Self {
        Self::ALL
    }
}
