//! The tables of `docs/bus.md`.

use std::fmt::Write;

use skybus_bus::{
    accounts::Account,
    topology::{self, Argument, Queue},
};
use skybus_model::{HostName, message::Service};

use crate::{samples, source::Source};

pub(crate) const ALL: [&str; 5] = ["exchanges", "queues", "accounts", "messages", "parts"];

pub(crate) fn named(name: &str) -> String {
    match name {
        "exchanges" => exchanges(),
        "queues" => queues(),
        "accounts" => accounts(),
        "messages" => messages(),
        "parts" => parts(),
        other => panic!("docs/bus.md asks for a table {other:?} that does not exist"),
    }
}

fn exchanges() -> String {
    let mut table = "| exchange | carries |\n|---|---|\n".to_owned();
    for exchange in topology::control_plane().exchanges {
        writeln!(table, "| `{}` | {} |", exchange.name, exchange.purpose).unwrap();
    }
    table
}

/// A name that no host has; it is printed in capitals.
const HOST: &str = "host0name";

fn example() -> HostName {
    HOST.parse().unwrap()
}

fn shown(text: &str) -> String {
    text.replace(HOST, "HOST").replace('|', "\\|")
}

fn queues() -> String {
    let host = example();
    let hosts = std::slice::from_ref(&host);
    let keys = ["KEY".to_owned()];
    let mut all = topology::control_plane().queues;
    all.extend(topology::agent(Service::Compute, &host, hosts).queues);
    all.extend(topology::agent(Service::Network, &host, hosts).queues);
    all.push(topology::beats(Service::Scheduler, "PROCESS"));
    all.push(topology::replies(Service::Api, "PROCESS"));
    all.extend(topology::subscriber(&host, &keys).queues);
    let mut table = "| queue | bound to | arguments |\n|---|---|---|\n".to_owned();
    for queue in all {
        writeln!(
            table,
            "| `{}` | {} | {} |",
            shown(&queue.name),
            bound(&queue),
            arguments(&queue)
        )
        .unwrap();
    }
    table
}

fn bound(queue: &Queue) -> String {
    let bindings: Vec<_> = queue
        .bindings
        .iter()
        .map(|binding| format!("`{}` with `{}`", binding.exchange, shown(&binding.key)))
        .collect();
    bindings.join(", ")
}

fn arguments(queue: &Queue) -> String {
    let mut words: Vec<_> = queue
        .arguments
        .iter()
        .map(|(name, value)| match value {
            Argument::Word(word) => format!("`{name}` {word}"),
            Argument::Number(number) => format!("`{name}` {number}"),
            Argument::Flag(flag) => format!("`{name}` {flag}"),
        })
        .collect();
    words.insert(
        0,
        if queue.exclusive {
            "exclusive"
        } else {
            "durable"
        }
        .to_owned(),
    );
    words.join(", ")
}

fn accounts() -> String {
    let host = example();
    let hosts = std::slice::from_ref(&host);
    let all = [
        Account::api(),
        Account::scheduler(),
        Account::agent(Service::Compute, &host, hosts),
        Account::agent(Service::Network, &host, hosts),
        Account::subscriber(&host),
    ];
    let mut table =
        "| account | configure | write | read | routing keys |\n|---|---|---|---|---|\n".to_owned();
    for account in all {
        let topics: Vec<_> = account
            .topics
            .iter()
            .map(|topic| {
                format!(
                    "`{}`: write `{}`, bind `{}`",
                    topic.exchange,
                    shown(&topic.write),
                    shown(&topic.read)
                )
            })
            .collect();
        writeln!(
            table,
            "| `{}` | `{}` | `{}` | `{}` | {} |",
            shown(&account.name),
            shown(&account.configure),
            shown(&account.write),
            shown(&account.read),
            if topics.is_empty() {
                "–".to_owned()
            } else {
                topics.join("; ")
            },
        )
        .unwrap();
    }
    table
}

fn messages() -> String {
    let source = Source::read();
    let mut text = String::new();
    for sample in samples::all() {
        writeln!(text, "### `{}`\n", sample.kind).unwrap();
        writeln!(text, "{}\n", source.meaning(sample.type_name)).unwrap();
        writeln!(
            text,
            "Exchange `{}`, key `{}`.\n",
            sample.exchange, sample.key
        )
        .unwrap();
        text.push_str(&fields(&source, sample.type_name));
        text.push('\n');
    }
    text
}

fn fields(source: &Source, name: &str) -> String {
    if source.fields(name).is_empty() {
        return "It has no fields.\n".to_owned();
    }
    let mut table = "| field | type | meaning |\n|---|---|---|\n".to_owned();
    for field in source.fields(name) {
        let meaning = field.meaning.replace('|', "\\|");
        writeln!(
            table,
            "| `{}` | {} | {meaning} |",
            field.name,
            type_name(&field.of)
        )
        .unwrap();
    }
    table
}

fn parts() -> String {
    let source = Source::read();
    let messages: Vec<_> = samples::all()
        .iter()
        .map(|sample| sample.type_name)
        .collect();
    let mut text = String::new();
    for part in source.parts(&messages) {
        writeln!(text, "### {part}\n\n{}\n", source.meaning(&part)).unwrap();
        if source.words(&part).is_empty() {
            text.push_str(&fields(&source, &part));
        } else {
            for (word, meaning) in source.words(&part) {
                writeln!(text, "- `{word}`: {meaning}").unwrap();
            }
        }
        text.push('\n');
    }
    text
}

/// A Rust type as a reader in another language understands it.
fn type_name(of: &str) -> String {
    if let Some(inner) = of
        .strip_prefix("Option<")
        .and_then(|of| of.strip_suffix('>'))
    {
        return format!("{} or null", type_name(inner));
    }
    if let Some(inner) = of.strip_prefix("Vec<").and_then(|of| of.strip_suffix('>')) {
        return format!("list of {}", type_name(inner));
    }
    if let Some(inner) = of
        .strip_prefix("BTreeSet<")
        .and_then(|of| of.strip_suffix('>'))
    {
        return format!("list of {}, each once", type_name(inner));
    }
    if let Some((key, value)) = of
        .strip_prefix("BTreeMap<")
        .and_then(|of| of.strip_suffix('>'))
        .and_then(|of| of.split_once(", "))
    {
        return format!("{} of each {}", type_name(value), type_name(key));
    }
    match of.rsplit("::").next().unwrap_or(of) {
        "String" | "PhysicalNetwork" => "text".to_owned(),
        "bool" => "true or false".to_owned(),
        "i64" | "u16" | "u8" | "usize" | "Generation" => "number".to_owned(),
        "Timestamp" => "time: microseconds since 1970, UTC".to_owned(),
        "HostName" => "host name".to_owned(),
        "Ipv4Addr" => "IPv4 address".to_owned(),
        "Ipv4Net" => "IPv4 network, `10.1.0.0/23`".to_owned(),
        "ProjectId" | "UserId" => "UUID without dashes".to_owned(),
        id if id.ends_with("Id") => "UUID".to_owned(),
        other => format!("[{other}](#{})", other.to_lowercase()),
    }
}
