//! A command's conversation with the cloud: signed in once, each service found through the catalog.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io::Read,
    thread,
    time::Duration,
};

use serde_json::Value;
use ureq::http::Method;
use uuid::Uuid;

use crate::{
    auth::{
        self, Account, Choice,
        cache::{self, Place},
        token::{self, Token},
    },
    failure::Failure,
    http::{Body, Http, Request, answer::Answer, stream::Frames, url},
    output::{cell::plain, talk},
};

/// The services that commands speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Servers, flavors, keypairs, hosts.
    Compute,
    /// Images.
    Image,
    /// Networks, ports, security groups.
    Network,
    /// Users, projects, roles.
    Identity,
    /// What only skybus has: traces and the bus.
    Operator,
}

impl Service {
    /// The types under which the catalog may list it, and the version that its paths begin with.
    const fn in_catalog(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Compute => (&["compute"], "v2.1"),
            Self::Image => (&["image"], "v2"),
            Self::Network => (&["network"], "v2.0"),
            Self::Identity => (&["identity"], "v3"),
            Self::Operator => (&["skybus", "operator"], "v1"),
        }
    }
}

/// How often a request that was shed is sent again, and how long is waited at most each time.
const TRIES: u32 = 4;
const LONGEST_WAIT: u64 = 8;

/// A conversation.
#[derive(Debug)]
pub(crate) struct Session {
    http: Http,
    account: Account,
    token: RefCell<Token>,
    /// Whether the token was kept from an earlier command.
    kept: Cell<bool>,
    place: Option<Place>,
    endpoints: RefCell<BTreeMap<Service, String>>,
}

impl Session {
    /// Signs in.
    pub(crate) fn open(choice: &Choice, debug: bool) -> Result<Self, Failure> {
        let account = auth::account(choice)?;
        let http = Http::new(debug);
        let place = Place::of(&account, cache::directory());
        let known = place.as_ref().and_then(Place::read);
        let kept = Cell::new(known.is_some());
        let token = match known {
            Some(token) => token,
            None => fresh(&http, &account, place.as_ref())?,
        };
        let (token, endpoints) = (RefCell::new(token), RefCell::default());
        Ok(Self {
            http,
            account,
            token,
            kept,
            place,
            endpoints,
        })
    }

    /// The project that is asked for.
    pub(crate) fn project(&self) -> String {
        self.token.borrow().project().to_owned()
    }

    /// The identity service's address, which tells this cloud from others.
    pub(crate) fn cloud(&self) -> &str {
        &self.account.auth_url
    }

    /// Reads.
    pub(crate) fn get(&self, service: Service, path: &str) -> Result<Value, Failure> {
        self.json(Method::GET, service, path, None, &[])?.success()
    }

    /// Makes or does something. A repetition of the same request is recognised by its key.
    pub(crate) fn post(
        &self,
        service: Service,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let key = ("idempotency-key", Uuid::new_v4().to_string());
        self.json(Method::POST, service, path, Some(body), &[key])?
            .success()
    }

    /// Sets.
    pub(crate) fn put(&self, service: Service, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(Method::PUT, service, path, Some(body), &[])?
            .success()
    }

    /// Sets, in a later version of the Compute API.
    pub(crate) fn put_at(&self, version: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let headers = [
            ("openstack-api-version", format!("compute {version}")),
            ("x-openstack-nova-api-version", version.to_owned()),
        ];
        self.json(Method::PUT, Service::Compute, path, Some(body), &headers)?
            .success()
    }

    /// Takes away.
    pub(crate) fn delete(&self, service: Service, path: &str) -> Result<(), Failure> {
        self.json(Method::DELETE, service, path, None, &[])?
            .success()
            .map(drop)
    }

    /// Sends `length` bytes.
    pub(crate) fn upload(
        &self,
        path: &str,
        length: u64,
        from: &mut dyn Read,
    ) -> Result<(), Failure> {
        let url = self.address(Service::Image, path)?;
        let headers = vec![("x-auth-token", self.token.borrow().id.clone())];
        let body = Body::Bytes { length, from };
        self.http
            .send(Request {
                method: Method::PUT,
                url,
                headers,
                body,
            })?
            .success()
            .map(drop)
    }

    /// Everything of a list, page after page; `most` ends it early.
    pub(crate) fn list(
        &self,
        service: Service,
        path: &str,
        key: &str,
        most: Option<usize>,
    ) -> Result<Vec<Value>, Failure> {
        let mut all: Vec<Value> = Vec::new();
        let mut page = path.to_owned();
        loop {
            let mut answer = self.get(service, &page)?;
            let more = has_next(&answer, key);
            let Value::Array(mut items) = answer[key].take() else {
                return Err(Failure::Nonsense(format!("it has no list {key:?}")));
            };
            let last = items.last().map(|item| plain(item, "id").to_owned());
            all.append(&mut items);
            if let Some(most) = most
                && all.len() >= most
            {
                all.truncate(most);
                return Ok(all);
            }
            match last.filter(|id| more && !id.is_empty()) {
                Some(id) => page = url::with_query(path, &[("marker", Some(&id))]),
                None => return Ok(all),
            }
        }
    }

