"""Palisade as the unmodified Azure SDK for Python sees it: every resource, every question, every error."""

import asyncio
import unittest
import uuid
from datetime import datetime, timedelta, timezone

import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DeviceCodeCredential
from azure.identity.aio import ClientSecretCredential as AsyncCredential
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.network.aio import NetworkManagementClient as AsyncNetwork

from common import (BOOTSTRAP, ENDPOINT, LAB, LOCATION, NETWORK, RESOURCES, SECURITY, SUBSCRIPTION, InGroup, camel, client,
                    credential, group_id, main, network_id, part, resource, rule)


class SecurityGroups(InGroup):
    def test_life_of_a_group_with_rules(self):
        groups = NETWORK.network_security_groups
        made = groups.begin_create_or_update(self.group, "life", resource(
            tags={"a": "1"}, security_rules=[rule("ssh", 100)])).result()
        self.assertEqual(made.provisioning_state, "Succeeded")
        self.assertTrue(made.flush_connection, "a new group cuts connections unless told otherwise")
        self.assertEqual([one.name for one in made.security_rules], ["ssh"])
        self.assertEqual(len(made.default_security_rules), 6)
        self.assertTrue(made.resource_guid and made.etag)

        updated = groups.begin_create_or_update(self.group, "life", resource(
            security_rules=[rule("https", 110, port="443")])).result()
        self.assertEqual([one.name for one in updated.security_rules], ["https"], "a PUT replaces the rules")
        self.assertTrue(updated.flush_connection)
        self.assertNotEqual(updated.etag, made.etag)
        self.assertEqual(updated.resource_guid, made.resource_guid)

        tagged = groups.update_tags(self.group, "life", {"tags": {"b": "2"}})
        self.assertEqual(tagged.tags, {"b": "2"})
        self.assertEqual([one.name for one in tagged.security_rules], ["https"])

        self.assertIn("life", [one.name for one in groups.list(self.group)])
        self.assertIn("life", [one.name for one in groups.list_all()])
        groups.begin_delete(self.group, "life").result()
        with self.assertRaises(ResourceNotFoundError):
            groups.get(self.group, "life")

    def test_rules_one_by_one(self):
        NETWORK.network_security_groups.begin_create_or_update(self.group, "rules", resource()).result()
        rules = NETWORK.security_rules
        made = rules.begin_create_or_update(self.group, "rules", "many", rule(
            "many", 200, port=None, destination_port_ranges=["80", "8000-8100"],
            source=None, source_address_prefixes=["10.0.0.0/8", "192.0.2.7"],
            description="several of everything",
        )).result()
        self.assertEqual(made.destination_port_ranges, ["80", "8000-8100"])
        self.assertEqual(made.source_address_prefixes, ["10.0.0.0/8", "192.0.2.7"])
        self.assertEqual(made.description, "several of everything")
        rules.begin_create_or_update(self.group, "rules", "out", rule("out", 200, direction="Outbound")).result()
        self.assertEqual({one.name for one in rules.list(self.group, "rules")}, {"many", "out"})
        self.assertEqual(rules.get(self.group, "rules", "many").priority, 200)
        rules.begin_delete(self.group, "rules", "many").result()
        self.assertEqual([one.name for one in rules.list(self.group, "rules")], ["out"])
        defaults = {one.name for one in NETWORK.default_security_rules.list(self.group, "rules")}
        self.assertEqual(defaults, {
            "AllowVnetInBound", "AllowAzureLoadBalancerInBound", "DenyAllInBound",
            "AllowVnetOutBound", "AllowInternetOutBound", "DenyAllOutBound",
        })
        denied = NETWORK.default_security_rules.get(self.group, "rules", "DenyAllInBound")
        self.assertEqual((denied.priority, denied.access), (65500, "Deny"))

    def test_errors_of_rules(self):
        NETWORK.network_security_groups.begin_create_or_update(self.group, "errors", resource(
            security_rules=[rule("taken", 100)])).result()
        create = NETWORK.security_rules.begin_create_or_update
        before = NETWORK.network_security_groups.get(self.group, "errors").etag
        self.refused("SecurityRuleConflict", 400, create, self.group, "errors", "other", rule("other", 100))
        for priority in [99, 4097]:
            self.refused("SecurityRuleInvalidPriority", 400, create, self.group, "errors", "p", rule("p", priority))
        self.refused("SecurityRuleInvalidPortRange", 400, create, self.group, "errors", "p", rule("p", 101, port="443-80"))
        self.refused("SecurityRuleInvalidAddressPrefix", 400, create, self.group, "errors", "p",
                     rule("p", 101, source="10.0.0.0/33"))
        self.refused("InvalidResourceName", 400, create, self.group, "errors", "-p", rule("-p", 101))
        self.assertEqual(NETWORK.network_security_groups.get(self.group, "errors").etag, before, "nothing changed")
        self.refused("ParentResourceNotFound", 404, create, self.group, "missing", "p", rule("p", 101))
        self.refused("ResourceGroupNotFound", 404, NETWORK.network_security_groups.begin_create_or_update,
                     "py-no-such-group", "n", resource())

    def test_etags(self):
        groups = NETWORK.network_security_groups
        body = resource()
        first = groups.begin_create_or_update(self.group, "etags", body).result()
        changed = groups.begin_create_or_update(self.group, "etags", resource(tags={"a": "b"}),
                                                headers={"If-Match": first.etag}).result()
        self.refused("PreconditionFailed", 412, groups.begin_create_or_update, self.group, "etags", body,
                     headers={"If-Match": first.etag})
        self.refused("PreconditionFailed", 412, groups.begin_create_or_update, self.group, "etags", body,
                     headers={"If-None-Match": "*"})
        self.refused("PreconditionFailed", 412, groups.begin_delete, self.group, "etags",
                     headers={"If-Match": first.etag})
        self.assertEqual(groups.get(self.group, "etags").etag, changed.etag)

    def test_paths_have_no_case(self):
        NETWORK.network_security_groups.begin_create_or_update(self.group, "MixedCase", resource()).result()
        got = NETWORK.network_security_groups.get(self.group.upper(), "mIXEDcASE")
        self.assertEqual(got.name, "MixedCase")


