//! Real machines under emulation, whose guest is one boot sector.

use std::{future::Future, time::Instant};

use sha2::{Digest, Sha512};
use skybus_model::{
    id::{ImageId, NetworkId, PortId, ProjectId, UserId},
    image::DiskFormat,
    server::{ImageSource, Nic, spec},
};
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::{qmp::Monitor, *};

#[path = "../../tests/worker/boot_sector.rs"]
mod boot_sector;

use boot_sector::Guest;

struct Bench {
    dir: TempDir,
    place: Place,
    spec: ServerSpec,
    hops: Hops,
}

impl Bench {
    fn new(guest: Guest) -> Self {
        Self::on(tempfile::tempdir().unwrap(), guest)
    }

    fn on(dir: TempDir, guest: Guest) -> Self {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let host: HostName = "node-1".parse().unwrap();
        let bytes = boot_sector::disk(guest);
        let sum = hex::encode(Sha512::digest(&bytes));
        let images = dir.path().join("agent/images");
        fs::create_dir_all(&images).unwrap();
        fs::write(images.join(format!("{sum}.raw")), &bytes).unwrap();
        let spec = ServerSpec {
            id: ServerId::random(),
            project: ProjectId::random(),
            user: UserId::random(),
            name: "guest".to_owned(),
            flavor: "tiny".to_owned(),
            resources: Resources {
                vcpus: 1,
                ram_mib: 32,
                disk_gib: 1,
            },
            image: ImageSource {
                id: ImageId::random(),
                format: DiskFormat::Raw,
                size: i64::try_from(bytes.len()).unwrap(),
                sha512: sum,
                path: "/none".to_owned(),
            },
            nics: Vec::new(),
            config_drive: None,
        };
        let place = Place {
            host: host.clone(),
            server: spec.id,
        };
        Self {
            dir,
            place,
            spec,
            hops: Hops::on(&host),
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    fn driver(&self) -> (Qemu, UnboundedReceiver<Place>) {
        let (changes, heard) = unbounded_channel();
        let host = self.place.host.clone();
        let url = "http://127.0.0.1:1";
        (
            Qemu::open(&self.data_dir(), host, url, Acceleration::Tcg, changes).unwrap(),
            heard,
        )
    }

    async fn boot(&self, driver: &Qemu, generation: i64) {
        driver
            .build(&self.place, &self.spec, &self.hops)
            .await
            .unwrap();
        driver
            .start(&self.place, &self.spec, Generation(generation), &self.hops)
            .await
            .unwrap();
    }

    async fn is_up(&self, driver: &Qemu) {
        until(async || match driver.console(&self.place, None).await {
            ConsoleAnswer::Text(text) => text.contains("up"),
            ConsoleAnswer::NoSuchServer => false,
        })
        .await;
    }

    /// The interfaces that its machine should have and has not.
    async fn missing(&self, driver: &Qemu) -> Vec<Nic> {
        let plugs = driver.plugs(&self.place, &self.spec).await;
        plugs.unwrap().missing
    }

    fn process(&self) -> Option<Process> {
        Process::find(
            self.place.server,
            &Files::of(&self.data_dir(), self.place.server),
        )
        .unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A test that failed half-way leaves no guest behind.
        if tokio::runtime::Handle::try_current().is_ok()
            && let Some(process) = self.process()
        {
            process.kill();
        }
    }
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < end, "it did not come to be so within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_guest_starts_confined_obeys_its_button_and_leaves_nothing() {
    let bench = Bench::new(Guest::Obeys);
    let (driver, _) = bench.driver();
    assert_eq!(driver.look(&bench.place).await, Seen::Absent);
    bench.boot(&driver, 1).await;
    assert_eq!(
        driver.look(&bench.place).await,
        Seen::Running(Generation(1))
    );
    bench.is_up(&driver).await;
    assert_eq!(driver.list(&bench.place.host).await, [bench.place.server]);

    let root = rustix::process::geteuid().is_root();
    let disk = fs::metadata(Files::of(&bench.data_dir(), bench.place.server).disk()).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&disk);
    assert_eq!(
        root,
        owner >= 2_000_000_000,
        "the guest has a user of its own"
    );
    assert_eq!(disk.permissions().mode() & 0o777, 0o600);

    driver
        .stop(&bench.place, Duration::from_secs(20), &bench.hops)
        .await
        .unwrap();
    assert_eq!(driver.look(&bench.place).await, Seen::Off);
    let noted: Vec<String> = bench.hops.noted().into_iter().map(|hop| hop.what).collect();
    assert_eq!(
        noted,
        [
            "image ready",
            "disk ready",
            "qemu started",
            "qemu answers",
            "guest powered off",
            "machine ended"
        ]
    );
    driver.remove(&bench.place, &bench.hops).await.unwrap();
    assert_eq!(driver.look(&bench.place).await, Seen::Absent);
    assert_eq!(driver.list(&bench.place.host).await, []);
    driver.remove(&bench.place, &bench.hops).await.unwrap();
}

#[tokio::test]
async fn a_guest_that_ignores_its_button_is_ended_when_its_grace_is_over() {
    let bench = Bench::new(Guest::Ignores);
    let (driver, _) = bench.driver();
    bench.boot(&driver, 1).await;
    bench.is_up(&driver).await;
    driver
        .stop(&bench.place, Duration::from_millis(300), &bench.hops)
        .await
        .unwrap();
    assert_eq!(driver.look(&bench.place).await, Seen::Off);
    assert!(bench.process().is_none());
}

#[tokio::test]
async fn a_guest_that_powers_itself_off_is_seen_at_once_and_a_crash_too() {
    let bench = Bench::new(Guest::PowersOff);
    let (driver, mut changes) = bench.driver();
    bench.boot(&driver, 1).await;
    timeout(Duration::from_secs(30), changes.recv())
        .await
        .unwrap()
        .unwrap();
    until(async || driver.look(&bench.place).await == Seen::PoweredOff).await;
    while changes.try_recv().is_ok() {}

    bench.process().unwrap().kill();
    let changed = timeout(Duration::from_secs(5), changes.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changed, bench.place);
    assert_eq!(driver.look(&bench.place).await, Seen::Off);
}

/// The worker is a runtime that is torn down; what it started goes on, and the next one finds it.
#[test]
fn a_guest_outlives_its_worker_and_what_it_did_meanwhile_is_seen() {
    let bench = Bench::new(Guest::Obeys);
    let first = Runtime::new().unwrap();
    first.block_on(async {
        let (driver, _) = bench.driver();
        bench.boot(&driver, 7).await;
        bench.is_up(&driver).await;
    });
    first.shutdown_background();

    let second = Runtime::new().unwrap();
    second.block_on(async {
        let (driver, _) = bench.driver();
        assert_eq!(
            driver.look(&bench.place).await,
            Seen::Running(Generation(7))
        );
    });
    second.shutdown_background();

    let away = Runtime::new().unwrap();
    away.block_on(async {
        let socket = Files::of(&bench.data_dir(), bench.place.server).monitor();
        let (monitor, mut events) = Monitor::connect(&socket, TO_GREET).await.unwrap();
        monitor
            .execute("system_powerdown", serde_json::json!({}))
            .await
            .unwrap();
        while events.recv().await.unwrap().name != "SHUTDOWN" {}
    });
    away.shutdown_background();

    Runtime::new().unwrap().block_on(async {
        let (driver, _) = bench.driver();
        assert_eq!(driver.look(&bench.place).await, Seen::PoweredOff);
        driver
            .stop(&bench.place, Duration::ZERO, &bench.hops)
            .await
            .unwrap();
        assert_eq!(driver.look(&bench.place).await, Seen::Off);
        bench.boot(&driver, 8).await;
        assert_eq!(
            driver.look(&bench.place).await,
            Seen::Running(Generation(8))
        );
        driver.remove(&bench.place, &bench.hops).await.unwrap();
    });
}

#[tokio::test]
async fn a_network_that_does_not_come_up_is_named_and_not_waited_for_without_end() {
    let mut bench = Bench::new(Guest::Obeys);
    bench.spec.nics.push(Nic {
        port: PortId::random(),
        network: NetworkId::random(),
        mac: "fa:16:3e:00:00:01".to_owned(),
        address: [10, 1, 0, 2].into(),
        place: Some(0),
    });
    let (mut driver, _) = bench.driver();
    driver.patience = Duration::from_millis(100);
    driver
        .build(&bench.place, &bench.spec, &bench.hops)
        .await
        .unwrap();
    let started = driver
        .start(&bench.place, &bench.spec, Generation(1), &bench.hops)
        .await;
    assert_eq!(started.unwrap_err().code, FaultCode::NetworkNotReady);
    assert_eq!(driver.look(&bench.place).await, Seen::Off);
}

/// A guest without ACPI: it takes what it is given, and lets go of nothing until it is off.
#[test]
fn an_interface_comes_once_stays_with_its_guest_and_goes_when_that_is_off() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("passed over: a tap needs root");
        return;
    }
    let mut bench = Bench::new(Guest::Obeys);
    let nic = Nic {
        port: PortId::random(),
        network: NetworkId::random(),
        mac: "fa:16:3e:00:00:07".to_owned(),
        address: [10, 1, 0, 7].into(),
        place: Some(1),
    };
    let space = spec::namespace(nic.network);
    skybus_sys::namespace::make(&space).unwrap();
    skybus_sys::tap::make(&space, &spec::tap(nic.port), None).unwrap();
    let without = bench.spec.clone();
    let first = Runtime::new().unwrap();
    first.block_on(async {
        let (driver, _) = bench.driver();
        bench.boot(&driver, 1).await;
        bench.spec.nics.push(nic.clone());
        assert_eq!(bench.missing(&driver).await, std::slice::from_ref(&nic));
        driver.plug(&bench.place, &nic, &bench.hops).await.unwrap();
        assert_eq!(bench.missing(&driver).await, []);
    });
    first.shutdown_background();

    Runtime::new().unwrap().block_on(async {
        let (mut driver, _) = bench.driver();
        let (place, hops) = (&bench.place, &bench.hops);
        assert_eq!(bench.missing(&driver).await, [], "another worker sees it");
        let spare = driver.plugs(place, &without).await.unwrap().spare;
        assert_eq!(spare.len(), 1, "{spare:?}");
        assert_eq!(spare[0].mac, nic.mac);
        driver.consent = Duration::from_millis(200);
        let fault = driver.unplug(place, &spare[0], hops).await.unwrap_err();
        assert!(fault.message.contains("stop the server"), "{fault}");
        assert_eq!(bench.missing(&driver).await, [], "the guest keeps it");

        driver.stop(place, Duration::ZERO, hops).await.unwrap();
        bench.boot(&driver, 2).await;
        assert_eq!(
            bench.missing(&driver).await,
            [],
            "it is there after a start"
        );
        driver.stop(place, Duration::ZERO, hops).await.unwrap();
        let start = driver.start(place, &without, Generation(3), hops).await;
        start.unwrap();
        assert_eq!(
            bench.missing(&driver).await,
            [nic],
            "it is gone with a start"
        );
        driver.remove(place, hops).await.unwrap();
    });
    skybus_sys::namespace::delete(&space).unwrap();
}

