//! Changes of an interface's policy, as operators make them: rules come, go and move, lists are attached and detached, windows
//! and audit are set.
//!
//! A changed policy is one that could be in force: NSGs keep their default rules at the end, security admin rules have
//! neither windows nor audit, and an NSG that is enforced opens a public address. It knows no flow.

use palisade_classify::generate::{Random, estate::MOMENTS};
use palisade_model::{Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, Window};
use palisade_net::Direction;

/// One kind of change.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// A rule that the other policy has in such a list.
    AddRule,
    /// A rule less.
    RemoveRule,
    /// A rule elsewhere in its list.
    MoveRule,
    /// The opposite access.
    FlipRule,
    /// A rule has another window.
    SetWindow,
    /// A rule is in audit, or no longer.
    AuditRule,
    /// A list in audit, or no longer.
    AuditList,
    /// A list whose changes end flows, or no longer.
    FlipFlush,
    /// A list that the other policy has, in place of the one that is there.
    Attach,
    /// A list less.
    Detach,
}

impl Change {
    const ALL: [Self; 10] = [
        Self::AddRule,
        Self::RemoveRule,
        Self::MoveRule,
        Self::FlipRule,
        Self::SetWindow,
        Self::AuditRule,
        Self::AuditList,
        Self::FlipFlush,
        Self::Attach,
        Self::Detach,
    ];
}

/// `policy` after up to `changes` changes; what comes new comes from `other`.
pub fn changed(
    policy: &EffectivePolicy,
    other: &EffectivePolicy,
    changes: usize,
    random: &mut Random,
) -> EffectivePolicy {
    let mut policy = policy.clone();
    for _ in 0..random.below(changes + 1) {
        let direction = *random.pick(&Direction::ALL);
        let layers = match direction {
            Direction::Inbound => &mut policy.inbound,
            Direction::Outbound => &mut policy.outbound,
        };
        apply(*random.pick(&Change::ALL), layers, direction, other.layers(direction), random);
        if layers.iter().any(|layer| is_nsg(layer) && layer.mode == Mode::Enforce) {
            layers.retain(|layer| layer.layer != Layer::PublicAddress);
        }
    }
    policy
}

/// The same policy where some NSGs keep their flows, and more of their rules have windows.
#[must_use]
pub fn varied(mut policy: EffectivePolicy, random: &mut Random) -> EffectivePolicy {
    let layers = policy.inbound.iter_mut().chain(&mut policy.outbound);
    for layer in layers.filter(|layer| is_nsg(layer)) {
        layer.flush = random.chance(60);
        for rule in layer.rules.iter_mut().filter(|rule| !rule.is_default()) {
            rule.window = if random.chance(60) { window(random) } else { rule.window };
        }
    }
    policy
}

fn apply(
    change: Change,
    layers: &mut Vec<EffectiveLayer>,
    direction: Direction,
    other: &[EffectiveLayer],
    random: &mut Random,
) {
    match change {
        Change::Attach => attach(layers, direction, other, random),
        Change::Detach => {
            let lists: Vec<usize> = (0..layers.len()).filter(|index| is_written(&layers[*index])).collect();
            if !lists.is_empty() {
                layers.remove(*random.pick(&lists));
            }
        }
        _ => {
            let mut lists: Vec<_> = layers.iter_mut().filter(|layer| is_written(layer)).collect();
            if lists.is_empty() {
                return;
            }
            let index = random.below(lists.len());
            let list = &mut *lists[index];
            let same = other.iter().find(|layer| is_nsg(layer) == is_nsg(list) && is_written(layer));
            apply_to_list(change, list, same, random);
        }
    }
}

fn apply_to_list(
    change: Change,
    list: &mut EffectiveLayer,
    other: Option<&EffectiveLayer>,
    random: &mut Random,
) {
    let is_nsg = is_nsg(list);
    let own = list.rules.iter().take_while(|rule| !rule.is_default()).count();
    match change {
        Change::FlipFlush if is_nsg => list.flush = !list.flush,
        Change::AuditList if is_nsg => list.mode = opposite(list.mode),
        Change::AddRule => {
            let rules = other.map_or(&[][..], |layer| &layer.rules);
            let rules: Vec<_> = rules.iter().filter(|rule| !rule.is_default()).collect();
            if !rules.is_empty() {
                let rule = EffectiveRule::clone(random.pick::<&EffectiveRule>(&rules));
                list.rules.insert(random.below(own + 1), rule);
            }
        }
        _ if own == 0 => {}
        Change::RemoveRule => drop(list.rules.remove(random.below(own))),
        Change::MoveRule => {
            let rule = list.rules.remove(random.below(own));
            list.rules.insert(random.below(own), rule);
        }
        Change::FlipRule => flip(&mut list.rules[random.below(own)]),
        Change::SetWindow if is_nsg => list.rules[random.below(own)].window = window(random),
        Change::AuditRule if is_nsg => {
            let rule = &mut list.rules[random.below(own)];
            rule.mode = opposite(rule.mode);
        }
        _ => {}
    }
}

/// A list of the other policy comes where one of its kind stands.
fn attach(
    layers: &mut Vec<EffectiveLayer>,
    direction: Direction,
    other: &[EffectiveLayer],
    random: &mut Random,
) {
    let lists: Vec<_> = other.iter().filter(|layer| is_written(layer)).collect();
    if lists.is_empty() {
        return;
    }
    let list = EffectiveLayer::clone(random.pick::<&EffectiveLayer>(&lists));
    layers.retain(|layer| layer.layer != list.layer);
    layers.push(list);
    layers.sort_by_key(|layer| place(layer.layer, direction));
}

/// Where a layer stands among those of its direction.
const fn place(layer: Layer, direction: Direction) -> u8 {
    match (layer, direction) {
        (Layer::Admin, _) => 0,
        (Layer::Subnet, Direction::Inbound) | (Layer::NetworkInterface, Direction::Outbound) => 1,
        (Layer::NetworkInterface, Direction::Inbound) | (Layer::Subnet, Direction::Outbound) => 2,
        (Layer::PublicAddress, _) => 3,
    }
}

const fn is_nsg(layer: &EffectiveLayer) -> bool {
    matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface)
}

/// Whether somebody wrote the list, and can change it.
const fn is_written(layer: &EffectiveLayer) -> bool {
    !matches!(layer.layer, Layer::PublicAddress)
}

const fn opposite(mode: Mode) -> Mode {
    match mode {
        Mode::Enforce => Mode::Audit,
        Mode::Audit => Mode::Enforce,
    }
}

fn flip(rule: &mut EffectiveRule) {
    rule.access = Maybe::Known(match rule.access {
        Maybe::Known(Access::Deny) => Access::Allow,
        _ => Access::Deny,
    });
}

/// A window that begins or ends at one of the moments, or at none; not at the beginning or the end of time.
fn window(random: &mut Random) -> Window {
    let mut end = |percent| random.chance(percent).then(|| *random.pick(&MOMENTS[1..MOMENTS.len() - 1]));
    Window::new(end(40), end(70)).unwrap_or_default()
}
