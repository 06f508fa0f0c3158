//! The packet filters of this host's places: loaded where they differ from what should be there, by
//! deltas where only ports changed.
//!
//! What was asked for last is remembered for each place, and how nft lists it. Rules other than those are
//! loaded without a look, because comparing costs more than loading; the same ones again are compared with
//! what is in the kernel, so whatever somebody else changed is found by the next look.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    changes::Changes,
    desired::Network,
    failure::Error,
    filter,
    program::{self, Place},
    ruleset,
};

/// What the kernel should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rules {
    /// The host's part, as text.
    Host(String),
    /// What guards this network.
    Network(Box<Network>),
}

/// Rules that were asked for.
#[derive(Debug, Clone)]
struct Asked {
    rules: Rules,
    /// How nft lists them, once somebody needed to know.
    listing: Option<String>,
}

/// What is said when others' rules had to be loaded anew for those that changed.
const UNFIT: &str = "a change of the packet filter did not fit, so all of it was loaded";

/// What was asked for last, by place.
#[derive(Debug, Default)]
pub(super) struct Loaded(Mutex<HashMap<String, Asked>>);

impl Rules {
    fn text(&self) -> String {
        match self {
            Self::Host(text) => text.clone(),
            Self::Network(network) => filter::render(network),
        }
    }

    /// What turns `before` into these.
    fn after(&self, before: &Self) -> String {
        match (before, self) {
            (Self::Network(before), Self::Network(after)) => filter::change(before, after),
            _ => self.text(),
        }
    }
}

impl Loaded {
    /// Loads rules at a place if those in the kernel differ. `fresh` says that there are none yet; `listed`
    /// is asked for what there is, when that is needed.
    pub(super) fn bring(
        &self,
        place: Place<'_>,
        fresh: bool,
        rules: Rules,
        tables: &[ruleset::Table<'_>],
        listed: impl FnOnce() -> Result<Option<String>, program::Error>,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let name = place.name();
        let asked = self.all().get(name).filter(|_| !fresh).cloned();
        match asked {
            Some(asked) if asked.rules != rules => {
                let script = rules.after(&asked.rules);
                self.load(place, &script, &rules, changes)?;
                self.remember(place, rules, None, changes);
            }
            None if fresh => {
                self.load(place, &rules.text(), &rules, changes)?;
                self.remember(place, rules, None, changes);
            }
            asked => {
                let wanted = match asked.and_then(|asked| asked.listing) {
                    Some(listing) => listing,
                    None => ruleset::listing_of(&rules.text(), tables)?,
                };
                if listed()?.is_none_or(|listing| listing != wanted) {
                    self.load(place, &rules.text(), &rules, changes)?;
                }
                self.remember(place, rules, Some(wanted), changes);
            }
        }
        Ok(())
    }

    /// Loads a script; one that does not fit what is there gives way to the whole of the rules.
    fn load(
        &self,
        place: Place<'_>,
        script: &str,
        rules: &Rules,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        if script.is_empty() {
            return Ok(());
        }
        let what = format!(
            "{}: packet filter, {} lines",
            place.name(),
            script.lines().count()
        );
        let mut unfit = None;
        changes.make(what, || {
            program::nft(place, script)
                .or_else(|why| {
                    unfit = Some(why);
                    program::nft(place, &rules.text())
                })
                .inspect_err(|_| self.forget(place.name()))
        })?;
        if let Some(why) = unfit {
            let said = format!("{}: {UNFIT}: {why}", place.name());
            tracing::warn!("{said}");
            changes.note(said);
        }
        Ok(())
    }

    fn remember(&self, place: Place<'_>, rules: Rules, listing: Option<String>, changes: &Changes) {
        if !changes.is_rehearsal() {
            let asked = Asked { rules, listing };
            self.all().insert(place.name().to_owned(), asked);
        }
    }

    /// The host's part as it was asked for last.
    pub(super) fn host(&self) -> Option<String> {
        match &self.all().get(Place::Host.name())?.rules {
            Rules::Host(text) => Some(text.clone()),
            Rules::Network(_) => None,
        }
    }

    /// Nothing is known of this place any more.
    pub(super) fn forget(&self, place: &str) {
        self.all().remove(place);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Asked>> {
        // Each change to the map is one call, so it is whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
