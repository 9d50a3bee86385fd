use data_encoding::HEXLOWER;

use super::*;

fn set(documents: &[(&str, &str)]) -> Documents {
    let mut set = Documents::default();
    for (key, body) in documents {
        set.put((*key).into(), Entry::new(key, Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    }
    set
}

#[test]
fn the_hash_is_the_one_that_is_written_down() {
    // printf '' | sha256sum
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(HEXLOWER.encode(&Documents::default().hash()), nothing);
    // { printf '/a\0{}' | sha256sum | xxd -r -p; printf '/b\0[]' | sha256sum | xxd -r -p; } | sha256sum
    let two = "0a0893b4ae117f8a2240fe65dd3df77daaf6d0ac2e9bab8879e574696358e742";
    assert_eq!(HEXLOWER.encode(&set(&[("/b", "[]"), ("/a", "{}")]).hash()), two);
}

#[test]
fn keys_and_bodies_cannot_be_taken_for_each_other() {
    let all = [
        set(&[("/a", "b")]),
        set(&[("/ab", "")]),
        set(&[("/a", "")]),
        set(&[("/a", ""), ("/b", "")]),
        set(&[("/b", "b")]),
    ];
    for (place, one) in all.iter().enumerate() {
        assert!(all[place + 1..].iter().all(|other| other.hash() != one.hash()), "{one:?}");
    }
}

#[test]
fn changes_lead_from_one_set_to_another() {
    let before = set(&[("/a", "1"), ("/b", "2"), ("/c", "3")]);
    let after = set(&[("/a", "1"), ("/b", "changed"), ("/d", "4")]);
    let changes = after.changes_since(&before);
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((change.removed.as_slice(), change.documents.len()), (&["/c".to_owned()][..], 2));
    let mut walked = before.clone();
    changes.into_iter().for_each(|change| walked.apply(change).unwrap());
    assert_eq!((walked.hash(), walked.bytes()), (after.hash(), after.bytes()));
    assert_eq!(walked, after);
    assert!(after.changes_since(&walked).is_empty());
}

#[test]
fn a_large_change_goes_in_several_messages() {
    let body = "x".repeat(CHANGE_BYTES / 4);
    let keys: Vec<String> = (0..10).map(|number| format!("/{number}")).collect();
    let all: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), body.as_str())).collect();
    let all = set(&all);
    let changes = all.changes_since(&Documents::default());
    assert_eq!(changes.len(), 3, "four at a time");
    let mut walked = Documents::default();
    changes.into_iter().for_each(|change| walked.apply(change).unwrap());
    assert_eq!(walked, all);
}

#[test]
fn limits_hold_and_change_nothing() {
    let mut documents = set(&[("/a", "1")]);
    let before = documents.clone();
    let mut put = |key: &str, bytes: usize| {
        let entry = Entry { body: Bytes::from(vec![0; bytes]), digest: [0; 32] };
        documents.put(key.into(), entry).unwrap_err().to_string()
    };
    assert!(put("", 1).starts_with("\"\" is not a document's key"));
    assert!(put("a\0b", 1).contains("is not a document's key"));
    assert!(put(&"k".repeat(KEY_BYTES_MAX + 1), 1).contains("is not a document's key"));
    assert!(put("/b", DOCUMENT_BYTES_MAX + 1).contains("document /b has 16777217 bytes"));
    assert_eq!(documents, before);
}

#[test]
fn the_last_document_that_fits_is_taken_and_no_other() {
    let mut documents = Documents::default();
    let entry = Entry { body: Bytes::new(), digest: [0; 32] };
    for number in 0..DOCUMENTS_MAX {
        documents.put(format!("/{number}").into(), entry.clone()).unwrap();
    }
    let error = documents.put("/one-more".into(), entry.clone()).unwrap_err();
    assert_eq!(error, DocumentsError::Documents { got: DOCUMENTS_MAX + 1 });
    documents.put("/1".into(), entry).unwrap();
}
