//! Templates that people would really deploy: the repository's own, and those of a public collection that have only what is served.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn read(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

#[tokio::test]
async fn the_lab_s_template_is_deployed_and_deployed_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/lab");
    let template = read(&folder.join("azuredeploy.json")).expect("the example is there");
    let parameters = read(&folder.join("azuredeploy.parameters.json")).expect("the example is there");
    let bench = Bench::new();
    let again =
        || request_at(group("g"), &body(template.clone(), parameters.clone())).expect("it is a template");
    let document = deploy(&bench, again()).await;
    assert_eq!(state(&document), "Succeeded", "{:#}", document["properties"]["error"]);
    let nics = bench.names().iter().filter(|name| name.ends_with("-nic")).count();
    assert!(nics >= 4, "{:?}", bench.names());
    let changes = what_if(&bench, &again()).expect("an answer")["properties"]["changes"].clone();
    for change in changes.as_array().expect("a list") {
        assert_eq!(change["changeType"], json!("NoChange"), "{change:#}");
    }
}

/// Every template of the collection is deployed or refused whole, and no input makes this panic.
#[tokio::test]
async fn templates_of_a_public_collection_are_deployed_or_refused_whole() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from).join("arm-quickstart");
    if !folder.is_dir() {
        println!("skipped: {} is not there (set PALISADE_REAL_DATA)", folder.display());
        return;
    }
    let (mut deployed, mut refused) = (Vec::new(), 0);
    for entry in fs::read_dir(&folder).expect("the folder can be read").flatten() {
        let Some(template) = read(&entry.path().join("azuredeploy.json")) else { continue };
        let parameters = read(&entry.path().join("azuredeploy.parameters.json")).unwrap_or_else(|| json!({}));
        let bench = Bench::new();
        let Ok(request) = request_at(group("g"), &body(template, parameters)) else { continue };
        match create(&bench, request).await {
            Ok(document) => {
                let error = &document["properties"]["error"];
                assert_eq!(state(&document), "Succeeded", "{}: {error:#}", entry.path().display());
                deployed.push(entry.file_name().to_string_lossy().into_owned());
            }
            Err(_) => {
                assert_eq!(bench.names(), [""; 0], "{}", entry.path().display());
                refused += 1;
            }
        }
    }
    deployed.sort();
    println!("{} deployed, {refused} refused: {deployed:?}", deployed.len());
    assert!(deployed.len() >= 3 && refused > 0, "{deployed:?}");
}
