//! Writers of all kinds against intents: whatever they write and however many they are, what is committed holds.

use palisade_analysis::{Limits, intent};
use palisade_control::{Control, Options};
use palisade_model::ResourceId;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Bench, SUBSCRIPTION, nic, put, reference, rule, with};

const INTENTS: &str = "rg/Palisade.Network/intents/baseline";

/// The whole world proven anew, as `palisade prove` does it.
fn holds(control: &Control) -> bool {
    control.read(|world| {
        let nics = world.list(&ResourceId::new(SUBSCRIPTION), "Microsoft.Network/networkInterfaces");
        let estate = world.estate(&nics).expect("what is stored is sound");
        let sets = world.list(&ResourceId::new(SUBSCRIPTION), "Palisade.Network/intents");
        sets.iter().all(|set| {
            let mut properties = world.document(set).expect("it is listed").properties().clone();
            properties.as_object_mut().expect("an object").remove("provisioningState");
            let read = intent::read("stored", &properties.to_string()).expect("it was read");
            let is_asked = |id: &ResourceId| nics.contains(id);
            let proofs = intent::prove_at(&estate, &read, &is_asked, 1_800_000_000, Limits::default());
            // A subnet that nobody is in is not part of this estate, so that nothing can be said of it.
            let is_violated = |proof: &intent::Proof| matches!(proof.outcome, intent::Outcome::Violated(_));
            !proofs.expect("it can be proven").iter().any(is_violated)
        })
    })
}

/// Writes at random, some of which break an intent.
fn write(number: u8) -> (String, Value) {
    let nsg = format!("rg/net/networkSecurityGroups/g{}", number % 2);
    let port = [22, 443, 1433, 3389][usize::from(number / 8 % 4)];
    let mut body = rule(100 + u32::from(number % 5), port);
    if number.is_multiple_of(3) {
        body["properties"]["access"] = "Deny".into();
    }
    match number / 32 {
        0..=3 => (format!("{nsg}/securityRules/r{}", number % 5), body),
        4 => (format!("{nsg}/securityRules/r{}", number % 5), {
            body["properties"]["sourceAddressPrefix"] = "10.0.2.0/24".into();
            body
        }),
        _ => {
            let subnet = if number % 4 < 2 { "a" } else { "b" };
            let mut nic = nic(&format!("rg/net/virtualNetworks/net/subnets/{subnet}"));
            if !number.is_multiple_of(7) {
                nic["properties"]["networkSecurityGroup"] = reference(&nsg);
            }
            (format!("rg/net/networkInterfaces/n{}{subnet}", number % 3), nic)
        }
    }
}

async fn guarded() -> Bench {
    let bench = Bench::with_group().await;
    bench.network().await;
    // What the intents forbid and the default rules let through is stopped here, until something is written before it.
    let fence = |name: &str, priority: u32, port: u32, from: &str, access: &str| {
        let mut rule = with(rule(priority, port), json!({"sourceAddressPrefix": from, "access": access}));
        rule["name"] = name.into();
        rule
    };
    let fences = json!([
        fence("sql", 1000, 1433, "*", "Deny"),
        fence("ssh-b", 1001, 22, "10.0.2.0/24", "Allow"),
        fence("ssh", 1002, 22, "*", "Deny")
    ]);
    for nsg in 0..2 {
        let body = json!({"location": "westeurope", "properties": {"securityRules": fences}});
        bench.put(&format!("rg/net/networkSecurityGroups/g{nsg}"), body).await.expect("valid");
    }
    let both = json!({"properties": {"intents": [
        {"name": "no-rdp", "forbidden": {"from": "Internet", "to": "*", "services": ["tcp/3389"]}},
        {"name": "tiers", "forbidden": {"from": "subnet:net/b", "to": "subnet:net/a", "services": ["tcp/1433"]}},
        {"name": "ssh-from-b", "only": {"from": "subnet:net/b", "to": "subnet:net/a", "services": ["tcp/22"]}},
    ]}});
    bench.put(INTENTS, both).await.expect("nothing is there yet");
    for subnet in ["a", "b"] {
        let mut nic = nic(&format!("rg/net/virtualNetworks/net/subnets/{subnet}"));
        nic["properties"]["networkSecurityGroup"] = reference("rg/net/networkSecurityGroups/g0");
        bench.put(&format!("rg/net/networkInterfaces/n0{subnet}"), nic).await.expect("the fences hold");
    }
    bench
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// No committed world breaks an intent that denies.
    #[test]
    fn no_committed_world_breaks_an_intent(numbers in prop::collection::vec(any::<u8>(), 60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let bench = guarded().await;
            let (mut stored, mut refused) = (0, 0);
            for number in numbers {
                let (path, body) = write(number);
                match bench.put(&path, body).await {
                    Ok(_) => {
                        stored += 1;
                        prop_assert!(holds(&bench.control), "after {path}");
                    }
                    Err(error) => {
                        refused += usize::from(error.code == "PolicyViolation");
                        prop_assert!(error.code != "PolicyUndetermined", "{path}: {error}");
                    }
                }
            }
            prop_assert!(stored > 0 && refused > 0, "{stored} stored, {refused} refused");
            Ok(())
        })?;
    }
}

/// Two servers on one store, each of which writes what is harmless alone.
#[tokio::test(flavor = "multi_thread")]
async fn two_writers_cannot_break_an_intent_together() {
    let bench = guarded().await;
    let other = Control::open(bench.store.clone(), Options::default()).await.expect("it opens");
    let mut both = JoinSet::new();
    for (server, control) in [bench.control.clone(), other.clone()].into_iter().enumerate() {
        both.spawn(async move {
            let (mut stored, mut refused) = (0, 0);
            for round in 0..60_u8 {
                let start = u8::try_from(server * 128).expect("there are two");
                let (path, body) = write(round.wrapping_mul(37).wrapping_add(start));
                match put(&control, &path, body).await {
                    Ok(_) => stored += 1,
                    // A write may also be refused because of the other server's rules.
                    Err(error) => refused += usize::from(error.code == "PolicyViolation"),
                }
            }
            (stored, refused)
        });
    }
    while let Some(counts) = both.join_next().await {
        let (stored, refused) = counts.expect("a writer does not panic");
        assert!(stored > 0 && refused > 0, "{stored} stored, {refused} refused");
    }
    assert!(holds(&bench.control));
}
