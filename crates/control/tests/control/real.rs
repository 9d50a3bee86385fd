//! Resources of templates that people really deploy, as bodies. They come with the shared data; without it nothing runs.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::Bench;

/// The newest templates of the quickstart collection, if they are there.
fn data() -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let folder =
        std::env::var_os("PALISADE_REAL_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let found = folder.join("arm-quickstart");
    if !found.is_dir() {
        println!("{} is not there; nothing is tried", found.display());
        return None;
    }
    Some(found)
}

/// NSGs whose every value stands in the template itself.
fn literal_nsgs(template: &Value) -> Vec<Value> {
    let resources = template["resources"].as_array().cloned().unwrap_or_default();
    let is_literal = |value: &Value| !value.to_string().contains("\"[");
    resources
        .into_iter()
        .filter(|resource| resource["type"].as_str() == Some("Microsoft.Network/networkSecurityGroups"))
        .filter(|resource| is_literal(&resource["properties"]))
        .collect()
}

#[tokio::test]
async fn nsgs_of_real_templates_are_taken() {
    let Some(folder) = data() else { return };
    let bench = Bench::with_group().await;
    let (mut tried, mut refused) = (0, Vec::new());
    let mut folders: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
    folders.sort();
    for file in folders.iter().map(|folder| folder.join("azuredeploy.json")) {
        let Some(template) =
            std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        else {
            continue;
        };
        for nsg in literal_nsgs(&template) {
            tried += 1;
            let body = json!({"location": "westeurope", "properties": nsg["properties"]});
            if let Err(error) = bench.put(&format!("rg/net/networkSecurityGroups/n{tried}"), body).await {
                refused.push(format!("{}: {error}", file.display()));
            }
        }
    }
    assert!(tried >= 20, "only {tried} NSGs were found");
    assert!(refused.is_empty(), "{refused:#?}");
}
