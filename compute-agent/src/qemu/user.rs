//! The user that a guest's QEMU runs as: a number of its own per guest, without an entry in the
//! system's user table, so that one guest's process has no right over another's files or process.

use std::os::unix::fs::MetadataExt;

use skybus_model::id::ServerId;

/// The first of the users. Far from what people, services and container runtimes are given.
const FIRST: u32 = 2_000_000_000;
/// How many there are: 20 bits of the server's id choose one.
const COUNT: u32 = 1 << 20;

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
    }
}
