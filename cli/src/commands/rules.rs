//! The rules of security groups, in the words of the old `nova secgroup-add-rule`: protocol, ports,
//! range. For ICMP the ports are type and code; -1 stands for all. What the old words could not say is
//! which way: that is the option `--egress`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Context,
    failure::Failure,
    output::{
        cell::{plain, word},
        table::Column,
    },
    resolve::{self, SECURITY_GROUP},
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the rules of a security group
    #[command(name = "secgroup-list-rules")]
    ListRules {
        /// Its name or id
        group: String,
    },
    /// Let something in, or out
    #[command(name = "secgroup-add-rule")]
    AddRule {
        /// The security group's name or id
        group: String,
        #[command(flatten)]
        rule: Rule,
        /// Out of the servers of the group, to the range, instead of in
        #[arg(long)]
        egress: bool,
    },
    /// Let something in from the servers of a group, or out to them
    #[command(name = "secgroup-add-group-rule")]
    AddGroupRule {
        /// The security group's name or id
        group: String,
        /// The name or id of the group whose servers are meant
        source_group: String,
        /// tcp, udp, icmp, or a protocol's number; all when none is named
        #[arg(default_value = "any")]
        protocol: String,
        /// The first port, or the ICMP type; -1 for all
        #[arg(allow_negative_numbers = true, default_value_t = -1)]
        #[arg(value_parser = clap::value_parser!(i32).range(-1..=65_535))]
        from: i32,
        /// The last port, or the ICMP code; -1 for all
        #[arg(allow_negative_numbers = true, default_value_t = -1)]
        #[arg(value_parser = clap::value_parser!(i32).range(-1..=65_535))]
        to: i32,
        /// Out to the servers of the other group instead of in
        #[arg(long)]
        egress: bool,
    },
    /// Take a rule away: by its id, or by the words that it was made with
    #[command(name = "secgroup-delete-rule")]
    DeleteRule {
        /// The rule's id, or the security group's name or id
        group_or_rule: String,
        /// Protocol, first port, last port and range of the rule, as it was added
        #[arg(allow_negative_numbers = true, num_args = 4)]
        #[arg(value_names = ["PROTOCOL", "FROM", "TO", "CIDR"])]
        rule: Vec<String>,
        /// It lets something out
        #[arg(long, requires = "rule")]
        egress: bool,
    },
}

/// A rule as it is typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Rule {
    /// tcp, udp, icmp, or a protocol's number
    protocol: String,
    /// The first port, or the ICMP type; -1 for all
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-1..=65_535))]
    from: i32,
    /// The last port, or the ICMP code; -1 for all
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-1..=65_535))]
    to: i32,
    /// From where, e.g. 0.0.0.0/0
    cidr: String,
}

const COLUMNS: [Column; 7] = [
    Column::new("ID", |r| word(r, "id")),
    Column::new("Direction", |r| word(r, "direction")),
    Column::new("IP Protocol", |r| word(r, "protocol")),
    Column::new("From Port", |r| bound(r, "port_range_min")),
    Column::new("To Port", |r| bound(r, "port_range_max")),
    Column::new("IP Range", range),
    Column::new("Source Group", |r| word(r, "remote_group_id")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let session = context.session()?;
        match self {
            Self::ListRules { group } => {
                context.output.list(&COLUMNS, &rules_of(&session, &group)?)
            }
            Self::AddRule {
                group,
                rule,
                egress,
            } => {
                let group = resolve::id(&session, SECURITY_GROUP, &group)?;
                add(context, &session, rule.body(&group, egress))
            }
            Self::AddGroupRule {
                group,
                source_group,
                protocol,
                from,
                to,
                egress,
            } => {
                let group = resolve::id(&session, SECURITY_GROUP, &group)?;
                let source = resolve::id(&session, SECURITY_GROUP, &source_group)?;
                let rule = Rule {
                    protocol,
                    from,
                    to,
                    cidr: String::new(),
                };
                let mut body = rule.body(&group, egress);
                body["remote_ip_prefix"] = Value::Null;
                body["remote_group_id"] = json!(source);
                add(context, &session, body)
            }
            Self::DeleteRule {
                group_or_rule,
                rule,
                ..
            } if rule.is_empty() => remove(&session, &group_or_rule),
            Self::DeleteRule {
                group_or_rule,
                rule,
                egress,
            } => {
                let wanted = Rule::from_words(&rule)?;
                let rules = rules_of(&session, &group_or_rule)?;
                match rules.iter().find(|r| wanted.is(r, egress)) {
                    Some(found) => remove(&session, plain(found, "id")),
                    None => Err(Failure::NotFound {
                        kind: "rule",
                        wanted: rule.join(" "),
                        near: String::new(),
                        list: "secgroup-list-rules",
                    }),
                }
            }
        }
    }
}