class Networks(InGroup):
    def test_networks_subnets_and_what_hangs_on_them(self):
        nsg = NETWORK.network_security_groups.begin_create_or_update(self.group, "nsg", resource()).result()
        table = NETWORK.route_tables.begin_create_or_update(self.group, "table", resource(
            routes=[part("inner", address_prefix="10.9.0.0/16", next_hop_type="None")])).result()
        network = NETWORK.virtual_networks.begin_create_or_update(self.group, "net", resource(
            address_space={"address_prefixes": ["10.8.0.0/16"]},
            subnets=[part("a", address_prefix="10.8.0.0/24", network_security_group={"id": nsg.id},
                          route_table={"id": table.id})])).result()
        self.assertEqual(network.provisioning_state, "Succeeded")
        subnet = NETWORK.subnets.get(self.group, "net", "a")
        self.assertEqual(subnet.network_security_group.id.lower(), nsg.id.lower())
        self.assertEqual([one.id.lower() for one in NETWORK.network_security_groups.get(self.group, "nsg").subnets],
                         [subnet.id.lower()])
        made = NETWORK.subnets.begin_create_or_update(self.group, "net", "b", part("b", address_prefix="10.8.1.0/24")).result()
        self.assertEqual(made.name, "b")
        self.assertEqual({one.name for one in NETWORK.subnets.list(self.group, "net")}, {"a", "b"})
        self.assertIn("net", [one.name for one in NETWORK.virtual_networks.list(self.group)])
        self.refused("NetcfgSubnetRangesOverlap", 400, NETWORK.subnets.begin_create_or_update, self.group, "net", "c",
                     part("c", address_prefix="10.8.1.128/25"))
        self.refused("InUseNetworkSecurityGroupCannotBeDeleted", 400, NETWORK.network_security_groups.begin_delete,
                     self.group, "nsg")
        self.refused("InUseRouteTableCannotBeDeleted", 400, NETWORK.route_tables.begin_delete, self.group, "table")
        NETWORK.subnets.begin_delete(self.group, "net", "b").result()
        self.assertEqual([one.name for one in NETWORK.subnets.list(self.group, "net")], ["a"])

    def test_lists_have_pages(self):
        names = {f"page-{number:04}" for number in range(1100)}
        subnets = [part(name, address_prefix=f"10.{index // 256}.{index % 256}.0/24")
                   for index, name in enumerate(sorted(names))]
        NETWORK.virtual_networks.begin_create_or_update(self.group, "wide", resource(
            address_space={"address_prefixes": ["10.0.0.0/8"]}, subnets=subnets)).result()
        pages = [list(page) for page in NETWORK.subnets.list(self.group, "wide").by_page()]
        self.assertGreater(len(pages), 1, "more than a thousand come in pages")
        self.assertEqual({one.name for page in pages for one in page}, names)

    def test_peerings(self):
        for name, prefix in [("left", "10.40.0.0/16"), ("right", "10.41.0.0/16")]:
            NETWORK.virtual_networks.begin_create_or_update(self.group, name, resource(
                address_space={"address_prefixes": [prefix]})).result()
        peerings = NETWORK.virtual_network_peerings
        for here, there in [("left", "right"), ("right", "left")]:
            peerings.begin_create_or_update(self.group, here, f"to-{there}", part(
                f"to-{there}", allow_virtual_network_access=True,
                remote_virtual_network={"id": network_id(self.group, "virtualNetworks", there)})).result()
        self.assertEqual(peerings.get(self.group, "left", "to-right").peering_state, "Connected")
        self.assertEqual([one.name for one in peerings.list(self.group, "right")], ["to-left"])
        peerings.begin_delete(self.group, "left", "to-right").result()
        self.assertNotEqual(peerings.get(self.group, "right", "to-left").peering_state, "Connected")

    def test_routes(self):
        NETWORK.route_tables.begin_create_or_update(self.group, "routes", resource()).result()
        made = NETWORK.routes.begin_create_or_update(self.group, "routes", "out", part(
            "out", address_prefix="0.0.0.0/0", next_hop_type="VirtualAppliance", next_hop_ip_address="10.8.0.9")).result()
        self.assertEqual(made.next_hop_ip_address, "10.8.0.9")
        self.assertEqual([one.name for one in NETWORK.routes.list(self.group, "routes")], ["out"])
        NETWORK.route_tables.update_tags(self.group, "routes", {"tags": {"a": "b"}})
        NETWORK.routes.begin_delete(self.group, "routes", "out").result()
        self.assertEqual(list(NETWORK.routes.list(self.group, "routes")), [])
        self.assertIn("routes", [one.name for one in NETWORK.route_tables.list(self.group)])

    def test_public_addresses(self):
        made = NETWORK.public_ip_addresses.begin_create_or_update(self.group, "ip", resource(
            sku={"name": "Standard"}, public_ip_allocation_method="Static")).result()
        self.assertTrue(made.ip_address)
        tagged = NETWORK.public_ip_addresses.update_tags(self.group, "ip", {"tags": {"a": "b"}})
        self.assertEqual(tagged.ip_address, made.ip_address)
        self.assertEqual([one.name for one in NETWORK.public_ip_addresses.list(self.group)], ["ip"])
        NETWORK.public_ip_addresses.begin_delete(self.group, "ip").result()

    def test_application_security_groups(self):
        groups = NETWORK.application_security_groups
        made = groups.begin_create_or_update(self.group, "asg", resource()).result()
        self.assertEqual(made.provisioning_state, "Succeeded")
        self.assertEqual(groups.update_tags(self.group, "asg", {"tags": {"a": "b"}}).tags, {"a": "b"})
        NETWORK.network_security_groups.begin_create_or_update(self.group, "with-asg", resource(
            security_rules=[rule("to-asg", 100, destination=None,
                                 destination_application_security_groups=[{"id": made.id}])])).result()
        self.refused("ApplicationSecurityGroupInUse", 400, groups.begin_delete, self.group, "asg")
        NETWORK.network_security_groups.begin_delete(self.group, "with-asg").result()
        groups.begin_delete(self.group, "asg").result()

    def test_missing_references(self):
        missing = network_id(self.group, "networkSecurityGroups", "missing")
        self.refused("InvalidResourceReference", 400, NETWORK.virtual_networks.begin_create_or_update, self.group, "bad", resource(
            address_space={"address_prefixes": ["10.50.0.0/16"]},
            subnets=[part("a", address_prefix="10.50.0.0/24", network_security_group={"id": missing})]))
        with self.assertRaises(ResourceNotFoundError):
            NETWORK.virtual_networks.get(self.group, "bad")