    /// Opens a stream of events. A token that is too old by now is replaced, as a stream may be asked
    /// for again after hours.
    pub(crate) fn stream(&self, service: Service, path: &str) -> Result<Frames, Failure> {
        let url = self.address(service, path)?;
        let open = || self.http.stream(&url, &self.token.borrow().id);
        let opened = match open()? {
            Err(answer) if answer.status == 401 => {
                *self.token.borrow_mut() = fresh(&self.http, &self.account, self.place.as_ref())?;
                self.kept.set(false);
                open()?
            }
            other => other,
        };
        opened.or_else(|answer| {
            answer.success()?;
            Err(Failure::Nonsense(
                "a stream of events was asked for, and something else came".to_owned(),
            ))
        })
    }

    fn json(
        &self,
        method: Method,
        service: Service,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, Failure> {
        let url = self.address(service, path)?;
        for _ in 1..TRIES {
            let again = match self.once(&method, &url, body, headers) {
                // Roles may have changed since, or the cloud itself.
                Ok(answer) if matches!(answer.status, 401 | 403) && self.kept.take() => {
                    *self.token.borrow_mut() =
                        fresh(&self.http, &self.account, self.place.as_ref())?;
                    continue;
                }
                Ok(answer) => match again(&answer) {
                    Some(again) => again,
                    None => return Ok(answer),
                },
                // It answered when we signed in. What was sent twice is done once: by its key, or
                // because the method says so.
                Err(Failure::Unreachable { .. }) => Again {
                    why: "does not answer",
                    wait: 1,
                },
                Err(failure) => return Err(failure),
            };
            let Again { why, wait } = again;
            talk::say(&format!("the cloud {why}; trying again in {wait} s"));
            thread::sleep(Duration::from_secs(wait));
        }
        self.once(&method, &url, body, headers)
    }

    fn once(
        &self,
        method: &Method,
        url: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, Failure> {
        let mut headers = headers.to_vec();
        headers.push(("x-auth-token", self.token.borrow().id.clone()));
        self.http.send(Request {
            method: method.clone(),
            url: url.to_owned(),
            headers,
            body: body
                .filter(|b| !b.is_null())
                .map_or(Body::Empty, Body::Json),
        })
    }

    fn address(&self, service: Service, path: &str) -> Result<String, Failure> {
        if let Some(base) = self.endpoints.borrow().get(&service) {
            return Ok(format!("{base}{path}"));
        }
        let base = self.find(service)?;
        let address = format!("{base}{path}");
        self.endpoints.borrow_mut().insert(service, base);
        Ok(address)
    }

    fn find(&self, service: Service) -> Result<String, Failure> {
        let (kinds, version) = service.in_catalog();
        let region = self.account.region.as_deref();
        if let Some(endpoint) = self.token.borrow().endpoint(kinds, region) {
            return Ok(url::versioned(endpoint, version));
        }
        // Identity is where the token came from, and what only skybus has stands beside it.
        let (root, beside) = self.account.auth_url.split_once("/identity").unzip();
        match service {
            Service::Identity => Ok(url::versioned(&self.account.auth_url, version)),
            Service::Operator if beside.is_some() => {
                Ok(format!("{}/skybus/v1", root.unwrap_or_default()))
            }
            _ => Err(Failure::NotSignedIn {
                problem: match region {
                    Some(region) => format!(
                        "the catalog has no {} service in region {region:?}",
                        kinds[0]
                    ),
                    None => format!("the catalog has no {} service", kinds[0]),
                },
                next: "choose a project with OS_PROJECT_NAME and check OS_REGION_NAME".to_owned(),
            }),
        }
    }
}

/// Signs in, and keeps the token for the next command.
fn fresh(http: &Http, account: &Account, place: Option<&Place>) -> Result<Token, Failure> {
    let token = token::sign_in(http, account)?;
    if let Some(place) = place {
        place.write(&token);
    }
    Ok(token)
}

/// A reason to send a request once more.
struct Again {
    why: &'static str,
    wait: u64,
}

/// Whether the cloud asks for the same request again: it is busy, or still working on the first one.
fn again(answer: &Answer) -> Option<Again> {
    let wait = answer.retry_after?.clamp(1, LONGEST_WAIT);
    match answer.status {
        503 => Some(Again {
            why: "is busy",
            wait,
        }),
        409 => Some(Again {
            why: "still works on the first attempt",
            wait,
        }),
        _ => None,
    }
}

/// Whether a list goes on: each API says so in its own way. Its links are not followed, so that the
/// token goes nowhere but to the catalog's addresses; the next page is asked for by the last id.
fn has_next(answer: &Value, key: &str) -> bool {
    let in_links = answer[format!("{key}_links")]
        .as_array()
        .is_some_and(|links| links.iter().any(|link| plain(link, "rel") == "next"));
    in_links || answer["next"].is_string() || answer["links"]["next"].is_string()
}
