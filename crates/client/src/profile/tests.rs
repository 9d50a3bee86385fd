use super::*;

fn profiles() -> Profiles {
    let login = Login::ServicePrincipal { client_id: "c".into(), client_secret: "s".into() };
    let profile = Profile {
        endpoint: "https://127.0.0.1:8443".into(),
        authority: None,
        tenant_id: "t".into(),
        subscription_id: "u".into(),
        login,
        token: Some(Token { access: "a".into(), expires: 7 }),
    };
    Profiles { current: Some("default".into()), profiles: [("default".to_owned(), profile)].into() }
}

#[test]
fn what_was_written_is_read_again_and_closed_to_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/profiles.json");
    assert!(Profiles::read(&path).expect("none yet").profiles.is_empty());
    profiles().write(&path).expect("written");
    let mode = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let read = Profiles::read(&path).expect("read");
    assert_eq!(serde_json::to_value(&read).expect("JSON"), serde_json::to_value(profiles()).expect("JSON"));
    let files = fs::read_dir(path.parent().expect("a folder")).expect("listed").count();
    assert_eq!(files, 1, "nothing is left beside it");
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("profiles.json");
    profiles().write(&path).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("opened");
    let error = Profiles::read(&path).expect_err("refused");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn the_profile_that_is_meant_must_be_there() {
    assert_eq!(profiles().name(None).expect("the current one"), "default");
    assert!(matches!(Profiles::default().name(None), Err(ProfileError::None)));
    let error = profiles().name(Some("other")).expect_err("unknown").to_string();
    assert!(error.contains("\"other\"") && error.contains("default"), "{error}");
}

#[test]
fn secrets_do_not_show() {
    let mut profiles = profiles();
    let profile = profiles.profiles.get_mut("default").expect("there");
    profile.login = Login::ServicePrincipal { client_id: "c".into(), client_secret: "swordfish".into() };
    profile.token = Some(Token { access: "swordfish".into(), expires: 1 });
    assert!(!format!("{profiles:?}").contains("swordfish"));
    let bootstrap = Bootstrap {
        endpoint: "https://127.0.0.1:8443".into(),
        ca_file: "ca.pem".into(),
        tenant_id: "t".into(),
        subscription_id: "u".into(),
        client_id: "c".into(),
        client_secret: "swordfish".into(),
    };
    assert!(!format!("{bootstrap:?}").contains("swordfish"));
}