class Machines(InGroup):
    """NICs that are enforced at interfaces of this machine, and what is asked about them."""

    @classmethod
    def prepare(cls):
        cls.nsg = NETWORK.network_security_groups.begin_create_or_update(
            cls.group, "nsg", resource()).result()
        NETWORK.virtual_networks.begin_create_or_update(cls.group, "net", resource(
            address_space={"address_prefixes": ["10.30.0.0/16"]},
            subnets=[part("lan", address_prefix="10.30.1.0/24", network_security_group={"id": cls.nsg.id})])).result()
        subnet = {"id": f"{network_id(cls.group, 'virtualNetworks', 'net')}/subnets/lan"}
        for name, address in [("web-nic", "10.30.1.4"), ("db-nic", "10.30.1.5")]:
            nic = NETWORK.network_interfaces.begin_create_or_update(cls.group, name, resource(
                ip_configurations=[part("main", subnet=subnet, private_ip_allocation_method="Static",
                                        private_ip_address=address)])).result()
            LAB.give_mac(name.removesuffix("-nic"), nic.mac_address)
        cls.vm = f"{group_id(cls.group)}/providers/Microsoft.Compute/virtualMachines/web"
        nic = network_id(cls.group, "networkInterfaces", "web-nic")
        RESOURCES.resources.begin_create_or_update_by_id(cls.vm, resource(
            network_profile={"network_interfaces": [{"id": nic}]}), api_version="2024-07-01").result()
        NETWORK.network_watchers.create_or_update(cls.group, "watcher", resource())

    def allow(self, name, priority, access="Allow", **more):
        NETWORK.security_rules.begin_create_or_update(self.group, "nsg", name, rule(name, priority, access, **more)).result()

    def drop(self, name):
        NETWORK.security_rules.begin_delete(self.group, "nsg", name).result()

    def test_packets_follow_each_operation(self):
        self.expect("closed", "outside", "web", 8080)
        self.allow("web", 100, port="8080")
        self.expect("open", "outside", "web", 8080)
        self.allow("web", 100, "Deny", port="8080")
        self.expect("closed", "outside", "web", 8080)
        self.drop("web")
        self.expect("open", "db", "web", 8080)
        self.allow("no-db", 110, "Deny", port="8080", source="10.30.1.5")
        self.expect("closed", "db", "web", 8080)
        self.drop("no-db")
        self.expect("open", "web", "outside", 443)
        self.allow("no-out", 100, "Deny", direction="Outbound", port="443")
        self.expect("closed", "web", "outside", 443)
        self.drop("no-out")
        self.expect("open", "web", "outside", 443)

    def test_a_membership_moves_packets_too(self):
        asg = NETWORK.application_security_groups.begin_create_or_update(
            self.group, "asg", resource()).result()
        self.allow("to-asg", 120, port="22", destination=None,
                   destination_application_security_groups=[{"id": asg.id}])
        self.expect("closed", "outside", "db", 22)
        nic = NETWORK.network_interfaces.get(self.group, "db-nic")
        nic.ip_configurations[0].application_security_groups = [{"id": asg.id}]
        NETWORK.network_interfaces.begin_create_or_update(self.group, "db-nic", nic).result()
        self.expect("open", "outside", "db", 22)
        nic.ip_configurations[0].application_security_groups = []
        NETWORK.network_interfaces.begin_create_or_update(self.group, "db-nic", nic).result()
        self.expect("closed", "outside", "db", 22)
        self.drop("to-asg")

    def test_time_limited_access(self):
        """Closed though an NSG allows, opened to one address, ended: with the client of Defender for Cloud."""
        policies = SECURITY.jit_network_access_policies
        place = (self.group, LOCATION, "default")
        port = {"number": 22, "protocol": "TCP", "allowed_source_address_prefix": "*",
                "max_request_access_duration": "PT3H"}
        self.allow("older", 140)
        self.expect("open", "outside", "web", 22)
        policy = policies.create_or_update(*place, {
            "kind": "Basic", "properties": {"virtualMachines": [{"id": self.vm, "ports": [camel(port)]}]}})
        self.assertEqual((policy.provisioning_state, policy.location, policy.kind), ("Succeeded", LOCATION, "Basic"))
        self.expect("closed", "outside", "web", 22)
        for listed in [policies.list(), policies.list_by_region(LOCATION), policies.list_by_resource_group(self.group),
                       policies.list_by_resource_group_and_region(self.group, LOCATION)]:
            self.assertEqual([one.id for one in listed], [policy.id])
        self.assertEqual(list(policies.list_by_region("eastus")), [])
        end = datetime.now(timezone.utc) + timedelta(minutes=10)
        wanted = {"number": 22, "allowedSourceAddressPrefix": "198.51.100.7", "endTimeUtc": end.isoformat()}
        ask = {"virtualMachines": [{"id": self.vm, "ports": [wanted]}], "justification": "a test"}
        request = policies.initiate(*place, ask)
        self.assertEqual((request.justification, request.virtual_machines[0].ports[0].status), ("a test", "Initiated"))
        self.expect("open", "outside", "web", 22)
        self.expect("closed", "db", "web", 22)
        told = policies.get(*place)
        self.assertEqual(told.virtual_machines[0].ports[0].max_request_access_duration, "PT3H")
        port = told.requests[0].virtual_machines[0].ports[0]
        self.assertEqual((port.number, port.allowed_source_address_prefix, port.status), (22, "198.51.100.7", "Initiated"))
        wanted["endTimeUtc"] = (end + timedelta(hours=3)).isoformat()
        self.refused("JitDurationNotAllowed", 400, policies.initiate, *place, ask)
        policies.delete(*place)
        policies.delete(*place)
        self.refused("ResourceNotFound", 404, policies.get, *place)
        self.expect("open", "db", "web", 22)
        self.drop("older")

    def test_effective_rules_and_routes(self):
        self.allow("seen", 130, port="5432", source="Internet")
        answer = NETWORK.network_interfaces.begin_list_effective_network_security_groups(self.group, "web-nic").result()
        effective = answer.value[0]
        self.assertEqual(effective.network_security_group.id.lower(), self.nsg.id.lower())
        self.assertTrue(effective.association.subnet.id)
        names = [one.name for one in effective.effective_security_rules]
        self.assertIn("securityRules/seen", names)
        self.assertIn("defaultSecurityRules/DenyAllInBound", names)
        routes = NETWORK.network_interfaces.begin_get_effective_route_table(self.group, "web-nic").result()
        self.assertIn(["10.30.0.0/16"], [one.address_prefix for one in routes.value])
        self.drop("seen")

    def verify(self, direction, remote, local_port, remote_port):
        return NETWORK.network_watchers.begin_verify_ip_flow(self.group, "watcher", {
            "targetResourceId": self.vm, "direction": direction, "protocol": "TCP",
            "localPort": local_port, "remotePort": remote_port,
            "localIPAddress": "10.30.1.4", "remoteIPAddress": remote,
        }).result()

    def test_ip_flow_verify_names_the_deciding_rule(self):
        denied = self.verify("Inbound", "198.51.100.7", "8080", "50000")
        self.assertEqual((denied.access, denied.rule_name), ("Deny", "defaultSecurityRules/DenyAllInBound"))
        self.allow("verified", 140, port="8080", source="198.51.100.7")
        allowed = self.verify("Inbound", "198.51.100.7", "8080", "50000")
        self.assertEqual((allowed.access, allowed.rule_name), ("Allow", "securityRules/verified"))
        out = self.verify("Outbound", "203.0.113.9", "50000", "443")
        self.assertEqual((out.access, out.rule_name), ("Allow", "defaultSecurityRules/AllowInternetOutBound"))
        self.drop("verified")

    def test_other_questions_of_the_watcher(self):
        watchers = NETWORK.network_watchers
        hop = watchers.begin_get_next_hop(self.group, "watcher", {
            "targetResourceId": self.vm, "sourceIPAddress": "10.30.1.4", "destinationIPAddress": "198.51.100.7",
        }).result()
        self.assertEqual(hop.next_hop_type, "Internet")
        view = watchers.begin_get_vm_security_rules(self.group, "watcher", {"targetResourceId": self.vm}).result()
        nic = view.network_interfaces[0]
        self.assertTrue(nic.id.lower().endswith("/web-nic"))
        self.assertTrue(nic.security_rule_associations.default_security_rules)
        found = watchers.begin_get_network_configuration_diagnostic(self.group, "watcher", {
            "targetResourceId": self.vm,
            "profiles": [{"direction": "Inbound", "protocol": "TCP", "source": "198.51.100.7",
                          "destination": "10.30.1.4", "destinationPort": "8080"}],
        }).result()
        result = found.results[0].network_security_group_result
        self.assertEqual(result.security_rule_access_result, "Deny")
        self.assertTrue(result.evaluated_network_security_groups)
        topology = watchers.get_topology(self.group, "watcher", {"targetResourceGroupName": self.group})
        self.assertIn("web-nic", [one.name for one in topology.resources])
        self.assertIn("watcher", [one.name for one in watchers.list(self.group)])

    def test_a_nic_and_what_refers_to_it(self):
        nic = NETWORK.network_interfaces.get(self.group, "web-nic")
        self.assertEqual(nic.virtual_machine.id.lower(), self.vm.lower())
        self.refused("NicInUse", 400, NETWORK.network_interfaces.begin_delete, self.group, "web-nic")
        self.refused("InUseSubnetCannotBeDeleted", 400, NETWORK.subnets.begin_delete, self.group, "net", "lan")
        self.assertEqual({one.name for one in NETWORK.network_interfaces.list(self.group)}, {"web-nic", "db-nic"})
        tagged = NETWORK.network_interfaces.update_tags(self.group, "db-nic", {"tags": {"role": "db"}})
        self.assertEqual(tagged.tags, {"role": "db"})

    def test_flow_logs(self):
        made = NETWORK.flow_logs.begin_create_or_update(self.group, "watcher", "log", resource(
            target_resource_id=network_id(self.group, "virtualNetworks", "net"), enabled=True,
            storage_id=f"{group_id(self.group)}/providers/Microsoft.Storage/storageAccounts/logs")).result()
        self.assertTrue(made.enabled)
        self.assertEqual([one.name for one in NETWORK.flow_logs.list(self.group, "watcher")], ["log"])
        NETWORK.flow_logs.begin_delete(self.group, "watcher", "log").result()


