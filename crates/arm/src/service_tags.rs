//! Service tags: Microsoft's weekly file and the answer of the discovery API become names and prefixes.
//!
//! Both shapes are the same but for where numbers are quoted, so one set of types reads both. This knows nothing of
//! what a tag is used for, and never repairs: a prefix that cannot be read refuses the file, because a tag with a hole
//! in it would deny or admit the wrong traffic. These files are large (4 MB), so they bypass [`crate::json`] and its
//! positions. Shape: docs/semantics.md, "Service tags".

use std::borrow::Cow;
use std::collections::HashSet;

use palisade_net::{Prefix, PrefixError};
use serde::Deserialize;

/// The largest file that is read, in bytes; Microsoft's has 4 million.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// The most tags of one file; Microsoft's has 3,041.
pub const TAGS_MAX: usize = 50_000;
/// The most prefixes of all tags of one file; Microsoft's has 95,823.
pub const PREFIXES_MAX: usize = 2_000_000;

/// A service tag: a name and the prefixes it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTag {
    /// Name, such as `Storage.WestUS`. Azure compares it without case.
    pub name: String,
    /// Prefixes of both families, in the order of the file.
    pub prefixes: Vec<Prefix>,
}

/// A file of service tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTags {
    /// Revision of the file; absent when the file does not say.
    pub change_number: Option<u64>,
    /// `Public`, `AzureGovernment`, `AzureChina`; empty when the file does not say.
    pub cloud: String,
    /// The tags, in the order of the file.
    pub tags: Vec<ServiceTag>,
    /// Whether the list ends here. The discovery API answers in pages; a page that names a next one is not complete.
    pub complete: bool,
}

/// Why a file of service tags was refused.
#[derive(Debug, thiserror::Error)]
pub enum ServiceTagsError {
    /// The file passes [`FILE_BYTES_MAX`].
    #[error("the service tag file has {bytes} bytes, more than the {FILE_BYTES_MAX} that are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The file is not JSON, or not of this shape.
    #[error(
        "not a service tag file (expected Microsoft's ServiceTags_Public_*.json or `az network list-service-tags`)"
    )]
    Shape(#[source] serde_json::Error),
    /// The file passes [`TAGS_MAX`].
    #[error("the service tag file has more than {TAGS_MAX} tags")]
    TooManyTags,
    /// The file passes [`PREFIXES_MAX`].
    #[error("the service tag file has more than {PREFIXES_MAX} prefixes at tag \"{tag}\"")]
    TooManyPrefixes {
        /// The tag whose prefixes pass the limit.
        tag: String,
    },
    /// A tag has no name.
    #[error("the service tag at position {index} has no name")]
    Nameless {
        /// Its position in `values`, from 0.
        index: usize,
    },
    /// Two tags have one name.
    #[error("the service tag \"{tag}\" is listed twice")]
    Duplicate {
        /// The name.
        tag: String,
    },
    /// A prefix cannot be read.
    #[error("the service tag \"{tag}\" has an invalid prefix \"{prefix}\"")]
    Prefix {
        /// The tag.
        tag: String,
        /// The prefix as written.
        prefix: String,
        /// What is wrong with it.
        source: PrefixError,
    },
}

/// Reads a file of service tags.
///
/// # Errors
/// [`ServiceTagsError`]; the first fault refuses the file.
pub fn read(text: &str) -> Result<ServiceTags, ServiceTagsError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(ServiceTagsError::TooLarge { bytes: text.len() });
    }
    let file: File<'_> =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(ServiceTagsError::Shape)?;
    if file.values.len() > TAGS_MAX {
        return Err(ServiceTagsError::TooManyTags);
    }
    Ok(ServiceTags {
        change_number: file.change_number.and_then(|number| number.value()),
        cloud: file.cloud.unwrap_or_default().into_owned(),
        tags: tags(&file.values)?,
        complete: file.next_link.is_none_or(|link| link.is_empty()),
    })
}

fn tags(values: &[Value<'_>]) -> Result<Vec<ServiceTag>, ServiceTagsError> {
    let mut names = HashSet::with_capacity(values.len());
    let mut prefixes_total = 0;
    let mut tags = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let name = value.name().ok_or(ServiceTagsError::Nameless { index })?;
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(ServiceTagsError::Duplicate { tag: name.to_owned() });
        }
        prefixes_total += value.properties.address_prefixes.len();
        if prefixes_total > PREFIXES_MAX {
            return Err(ServiceTagsError::TooManyPrefixes { tag: name.to_owned() });
        }
        tags.push(ServiceTag { name: name.to_owned(), prefixes: prefixes(name, &value.properties)? });
    }
    Ok(tags)
}

