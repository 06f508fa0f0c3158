//! The words of the command line.

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    auth::Choice,
    commands::{
        admin, audit, boot, bus, completion, console, flavors, floating, hosts, identity, images,
        interfaces, keypairs, machines, metadata, networks, power, quotas, rules, secgroups,
        servers, ssh, trace, watch, word,
    },
    failure::{EXIT_CODES, Failure},
    output::{Format, Output},
    session::Session,
};

/// The command line of a skybus cloud. Names and ids can be used alike.
#[derive(Debug, Parser)]
#[command(name = "skybus", version, after_help = EXIT_CODES, arg_required_else_help = true)]
#[command(subcommand_help_heading = "Commands")]
pub(crate) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// How data is written
    #[arg(short, long, global = true, value_enum, default_value_t)]
    format: Format,
    /// Say each request on stderr
    #[arg(long, global = true)]
    debug: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Keypairs(keypairs::Command),
    #[command(flatten)]
    Images(images::Command),
    #[command(flatten)]
    Flavors(flavors::Command),
    /// Start a new server
    Boot(boot::Boot),
    #[command(flatten)]
    Servers(servers::Command),
    #[command(flatten)]
    Power(power::Command),
    /// Set or delete metadata of a server
    Meta(metadata::Meta),
    /// Show what a server wrote to its console
    ConsoleLog(console::ConsoleLog),
    /// Show what happened to a server, hop by hop
    Trace(trace::Trace),
    /// Show changes of servers as they happen, until interrupted
    Watch(watch::Watch),
    /// Log in to a server
    Ssh(ssh::Ssh),
    #[command(flatten)]
    SecurityGroups(secgroups::Command),
    #[command(flatten)]
    Rules(rules::Command),
    #[command(flatten)]
    Networks(networks::Command),
    #[command(flatten)]
    Interfaces(interfaces::Command),
    #[command(flatten)]
    Floating(floating::Command),
    #[command(flatten)]
    Hosts(hosts::Command),
    #[command(flatten)]
    Quotas(quotas::Command),
    #[command(flatten)]
    Identity(identity::Command),
    /// Machines of this cloud: add, list, drain, remove
    #[command(subcommand)]
    Host(machines::Command),
    /// Networks and numbers that operators make for everybody (administrators)
    #[command(subcommand)]
    Admin(admin::Command),
    /// Dead letters and subscribers of the message bus
    #[command(subcommand)]
    Bus(bus::Command),
    /// Find what does not fit in the cloud, say why, and mend it
    ///
    /// Rows are compared with each other and with the hosts' last inventories: claims, quotas, addresses,
    /// operations, messages, uploads, machines. What is merely in flight is not found.
    ///
    /// Exits with 0 when nothing was found or all of it was mended, with 1 when something remains.
    Audit(audit::Audit),
    /// Print a completion script for a shell
    Completion(completion::Completion),
    /// Any other word is a program, `skybus-WORD`
    #[command(external_subcommand)]
    Word(Vec<OsString>),
}

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    choice: Choice,
    debug: bool,
    /// Where data goes.
    pub(crate) output: Output,
}

impl Context {
    /// Signs in.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        Session::open(&self.choice, self.debug)
    }
}

impl Arguments {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let context = Context {
            choice: self.choice,
            debug: self.debug,
            output: Output {
                format: self.format,
            },
        };
        match self.command {
            Command::Keypairs(command) => command.run(&context),
            Command::Images(command) => command.run(&context),
            Command::Flavors(command) => command.run(&context),
            Command::Boot(command) => command.run(&context),
            Command::Servers(command) => command.run(&context),
            Command::Power(command) => command.run(&context),
            Command::Meta(command) => command.run(&context),
            Command::ConsoleLog(command) => command.run(&context),
            Command::Trace(command) => command.run(&context),
            Command::Watch(command) => command.run(&context),
            Command::Ssh(command) => return command.run(&context),
            Command::SecurityGroups(command) => command.run(&context),
            Command::Rules(command) => command.run(&context),
            Command::Networks(command) => command.run(&context),
            Command::Interfaces(command) => command.run(&context),
            Command::Floating(command) => command.run(&context),
            Command::Hosts(command) => command.run(&context),
            Command::Quotas(command) => command.run(&context),
            Command::Identity(command) => command.run(&context),
            Command::Host(command) => command.run(&context),
            Command::Admin(command) => command.run(&context),
            Command::Bus(command) => command.run(&context),
            Command::Audit(command) => return command.run(&context),
            Command::Completion(command) => command.run(&context),
            Command::Word(words) => return word::run(&words),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests;
