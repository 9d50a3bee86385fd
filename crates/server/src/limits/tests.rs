//! Limits at their edges.

use std::time::{Duration, Instant};

use axum::{body::Body, http::HeaderMap};

use super::{
    BODY_LENGTH_MAX, JSON_DEPTH_MAX, Rate, Rates,
    body::{json, read},
    rate::Taken,
};

fn status(result: Result<impl std::fmt::Debug, crate::ApiError>) -> u16 {
    result.map_or_else(|refusal| refusal.error.status, |_| 200)
}

#[tokio::test]
async fn a_body_has_a_length() {
    let headers = HeaderMap::new();
    assert_eq!(status(read(&headers, Body::from(vec![b' '; BODY_LENGTH_MAX])).await), 200);
    assert_eq!(status(read(&headers, Body::from(vec![b' '; BODY_LENGTH_MAX + 1])).await), 413);
    let mut announced = HeaderMap::new();
    announced.insert("content-length", (100 * BODY_LENGTH_MAX).into());
    assert_eq!(status(read(&announced, Body::empty()).await), 413);
}

#[tokio::test(start_paused = true)]
async fn a_body_has_a_time() {
    let never = Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
    assert_eq!(status(read(&HeaderMap::new(), never).await), 408);
}

#[test]
fn json_has_a_depth() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(status(json(nested(JSON_DEPTH_MAX).as_bytes())), 200);
    assert_eq!(status(json(nested(JSON_DEPTH_MAX + 1).as_bytes())), 400);
    // Brackets in strings are text.
    assert_eq!(status(json(format!("[\"{}\\\"[\"]", "[".repeat(JSON_DEPTH_MAX + 1)).as_bytes())), 200);
}

#[test]
fn what_is_no_json_is_refused() {
    for text in ["{", "nothing", "{\"a\":}", "\"", "{}{}", "\u{feff}"] {
        assert_eq!(status(json(text.as_bytes())), 400, "{text}");
    }
    assert_eq!(json(b" \n").unwrap(), None);
    assert_eq!(json("\u{feff}{}".as_bytes()).unwrap(), Some(serde_json::json!({})));
    assert_eq!(status(json(b"\xff")), 400);
}

#[test]
fn buckets_empty_and_fill_again() {
    let rate = Rate { per_second: 10, burst: 2 };
    let rates = Rates::new(rate, rate);
    let start = Instant::now();
    let after = |milliseconds| start + Duration::from_millis(milliseconds);
    let check = |who: &str, milliseconds, expect| {
        assert_eq!(rates.address(who, after(milliseconds)), expect, "{who} at {milliseconds}");
    };
    check("a", 0, Taken::Granted);
    check("a", 0, Taken::Granted);
    check("a", 0, Taken::RefusedFirst);
    check("a", 0, Taken::Refused);
    check("b", 0, Taken::Granted);
    check("a", 50, Taken::Refused);
    check("a", 110, Taken::Granted);
    check("a", 110, Taken::RefusedFirst);
    check("a", 100_000, Taken::Granted);
    check("a", 100_000, Taken::Granted);
    check("a", 100_000, Taken::RefusedFirst);
    assert_eq!(rates.principal("a", start), Taken::Granted, "principals have buckets of their own");
}

#[test]
fn the_table_of_buckets_is_bounded() {
    let rate = Rate { per_second: 1, burst: 1 };
    let rates = Rates::new(rate, rate);
    let start = Instant::now();
    let granted =
        (0..40_000).filter(|n: &u32| rates.address(&n.to_string(), start) == Taken::Granted).count();
    assert_eq!(granted, super::rate::BUCKETS_MAX + 1, "newcomers share one bucket when the table is full");
    // Once buckets are full again there is room.
    assert_eq!(rates.address("new", start + Duration::from_secs(2)), Taken::Granted);
}