#[tokio::test]
async fn a_qemu_that_refuses_its_arguments_says_why_in_the_fault() {
    let mut bench = Bench::new(Guest::Obeys);
    let (driver, _) = bench.driver();
    bench.spec.resources.vcpus = 5000;
    driver
        .build(&bench.place, &bench.spec, &bench.hops)
        .await
        .unwrap();
    let started = driver
        .start(&bench.place, &bench.spec, Generation(1), &bench.hops)
        .await;
    let fault = started.unwrap_err();
    assert_eq!(fault.code, FaultCode::MachineDidNotStart);
    assert!(fault.details.contains("5000"), "{fault:?}");
}

#[tokio::test]
async fn an_image_larger_than_the_flavors_disk_is_refused() {
    let bench = Bench::new(Guest::Obeys);
    let image = bench.dir.path().join("large.raw");
    fs::File::create(&image).unwrap().set_len(3 << 30).unwrap();
    let files = Files::of(&bench.data_dir(), bench.place.server);
    let user = GuestUser::of(bench.place.server, false);
    let fault = disk::root(&files, user, &image, &bench.spec)
        .await
        .unwrap_err();
    assert_eq!(fault.code, FaultCode::ImageUnusable);
    assert!(fault.message.contains("3072 MiB"), "{fault}");
}