fn add(context: &Context, session: &Session, rule: Value) -> Result<(), Failure> {
    let body = json!({"security_group_rule": rule});
    let answer = session.post(Service::Network, "/security-group-rules", &body)?;
    context
        .output
        .list(&COLUMNS, &[answer["security_group_rule"].clone()])
}

const fn direction(egress: bool) -> &'static str {
    if egress { "egress" } else { "ingress" }
}

fn remove(session: &Session, id: &str) -> Result<(), Failure> {
    let path = format!("/security-group-rules/{}", crate::http::url::encode(id));
    session.delete(Service::Network, &path)
}

fn rules_of(session: &Session, group: &str) -> Result<Vec<Value>, Failure> {
    let mut group = resolve::object(session, SECURITY_GROUP, group)?;
    Ok(group["security_group_rules"]
        .as_array_mut()
        .map(std::mem::take)
        .unwrap_or_default())
}

impl Rule {
    fn from_words(words: &[String]) -> Result<Self, Failure> {
        let refused = || {
            Failure::usage(
                format!("{:?} is no rule", words.join(" ")),
                "for instance: skybus secgroup-delete-rule default tcp 22 22 0.0.0.0/0",
            )
        };
        let [protocol, from, to, cidr] = words else {
            return Err(refused());
        };
        let (Ok(from), Ok(to)) = (from.parse(), to.parse()) else {
            return Err(refused());
        };
        Ok(Self {
            protocol: protocol.clone(),
            from,
            to,
            cidr: cidr.clone(),
        })
    }

    fn body(&self, group: &str, egress: bool) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        set("security_group_id", json!(group));
        set("direction", json!(direction(egress)));
        set("ethertype", json!("IPv4"));
        set("remote_ip_prefix", json!(self.cidr));
        set("protocol", json!(self.protocol.to_lowercase()));
        if self.from >= 0 {
            set("port_range_min", json!(self.from));
        }
        if self.to >= 0 {
            set("port_range_max", json!(self.to));
        }
        Value::Object(body)
    }

    /// Whether the API's rule is this one.
    fn is(&self, rule: &Value, egress: bool) -> bool {
        let same = |port: i32, field: &str| rule[field].as_i64().unwrap_or(-1) == i64::from(port);
        plain(rule, "direction") == direction(egress)
            && plain(rule, "protocol") == self.protocol.to_lowercase()
            && same(self.from, "port_range_min")
            && same(self.to, "port_range_max")
            && range(rule) == self.cidr
    }
}

fn bound(rule: &Value, field: &str) -> String {
    rule[field].as_i64().unwrap_or(-1).to_string()
}

/// Where a rule lets in from; a rule without a range lets in from everywhere.
fn range(rule: &Value) -> String {
    match (
        rule["remote_ip_prefix"].as_str(),
        rule["remote_group_id"].is_null(),
    ) {
        (Some(range), _) => range.to_owned(),
        (None, false) => "-".to_owned(),
        (None, true) if plain(rule, "ethertype") == "IPv6" => "::/0".to_owned(),
        (None, true) => "0.0.0.0/0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: &str, from: i32, to: i32) -> Rule {
        Rule {
            protocol: protocol.to_owned(),
            from,
            to,
            cidr: "0.0.0.0/0".to_owned(),
        }
    }

    #[test]
    fn minus_one_means_all_and_is_not_sent() {
        let body = rule("icmp", -1, -1).body("g", false);
        assert_eq!(body["port_range_min"], Value::Null);
        assert_eq!(rule("TCP", 22, 22).body("g", false)["port_range_max"], 22);
        assert_eq!(rule("TCP", 22, 22).body("g", false)["protocol"], "tcp");
    }

    #[test]
    fn a_rule_is_found_again_by_its_words() {
        let mut made = rule("tcp", 22, 22).body("g", false);
        assert!(rule("tcp", 22, 22).is(&made, false));
        assert!(!rule("tcp", 22, 23).is(&made, false));
        assert!(!rule("tcp", 22, 22).is(&made, true), "it lets in, not out");
        made["remote_ip_prefix"] = Value::Null;
        assert!(rule("tcp", 22, 22).is(&made, false));
    }
}
