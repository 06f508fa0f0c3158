//! Pages: nothing is left out and nothing comes twice.

use http::Uri;
use serde_json::{Value, json};

use super::{Cut, Page, Way};
use crate::http::{Error, Params};

fn page(query: &str) -> Result<Page, Error> {
    let uri: Uri = format!("/compute/v2.1/flavors?{query}").parse().unwrap();
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .unwrap()
        .0;
    Page::new(uri, Params::new(pairs))
}

/// Twenty-five items of which many are alike in `ram`.
fn items() -> Vec<(String, i64)> {
    (0..25).map(|n| (format!("id{n:02}"), n % 3)).collect()
}

fn cut(page: &Page) -> Cut<(String, i64)> {
    page.cut(
        items(),
        |item| item.0.clone(),
        |item, key| match key {
            "ram" => json!(item.1),
            _ => Value::Null,
        },
    )
    .unwrap()
}

#[test]
fn following_the_links_visits_everything_once() {
    for question in [
        "limit=4",
        "limit=7&sort_key=ram&sort_dir=asc",
        "limit=1&sort=ram:desc",
    ] {
        let mut query = question.to_owned();
        let mut seen = Vec::new();
        loop {
            let page = page(&query).unwrap();
            let cut = cut(&page);
            seen.extend(cut.items.iter().map(|item| item.0.clone()));
            let Some(next) = &cut.next else { break };
            let path = page.path_after(next);
            query = path.split_once('?').unwrap().1.to_owned();
            assert!(page.links("http://x", &cut).is_some());
        }
        assert_eq!(seen.len(), 25, "{question}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 25, "{question}");
    }
}

#[test]
fn going_back_gives_the_same_pages() {
    let forward = cut(&page("limit=10&marker=id09").unwrap());
    assert_eq!(
        forward.items.first().map(|item| item.0.as_str()),
        Some("id10")
    );
    let back = cut(&page("limit=10&marker=id20&page_reverse=True").unwrap());
    assert_eq!(back.items, forward.items);
}

#[test]
fn the_whole_list_has_no_links() {
    let page = page("limit=0").unwrap();
    let cut = cut(&page);
    assert_eq!(cut.items.len(), 25);
    assert!(page.links("http://x", &cut).is_none());
}

#[test]
fn what_cannot_be_asked_is_named() {
    for (query, word) in [
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("sort_key=a&sort_dir=up", "up"),
        ("sort=a:b", "b"),
    ] {
        let error = page(query).unwrap_err();
        assert!(error.message().contains(word), "{query}: {error}");
    }
    let odd = page("sort_key=secret")
        .unwrap()
        .sorted_by(&["name"], ("name", Way::Up));
    assert!(odd.unwrap_err().message().contains("name"));
    let lost = page("marker=gone").unwrap();
    let lost = lost.cut(items(), |item| item.0.clone(), |_, _| Value::Null);
    assert!(lost.unwrap_err().message().contains("gone"));
}

#[test]
fn other_parameters_survive_in_the_link_and_are_escaped() {
    let page = page("limit=2&name=a%26b%20c&marker=id01").unwrap();
    assert_eq!(
        page.path_after("id03"),
        "/compute/v2.1/flavors?limit=2&name=a%26b%20c&marker=id03"
    );
    assert_eq!(
        page.first_path(),
        "/compute/v2.1/flavors?limit=2&name=a%26b%20c"
    );
}
