//! Words read back mean the set that they were made for.

use palisade_classify::generate::Random;
use palisade_net::{AddressSet, Family, Prefix};

use super::{Names, Terms, of_family, ports, protocols};

fn set(prefixes: &[&str]) -> AddressSet {
    prefixes.iter().map(|text| text.parse::<Prefix>().expect("a prefix")).collect()
}

fn names() -> Names {
    let known = [
        ("shop", set(&["10.0.0.0/16", "fd00::/48"])),
        ("shop/web", set(&["10.0.1.0/24", "fd00:0:0:1::/64"])),
        ("shop/data", set(&["10.0.2.0/24"])),
        ("Storage", set(&["20.0.0.0/24", "20.0.2.0/23", "20.0.9.0/28", "2603:1000::/32"])),
        ("Storage.West", set(&["20.0.2.0/24", "20.0.9.0/28"])),
        ("Probe", set(&["20.0.0.7/32"])),
    ];
    Names { known: known.map(|(name, meaning)| (name.to_owned(), meaning)).into() }
}

/// What terms mean.
fn meaning(names: &Names, terms: &Terms, family: Family) -> AddressSet {
    let one = |term: &String| match names.known.iter().find(|(name, _)| name == term) {
        Some((_, meaning)) => of_family(meaning, family),
        None => set(&[term]),
    };
    let union =
        |terms: &[String]| terms.iter().map(one).fold(AddressSet::empty(), |all, set| all.union(&set));
    let all = of_family(&AddressSet::full(), family);
    match terms {
        Terms::All => all,
        Terms::Of(terms) => union(terms),
        Terms::AllBut(terms) => all.difference(&union(terms)),
        Terms::But(name, terms) => one(name).difference(&union(terms)),
    }
}

#[test]
fn words_of_random_sets_mean_them() {
    let names = names();
    let mut random = Random::new(1);
    let mut reached = [0; 4];
    for _ in 0..2_000 {
        let family = *random.pick(&Family::ALL);
        let parts: Vec<AddressSet> = (0..1 + random.below(3))
            .map(|_| match random.chance(70) {
                true => random.pick(&names.known).1.clone(),
                false => {
                    set(&[*random.pick(&["10.0.1.4/32", "0.0.0.0/1", "20.0.0.0/8", "::/0", "fd00::/16"])])
                }
            })
            .collect();
        let mut found = parts.iter().fold(AddressSet::empty(), |all, part| all.union(part));
        if random.chance(40) {
            found = found.difference(&random.pick(&names.known).1);
        }
        if random.chance(30) {
            found = found.complement();
        }
        let found = of_family(&found, family);
        let terms = names.addresses(&found, family);
        assert_eq!(meaning(&names, &terms, family), found, "{terms:?}");
        let prefixes = found.prefixes().len();
        let (kind, words) = match &terms {
            Terms::All => (0, 0),
            Terms::Of(terms) => (1, terms.len()),
            Terms::AllBut(terms) => (2, terms.len()),
            Terms::But(_, terms) => (3, 1 + terms.len()),
        };
        assert!(words <= prefixes, "{terms:?} are more than {prefixes} prefixes");
        reached[kind] += 1;
    }
    assert!(reached.iter().all(|count| *count > 10), "{reached:?}");
}

#[test]
fn a_name_is_said_where_it_means_exactly_the_set() {
    let names = names();
    let said = |prefixes: &[&str]| names.addresses(&set(prefixes), Family::V4);
    let of = |terms: &[&str]| Terms::Of(terms.iter().map(|term| (*term).to_owned()).collect());
    assert_eq!(said(&["10.0.0.0/16"]), of(&["shop"]));
    assert_eq!(said(&["10.0.1.0/24", "10.0.2.0/24"]), of(&["shop/data", "shop/web"]));
    assert_eq!(said(&["10.0.1.0/25"]), of(&["10.0.1.0/25"]));
    assert_eq!(said(&["10.0.1.0/24", "192.0.2.1/32"]), of(&["shop/web", "192.0.2.1/32"]));
    let but_probe = set(&["20.0.0.0/24", "20.0.2.0/23", "20.0.9.0/28"]).difference(&set(&["20.0.0.7/32"]));
    let expected = Terms::But("Storage".to_owned(), vec!["Probe".to_owned()]);
    assert_eq!(names.addresses(&but_probe, Family::V4), expected);
}

#[test]
fn protocols_and_ports_are_said_as_rules_write_them() {
    use palisade_net::Protocol;
    let of = |terms: &[&str]| Terms::Of(terms.iter().map(|term| (*term).to_owned()).collect());
    assert_eq!(protocols(&[Protocol::ICMP, Protocol::ICMPV6]), of(&["Icmp"]));
    assert_eq!(protocols(&[Protocol::ICMPV6]), of(&["Icmpv6"]));
    assert_eq!(protocols(&[Protocol::TCP, Protocol::UDP]), of(&["Tcp", "Udp"]));
    let most: Vec<Protocol> =
        (0..=u8::MAX).map(Protocol).filter(|protocol| *protocol != Protocol::TCP).collect();
    assert_eq!(protocols(&most), Terms::AllBut(vec!["Tcp".to_owned()]));
    let set = |ranges: &[(u16, u16)]| ranges.iter().copied().collect();
    assert_eq!(ports(&set(&[(22, 22), (1024, 2000)])), of(&["22", "1024-2000"]));
    assert_eq!(ports(&set(&[(0, 21), (23, u16::MAX)])), Terms::AllBut(vec!["22".to_owned()]));
    assert_eq!(ports(&set(&[(0, u16::MAX)])), Terms::All);
}
