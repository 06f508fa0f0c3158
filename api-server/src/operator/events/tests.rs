//! Following events over HTTP: who sees what, going on where a stream was lost, and being told of gaps.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use skybus_model::{
    Timestamp,
    id::{ProjectId, ServerId, UserId},
};
use skybus_store::{
    Store,
    events::{self, Event},
    testing::TestStore,
};
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    http::shed::MOST_REQUESTS,
    identity::token::Claims,
    operator::events::Pace,
    testing::{Answer, TestApp},
};

const PATH: &str = "/skybus/v1/events";
/// Longer than any wait of these tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream, read frame by frame.
struct Reader {
    body: Body,
    text: String,
    /// The frames without a kind.
    passed: String,
}

#[derive(Debug, PartialEq)]
struct Frame {
    id: i64,
    kind: String,
    data: Value,
}

impl Reader {
    async fn open(
        test: &TestApp,
        token: &str,
        query: &str,
        last: &str,
    ) -> Result<Self, StatusCode> {
        let mut request = Request::builder()
            .uri(format!("{PATH}{query}"))
            .header("accept", "text/event-stream")
            .header("x-auth-token", token);
        if !last.is_empty() {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = test.router.clone().oneshot(request).await.unwrap();
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self {
            body: response.into_body(),
            text: String::new(),
            passed: String::new(),
        })
    }

    /// The next frame that has a kind; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, self.read())
            .await
            .expect("the stream says nothing")
    }

    async fn read(&mut self) -> Option<Frame> {
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let found = frame.lines().find_map(|line| line.strip_prefix(name));
                    found.map(|value| value.trim_start().to_owned())
                };
                let (id, kind, data) = (field("id:"), field("event:"), field("data:"));
                if kind.is_none() {
                    self.passed.push_str(frame);
                    self.passed.push('\n');
                }
                self.text = rest.to_owned();
                if let Some(kind) = kind {
                    let id = id.map_or(0, |id| id.parse().unwrap());
                    let data = serde_json::from_str(&data.unwrap()).unwrap();
                    return Some(Frame { id, kind, data });
                }
            }
            let bytes = self.body.frame().await?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn numbers(&mut self, count: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(self.next().await.expect("the stream ended").id);
        }
        numbers
    }
}

async fn happens(store: &Store, project: ProjectId, server: ServerId, at: Timestamp) -> i64 {
    let mut tx = store.begin().await.unwrap();
    let event = Event {
        seq: 0,
        at,
        project,
        kind: "compute.instance.update".into(),
        server,
        request_id: "req-1".into(),
        payload: json!({ "status": "BUILD", "host": "node-1" }),
    };
    let seq = events::append(&mut tx, &event).await.unwrap();
    tx.commit().await.unwrap();
    seq
}

async fn many(store: &Store, project: ProjectId, count: usize, at: Timestamp) {
    for _ in 0..count {
        happens(store, project, ServerId::random(), at).await;
    }
}

/// The user and the project of a token.
async fn who(test: &TestApp, token: &str) -> (UserId, ProjectId) {
    let claims = Claims::decode(&test.app.keys.open_sealed(token).unwrap()).unwrap();
    (claims.user, claims.project.unwrap())
}

async fn list(test: &TestApp, token: &str, query: &str) -> Answer {
    test.ask(token, Method::GET, &format!("{PATH}{query}"), Value::Null)
        .await
}