/// A file system of its own at the worker's directory, taken away at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=280m", "none"])
            .arg(&path)
            .status();
        assert!(mount.unwrap().success());
        Self(path)
    }

    /// Takes so much of it that only this many bytes are left.
    fn leave(&self, bytes: u64) {
        let file = fs::File::create(self.0.join("filler")).unwrap();
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        let most = disk.f_bavail * disk.f_frsize - bytes;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, most).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[tokio::test]
async fn a_guest_whose_hosts_disk_is_full_is_held_and_goes_on_unharmed() {
    let dir = tempfile::tempdir().unwrap();
    let small = SmallDisk::at(dir.path().join("agent"));
    let bench = Bench::on(dir, Guest::Fills);
    let (driver, mut changes) = bench.driver();
    driver
        .build(&bench.place, &bench.spec, &bench.hops)
        .await
        .unwrap();
    small.leave(2 << 20);
    driver
        .start(&bench.place, &bench.spec, Generation(1), &bench.hops)
        .await
        .unwrap();
    let is_held = async || match driver.look(&bench.place).await {
        Seen::Paused(Some(fault)) => fault.code == FaultCode::DiskFull,
        _ => false,
    };
    until(is_held).await;
    assert_eq!(changes.recv().await, Some(bench.place.clone()));
    let files = Files::of(&bench.data_dir(), bench.place.server);
    let before = fs::metadata(files.disk()).unwrap().len();

    small.leave(2 << 20);
    driver.resume(&bench.place).await.unwrap();
    until(async || fs::metadata(files.disk()).unwrap().len() > before).await;
    until(is_held).await;
    driver.remove(&bench.place, &bench.hops).await.unwrap();
    assert_eq!(driver.look(&bench.place).await, Seen::Absent);
    // Before the directory that it is mounted in.
    drop(small);
}
