//! Queries of lists: whatever is asked, walking from page to page shows every item once and ends.

#![no_main]

use http::Uri;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use skybus_api::{
    fuzzing::{any_fits, lists},
    http::{
        Page, Params,
        microversion::{MAX, MIN},
    },
};

const ITEMS: u64 = 7;

/// The query as axum reads it.
fn params(uri: &Uri) -> Option<Params> {
    let axum_query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    axum_query
        .ok()
        .map(|axum::extract::Query(pairs)| Params::new(pairs))
}

fn walk(uri: &Uri, params: &Params) {
    let Ok(page) = Page::new(uri.clone(), params.clone()) else {
        return;
    };
    assert!((1..=skybus_api::http::page::MOST).contains(&page.limit));
    let id = |item: &u64| format!("item-{item}");
    // Alike in one thing, different in others, missing in some.
    let field = |item: &u64, key: &str| match key {
        "name" => json!(item / 2),
        "even" => json!(item % 2 == 0),
        "size" if item % 3 == 0 => Value::Null,
        "size" => json!(format!("{item}")),
        _ => json!([item]),
    };
    if page.marker.is_some() || page.reverse {
        let _ = page.cut((0..ITEMS).collect(), id, field);
        return;
    }
    let (mut seen, mut here) = (Vec::new(), page);
    loop {
        let cut = here
            .cut((0..ITEMS).collect(), id, field)
            .expect("no marker, or one that exists");
        assert!(cut.items.len() <= here.limit);
        seen.extend(cut.items);
        let Some(next) = cut.next else { break };
        let link: Uri = here
            .path_after(&next)
            .parse()
            .expect("a link is an address");
        assert_eq!(link.path(), uri.path());
        let params = self::params(&link).expect("a link can be followed");
        assert_eq!(params.one("marker"), Some(next.as_str()));
        here = Page::new(link, params).expect("a link can be followed");
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..ITEMS).collect::<Vec<_>>());
}

fuzz_target!(|bytes: &[u8]| {
    let mut address = b"/compute/v2.1/servers?".to_vec();
    address.extend(bytes);
    let Ok(uri) = Uri::try_from(address) else {
        return;
    };
    let Some(params) = params(&uri) else {
        return;
    };
    walk(&uri, &params);
    let _ = lists(&params);
    let read = [MIN, MAX].map(|version| any_fits(&params, version));
    if let [Ok(old), Ok(_)] = read
        && params.has("tags")
    {
        assert!(!old, "no server has tags");
    }
});
