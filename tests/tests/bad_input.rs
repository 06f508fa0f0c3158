//! Bad input at the APIs and at the command line of a running cloud: the right status, a message that
//! says what to do, and nothing half done.

#[path = "bad_input/cases.rs"]
mod cases;

use anyhow::{Context, Result, ensure};
use cases::{API, COMMANDS, Case, Who};
use serde_json::{Value, json};
use skybus_tests::{api::Api, cloud::Cloud};

/// A cloud with two projects that have something each.
struct Stage {
    cloud: Cloud,
    admin: Api,
    demo: Api,
    nobody: Api,
    stranger: Api,
    words: Vec<(&'static str, String)>,
}

impl Stage {
    fn set() -> Result<Self> {
        let cloud = Cloud::with_fake_hosts(2)?;
        cloud.add_small_image()?;
        let admin = Api::sign_in(&cloud, "admin", &cloud.password("admin")?)?;
        let demo = Api::sign_in(&cloud, "demo", &cloud.password("demo")?)?;
        let mut stranger = Api::anonymous(&cloud);
        stranger.token = "gAAAAABinvented".to_owned();
        let nobody = Api::anonymous(&cloud);
        let boot = [
            "boot", "--flavor", "m1.tiny", "--image", "small", "--poll", "foreign",
        ];
        cloud.skybus(&boot)?.ok()?;
        let one = |path: &str, key: &str| -> Result<String> {
            let answer = admin.get(path)?;
            let id = answer[key][0]["id"]
                .as_str()
                .with_context(|| format!("{path}: {answer}"))?;
            Ok(id.to_owned())
        };
        let queued = json!({"name": "queued", "disk_format": "raw", "container_format": "bare",
            "visibility": "public"});
        let queued = admin
            .send("POST", "/image/v2/images", &queued.to_string())?
            .body;
        // A project's own group is made when it is first looked for.
        demo.get("/network/v2.0/security-groups")?;
        let words = vec![
            ("{foreign}", one("/compute/v2.1/servers", "servers")?),
            ("{image}", one("/image/v2/images?name=small", "images")?),
            ("{flavor}", one("/compute/v2.1/flavors", "flavors")?),
            (
                "{network}",
                one("/network/v2.0/networks?router:external=false", "networks")?,
            ),
            (
                "{public}",
                one("/network/v2.0/networks?router:external=true", "networks")?,
            ),
            (
                "{queued}",
                queued["id"].as_str().context("a queued image")?.to_owned(),
            ),
            ("{demo}", demo.project.clone()),
            ("{long}", "x".repeat(256)),
        ];
        Ok(Self {
            cloud,
            admin,
            demo,
            nobody,
            stranger,
            words,
        })
    }

    fn filled(&self, text: &str) -> String {
        self.words
            .iter()
            .fold(text.to_owned(), |text, (word, value)| {
                text.replace(word, value)
            })
    }

    fn api(&self, who: Who) -> &Api {
        match who {
            Who::Admin => &self.admin,
            Who::Demo => &self.demo,
            Who::Nobody => &self.nobody,
            Who::Stranger => &self.stranger,
        }
    }

    /// Everything that a half-done request could have left.
    fn inventory(&self) -> Result<Value> {
        let admin = &self.admin;
        Ok(json!([
            admin.get("/compute/v2.1/servers?all_tenants=1")?,
            admin.get("/compute/v2.1/flavors")?,
            admin.get("/image/v2/images")?["images"]
                .as_array()
                .map(Vec::len),
            admin.get("/network/v2.0/networks")?,
            admin.get("/network/v2.0/ports")?["ports"]
                .as_array()
                .map(Vec::len),
            admin.get("/network/v2.0/security-groups")?["security_groups"]
                .as_array()
                .map(Vec::len),
            admin.get("/network/v2.0/security-group-rules")?,
            admin.get("/network/v2.0/floatingips")?,
            admin.get("/identity/v3/users")?,
            admin.get("/identity/v3/projects")?,
            self.demo.get("/compute/v2.1/os-keypairs")?,
            self.demo.get("/compute/v2.1/limits")?["limits"]["absolute"]["totalInstancesUsed"],
        ]))
    }

    fn try_api(&self, case: &Case) -> Option<String> {
        let (path, body) = (self.filled(case.path), self.filled(case.body));
        let line = format!("{:?} {} {path} {body}", case.who, case.method);
        let answer = match self.api(case.who).send(case.method, &path, &body) {
            Ok(answer) => answer,
            Err(error) => return Some(format!("{line}: {error:#}")),
        };
        let right = answer.status == case.status
            && answer
                .message()
                .to_lowercase()
                .contains(&case.says.to_lowercase())
            && answer.request_id.is_some();
        (!right).then(|| {
            let Case { status, says, .. } = case;
            format!(
                "{line}\n    wanted {status} {says:?}\n    got {} {}",
                answer.status, answer.body
            )
        })
    }

    fn try_command(&self, line: &str, code: i32, says: &str) -> Option<String> {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = match self.cloud.skybus_as_demo(&words) {
            Ok(ran) => ran,
            Err(error) => return Some(format!("{line}: {error:#}")),
        };
        let right = ran.code == code && ran.err.contains(says) && ran.out.is_empty();
        (!right).then(|| format!("skybus {line}\n    wanted {code} {says:?}\n    got {ran:?}"))
    }
}

#[test]
fn bad_input_is_refused_in_words_and_leaves_nothing_behind() -> Result<()> {
    let stage = Stage::set()?;
    let before = stage.inventory()?;
    let of_apis = API.iter().filter_map(|case| stage.try_api(case));
    let of_commands = COMMANDS
        .iter()
        .filter_map(|(line, code, says)| stage.try_command(&stage.filled(line), *code, says));
    let wrong: Vec<String> = of_apis.chain(of_commands).collect();
    ensure!(
        wrong.is_empty(),
        "{} of {} cases went wrong:\n{}",
        wrong.len(),
        API.len() + COMMANDS.len(),
        wrong.join("\n")
    );
    let after = stage.inventory()?;
    for (then, now) in before
        .as_array()
        .into_iter()
        .flatten()
        .zip(after.as_array().into_iter().flatten())
    {
        ensure!(
            then == now,
            "something was left behind or changed:\n{then}\n{now}"
        );
    }
    Ok(())
}
