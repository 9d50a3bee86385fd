//! The tenant, the subscription, and the regions: an installation has one, one, and any.

use axum::{Json, response::IntoResponse};
use palisade_control::kinds;
use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::call::Call;
use crate::error::Answer;

pub(super) fn tenants(call: &Call) -> Answer {
    let site = &call.app.site;
    let tenant = json!({
        "id": format!("/tenants/{}", site.tenant),
        "tenantId": site.tenant,
        "tenantCategory": "Home",
        "displayName": site.name,
        "defaultDomain": "palisade.invalid",
        "tenantType": "AAD",
    });
    Ok(Json(json!({ "value": [tenant] })).into_response())
}

fn subscription(call: &Call) -> Value {
    let site = &call.app.site;
    json!({
        "id": format!("/subscriptions/{}", site.subscription),
        "subscriptionId": site.subscription,
        "tenantId": site.tenant,
        "displayName": site.name,
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01",
            "quotaId": "Internal_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

pub(super) fn list(call: &Call) -> Answer {
    let value = [subscription(call)];
    Ok(Json(json!({ "value": value, "count": { "type": "Total", "value": value.len() } })).into_response())
}

pub(super) fn one(call: &Call) -> Answer {
    Ok(Json(subscription(call)).into_response())
}

/// Regions that clients offer to choose from. Any other is taken too: it is a label here.
const REGIONS: &[(&str, &str)] = &[
    ("australiacentral", "Australia Central"),
    ("australiaeast", "Australia East"),
    ("australiasoutheast", "Australia Southeast"),
    ("austriaeast", "Austria East"),
    ("brazilsouth", "Brazil South"),
    ("canadacentral", "Canada Central"),
    ("canadaeast", "Canada East"),
    ("centralindia", "Central India"),
    ("centralus", "Central US"),
    ("eastasia", "East Asia"),
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("francecentral", "France Central"),
    ("francesouth", "France South"),
    ("germanynorth", "Germany North"),
    ("germanywestcentral", "Germany West Central"),
    ("israelcentral", "Israel Central"),
    ("italynorth", "Italy North"),
    ("japaneast", "Japan East"),
    ("japanwest", "Japan West"),
    ("koreacentral", "Korea Central"),
    ("koreasouth", "Korea South"),
    ("local", "Local"),
    ("mexicocentral", "Mexico Central"),
    ("newzealandnorth", "New Zealand North"),
    ("northcentralus", "North Central US"),
    ("northeurope", "North Europe"),
    ("norwayeast", "Norway East"),
    ("norwaywest", "Norway West"),
    ("polandcentral", "Poland Central"),
    ("qatarcentral", "Qatar Central"),
    ("southafricanorth", "South Africa North"),
    ("southcentralus", "South Central US"),
    ("southindia", "South India"),
    ("southeastasia", "Southeast Asia"),
    ("spaincentral", "Spain Central"),
    ("swedencentral", "Sweden Central"),
    ("switzerlandnorth", "Switzerland North"),
    ("switzerlandwest", "Switzerland West"),
    ("uaecentral", "UAE Central"),
    ("uaenorth", "UAE North"),
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("westcentralus", "West Central US"),
    ("westeurope", "West Europe"),
    ("westindia", "West India"),
    ("westus", "West US"),
    ("westus2", "West US 2"),
    ("westus3", "West US 3"),
];

pub(super) fn display_names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(_, display)| *display)
}

pub(super) fn locations(call: &Call) -> Answer {
    let region = |(name, display): &(&str, &str)| {
        json!({
            "id": format!("/subscriptions/{}/locations/{name}", call.app.site.subscription),
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": { "regionType": "Physical", "regionCategory": "Recommended" },
        })
    };
    let value: Vec<_> = REGIONS.iter().map(region).collect();
    Ok(Json(json!({ "value": value })).into_response())
}

/// Kinds that Azure counts, their names there, and how many there may be.
const COUNTED: &[(&str, &str, &str, u32)] = &[
    (kinds::NETWORK, "VirtualNetworks", "Virtual Networks", 1_000),
    (kinds::NSG, "NetworkSecurityGroups", "Network Security Groups", 5_000),
    (kinds::ASG, "ApplicationSecurityGroups", "Application Security Groups", 3_000),
    (kinds::NIC, "NetworkInterfaces", "Network Interfaces", 65_536),
    (kinds::PUBLIC_IP, "PublicIPAddresses", "Public IP Addresses", 1_000),
    (kinds::ROUTE_TABLE, "RouteTables", "Route Tables", 200),
];

pub(super) fn usages(call: &Call) -> Answer {
    let scope = ResourceId::new(&format!("/subscriptions/{}", call.app.site.subscription));
    let usage = |(kind, name, label, limit): &(&str, &str, &str, u32)| {
        let current = call.app.control.read(|world| world.list(&scope, kind).len());
        json!({
            "id": format!("{}/{name}", call.found.id),
            "name": { "value": name, "localizedValue": label },
            "currentValue": current,
            "limit": limit,
            "unit": "Count",
        })
    };
    let value: Vec<_> = COUNTED.iter().map(usage).collect();
    Ok(Json(json!({ "value": value })).into_response())
}
