//! The queue against a plain list of what was asked: whatever comes in whatever order, nothing is lost,
//! nothing is done twice, and only what is outweighed is interrupted.

use std::collections::HashSet;

use proptest::prelude::*;
use skybus_model::{id::ServerId, server::Desired};

use super::*;
use crate::agent::record::examples;

#[derive(Debug, Clone)]
enum Step {
    Ensure(i64),
    Remove(i64),
    Look,
    Take,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0i64..5).prop_map(Step::Ensure),
        2 => (0i64..5).prop_map(Step::Remove),
        1 => Just(Step::Look),
        2 => Just(Step::Take),
    ];
    proptest::collection::vec(step, 1..60)
}

fn wish(kind: WishKind) -> Wish {
    Wish {
        message: MessageId::in_order(),
        context: Context::begin(),
        kind,
    }
}

fn asked(step: &Step) -> Option<Wish> {
    match step {
        Step::Ensure(generation) => {
            let ensure = examples::wish(*generation, Desired::Running);
            Some(wish(WishKind::Ensure(Box::new(ensure))))
        }
        Step::Remove(generation) => Some(wish(WishKind::Remove(ServerRemove {
            operation: None,
            server: ServerId::random(),
            generation: Generation(*generation),
        }))),
        Step::Look | Step::Take => None,
    }
}

/// What the queue should know, written down as plainly as possible.
#[derive(Default)]
struct Plain {
    waiting: Vec<(Weight, MessageId)>,
    look: bool,
    /// The weight of what is being done, none for a look; and whether it should have been interrupted.
    current: Option<(Option<Weight>, CancellationToken, bool)>,
    ended: HashSet<MessageId>,
}

impl Plain {
    fn add(&mut self, wish: &Wish) {
        let weight = wish.weight();
        if let Some((current, _, interrupted)) = &mut self.current {
            *interrupted |= current.is_none_or(|current| weight > current);
        }
        self.waiting.push((weight, wish.message));
    }

    /// Compares what the queue hands out with what it should.
    fn take(&mut self, next: Option<Next>) -> Result<(), TestCaseError> {
        let Some(next) = next else {
            prop_assert!(
                self.waiting.is_empty() && !self.look,
                "something was forgotten"
            );
            self.current = None;
            return Ok(());
        };
        prop_assert!(!next.interrupt.is_cancelled());
        let weight = match next.job.message() {
            None => {
                prop_assert!(self.waiting.is_empty() && self.look && next.overtaken.is_empty());
                self.look = false;
                None
            }
            Some(message) => {
                let most = self.waiting.iter().map(|(weight, _)| *weight).max();
                let last = self
                    .waiting
                    .iter()
                    .rfind(|(weight, _)| Some(*weight) == most);
                prop_assert_eq!(last.map(|(_, message)| *message), Some(message));
                let given: Vec<_> = next.overtaken.iter().chain([&message]).collect();
                prop_assert_eq!(given.len(), self.waiting.len());
                for message in given {
                    prop_assert!(self.ended.insert(*message), "handed out twice");
                }
                self.waiting.clear();
                most
            }
        };
        self.current = Some((weight, next.interrupt, false));
        Ok(())
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_done_twice(steps in steps()) {
        let (mut queue, mut plain) = (Queue::default(), Plain::default());
        let mut given = 0;
        for step in &steps {
            match (step, asked(step)) {
                (_, Some(wish)) => {
                    plain.add(&wish);
                    queue.add(Job::Wish(wish));
                    given += 1;
                }
                (Step::Take, _) => plain.take(queue.take())?,
                (_, None) => {
                    plain.look = true;
                    queue.add(Job::Look);
                }
            }
            let doing = plain.current.as_ref().is_some_and(|(weight, ..)| weight.is_some());
            prop_assert_eq!(queue.has_wish(), doing || !plain.waiting.is_empty());
            if let Some((_, interrupt, expected)) = &plain.current {
                prop_assert_eq!(interrupt.is_cancelled(), *expected);
            }
        }
        // A worker goes on until there is nothing left.
        while let Some(next) = queue.take() {
            plain.take(Some(next))?;
        }
        plain.take(None)?;
        prop_assert!(!queue.has_wish());
        prop_assert_eq!(plain.ended.len(), given);
    }
}