class Groups(unittest.TestCase):
    def test_a_group_goes_with_all_that_is_in_it(self):
        group = "py-whole"
        RESOURCES.resource_groups.create_or_update(group, {"location": LOCATION, "tags": {"a": "b"}})
        self.assertTrue(RESOURCES.resource_groups.check_existence(group))
        NETWORK.network_security_groups.begin_create_or_update(group, "nsg", resource()).result()
        NETWORK.virtual_networks.begin_create_or_update(group, "net", resource(
            address_space={"address_prefixes": ["10.60.0.0/16"]},
            subnets=[part("a", address_prefix="10.60.0.0/24",
                          network_security_group={"id": network_id(group, "networkSecurityGroups", "nsg")})])).result()
        names = {one.name for one in RESOURCES.resources.list_by_resource_group(group)}
        self.assertEqual(names, {"nsg", "net"})
        self.assertEqual(RESOURCES.resource_groups.update(group, {"tags": {"c": "d"}}).tags, {"c": "d"})
        RESOURCES.resource_groups.begin_delete(group).result()
        self.assertFalse(RESOURCES.resource_groups.check_existence(group))
        self.assertNotIn(group, [one.name for one in RESOURCES.resource_groups.list()])

    def test_service_tags_are_listed(self):
        self.assertIsNotNone(NETWORK.service_tags.list(LOCATION).values_property)

    def test_providers_are_registered(self):
        self.assertEqual(RESOURCES.providers.get("Microsoft.Network").registration_state, "Registered")


