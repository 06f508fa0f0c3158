//! The command lines that people type, old spellings included.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn the_commands_of_old_are_understood() {
    for line in [
        "skybus keypair-add --pub_key key.pub key1",
        "skybus keypair-add --pub-key key.pub key1",
        "skybus keypair-add key1",
        "skybus keypair-list",
        "skybus image-list",
        "skybus image-create cirros --file c.img --disk-format qcow2 --public",
        "skybus flavor-create m1.x auto 512 1 1",
        "skybus boot --flavor 1 --image I --key_name key1 vm1",
        "skybus boot --flavor 1 --image I --poll --user-data f --security-groups a,b vm1",
        "skybus boot --flavor 1 --image I --config-drive true --meta a=b --meta c=d vm1",
        "skybus boot --flavor 1 --image I --nic net-id=x --min-count 3 --availability-zone nova vm1",
        "skybus list --all-tenants --status ACTIVE --limit 5",
        "skybus list --format json",
        "skybus -f value list",
        "skybus --os-cloud other show vm1",
        "skybus meta vm1 set a=b c=d",
        "skybus meta vm1 delete a",
        "skybus console-log --length 10 vm1",
        "skybus reboot --hard --poll vm1",
        "skybus delete vm1 vm2",
        "skybus reset-state --active vm1",
        "skybus secgroup-list-rules default",
        "skybus secgroup-add-rule default tcp 22 22 0.0.0.0/0",
        "skybus secgroup-add-rule default icmp -1 -1 0.0.0.0/0",
        "skybus secgroup-delete-rule default icmp -1 -1 0.0.0.0/0",
        "skybus secgroup-delete-rule 4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b",
        "skybus service-disable node-1 nova-compute --reason disk",
        "skybus service-force-down node-1 nova-compute",
        "skybus quota-update demo --cores 8 --ram -1",
        "skybus user-create alice --project demo",
        "skybus role-add --user alice --project demo member",
        "skybus trace vm1",
        "skybus ssh vm1 -i key -l root -- uname -a",
        "skybus admin network create --fixed-range 10.1.0.0/16 --num-networks 8 --network-size 512 --vlan 100",
        "skybus admin network create --fixed_range 10.1.0.0/16 --num_networks 8 --network_size 512",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vxlan 5000 --dns 9.9.9.9 --dns 1.1.1.1",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vlan 7 --physical trunk --name lab",
        "skybus admin segment-range create r --type vlan --physical p --minimum 100 --maximum 199",
        "skybus admin segment-range list",
        "skybus admin segment-range delete r s",
        "skybus bus dead replay a b",
        "skybus bus subscriber add audit --key compute.#",
        "skybus completion bash",
        "skybus up --detach --data-dir d",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "skybus boot vm1",
        "skybus boot --flavor 1 --image I --min-count 0 vm1",
        "skybus boot --flavor 1 --image I --meta novalue vm1",
        "skybus boot --flavor 1 --image I --config-drive perhaps vm1",
        "skybus delete",
        "skybus secgroup-add-rule default tcp 22 70000 0.0.0.0/0",
        "skybus secgroup-add-rule default tcp 22",
        "skybus flavor-create m1.x auto many 1 1",
        "skybus quota-update demo",
        "skybus admin network create --vlan 100",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vlan 4095",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vlan 0",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vxlan 16777216",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vlan 1 --vxlan 1",
        "skybus admin network create --fixed-range 10.0.0.0/24 --vxlan 1 --physical p",
        "skybus admin network create --fixed-range 10.0.0.0/24 --dns one",
        "skybus admin segment-range create r --type flat --minimum 1 --maximum 2",
        "skybus admin segment-range create r --type vlan --minimum 1",
        "skybus list --limit some",
        "skybus image-create x --file f --disk-format vhd",
        "skybus completion csh",
        "skybus -f xml list",
    ] {
        assert!(parse(line).is_err(), "{line} was taken");
    }
}
