use super::*;

/// A message as the kernel writes it.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(((4 + value.len()) as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

fn interface(hardware: u16, index: i32, flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend(hardware.to_ne_bytes());
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend([0; 4]);
    body.extend(attributes.concat());
    message(libc::RTM_NEWLINK, 0, &body)
}

fn tap() -> Vec<u8> {
    let info = attribute(INFO_KIND, b"tun\0");
    interface(
        libc::ARPHRD_ETHER,
        7,
        libc::IFF_UP as u32,
        &[
            attribute(libc::IFLA_IFNAME, b"tap0\0"),
            attribute(999, &[1, 2, 3]),
            attribute(libc::IFLA_ADDRESS, &[0xfe, 0x54, 0, 1, 2, 3]),
            attribute(libc::IFLA_IFALIAS, b"web1-nic\0"),
            attribute(libc::IFLA_LINKINFO | libc::NLA_F_NESTED as u16, &info),
        ],
    )
}

#[test]
fn the_attributes_that_count_are_read_and_others_stepped_over() {
    let mut answer = Answer::default();
    answer.read(&[tap(), message(libc::NLMSG_DONE as u16, 0, &[0; 4])].concat()).unwrap();
    assert!(answer.is_complete && !answer.was_interrupted);
    let expect = Link {
        index: 7,
        name: "tap0".into(),
        alias: Some("web1-nic".into()),
        mac: Some(Mac([0xfe, 0x54, 0, 1, 2, 3])),
        kind: LinkKind::Tap,
        card: None,
        is_up: true,
    };
    assert_eq!(answer.links, [expect]);
}

#[test]
fn kinds_are_told_apart() {
    let kind = |name: &str, hardware| kind_of(name, hardware);
    assert_eq!(kind("tun", libc::ARPHRD_NONE), LinkKind::Tun);
    assert_eq!(kind("veth", libc::ARPHRD_ETHER), LinkKind::Veth);
    assert_eq!(kind("macvtap", libc::ARPHRD_ETHER), LinkKind::Macvtap);
    assert_eq!(kind("vxlan", libc::ARPHRD_ETHER), LinkKind::Other("vxlan".into()));
    let mut answer = Answer::default();
    answer.read(&interface(libc::ARPHRD_ETHER, 2, 0, &[])).unwrap();
    assert_eq!((&answer.links[0].kind, answer.links[0].is_up), (&LinkKind::Hardware, false));
}

#[test]
fn cards_and_the_ports_inside_them_are_told_apart() {
    let read = |port: &[u8], bus: &[u8]| {
        let mut answer = Answer::default();
        let attributes = [
            attribute(PHYS_PORT_NAME, port),
            attribute(PARENT_DEVICE, b"0000:03:00.0\0"),
            attribute(PARENT_BUS, bus),
        ];
        answer.read(&interface(libc::ARPHRD_ETHER, 2, 0, &attributes)).unwrap();
        let link = answer.links.remove(0);
        (link.kind, link.card)
    };
    let card = Some("0000:03:00.0".to_owned());
    assert_eq!(read(b"p0\0", b"pci\0"), (LinkKind::Hardware, card.clone()));
    assert_eq!(read(b"pf0vf3\0", b"pci\0"), (LinkKind::Representor, card.clone()));
    assert_eq!(read(b"c1pf0sf88\0", b"pci\0"), (LinkKind::Representor, card));
    assert_eq!(read(b"p0\0", b"virtio\0"), (LinkKind::Hardware, None));
}

#[test]
fn virtual_functions_are_read_with_their_addresses() {
    let function = |number: u32, mac: &[u8; 6]| {
        let value = [&number.to_ne_bytes()[..], mac, &[0; 26]].concat();
        attribute(
            functions::FUNCTION,
            &[attribute(9, &[1]), attribute(functions::FUNCTION_MAC, &value)].concat(),
        )
    };
    let list = [function(0, &[0x52, 0x54, 0, 0, 0, 1]), function(1, &[0; 6]), function(2, &[2; 6])].concat();
    let mut answer = Answer::default();
    let attributes = [attribute(functions::FUNCTION_LIST | libc::NLA_F_NESTED as u16, &list)];
    answer.read(&interface(libc::ARPHRD_ETHER, 2, 0, &attributes)).unwrap();
    let expect = [(0, Mac([0x52, 0x54, 0, 0, 0, 1])), (2, Mac([2; 6]))];
    assert_eq!(answer.functions, expect, "a function without an address has none");
    assert_eq!(virtual_functions(1).unwrap(), [], "the loopback has no functions");
}

#[test]
fn an_interrupted_list_and_an_error_are_noticed() {
    let mut answer = Answer::default();
    answer.read(&message(libc::NLMSG_DONE as u16, libc::NLM_F_DUMP_INTR as u16, &[0; 4])).unwrap();
    assert!(answer.was_interrupted);
    let error =
        answer.read(&message(libc::NLMSG_ERROR as u16, 0, &(-libc::EPERM).to_ne_bytes())).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
}

#[test]
fn damage_is_an_error_or_stepped_over_and_never_a_panic() {
    let whole = tap();
    for length in 0..whole.len() {
        let mut answer = Answer::default();
        assert_eq!(answer.read(&whole[..length]).is_ok(), length == 0, "cut at {length}");
    }
    for at in 0..whole.len() {
        for value in [0, 1, 3, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let _any = Answer::default().read(&damaged);
        }
    }
}

#[test]
fn the_kernel_answers() {
    let links = links().unwrap();
    assert!(links.iter().any(|link| link.name == "lo" && link.index == 1), "{links:?}");
}
