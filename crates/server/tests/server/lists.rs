//! Lists: pages, filters, scopes.

use serde_json::json;

use crate::client::Site;

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_from_one_to_the_next() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    for number in 0..5 {
        let path = site.in_group(&format!("applicationSecurityGroups/asg{number}"));
        client.put(&path, json!({ "location": "westeurope" })).await.expect(201);
    }
    for list in [
        site.in_group("applicationSecurityGroups"),
        site.id("/providers/Microsoft.Network/applicationSecurityGroups"),
    ] {
        let mut names = Vec::new();
        let mut next = Some(format!("{list}?api-version=2022-01-01&%24top=2"));
        let mut pages = 0;
        while let Some(path) = next {
            let page = client.get(&path).await.expect(200);
            names.extend(page.names().iter().map(ToString::to_string));
            next = page.body["nextLink"].as_str().map(str::to_owned);
            assert!(next.as_ref().is_none_or(|link| link.starts_with(site.running.endpoint())), "{next:?}");
            pages += 1;
        }
        assert_eq!(
            (pages, names),
            (3, vec!["asg0".into(), "asg1".into(), "asg2".into(), "asg3".into(), "asg4".into()])
        );
    }
    client.get(&format!("{}?$top=none", site.in_group("networkInterfaces"))).await.refused(400, "InvalidTop");
    client
        .get(&format!("{}?$skipToken=*", site.in_group("networkInterfaces")))
        .await
        .refused(400, "InvalidSkipToken");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_a_group_by_filter() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    let tagged = json!({ "location": "westeurope", "tags": { "env": "prod" } });
    client.put(&site.in_group("networkSecurityGroups/web"), tagged).await.expect(201);
    client.put(&site.in_group("routeTables/web"), json!({ "location": "westeurope" })).await.expect(201);
    client.put(&site.in_group("routeTables/db"), json!({ "location": "westeurope" })).await.expect(201);
    let check = async |filter: &str, expect: &[&str]| {
        for scope in [site.id("/resources"), site.id("/resourcegroups/lab/resources")] {
            let path = format!("{scope}?api-version=2021-04-01&$filter={}", filter.replace(' ', "%20"));
            let mut types: Vec<_> = client.get(&path).await.expect(200).body["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| format!("{}/{}", item["type"].as_str().unwrap(), item["name"].as_str().unwrap()))
                .collect();
            types.sort();
            assert_eq!(types, expect, "{filter}");
        }
    };
    let (nsg, web, db) = (
        "Microsoft.Network/networkSecurityGroups/web",
        "Microsoft.Network/routeTables/web",
        "Microsoft.Network/routeTables/db",
    );
    check("", &[nsg, db, web]).await;
    check("resourceType eq 'microsoft.network/routetables'", &[db, web]).await;
    check("name eq 'WEB' and resourceType ne 'Microsoft.Network/routeTables'", &[nsg]).await;
    check("tagName eq 'env' and tagValue eq 'prod'", &[nsg]).await;
    check("tagName eq 'env' and tagValue eq 'test'", &[]).await;
    let wrong = format!("{}?$filter=size%20gt%201", site.id("/resources"));
    client.get(&wrong).await.refused(400, "InvalidFilterInQueryString");
    client.get(&site.id("/resourceGroups/none/resources")).await.refused(404, "ResourceGroupNotFound");
    site.running.stop().await;
}
