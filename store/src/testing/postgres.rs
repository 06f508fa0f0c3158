//! A PostgreSQL server of a test binary's own.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

/// A running server; it ends with the process that started it.
#[derive(Debug)]
pub struct Postgres {
    directory: PathBuf,
    databases: AtomicU32,
}

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

#[allow(
    clippy::expect_used,
    reason = "test support: a test cannot go on without its database"
)]
impl Postgres {
    /// This test binary's server, started when it is first asked for.
    ///
    /// # Panics
    /// When PostgreSQL's binaries are missing or it does not start.
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let bin = binaries().expect(
            "PostgreSQL's server is needed for this test; install the Debian package `postgresql`",
        );
        let directory = std::env::temp_dir().join(format!("skybus-test-pg-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for PostgreSQL");
        // initdb and postgres refuse to run as root; Debian's package makes the account `postgres`.
        let mut prefix: Vec<&str> = Vec::new();
        if user_id() == "0" {
            prefix = vec![
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
            ];
            succeed(Command::new("chown").arg("postgres").arg(&directory));
        }
        let data = directory.join("data");
        let mut initdb = prefix.clone();
        let program = bin.join("initdb").display().to_string();
        initdb.extend([
            program.as_str(),
            "--no-sync",
            "-A",
            "trust",
            "-U",
            "postgres",
            "-D",
        ]);
        succeed(
            Command::new(initdb[0])
                .args(&initdb[1..])
                .arg(&data)
                .current_dir("/"),
        );
        // The watchdog keeps its rights, so that it can see the test's process: it ends the server when
        // that is gone, however it went.
        let server = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(std::process::id().to_string())
            .arg(&data)
            .arg(&directory)
            .args(prefix)
            .arg(bin.join("postgres"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn();
        assert!(server.is_ok(), "postgres did not start");
        let postgres = Self {
            directory,
            databases: AtomicU32::new(0),
        };
        postgres.wait().await;
        postgres
    }

    async fn wait(&self) {
        let address = self.url("postgres");
        for _ in 0..300 {
            if PgConnection::connect(&address).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL in {} does not answer", self.directory.display());
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.directory.display()
        )
    }

    /// The address of a new, empty database.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn new_database(&self) -> String {
        let n = self.databases.fetch_add(1, Ordering::Relaxed);
        let mut connection = PgConnection::connect(&self.url("postgres"))
            .await
            .expect("PostgreSQL answers");
        let sql = format!("CREATE DATABASE test_{n}");
        connection
            .execute(sqlx::AssertSqlSafe(sql))
            .await
            .expect("a database is made");
        self.url(&format!("test_{n}"))
    }
}

const WATCHDOG: &str = r#"
test=$1 data=$2 directory=$3; shift 3
"$@" -D "$data" -k "$directory" -c listen_addresses= -c max_connections=200 -c fsync=off &
server=$!
while kill -0 "$test" 2>/dev/null && kill -0 $server 2>/dev/null; do sleep 0.5; done
kill -INT $server 2>/dev/null; wait $server; rm -rf "$directory"
"#;

fn succeed(command: &mut Command) {
    let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "{command:?} failed"
    );
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

fn user_id() -> String {
    let id = Command::new("id").arg("-u").output();
    id.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        .unwrap_or_default()
}
