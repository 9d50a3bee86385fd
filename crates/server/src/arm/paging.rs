//! Long lists, a page at a time.
//!
//! A page ends with a link to the next; its token names the last item that was told, not a position, so that what comes
//! and goes meanwhile neither repeats nor hides an item that stays.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use palisade_model::ResourceId;

use super::query::Query;
use crate::error::ApiError;

/// Most items of a page.
pub const PAGE_LENGTH_MAX: usize = 1_000;

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    length: usize,
    after: Option<ResourceId>,
}

impl Page {
    /// From `$top` and `$skipToken`.
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        let length = match query.get("$top") {
            None => PAGE_LENGTH_MAX,
            Some(text) => match text.parse() {
                Ok(0) | Err(_) => {
                    let message = format!("The value '{text}' of $top is not a positive whole number.");
                    return Err(ApiError::bad("InvalidTop", message));
                }
                Ok(length) => usize::min(length, PAGE_LENGTH_MAX),
            },
        };
        let after = query.get("$skipToken").map(token).transpose()?;
        Ok(Self { length, after })
    }

    /// The items of this page out of all, and the token of the next, if there is one. All on one page stay in their order;
    /// pages are in the order of ids.
    pub(super) fn cut(&self, mut all: Vec<ResourceId>) -> (Vec<ResourceId>, Option<String>) {
        if self.after.is_none() && all.len() <= self.length {
            return (all, None);
        }
        all.sort();
        let begin = self.after.as_ref().map_or(0, |after| all.partition_point(|id| id <= after));
        let is_more = all.len() - begin > self.length;
        let page: Vec<_> = all.into_iter().skip(begin).take(self.length).collect();
        let last = page.last().filter(|_| is_more);
        let next = last.map(|id| URL_SAFE_NO_PAD.encode(id.as_str().to_ascii_lowercase()));
        (page, next)
    }
}

fn token(text: &str) -> Result<ResourceId, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let id = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    id.map(|id| ResourceId::new(&id))
        .ok_or_else(|| ApiError::bad("InvalidSkipToken", "The $skipToken is not one that was given out."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<usize>) -> Vec<ResourceId> {
        range.map(|number| ResourceId::new(&format!("/Sub/{number:04}"))).collect()
    }

    fn page(query: &str) -> Result<Page, ApiError> {
        Page::of(&Query::parse(query).unwrap())
    }

    #[test]
    fn pages_follow_each_other() {
        let (first, next) = page("$top=2").unwrap().cut(ids(0..5));
        assert_eq!(first, ids(0..2));
        // The last item that was told is gone, and one before it is new: the next page begins where it should.
        let mut others = ids(2..5);
        others.insert(0, ResourceId::new("/sub/0000a"));
        let (second, next) = page(&format!("$top=2&$skipToken={}", next.unwrap())).unwrap().cut(others);
        assert_eq!(second, ids(2..4));
        let (third, next) = page(&format!("$top=2&$skipToken={}", next.unwrap())).unwrap().cut(ids(0..5));
        assert_eq!((third, next), (ids(4..5), None));
    }

    #[test]
    fn bounds() {
        let (all, next) = page("").unwrap().cut(ids(0..PAGE_LENGTH_MAX));
        assert_eq!((all.len(), next), (PAGE_LENGTH_MAX, None));
        let (all, next) = page("$top=99999").unwrap().cut(ids(0..PAGE_LENGTH_MAX + 1));
        assert_eq!((all.len(), next.is_some()), (PAGE_LENGTH_MAX, true));
        for query in ["$top=0", "$top=-1", "$top=x", "$skipToken=%2B", "$skipToken=_w"] {
            assert!(page(query).is_err(), "{query}");
        }
    }
}