#[tokio::test]
async fn a_project_follows_its_own_events_only_and_learns_no_host() {
    let test = TestApp::sqlite().await;
    let (demo, admin) = (test.demo().await, test.admin().await);
    let (_, own) = who(&test, &demo).await;
    let mut stream = Reader::open(&test, &demo, "", "").await.unwrap();
    let mut operators = Reader::open(&test, &admin, "?all_projects=1", "")
        .await
        .unwrap();
    let now = Timestamp::now();
    let (mine, theirs) = (ServerId::random(), ServerId::random());
    happens(test.store(), ProjectId::random(), theirs, now).await;
    happens(test.store(), own, mine, now).await;
    let frame = stream.next().await.unwrap();
    assert_eq!(
        (frame.id, frame.kind.as_str()),
        (2, "compute.instance.update")
    );
    assert_eq!(frame.data["server"], json!(mine));
    assert_eq!(frame.data["payload"]["host"], Value::Null);
    let frame = operators.next().await.unwrap();
    assert_eq!(frame.data["server"], json!(theirs));
    assert_eq!(frame.data["payload"]["host"], "node-1");
    assert_eq!(operators.next().await.unwrap().id, 2);
    // The list says the same as the stream.
    let listed = list(&test, &demo, "").await.body;
    assert_eq!(listed["events"].as_array().unwrap().len(), 1);
    assert_eq!(listed["events"][0]["payload"]["host"], Value::Null);
    assert_eq!(list(&test, &demo, "?all_projects=1").await.status, 403);
    let refused = Reader::open(&test, &demo, "?all_projects=1", "").await;
    assert_eq!(refused.err(), Some(StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn a_stream_of_some_servers_says_nothing_of_others() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let (_, own) = who(&test, &demo).await;
    let (one, two) = (ServerId::random(), ServerId::random());
    let query = format!("?server={one}&server={two}");
    let mut stream = Reader::open(&test, &demo, &query, "").await.unwrap();
    for server in [ServerId::random(), two, ServerId::random(), one] {
        happens(test.store(), own, server, Timestamp::now()).await;
    }
    assert_eq!(stream.numbers(2).await, [2, 4]);
    for bad in ["?server=nonsense", "?after=-1", "?after=x"] {
        assert_eq!(list(&test, &demo, bad).await.status, 400, "{bad}");
        let refused = Reader::open(&test, &demo, bad, "").await;
        assert_eq!(refused.err(), Some(StatusCode::BAD_REQUEST), "{bad}");
    }
}

#[tokio::test]
async fn a_stream_that_was_lost_goes_on_without_gap_or_repetition() {
    for store in [TestStore::sqlite().await, TestStore::postgres().await] {
        let test = TestApp::on(store, MOST_REQUESTS).await;
        let demo = test.demo().await;
        let (_, own) = who(&test, &demo).await;
        let (store, writer) = (test.store().clone(), own);
        let writing =
            tokio::spawn(async move { many(&store, writer, 300, Timestamp::now()).await });
        let mut seen = Vec::new();
        let mut last = "0".to_owned();
        // Lost again and again while events happen; the header wins over the query.
        while seen.len() < 300 {
            let mut stream = Reader::open(&test, &demo, "?after=7", &last).await.unwrap();
            let some = 23.min(300 - seen.len());
            seen.extend(stream.numbers(some).await);
            last = seen.last().unwrap().to_string();
        }
        writing.await.unwrap();
        assert_eq!(seen, (1..=300).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn who_reads_slowly_lags_and_gets_everything_that_is_kept() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let (_, own) = who(&test, &demo).await;
    let mut stream = Reader::open(&test, &demo, "?after=0", "").await.unwrap();
    many(test.store(), own, 1200, Timestamp::now()).await;
    let all: Vec<i64> = (1..=1200).collect();
    assert_eq!(stream.numbers(1200).await, all);
}

#[tokio::test]
async fn who_asks_for_what_is_gone_is_told_and_goes_on_with_the_oldest() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let (_, own) = who(&test, &demo).await;
    let now = Timestamp::now();
    many(test.store(), own, 155, now).await;
    assert_eq!(super::sweep::once(&test.app, now).await.unwrap(), 0);
    let aged = Timestamp(now.micros() + 31 * 24 * 3_600_000_000);
    assert_eq!(super::sweep::once(&test.app, aged).await.unwrap(), 155);
    many(test.store(), own, 2, aged).await;

    let mut late = Reader::open(&test, &demo, "", "5").await.unwrap();
    let gap = late.next().await.unwrap();
    assert_eq!((gap.kind.as_str(), gap.id), ("gap", 155));
    assert_eq!(gap.data, json!({ "asked": 5, "oldest": 156 }));
    assert_eq!(late.numbers(2).await, [156, 157]);
    let answer = list(&test, &demo, "?after=5").await;
    assert_eq!(answer.status, 410);
    assert!(
        answer.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("156")
    );
    let rest = list(&test, &demo, "?after=155").await.body;
    assert_eq!(rest["events"].as_array().unwrap().len(), 2);
    assert_eq!((&rest["oldest"], &rest["last"]), (&json!(156), &json!(157)));
    assert_eq!(list(&test, &demo, "").await.body["events"][0]["seq"], 156);

    // A number that was never given belongs to another database.
    let mut strange = Reader::open(&test, &demo, "?after=1000", "").await.unwrap();
    assert_eq!(strange.next().await.unwrap().kind, "gap");
    assert_eq!(strange.numbers(1).await, [156]);
}

#[tokio::test]
async fn a_stream_that_lags_behind_what_is_kept_is_told_so_in_the_middle() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let (_, own) = who(&test, &demo).await;
    let mut slow = Reader::open(&test, &demo, "", "").await.unwrap();
    let now = Timestamp::now();
    many(test.store(), own, 1, now).await;
    assert_eq!(slow.numbers(1).await, [1]);
    many(test.store(), own, 1200, now).await;
    let aged = Timestamp(now.micros() + 31 * 24 * 3_600_000_000);
    super::sweep::once(&test.app, aged).await.unwrap();
    let gap = slow.next().await.unwrap();
    assert_eq!(gap.kind, "gap");
    assert_eq!(gap.data, json!({ "asked": 1, "oldest": 1202 }));
    many(test.store(), own, 1, aged).await;
    assert_eq!(slow.numbers(1).await, [1202]);
}

#[tokio::test]
async fn a_token_that_expires_ends_its_stream() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let bytes = test.app.keys.open_sealed(&demo).unwrap();
    let mut claims = Claims::decode(&bytes).unwrap();
    claims.audit = Uuid::new_v4();
    claims.expires = Timestamp(Timestamp::now().micros() + 400_000);
    let short = test.app.keys.seal(&claims.encode());
    let mut stream = Reader::open(&test, &short, "", "").await.unwrap();
    let end = stream.next().await.unwrap();
    assert_eq!(end.kind, "end");
    assert!(end.data["reason"].as_str().unwrap().contains("expired"));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_quiet_stream_shows_life_with_its_position() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let (_, own) = who(&test, &demo).await;
    let mut stream = Reader::open(&test, &demo, "", "").await.unwrap();
    let (theirs, now) = (ProjectId::random(), Timestamp::now());
    many(test.store(), theirs, 3, now).await;
    let quiet = tokio::time::timeout(Duration::from_secs(1), stream.read()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    // What it has to say next is only found behind the frames without a kind.
    happens(test.store(), own, ServerId::random(), now).await;
    assert_eq!(stream.numbers(1).await, [4]);
    assert!(
        stream.passed.contains(": still here\nid: 3"),
        "{}",
        stream.passed
    );
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_stream() {
    let test = TestApp::sqlite().await;
    let (demo, admin) = (test.demo().await, test.admin().await);
    let mut stream = Reader::open(&test, &demo, "", "").await.unwrap();
    let path = "/identity/v3/auth/tokens";
    let subject = [("x-subject-token", demo.as_str())];
    let revoked = test.ask_with(&admin, Method::DELETE, path, &subject, Value::Null);
    assert_eq!(revoked.await.status, 204);
    let end = stream.next().await.unwrap();
    assert_eq!(end.kind, "end");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn commits_of_this_process_are_pushed_without_looking() {
    for database in [TestStore::sqlite().await, TestStore::postgres().await] {
        let pace = Pace {
            look_every: PATIENCE * 10,
            ..Pace::default()
        };
        let test = TestApp::paced(database, MOST_REQUESTS, pace).await;
        let demo = test.demo().await;
        let (_, own) = who(&test, &demo).await;
        let mut stream = Reader::open(&test, &demo, "?after=0", "").await.unwrap();
        for seq in 1..10 {
            many(test.store(), own, 1, Timestamp::now()).await;
            assert_eq!(stream.next().await.unwrap().id, seq);
        }
    }
}

#[tokio::test]
async fn commits_of_other_processes_are_found_soon() {
    for database in [TestStore::sqlite().await, TestStore::postgres().await] {
        let other = Store::open(&database.url).await.unwrap();
        let test = TestApp::on(database, MOST_REQUESTS).await;
        let demo = test.demo().await;
        let (_, own) = who(&test, &demo).await;
        let mut stream = Reader::open(&test, &demo, "?after=0", "").await.unwrap();
        let mut took = Vec::new();
        for seq in 1..10 {
            many(&other, own, 1, Timestamp::now()).await;
            let committed = Instant::now();
            assert_eq!(stream.next().await.unwrap().id, seq);
            took.push(committed.elapsed());
        }
        took.sort();
        // The median: a machine may be busy for a moment.
        assert!(took[4] < Duration::from_millis(300), "{took:?}");
    }
}

#[tokio::test]
async fn over_so_many_streams_the_next_is_told_to_come_back() {
    let test = TestApp::sqlite().await;
    let demo = test.demo().await;
    let mut open = Vec::new();
    let refused = loop {
        match Reader::open(&test, &demo, "", "").await {
            Ok(stream) => open.push(stream),
            Err(status) => break status,
        }
    };
    assert_eq!(
        (refused, open.len()),
        (StatusCode::SERVICE_UNAVAILABLE, 128)
    );
    assert!(
        Reader::open(&test, &test.admin().await, "", "")
            .await
            .is_ok()
    );
    open.pop();
    assert!(Reader::open(&test, &demo, "", "").await.is_ok());
}
