use std::fs;

use super::*;

const NSG: &str = r#"{
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": { "source": { "type": "string", "defaultValue": "*" } },
    "resources": [{
        "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2023-09-01", "name": "web-nsg",
        "properties": { "securityRules": [{ "name": "allow-web", "properties": {
            "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
            "sourceAddressPrefix": "[parameters('source')]", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": "80" } }] }
    }]
}"#;

fn parameters(source: &str) -> String {
    format!(
        r#"{{ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
              "contentVersion": "1.0.0.0", "parameters": {{ "source": {{ "value": "{source}" }} }} }}"#
    )
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(
    folder: &tempfile::TempDir,
    paths: &[&str],
    parameters: &[&str],
    tags: &[&str],
) -> Result<Loaded, LoadError> {
    let all = |names: &[&str]| names.iter().map(|name| folder.path().join(name)).collect();
    estate(&EstateSources {
        paths: all(paths),
        parameters: all(parameters),
        service_tags: all(tags),
        ..EstateSources::default()
    })
}

fn codes(outcome: Result<Loaded, LoadError>) -> Vec<String> {
    outcome.unwrap_err().problems.into_iter().map(|problem| problem.code).collect()
}

/// What the first rule of the only NSG says of its source.
fn source(loaded: &Loaded) -> String {
    let nsg = loaded.estate.nsgs().next().unwrap();
    format!("{:?}", nsg.rules(palisade_net::Direction::Inbound)[0].source())
}

#[test]
fn a_folder_gives_its_json_files_sorted_and_nothing_hidden() {
    let folder = folder(&[
        ("b/z.JSON", "[]"),
        ("b/a.json", NSG),
        ("a.json", "[]"),
        ("notes.txt", "no"),
        (".hidden/x.json", "broken"),
        (".x.json", "broken"),
    ]);
    let loaded = load(&folder, &["."], &[], &[]).unwrap();
    let names: Vec<_> =
        loaded.files.iter().map(|path| path.strip_prefix(folder.path().join(".")).unwrap()).collect();
    assert_eq!(names, ["a.json", "b/a.json", "b/z.JSON"].map(std::path::Path::new));
    assert_eq!(loaded.estate.nsgs().count(), 1);
}

#[test]
fn a_file_reached_twice_is_read_once() {
    let folder = folder(&[("x.json", NSG)]);
    assert_eq!(load(&folder, &["x.json", "x.json"], &[], &[]).unwrap().files.len(), 1);
}

#[test]
fn links_to_folders_are_not_followed_and_links_to_files_are() {
    let folder = folder(&[("real/x.json", NSG)]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("real/round")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real/x.json"), folder.path().join("real/y.json")).unwrap();
    assert_eq!(load(&folder, &["real"], &[], &[]).unwrap().files.len(), 2);
}

#[test]
fn named_parameters_reach_the_only_template_or_the_one_of_their_name() {
    let other = NSG.replace("web-nsg", "db-nsg");
    let folder = folder(&[
        ("x.json", NSG),
        ("y.json", &other),
        ("p/prod.json", &parameters("10.1.0.0/16")),
        ("p/x.prod.json", &parameters("10.2.0.0/16")),
    ]);
    assert!(source(&load(&folder, &["x.json"], &["p/prod.json"], &[]).unwrap()).contains("10.1.0.0"));
    let both = load(&folder, &["y.json", "x.json"], &["p/x.prod.json"], &[]).unwrap();
    let web = both.estate.nsgs_named("web-nsg")[0];
    assert!(format!("{:?}", web.rules(palisade_net::Direction::Inbound)[0].source()).contains("10.2.0.0"));
    assert_eq!(codes(load(&folder, &["x.json", "y.json"], &["p/prod.json"], &[])), ["PalParametersUnpaired"]);
    assert_eq!(
        codes(load(&folder, &["x.json"], &["p/prod.json", "p/x.prod.json"], &[])),
        ["PalParametersUnpaired"]
    );
}

#[test]
fn parameters_without_a_template_are_a_problem() {
    let folder = folder(&[("dump.json", "[]"), ("p.json", &parameters("*"))]);
    assert_eq!(codes(load(&folder, &["dump.json"], &["p.json"], &[])), ["PalParametersUnpaired"]);
}

#[test]
fn every_problem_is_told_and_errors_come_first() {
    let bad = NSG.replace("\"priority\": 100", "\"priority\": 9").replace("\"Tcp\"", "\"Tcpp\"");
    let folder = folder(&[("x.json", &bad)]);
    let error = load(&folder, &["x.json", "absent.json"], &[], &["absent-tags.json"]).unwrap_err();
    let codes: Vec<_> = error.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(
        codes,
        ["PalUnreadableFile", "PalUnreadableFile", "PalInvalidValue", "SecurityRuleInvalidPriority"]
    );
    assert!(error.problems.iter().all(|problem| problem.is_error));
    assert!(
        error.problems[2].line > 1 && error.problems[2].file.ends_with("x.json"),
        "{:?}",
        error.problems[2]
    );
    assert!(error.to_string().ends_with("(and 3 more)"), "{error}");
}

#[test]
fn nothing_and_devices_and_other_encodings_are_refused() {
    let folder = folder(&[("empty/readme.txt", ""), ("x.json", NSG)]);
    assert_eq!(codes(load(&folder, &["empty"], &[], &[])), ["PalNoInput"]);
    assert_eq!(codes(load(&folder, &["/dev/zero"], &[], &[])), ["PalUnreadableFile"]);
    fs::write(folder.path().join("latin.json"), b"\"\xe9\"").unwrap();
    assert_eq!(codes(load(&folder, &["x.json", "latin.json"], &[], &[])), ["PalUnreadableFile"]);
}

#[test]
fn limits_are_named() {
    let folder = folder(&[("x.json", NSG)]);
    let big = fs::File::create(folder.path().join("big.json")).unwrap();
    big.set_len(palisade_arm::json::JSON_BYTES_MAX as u64 + 1).unwrap();
    assert_eq!(codes(load(&folder, &["x.json", "big.json"], &[], &[])), ["PalTooMuchInput"]);
    let deep = folder.path().join("d/".repeat(FOLDER_DEPTH_MAX + 1));
    fs::create_dir_all(&deep).unwrap();
    fs::remove_file(folder.path().join("big.json")).unwrap();
    assert_eq!(codes(load(&folder, &["."], &[], &[])), ["PalTooMuchInput"]);
}

#[test]
fn service_tags_are_taken_whole_or_not_at_all() {
    let tags = |prefix: &str| {
        format!(
            r#"{{"values": [{{"name": "Corp.West", "properties": {{"addressPrefixes": ["{prefix}"]}}}}]}}"#
        )
    };
    let folder =
        folder(&[("x.json", NSG), ("good.json", &tags("192.0.2.0/24")), ("bad.json", &tags("192.0.2.0/33"))]);
    let loaded = load(&folder, &["x.json"], &[], &["good.json"]).unwrap();
    assert_eq!(loaded.files.len(), 2);
    let error = load(&folder, &["x.json"], &[], &["bad.json"]).unwrap_err();
    assert_eq!(error.problems.len(), 1);
    assert_eq!(error.problems[0].code, "PalServiceTagFile");
    assert!(error.problems[0].message.contains("192.0.2.0/33"), "{error}");
}

#[test]
fn a_page_of_service_tags_that_names_a_next_one_is_refused() {
    let page = r#"{"values": [], "nextLink": "https://example.com/next"}"#;
    let folder = folder(&[("x.json", NSG), ("page.json", page)]);
    let error = load(&folder, &["x.json"], &[], &["page.json"]).unwrap_err();
    assert_eq!(error.problems[0].code, "PalServiceTagFile");
    assert!(error.to_string().contains("fetch all pages"), "{error}");
}

#[test]
fn the_digest_is_that_of_names_and_contents() {
    let folder = folder(&[("x.json", NSG), ("y.json", NSG), ("bad.json", "{")]);
    let digest = |name: &str| load(&folder, &[name], &[], &[]).unwrap().digest;
    assert_eq!(digest("x.json"), digest("x.json"));
    assert_ne!(digest("x.json"), digest("y.json"), "another name");
    let refused = load(&folder, &["bad.json"], &[], &[]).unwrap_err();
    assert_eq!(refused.digest.len(), 64, "a refused estate has one too");
}

/// A resource that lets through what comes from this tag, and the documents of tags beside it.
fn sent(tag: &str, tags: &[(&str, &str)]) -> Arc<Documents> {
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/web-nsg";
    let rule = format!(
        r#"{{"id": "{id}", "name": "web-nsg", "type": "Microsoft.Network/networkSecurityGroups",
             "properties": {{"securityRules": [{{"name": "r", "properties": {{
             "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourcePortRange": "*",
             "sourceAddressPrefix": "{tag}", "destinationAddressPrefix": "*", "destinationPortRange": "80"}}}}]}}}}"#
    );
    let mut documents = Documents::default();
    let mut put = |key: String, body: String| {
        let entry = palisade_sync::Entry::new(&key, body.into());
        documents.put(key.into(), entry).unwrap();
    };
    put(id.to_lowercase(), rule);
    for (name, prefix) in tags {
        put(format!("{SERVICE_TAG_PREFIX}{}", name.to_lowercase()), tag_file(name, prefix));
    }
    Arc::new(documents)
}

fn tag_file(name: &str, prefix: &str) -> String {
    format!(r#"{{"values": [{{"name": "{name}", "properties": {{"addressPrefixes": ["{prefix}"]}}}}]}}"#)
}

/// What the catalog of an estate that a server gave says of a tag.
fn addresses(documents: &Arc<Documents>, files: Vec<PathBuf>, tag: &str) -> palisade_model::TagAddresses {
    let input = Input::Documents { documents: documents.clone(), service_tags: files };
    read(&input).unwrap().estate.tags().addresses(&tag.parse().unwrap())
}

#[test]
fn service_tags_that_a_server_sent_are_taken_before_those_of_a_file() {
    let known = |prefix: &str| {
        palisade_model::TagAddresses::Known([prefix.parse::<Prefix>().unwrap()].into_iter().collect())
    };
    let documents = sent("Storage", &[("Storage", "192.0.2.0/24")]);
    assert_eq!(addresses(&documents, Vec::new(), "Storage"), known("192.0.2.0/24"), "needs no file");
    let own = folder(&[
        ("own.json", &tag_file("storage", "198.51.100.0/24")),
        ("more.json", &tag_file("Corp.West", "203.0.113.0/24")),
    ]);
    let files = ["own.json", "more.json"].map(|name| own.path().join(name)).to_vec();
    assert_eq!(addresses(&documents, files.clone(), "Storage"), known("192.0.2.0/24"));
    assert_eq!(addresses(&documents, files.clone(), "Corp.West"), known("203.0.113.0/24"));
    let unsent = sent("Storage", &[]);
    assert_eq!(addresses(&unsent, files, "Storage"), known("198.51.100.0/24"), "a file stands in for it");
}

#[test]
fn a_service_tag_that_a_server_sent_broken_is_refused_under_its_key() {
    let documents = sent("Storage", &[("Storage", "192.0.2.0/33")]);
    let error = read(&Input::Documents { documents, service_tags: Vec::new() }).unwrap_err();
    let first = &error.problems[0];
    assert_eq!((first.code.as_str(), first.file.as_str()), ("PalServiceTagFile", "servicetags/storage"));
    assert!(first.message.contains("192.0.2.0/33"), "{error}");
}