class People(InGroup):
    """A person logs in with a code that he approves on the server's page, and may do what his role says."""

    NAME, PASSWORD = "grace@example.org", "correct horse battery staple 8"

    def test_a_device_code(self):
        person = self.call("POST", "/api/v1/principals", 201, {
            "kind": "User", "name": self.NAME, "password": self.PASSWORD})["id"]
        reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
        roles = "/providers/Microsoft.Authorization"
        self.call("PUT", f"{group_id(self.group)}{roles}/roleAssignments/{uuid.uuid4()}?api-version=2022-04-01", 201, {
            "properties": {"principalId": person, "principalType": "User",
                           "roleDefinitionId": f"{roles}/roleDefinitions/{reader}"}})
        who = DeviceCodeCredential(
            tenant_id=BOOTSTRAP["tenantId"], authority=ENDPOINT, disable_instance_discovery=True,
            connection_verify=BOOTSTRAP["caFile"], prompt_callback=self.approve)
        network = client(NetworkManagementClient, who)
        self.assertEqual(list(network.network_security_groups.list(self.group)), [])
        with self.assertRaises(HttpResponseError) as refused:
            network.network_security_groups.begin_create_or_update(self.group, "none", resource()).result()
        self.assertEqual(refused.exception.error.code, "AuthorizationFailed")

    def approve(self, page, code, _expires):
        def send(password):
            form = {"code": code, "username": self.NAME, "password": password}
            return requests.post(page, data=form, verify=BOOTSTRAP["caFile"], timeout=30)
        self.assertEqual(send("something else").status_code, 400)
        self.assertEqual(send(self.PASSWORD).status_code, 200)

    def call(self, method, path, wanted, body):
        token = credential().get_token(ENDPOINT + "/.default").token
        answer = requests.request(method, ENDPOINT + path, json=body, verify=BOOTSTRAP["caFile"], timeout=30,
                                  headers={"Authorization": "Bearer " + token})
        self.assertEqual(answer.status_code, wanted, answer.text)
        return answer.json()


class Asynchronously(InGroup):
    def test_the_same_without_waiting_in_threads(self):
        asyncio.run(self.life())

    async def life(self):
        who = AsyncCredential(BOOTSTRAP["tenantId"], BOOTSTRAP["clientId"], BOOTSTRAP["clientSecret"],
                              authority=ENDPOINT, disable_instance_discovery=True,
                              connection_verify=BOOTSTRAP["caFile"])
        async with who, AsyncNetwork(who, SUBSCRIPTION, base_url=ENDPOINT, credential_scopes=[ENDPOINT + "/.default"],
                                     connection_verify=BOOTSTRAP["caFile"]) as network:
            async def make(number):
                poller = await network.network_security_groups.begin_create_or_update(
                    self.group, f"async-{number}", resource(security_rules=[rule("ssh", 100)]))
                return await poller.result()
            made = await asyncio.gather(*[make(number) for number in range(8)])
            self.assertEqual({one.provisioning_state for one in made}, {"Succeeded"})
            names = {one.name async for one in network.network_security_groups.list(self.group)}
            self.assertEqual(names, {f"async-{number}" for number in range(8)})
            poller = await network.network_security_groups.begin_delete(self.group, "async-0")
            await poller.result()


if __name__ == "__main__":
    main()
