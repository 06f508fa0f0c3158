//! One more process of a role: how operators scale API servers and schedulers. It takes the role's own
//! configuration with other ports, and nothing else.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::{
    cloud::{Cloud, free_port},
    programs, wait,
};

/// A process that ends with the test.
#[derive(Debug)]
pub struct Another {
    child: Child,
    url: String,
}

impl Another {
    /// Starts one more `api` or `scheduler` and waits until it is healthy.
    ///
    /// # Errors
    /// When it does not become healthy.
    pub fn start(cloud: &Cloud, role: &str) -> Result<Self> {
        let etc = cloud.data_dir().join("etc");
        let text = fs::read_to_string(etc.join(format!("{role}.toml")))?;
        let mut config: Table = text.parse()?;
        let health = free_port()?;
        config.insert("health".to_owned(), address(health));
        let mut url = format!("http://127.0.0.1:{health}");
        if config.contains_key("listen") {
            let port = free_port()?;
            config.insert("listen".to_owned(), address(port));
            url = format!("http://127.0.0.1:{port}");
        }
        let file = etc.join(format!("{role}-{health}.toml"));
        fs::write(&file, config.to_string())?;
        let log = fs::File::create(cloud.data_dir().join(format!("log/{role}-{health}.log")))?;
        let child = Command::new(programs::program(&format!("skybus-{role}"))?)
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting another {role}"))?;
        let another = Self { child, url };
        let page = format!("http://127.0.0.1:{health}/healthz");
        wait::until("a healthy process", Duration::from_secs(60), || {
            Ok(ureq::get(&page).call().ok().map(drop))
        })?;
        Ok(another)
    }

    /// Where its APIs are, for an API server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        // As hard as a power cut: whoever remains goes on with its work.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(port: u16) -> Value {
    Value::String(format!("127.0.0.1:{port}"))
}
