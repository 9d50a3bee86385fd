//! Two guests and a third host on one bridge, without policy: all of them reach each other.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use palisade_lab::Lifetime;
use palisade_lab::hosts::Addresses;
use palisade_lab::netns::obstacle;
use palisade_lab::netns::registry::unique_name;
use palisade_lab::probe::server::Servers;
use palisade_lab::probe::{Knock, Outcome, PATIENCE, Transport, knock_all};
use palisade_lab::vm::{Bench, GuestImage, Seat, Try};

const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

fn addresses(last: u8) -> Addresses {
    Addresses { v4: [10, 30, 0, last].into(), v6: [0xfd00, 0x30, 0, 0, 0, 0, 0, u16::from(last)].into() }
}

fn image_or_skip() -> Option<GuestImage> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let image = match obstacle() {
        Some(reason) => Err(reason),
        None => GuestImage::open(root.join(target).join("guest")),
    };
    image.map_err(|reason| println!("skipped: {reason}")).ok()
}

#[test]
fn qemu_two_guests_and_a_third_host_reach_each_other() {
    let Some(image) = image_or_skip() else { return };
    let seats = [("a", 4), ("b", 5)].map(|(name, last)| Seat { name, addresses: addresses(last) });
    let third = addresses(100);
    let mut bench = Bench::up(&unique_name(), Lifetime::Process, &seats, third).expect("the bench is up");
    let servers = Servers::start([(bench.third(), "third")]).expect("servers start");
    let mut guests = bench.boot(&image).expect("guests boot");

    let [a, b] = &mut guests[..] else { unreachable!("two seats") };
    for (from, to) in [(&mut *a, seats[1]), (&mut *b, seats[0])] {
        for (name, addresses) in [(to.name, to.addresses), ("third", third)] {
            for address in [IpAddr::from(addresses.v4), addresses.v6.into()] {
                let page = from.knock(SocketAddr::new(address, 80)).expect("the guest answers");
                let page = page.unwrap_or_else(|| panic!("no answer from {address}"));
                assert!(page.contains(&format!("{name} answers")), "{page}");
            }
        }
    }
    let nobody = SocketAddr::new(seats[1].addresses.v4.into(), 81);
    assert_eq!(a.knock(nobody).expect("the guest answers"), None);
    let there = [seats[1].addresses, third].map(|there| [there.v4.into(), there.v6.into()]).concat();
    let absent = addresses(200);
    let tries = there.into_iter().chain([absent.v4.into(), absent.v6.into()]).map(Try::Ping);
    let tries: Vec<Try> = tries.chain([Try::Connect(nobody), Try::Connect((third.v4, 22).into())]).collect();
    let answered = a.try_all(&tries).expect("the guest answers");
    assert_eq!(answered, [true, true, true, true, false, false, false, true], "{tries:?}");
    let answer = a.run("echo out; echo err >&2; exit 3", COMMAND_PATIENCE).expect("the guest answers");
    assert_eq!((answer.status, answer.output.as_str()), (3, "out\nerr"));

    let knocks: Vec<Knock> = seats
        .iter()
        .flat_map(|seat| [IpAddr::from(seat.addresses.v4), seat.addresses.v6.into()])
        .flat_map(|ip| {
            [(Transport::Icmp, 0), (Transport::Tcp, 22), (Transport::Tcp, 3389)].map(|door| (ip, door))
        })
        .map(|(ip, (transport, port))| Knock {
            from: bench.third(),
            transport,
            at: SocketAddr::new(ip, port),
        })
        .collect();
    let outcomes = knock_all(&knocks, PATIENCE * 2).expect("knocking works");
    assert_eq!(outcomes, vec![Outcome::Answered; knocks.len()]);

    for guest in guests {
        guest.shut_down().expect("the guest switches itself off");
    }
    drop(servers);
    bench.down().expect("the bench goes down");
}
