//! Names that nothing has: refused with the nearest that there is, and never answered with an empty list.

use serde_json::json;

use crate::site::Site;

#[test]
fn a_name_that_nothing_has_is_refused_with_the_nearest() {
    let site = Site::start();
    site.lay();
    let machine = json!({ "id": site.id("Microsoft.Compute/virtualMachines/vm1"), "location": "westeurope",
        "properties": { "networkProfile": { "networkInterfaces": [
            { "id": site.id("Microsoft.Network/networkInterfaces/one") } ] } } });
    site.file("machine.json", &machine);
    site.expect(0, &["apply", "machine.json"]);
    let cases: [(&[&str], &str); 12] = [
        (&["get", "nsq"], "(did you mean \"nsg\"?)"),
        (&["get", "nsg", "wep"], "(did you mean \"web\"?)"),
        (&["get", "nsg", "gateway"], "there is no Microsoft.Network/networkSecurityGroups named \"gateway\""),
        (&["jit", "policy", "vm2", "--port", "22"], "(did you mean \"vm1\"?)"),
        (&["jit", "list", "vm2"], "(did you mean \"vm1\"?)"),
        (&["jit", "history", "vm2"], "(did you mean \"vm1\"?)"),
        (&["endpoint", "list", "vm2"], "(did you mean \"vm1\"?)"),
        (&["alerts", "list", "--vm", "vm2"], "(did you mean \"vm1\"?)"),
        (&["alerts", "list", "--kind", "scans"], "one of scan, bruteforce"),
        (&["quarantine", "onne", "--why", "test"], "(did you mean \"one\"?)"),
        (&["role", "assign", "Raeder", "--to", "bootstrap"], "(did you mean \"Reader\"?)"),
        (&["role", "assign", "Reader", "--to", "botstrap"], "(did you mean \"bootstrap\"?)"),
    ];
    for (words, said) in cases {
        let (printed, told) = site.expect(2, words);
        assert_eq!(printed, "", "{words:?}");
        assert!(told.contains(said), "{words:?}\n{told}");
    }
    // Machines that are there, by their name or by what an interface calls them, have nothing to show yet.
    for words in
        [&["jit", "list", "vm1"][..], &["endpoint", "list", "VM1"], &["alerts", "list", "--vm", "vm1"]]
    {
        site.expect(0, words);
    }
}

#[test]
fn principals_are_found_by_their_names() {
    let site = Site::start();
    site.expect(0, &["principal", "create", "deploy"]);
    let (made, _) = site.expect(0, &["principal", "secret", "create", "deploy", "--format", "json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("one document");
    let id = made["id"].as_str().expect("it has an id");
    site.expect(0, &["principal", "secret", "delete", "deploy", id]);
    site.expect(0, &["principal", "delete", "deploy"]);
    let (_, told) = site.expect(2, &["principal", "delete", "deploy"]);
    assert!(told.contains("there is no principal \"deploy\""), "{told}");
}
