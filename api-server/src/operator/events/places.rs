//! How many streams there may be: a bound for the process, and one for each project, so that one project
//! cannot keep the others out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use skybus_model::id::ProjectId;
use tokio::sync::watch;

/// Streams of one process.
const MOST: usize = 512;
/// Streams of one project.
const MOST_OF_ONE: usize = 128;

/// The places of the streams.
#[derive(Debug, Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<HashMap<Option<ProjectId>, usize>>>,
    /// How many are taken in all.
    count: watch::Sender<usize>,
    most: usize,
    most_of_one: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self::new(MOST, MOST_OF_ONE)
    }
}

impl Places {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            taken: Arc::default(),
            count: watch::Sender::new(0),
            most,
            most_of_one,
        }
    }

    /// How many are taken, and every change of it.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// A place, if there is one for this project.
    pub(super) fn take(&self, project: Option<ProjectId>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&project).copied().unwrap_or(0);
        if own >= self.most_of_one || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(project, own + 1);
        self.say(&taken);
        let places = self.clone();
        Some(Place { places, project })
    }

    fn give_back(&self, project: Option<ProjectId>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&project) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&project);
            }
        }
        self.say(&taken);
    }

    fn say(&self, taken: &HashMap<Option<ProjectId>, usize>) {
        let count: usize = taken.values().sum();
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("skybus_event_streams").set(count as f64);
        self.count.send_replace(count);
    }
}

/// A place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    project: Option<ProjectId>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.project);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_cannot_take_every_place_and_gives_back_what_it_had() {
        let places = Places::new(3, 2);
        let (one, two) = (Some(ProjectId::random()), Some(ProjectId::random()));
        let first = places.take(one);
        let second = places.take(one);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(one).is_none());
        let other = places.take(two);
        assert!(other.is_some());
        assert!(places.take(two).is_none(), "the process is full");
        drop(first);
        assert_eq!(*places.count().borrow(), 2);
        assert!(places.take(one).is_some());
    }
}
