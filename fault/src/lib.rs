//! Fault points: places in the programs at which a test can have the process killed, as if power had gone
//! there. They stand on either side of every boundary: a commit, a message that leaves, a message that is
//! acknowledged, a change to the host, an answer to a client.
//!
//! A release build has none of it: [`hit`] is empty there, so what people run cannot be told to die. In a
//! debug build nothing happens either, unless [`VARIABLE`] names a directory. Then, for the program
//! `skybus-x`, the file `skybus-x.arm` in it holds the point to die at (see [`Armed`]); it is looked for at
//! each hit, so a process that runs already can be armed. The process removes the file, writes
//! `skybus-x.died`, and kills itself with SIGKILL: no destructor runs and nothing is flushed. While there
//! is a file `skybus-x.hits`, every point that is hit is noted in it.

mod armed;
mod point;
#[cfg(debug_assertions)]
mod process;

pub use armed::Armed;
pub use point::Point;

/// The environment variable that names the directory.
pub const VARIABLE: &str = "SKYBUS_FAULT_POINTS";

/// Whether this build has fault points at all.
pub const COMPILED_IN: bool = cfg!(debug_assertions);

/// The process has come to `point`. `what` says with what: a message's type, or nothing.
#[cfg(debug_assertions)]
pub fn hit(point: Point, what: &str) {
    process::hit(point, what);
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub const fn hit(_: Point, _: &str) {}
