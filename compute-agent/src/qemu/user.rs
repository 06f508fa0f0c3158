//! The user that a guest's QEMU runs as: a number drawn from the guest's id, without an entry in the
//! system's user table, so that one guest's process has no right over another's files or process.
//!
//! Two guests of a host can draw the same number; on one host of 270 with a thousand guests each, two
//! have. A guest that broke out of its QEMU there could touch the files of that one other.

use std::os::unix::fs::MetadataExt;

use skybus_model::id::ServerId;

/// The first of the users. Far from what people, services and container runtimes are given.
const FIRST: u32 = 2_000_000_000;
/// How many there are: 27 bits of the server's id choose one. All of them fit a signed number, which some
/// programs take users for.
const COUNT: u32 = 1 << 27;

/// Who a guest's QEMU runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestUser {
    /// The user.
    pub uid: u32,
    /// The group: the guest's own, or the one that may open `/dev/kvm`.
    pub gid: u32,
    /// Whether the worker may become it. Without root, guests run as the worker itself.
    pub switch: bool,
}

impl GuestUser {
    /// The user of `server`.
    #[must_use]
    pub fn of(server: ServerId, kvm: bool) -> Self {
        let me = rustix::process::geteuid();
        if !me.is_root() {
            let gid = rustix::process::getegid().as_raw();
            return Self {
                uid: me.as_raw(),
                gid,
                switch: false,
            };
        }
        let bits = u32::try_from(server.uuid().as_u128() % u128::from(COUNT)).unwrap_or(0);
        let uid = FIRST + bits;
        let gid = if kvm { kvm_group().unwrap_or(uid) } else { uid };
        Self {
            uid,
            gid,
            switch: true,
        }
    }
}

/// Whether a process of the user `uid` may be a guest's QEMU.
#[must_use]
pub fn may_be_a_guest(uid: u32) -> bool {
    let me = rustix::process::geteuid();
    if me.is_root() {
        (FIRST..FIRST + COUNT).contains(&uid)
    } else {
        uid == me.as_raw()
    }
}

fn kvm_group() -> Option<u32> {
    std::fs::metadata("/dev/kvm").ok().map(|meta| meta.gid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guest_has_a_user_that_stays_the_same() {
        let (one, two) = (ServerId::random(), ServerId::random());
        assert_eq!(GuestUser::of(one, false), GuestUser::of(one, false));
        assert!(may_be_a_guest(GuestUser::of(two, false).uid));
        assert!(!may_be_a_guest(12_345));
        assert!(
            i32::try_from(FIRST + COUNT - 1).is_ok(),
            "a program that takes users for signed numbers would refuse the last"
        );
    }

    #[test]
    fn guests_hardly_share_a_user() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("passed over: without root all guests run as the worker");
            return;
        }
        let users: std::collections::HashSet<u32> = (0..10_000)
            .map(|_| GuestUser::of(ServerId::random(), false).uid)
            .collect();
        // Of 20 bits, some fifty would be drawn twice; of 27, a third of one.
        assert!(users.len() > 9_990, "{}", users.len());
    }
}
