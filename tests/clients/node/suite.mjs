// Palisade as the unmodified @azure/arm-network sees it: the core of what the Python suite tries, on Node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { NetworkManagementClient } from "@azure/arm-network";
import { ClientSecretCredential } from "@azure/identity";

const lab = JSON.parse(readFileSync(`${process.env.PALISADE_LAB}/lab.json`, "utf8"));
const bootstrap = JSON.parse(readFileSync(`${lab.data}/bootstrap.json`, "utf8"));
const { endpoint, subscriptionId, tenantId, clientId, clientSecret } = bootstrap;
const location = "westeurope";
const group = "node-tests";

const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: endpoint,
    disableInstanceDiscovery: true,
});
const network = new NetworkManagementClient(credential, subscriptionId, {
    endpoint,
    credentialScopes: [`${endpoint}/.default`],
});

function inLab(...words) {
    execFileSync(process.env.PALISADE_PYTHON, [process.env.PALISADE_LAB_PY, ...words]);
}

function expect(wanted, from, to, port) {
    inLab("expect", wanted, from, to, String(port));
}

function rule(name, priority, access, port) {
    return {
        name, priority, access, direction: "Inbound", protocol: "Tcp", sourceAddressPrefix: "*", sourcePortRange: "*",
        destinationAddressPrefix: "*", destinationPortRange: String(port),
    };
}

async function all(pages) {
    const items = [];
    for await (const item of pages) items.push(item);
    return items;
}

// Resource groups are another package's; the client's own pipeline sends what that one would.
async function arm(method, path, body) {
    const { token } = await credential.getToken(`${endpoint}/.default`);
    const answer = await fetch(`${endpoint}${path}?api-version=2024-11-01`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: body && JSON.stringify(body),
    });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${await answer.text()}`);
}

before(() => arm("PUT", `/subscriptions/${subscriptionId}/resourcegroups/${group}`, { location }));
after(() => arm("DELETE", `/subscriptions/${subscriptionId}/resourcegroups/${group}`));

test("a security group from its beginning to its end", async () => {
    const made = await network.networkSecurityGroups.beginCreateOrUpdateAndWait(group, "life", {
        location, tags: { a: "1" }, securityRules: [rule("ssh", 100, "Allow", 22)],
    });
    assert.equal(made.provisioningState, "Succeeded");
    assert.deepEqual(made.securityRules.map((one) => one.name), ["ssh"]);
    assert.equal(made.defaultSecurityRules.length, 6);
    const tagged = await network.networkSecurityGroups.updateTags(group, "life", { tags: { b: "2" } });
    assert.deepEqual(tagged.tags, { b: "2" });
    const names = (await all(network.networkSecurityGroups.list(group))).map((one) => one.name);
    assert.ok(names.includes("life"));
    await network.networkSecurityGroups.beginDeleteAndWait(group, "life");
    await assert.rejects(network.networkSecurityGroups.get(group, "life"), { statusCode: 404, code: "ResourceNotFound" });
});

test("errors keep their codes", async () => {
    await network.networkSecurityGroups.beginCreateOrUpdateAndWait(group, "errors", {
        location, securityRules: [rule("taken", 100, "Allow", 22)],
    });
    const create = (name, body) => network.securityRules.beginCreateOrUpdateAndWait(group, "errors", name, body);
    await assert.rejects(create("other", rule("other", 100, "Allow", 22)), { statusCode: 400, code: "SecurityRuleConflict" });
    await assert.rejects(create("-bad", rule("-bad", 101, "Allow", 22)), { statusCode: 400, code: "InvalidResourceName" });
});

test("lists have pages", async () => {
    const subnets = Array.from({ length: 1100 }, (_, index) => ({
        name: `page-${index}`, addressPrefix: `10.${index >> 8}.${index & 255}.0/24`,
    }));
    await network.virtualNetworks.beginCreateOrUpdateAndWait(group, "wide", {
        location, addressSpace: { addressPrefixes: ["10.0.0.0/8"] }, subnets,
    });
    const found = (await all(network.subnets.list(group, "wide"))).map((one) => one.name);
    assert.deepEqual(found.sort(), subnets.map((one) => one.name).sort());
});

test("a network, a NIC, its effective rules, and its packets", async () => {
    const nsg = await network.networkSecurityGroups.beginCreateOrUpdateAndWait(group, "nsg", { location });
    const made = await network.virtualNetworks.beginCreateOrUpdateAndWait(group, "net", {
        location,
        addressSpace: { addressPrefixes: ["10.30.0.0/16"] },
        subnets: [{ name: "lan", addressPrefix: "10.30.1.0/24", networkSecurityGroup: { id: nsg.id } }],
    });
    const nic = await network.networkInterfaces.beginCreateOrUpdateAndWait(group, "web-nic", {
        location,
        ipConfigurations: [{
            name: "main", subnet: { id: made.subnets[0].id }, privateIPAllocationMethod: "Static",
            privateIPAddress: "10.30.1.4",
        }],
    });
    inLab("mac", "web", nic.macAddress);
    expect("closed", "outside", "web", 8080);
    await network.securityRules.beginCreateOrUpdateAndWait(group, "nsg", "web", rule("web", 100, "Allow", 8080));
    expect("open", "outside", "web", 8080);
    const effective = await network.networkInterfaces.beginListEffectiveNetworkSecurityGroupsAndWait(group, "web-nic");
    const names = effective.value[0].effectiveSecurityRules.map((one) => one.name);
    assert.ok(names.includes("securityRules/web"));
    await network.securityRules.beginDeleteAndWait(group, "nsg", "web");
    expect("closed", "outside", "web", 8080);
    await network.networkInterfaces.beginDeleteAndWait(group, "web-nic");
});