fn prefixes(tag: &str, properties: &Properties<'_>) -> Result<Vec<Prefix>, ServiceTagsError> {
    let parse = |prefix: &Cow<'_, str>| {
        prefix.parse().map_err(|source| ServiceTagsError::Prefix {
            tag: tag.to_owned(),
            prefix: prefix.clone().into_owned(),
            source,
        })
    };
    properties.address_prefixes.iter().map(parse).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(default)]
    change_number: Option<ChangeNumber<'a>>,
    #[serde(borrow, default)]
    cloud: Option<Cow<'a, str>>,
    values: Vec<Value<'a>>,
    #[serde(default)]
    next_link: Option<Cow<'a, str>>,
}

/// The file writes a number, the API a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChangeNumber<'a> {
    Number(u64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl ChangeNumber<'_> {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    id: Option<Cow<'a, str>>,
    properties: Properties<'a>,
}

impl Value<'_> {
    fn name(&self) -> Option<&str> {
        [&self.name, &self.id].into_iter().flatten().map(AsRef::as_ref).find(|name| !name.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    /// `Vec<Cow>` never borrows by itself in serde, but it costs one allocation a prefix, which is well under a second.
    #[serde(borrow)]
    address_prefixes: Vec<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"changeNumber":376,"cloud":"Public","values":[
        {"name":"ActionGroup","id":"ActionGroup","properties":{"changeNumber":53,"region":"","regionId":0,
         "platform":"Azure","systemService":"ActionGroup","addressPrefixes":["4.145.74.52/30","2603:1000::/47"]}},
        {"name":"Storage.WestUS","id":"Storage.WestUS","properties":{"addressPrefixes":[]}}]}"#;

    fn error(text: &str) -> String {
        read(text).expect_err("refused").to_string()
    }

    #[test]
    fn the_weekly_file_gives_names_and_prefixes() {
        let file = read(FILE).expect("reads");
        assert_eq!((file.change_number, file.cloud.as_str(), file.complete), (Some(376), "Public", true));
        let names: Vec<_> = file.tags.iter().map(|tag| (tag.name.as_str(), tag.prefixes.len())).collect();
        assert_eq!(names, [("ActionGroup", 2), ("Storage.WestUS", 0)]);
        assert_eq!(file.tags[0].prefixes[1].to_string(), "2603:1000::/47");
    }

    #[test]
    fn the_discovery_answer_gives_the_same_tags() {
        let api = FILE
            .replacen(
                "{\"changeNumber\":376",
                "{\"name\":\"Public\",\"type\":\"t\",\"changeNumber\":\"376\"",
                1,
            )
            .replacen(
                "\"id\":\"ActionGroup\"",
                "\"id\":\"ActionGroup\",\"serviceTagChangeNumber\":\"53\"",
                1,
            );
        assert_eq!(read(&api).expect("reads"), read(FILE).expect("reads"));
        let page = FILE.replacen("{\"changeNumber\"", "{\"nextLink\":\"https://next\",\"changeNumber\"", 1);
        assert!(!read(&page).expect("reads").complete);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert!(read(&format!("\u{feff}{FILE}")).is_ok());
    }

    #[test]
    fn faults_name_the_tag_and_the_prefix() {
        let broken = FILE.replace("4.145.74.52/30", "4.145.74.53/30");
        assert_eq!(
            error(&broken),
            "the service tag \"ActionGroup\" has an invalid prefix \"4.145.74.53/30\""
        );
        let twice = FILE.replace("Storage.WestUS", "actiongroup");
        assert_eq!(error(&twice), "the service tag \"actiongroup\" is listed twice");
        let nameless = FILE.replace("Storage.WestUS", "");
        assert_eq!(error(&nameless), "the service tag at position 1 has no name");
    }

    #[test]
    fn other_files_are_refused() {
        for text in
            ["", "[]", "{}", "{\"values\":{}}", "{\"values\":[{}]}", "{\"values\":[1]}", &"[".repeat(100_000)]
        {
            assert!(error(text).starts_with("not a service tag file"), "{text:.20}");
        }
    }
}
