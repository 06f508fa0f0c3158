//! Which hit a process is to die at: the content of its `.arm` file.

use std::{fmt, str::FromStr};

use crate::{Point, point::UnknownPoint};

/// A point, with what it is to be hit with if that matters, and which hit counts, the next being the
/// first. Written as `relay.confirmed server.place/1 2`, with `*` for anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Armed {
    /// The point.
    pub point: Point,
    /// With what; anything when there is nothing here.
    pub what: Option<String>,
    /// Which hit, counted from 1.
    pub hit: u32,
}

impl Armed {
    /// The next hit of a point with this.
    #[must_use]
    pub fn at(point: Point, what: &str) -> Self {
        Self {
            point,
            what: Some(what.to_owned()),
            hit: 1,
        }
    }

    /// Whether this hit is one that counts.
    #[must_use]
    pub fn is_for(&self, point: Point, what: &str) -> bool {
        self.point == point && self.what.as_deref().is_none_or(|wanted| wanted == what)
    }
}

impl fmt::Display for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.as_deref().unwrap_or("*");
        write!(f, "{} {what} {}", self.point, self.hit)
    }
}

impl FromStr for Armed {
    type Err = UnknownPoint;

    fn from_str(line: &str) -> Result<Self, UnknownPoint> {
        let mut words = line.split_whitespace();
        let point = words.next().unwrap_or_default().parse()?;
        let what = words.next().filter(|what| *what != "*").map(str::to_owned);
        let hit = words.next().and_then(|hit| hit.parse().ok()).unwrap_or(1);
        Ok(Self { point, what, hit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for line in ["relay.confirmed server.place/1 2", "api.before-answer * 1"] {
            assert_eq!(line.parse::<Armed>().unwrap().to_string(), line);
        }
        let armed: Armed = "relay.confirmed server.place/1".parse().unwrap();
        assert!(armed.is_for(Point::RelayConfirmed, "server.place/1") && armed.hit == 1);
        assert!(!armed.is_for(Point::RelayConfirmed, "server.ensure/1"));
        assert!(!armed.is_for(Point::RelayMarked, "server.place/1"));
    }
}
