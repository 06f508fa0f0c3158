//! Following events: a stream of the cloud's events that is resumed where it was lost.

use serde_json::Value;

use crate::{
    failure::Failure,
    http::{
        stream::{Frame, Frames},
        url::with_query,
    },
    session::{Service, Session},
};

/// Which events are followed.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The ids of servers; none for all.
    pub(crate) servers: Vec<String>,
    /// Of all projects.
    pub(crate) all_projects: bool,
    /// The number of an event to go on after; none to begin with what happens from now on.
    pub(crate) after: Option<i64>,
}

/// What the stream says.
#[derive(Debug)]
pub(crate) enum News {
    /// Something happened.
    Event(Value),
    /// Events that were asked for are not kept any longer; it goes on with the one of this number.
    Gap(i64),
    /// Nothing happened; the other side is there.
    Alive,
    /// The stream is over, in the middle or because the token is.
    Lost,
}

/// One who follows.
#[derive(Debug)]
pub(crate) struct Follower {
    wanted: Wanted,
    frames: Frames,
    /// What came while beginning and is yet to be told.
    held: Option<News>,
}

impl Follower {
    /// Begins. It returns when the cloud has taken note, so that nothing that happens later is missed.
    pub(crate) fn begin(session: &Session, wanted: Wanted) -> Result<Self, Failure> {
        let mut follower = Self {
            frames: frames(session, &wanted)?,
            wanted,
            held: None,
        };
        // The first frame names the position, and without one there would be nothing to resume from.
        if follower.wanted.after.is_none() {
            follower.held = Some(follower.next()).filter(|news| !matches!(news, News::Alive));
        }
        Ok(follower)
    }

    /// Goes on after what was seen last.
    pub(crate) fn resume(&mut self, session: &Session) -> Result<(), Failure> {
        self.frames = frames(session, &self.wanted)?;
        Ok(())
    }

    /// Where it is.
    pub(crate) const fn position(&self) -> Option<i64> {
        self.wanted.after
    }

    /// What comes next; it waits for it.
    pub(crate) fn next(&mut self) -> News {
        if let Some(news) = self.held.take() {
            return news;
        }
        let Ok(Frame { id, kind, data }) = self.frames.next() else {
            return News::Lost;
        };
        let data: Value = serde_json::from_str(&data).unwrap_or_default();
        let news = match kind.as_str() {
            "" => News::Alive,
            "gap" => News::Gap(data["oldest"].as_i64().unwrap_or_default()),
            "end" => News::Lost,
            _ => News::Event(data),
        };
        self.wanted.after = id.or(self.wanted.after);
        news
    }
}

fn frames(session: &Session, wanted: &Wanted) -> Result<Frames, Failure> {
    let after = wanted.after.map(|seq| seq.to_string());
    let mut query = vec![
        ("after", after.as_deref()),
        ("all_projects", wanted.all_projects.then_some("1")),
    ];
    query.extend(
        wanted
            .servers
            .iter()
            .map(|id| ("server", Some(id.as_str()))),
    );
    session.stream(Service::Operator, &with_query("/events", &query))
}
