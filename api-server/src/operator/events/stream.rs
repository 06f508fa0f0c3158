//! One stream: the events of one caller, pushed as they happen.
//!
//! It holds a position in the numbers and sends what comes after it, in order. Nothing is read before what was read
//! is sent: a slow reader makes its own stream lag, not the process's memory grow. When rows that it has not
//! seen are gone, it is told so by an event `gap`.

use std::{collections::VecDeque, convert::Infallible, time::Instant};

use axum::response::{
    IntoResponse, Response,
    sse::{Event as Frame, Sse},
};
use futures::stream;
use http::{HeaderValue, header};
use serde_json::json;
use skybus_model::Timestamp;
use skybus_store::events;
use tokio::sync::watch;

use super::{Wanted, places::Place, view};
use crate::{
    app::App,
    http::{Action, Auth, Error},
    identity,
};

/// How many events are taken up at a time.
const BATCH: usize = 100;

/// Begins a stream after event number `after`, or with what happens from now on.
pub(super) async fn open(
    app: App,
    auth: Auth,
    wanted: Wanted,
    after: Option<i64>,
) -> Result<Response, Error> {
    let Some(place) = app.feed.place(auth.scope) else {
        return Err(Error::unavailable(
            5,
            "too many follow the events of this process or project at this moment; close a stream that is \
             not needed, or try again",
        ));
    };
    let news = app.feed.news();
    let at = match after {
        Some(seq) => seq,
        None => events::newest(&app.store).await?,
    };
    let mut following = Following {
        at,
        waiting: VecDeque::new(),
        next_look: Instant::now() + app.feed.alive_every(),
        over: false,
        news,
        wanted,
        auth,
        app,
        _place: place,
    };
    following.begin(after.is_some()).await?;
    let frames = stream::unfold(following, |mut following| async move {
        let frame = following.next().await?;
        Some((Ok::<_, Infallible>(frame), following))
    });
    let mut response = Sse::new(frames).into_response();
    // Proxies that collect answers before passing them on would hold the news back.
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[derive(Debug)]
struct Following {
    /// Everything up to this number was looked at.
    at: i64,
    waiting: VecDeque<Frame>,
    next_look: Instant,
    over: bool,
    news: watch::Receiver<i64>,
    wanted: Wanted,
    auth: Auth,
    app: App,
    _place: Place,
}

impl Following {
    /// The first frame names the position, so that a stream that is lost before its first event can be
    /// resumed. A number that was never given (the database is another one) is as good as a gap.
    async fn begin(&mut self, resumed: bool) -> Result<(), Error> {
        if resumed && self.at > events::newest(&self.app.store).await? {
            let removed = events::removed(&self.app.store).await?;
            self.gap(removed);
        } else {
            self.waiting
                .push_back(Frame::default().comment("begins").id(self.at.to_string()));
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            if self.over {
                return None;
            }
            if Timestamp::now() >= self.auth.expires {
                return Some(self.end("the token has expired"));
            }
            if let Some(frame) = self.waiting.pop_front() {
                return Some(frame);
            }
            if Instant::now() >= self.next_look {
                self.next_look = Instant::now() + self.app.feed.alive_every();
                if !self.may_still().await {
                    return Some(self.end("the token is not good any longer"));
                }
                // Also the position, so that a quiet project's stream is not resumed from long ago.
                let alive = Frame::default().comment("still here");
                return Some(alive.id(self.at.to_string()));
            }
            self.news.mark_unchanged();
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "a stream of events ends: they cannot be read now");
                return None;
            }
            if self.waiting.is_empty() {
                self.wait().await?;
            }
        }
    }

    /// Takes up what comes after the position.
    async fn read(&mut self) -> skybus_store::Result<()> {
        loop {
            if let Some(found) = self.app.feed.after(self.at, BATCH) {
                for event in &found {
                    self.take(event);
                }
                if found.is_empty() || !self.waiting.is_empty() {
                    return Ok(());
                }
            } else if self.read_rows().await? {
                return Ok(());
            }
        }
    }

    /// The same from the table; says whether that is all for now.
    async fn read_rows(&mut self) -> skybus_store::Result<bool> {
        let store = &self.app.store;
        // What was committed before this is among the rows that are read after it.
        let newest = events::newest(store).await?;
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let found = events::after(store, self.at, self.wanted.project, most).await?;
        let removed = events::removed(store).await?;
        if self.at > 0 && self.at < removed {
            self.gap(removed);
        }
        for event in &found {
            self.take(event);
        }
        if found.len() < BATCH {
            self.at = self.at.max(newest);
            return Ok(true);
        }
        Ok(!self.waiting.is_empty())
    }

    fn take(&mut self, event: &events::Event) {
        if event.seq <= self.at {
            return;
        }
        self.at = event.seq;
        if self.wanted.takes(event) {
            let shown = view::event(event, self.wanted.operator).to_string();
            let frame = Frame::default().id(event.seq.to_string());
            self.waiting.push_back(frame.event(&event.kind).data(shown));
        }
    }

    /// Tells that events between the position and `removed` are not there, and goes on behind them.
    fn gap(&mut self, removed: i64) {
        let told = json!({ "asked": self.at, "oldest": removed + 1 }).to_string();
        self.at = removed;
        let frame = Frame::default().id(removed.to_string());
        self.waiting.push_back(frame.event("gap").data(told));
    }

    fn end(&mut self, reason: &str) -> Frame {
        self.over = true;
        let told = json!({ "reason": reason }).to_string();
        Frame::default().event("end").data(told)
    }

    /// Until there is something to do; `None` when the process ends.
    async fn wait(&mut self) -> Option<()> {
        let left = self.auth.expires.since(Timestamp::now());
        let look = self.next_look.saturating_duration_since(Instant::now());
        tokio::select! {
            () = self.app.feed.ended() => None,
            changed = self.news.changed() => changed.ok(),
            () = tokio::time::sleep(left.min(look)) => Some(()),
        }
    }

    /// Whether the token is still good and its roles still suffice. A database that is away decides nothing.
    async fn may_still(&self) -> bool {
        match identity::verify(&self.app, &self.auth.token.0).await {
            Ok(now) => {
                Action::EventsRead.check(&now).is_ok() && (!self.wanted.operator || now.is_admin())
            }
            Err(error) => error.status().is_server_error(),
        }
    }
}
