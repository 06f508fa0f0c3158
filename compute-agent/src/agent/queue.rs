//! What is wanted of one server, and which of it comes next.
//!
//! A wish of a higher generation overtakes those before it, and interrupts the one that is being worked
//! on; of the same generation, a removal does. The first of two equal ones is not interrupted: the second
//! is answered from the records once the first is done.

use skybus_model::{
    Generation,
    id::MessageId,
    message::{
        Context,
        command::{ServerEnsure, ServerRemove},
    },
};
use tokio_util::sync::CancellationToken;

/// A command from the control plane.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The message; its work ends in the journal.
    pub message: MessageId,
    /// The trace that it belongs to.
    pub context: Context,
    /// What is wanted.
    pub kind: WishKind,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub enum WishKind {
    /// That it be as described.
    Ensure(Box<ServerEnsure>),
    /// That it not be.
    Remove(ServerRemove),
}

/// Something to do for a server.
#[derive(Debug, Clone)]
pub enum Job {
    /// Fulfil a wish.
    Wish(Wish),
    /// See what the guest did by itself.
    Look,
}

/// Generation, and whether it is a removal: the greater one wins.
type Weight = (Generation, bool);

impl Wish {
    const fn weight(&self) -> Weight {
        match &self.kind {
            WishKind::Ensure(ensure) => (ensure.generation, false),
            WishKind::Remove(remove) => (remove.generation, true),
        }
    }
}

impl Job {
    /// The message whose work it is.
    #[must_use]
    pub const fn message(&self) -> Option<MessageId> {
        match self {
            Self::Wish(wish) => Some(wish.message),
            Self::Look => None,
        }
    }
}

/// What is being worked on.
#[derive(Debug)]
struct Current {
    /// None for a look, which any wish interrupts.
    weight: Option<Weight>,
    interrupt: CancellationToken,
}

/// What is wanted of one server.
#[derive(Debug, Default)]
pub struct Queue {
    wishes: Vec<Wish>,
    look: bool,
    current: Option<Current>,
}

/// What comes next.
#[derive(Debug)]
pub struct Next {
    /// The work.
    pub job: Job,
    /// Cancelled when it is not wanted any more.
    pub interrupt: CancellationToken,
    /// Messages whose wishes it has overtaken.
    pub overtaken: Vec<MessageId>,
}

impl Queue {
    /// Adds a job, and interrupts the current one if the new one outweighs it.
    pub fn add(&mut self, job: Job) {
        match job {
            Job::Look => self.look = true,
            Job::Wish(wish) => {
                if let Some(current) = &self.current
                    && current.weight.is_none_or(|weight| wish.weight() > weight)
                {
                    current.interrupt.cancel();
                }
                self.wishes.push(wish);
            }
        }
    }

    /// Whether a wish is waiting or being worked on.
    #[must_use]
    pub fn has_wish(&self) -> bool {
        !self.wishes.is_empty() || self.current.as_ref().is_some_and(|c| c.weight.is_some())
    }

    /// The next thing to do. Nothing being left ends the queue.
    pub fn take(&mut self) -> Option<Next> {
        let interrupt = CancellationToken::new();
        let mut weight = None;
        let mut overtaken = Vec::new();
        // Of equal ones the last: it may carry fresher addresses to fetch from.
        let heaviest = (0..self.wishes.len()).max_by_key(|n| self.wishes[*n].weight());
        let job = if let Some(heaviest) = heaviest {
            let wish = self.wishes.swap_remove(heaviest);
            overtaken.extend(self.wishes.drain(..).map(|wish| wish.message));
            weight = Some(wish.weight());
            Job::Wish(wish)
        } else if std::mem::take(&mut self.look) {
            Job::Look
        } else {
            self.current = None;
            return None;
        };
        self.current = Some(Current {
            weight,
            interrupt: interrupt.clone(),
        });
        Some(Next {
            job,
            interrupt,
            overtaken,
        })
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use skybus_model::id::ServerId;

    use super::*;

    fn remove(generation: i64) -> Job {
        Job::Wish(Wish {
            message: MessageId::in_order(),
            context: Context::begin(),
            kind: WishKind::Remove(ServerRemove {
                operation: None,
                server: ServerId::random(),
                generation: Generation(generation),
            }),
        })
    }

    #[test]
    fn the_newest_wish_comes_first_and_the_others_never() {
        let mut queue = Queue::default();
        let (old, new) = (remove(1), remove(3));
        queue.add(Job::Look);
        queue.add(old.clone());
        queue.add(new.clone());
        queue.add(remove(2));
        let next = queue.take().unwrap();
        assert_eq!(next.job.message(), new.message());
        assert_eq!(next.overtaken.len(), 2);
        assert!(next.overtaken.contains(&old.message().unwrap()));
        assert!(matches!(queue.take().unwrap().job, Job::Look));
        assert!(queue.take().is_none() && !queue.has_wish());
    }

    #[test]
    fn only_what_outweighs_the_current_work_interrupts_it() {
        let mut queue = Queue::default();
        queue.add(remove(2));
        let current = queue.take().unwrap();
        queue.add(Job::Look);
        queue.add(remove(1));
        queue.add(remove(2));
        assert!(!current.interrupt.is_cancelled());
        queue.add(remove(3));
        assert!(current.interrupt.is_cancelled());
    }

    #[test]
    fn a_look_gives_way_to_any_wish() {
        let mut queue = Queue::default();
        queue.add(Job::Look);
        let look = queue.take().unwrap();
        assert!(!queue.has_wish());
        queue.add(remove(0));
        assert!(look.interrupt.is_cancelled() && queue.has_wish());
    }
}
