//! Expression and value, one line each.

use super::*;

/// `expression => JSON`, one a line; the arrow is the last on the line.
fn check(table: &str) {
    let mut checked = 0;
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (expression, expected) = line.rsplit_once(" => ").unwrap_or_else(|| panic!("no arrow: {line}"));
        assert_eq!(value(expression.trim()).to_json(), json(expected), "{expression}");
        checked += 1;
    }
    assert!(checked > 0, "an empty table checks nothing");
}

#[test]
fn strings() {
    check(
        r#"
        'it''s' => "it's"
        '' => ""
        concat('a', 'b', 1) => "ab1"
        CONCAT('a') => "a"
        toLower('AbC') => "abc"
        toUpper('aé') => "AÉ"
        replace('10.0.0.0', '.', '-') => "10-0-0-0"
        trim('  a b  ') => "a b"
        padLeft(7, 3, '0') => "007"
        padLeft('abcd', 3) => "abcd"
        substring('one two', 4) => "two"
        substring('one two', 0, 3) => "one"
        split('a,b;c', createArray(',', ';')) => ["a", "b", "c"]
        split('a,b', ',')[1] => "b"
        join(createArray('a', 'b'), '-') => "a-b"
        join(range(1, 3), ',') => "1,2,3"
        startsWith('Subnet', 'sub') => true
        endsWith('Subnet', 'NETS') => false
        indexOf('test', 'T') => 0
        lastIndexOf('test', 't') => 3
        indexOf('test', 'x') => -1
        length('añb') => 3
        take('abc', 2) => "ab"
        take('abc', 9) => "abc"
        skip('abc', 1) => "bc"
        skip('abc', -1) => "abc"
        first('abc') => "a"
        last('abc') => "c"
        first('') => ""
        contains('OneTwo', 'Two') => true
        contains('OneTwo', 'two') => false
        empty('') => true
        string(12) => "12"
        string(true()) => "True"
        string(createObject('a', createArray(1, null()))) => "{\"a\":[1,null]}"
        base64('one, two') => "b25lLCB0d28="
        base64ToString('b25lLCB0d28=') => "one, two"
        base64ToJson(base64('{"a":1}')).a => 1
        uri('http://contoso.org/firstpath/', 'myscript.sh') => "http://contoso.org/firstpath/myscript.sh"
        uri('http://contoso.org/firstpath/azuredeploy.json', 'nested/a.json') => "http://contoso.org/firstpath/nested/a.json"
        uri('http://contoso.org', 'a.json') => "http://contoso.org/a.json"
        uri('http://contoso.org/a/b/c.json', '../d.json') => "http://contoso.org/a/d.json"
        uri('http://contoso.org/a/', '/d.json') => "http://contoso.org/d.json"
        uri('http://contoso.org/a/', 'https://x.net/d.json') => "https://x.net/d.json"
        uriComponent('http://x/a b') => "http%3A%2F%2Fx%2Fa%20b"
        uriComponentToString('http%3A%2F%2Fx%2Fa%20b') => "http://x/a b"
        dataUri('Hello') => "data:text/plain;charset=utf8;base64,SGVsbG8="
        dataUriToString('data:;base64,SGVsbG8=') => "Hello"
        dataUriToString('data:text/plain,a%20b') => "a b"
        "#,
    );
}

#[test]
fn formats() {
    check(
        r#"
        format('{0}, {1}. {{x}}', 'Hello', 5) => "Hello, 5. {x}"
        format('{0:D2}', 7) => "07"
        format('{0:000}', 7) => "007"
        format('{0:D3}', -7) => "-007"
        format('{0:X}', 255) => "FF"
        format('{0:x4}', 255) => "00ff"
        format('{0:N0}', 8175133) => "8,175,133"
        format('{0:F1}', 2) => "2.0"
        format('{0,5}|{0,-5}|', 'ab') => "   ab|ab   |"
        format('{0}', true()) => "True"
        format('{0}', createArray(1)) => "[1]"
        "#,
    );
}

#[test]
fn hashes_agree_with_azure() {
    check(
        r#"
        uniqueString('hello', 'world') => "a7wkljktk6wne"
        uniqueString('hello-world') => "a7wkljktk6wne"
        length(uniqueString('')) => 13
        guid('a', 'b') => "2d796349-8c7e-55ec-9624-54ece82ed031"
        "#,
    );
}

#[test]
fn numbers() {
    check(
        r#"
        add(5, 3) => 8
        sub(7, 3) => 4
        mul(5, -3) => -15
        div(8, 3) => 2
        mod(7, 3) => 1
        mod(-7, 3) => -1
        min(3, 1, 2) => 1
        max(createArray(3, 5)) => 5
        int('42') => 42
        int(4) => 4
        float('2.5') => 2.5
        "#,
    );
}

#[test]
fn logic() {
    check(
        r#"
        equals('a', 'A') => false
        equals(1, 1) => true
        equals(createObject('A', 1), createObject('a', 1)) => true
        equals(createArray(1, 2), createArray(2, 1)) => false
        equals(1, '1') => false
        not(equals(1, 2)) => true
        and(true(), false(), div(1, 0)) => false
        or(false(), true()) => true
        if(true(), 'yes', div(1, 0)) => "yes"
        greater(5, 3) => true
        greater('b', 'a') => true
        less(2, 2) => false
        lessOrEquals(2, 2) => true
        greaterOrEquals(1, 2) => false
        bool('TRUE') => true
        bool(0) => false
        coalesce(null(), 'x', div(1, 0)) => "x"
        coalesce(null()) => null
        "#,
    );
}

#[test]
fn arrays() {
    check(
        r#"
        array('a') => ["a"]
        array(createArray(1)) => [1]
        createArray() => []
        concat(createArray(1), createArray(2, 3)) => [1, 2, 3]
        range(5, 3) => [5, 6, 7]
        length(range(0, 4)) => 4
        first(createArray()) => null
        last(createArray(1, 2)) => 2
        take(range(0, 5), 2) => [0, 1]
        skip(range(0, 5), 3) => [3, 4]
        contains(createArray('a', 'b'), 'b') => true
        union(createArray(1, 2), createArray(2, 3)) => [1, 2, 3]
        intersection(createArray(1, 2, 3), createArray(3, 2)) => [2, 3]
        flatten(createArray(createArray(1), createArray(2, 3))) => [1, 2, 3]
        indexOf(createArray('a', 'b'), 'b') => 1
        lastIndexOf(createArray(1, 2, 1), 1) => 2
        indexFromEnd(createArray('a', 'b', 'c'), 1) => "c"
        tryIndexFromEnd(createArray('a'), 2) => null
        createArray('a', 'b')[add(0, 1)] => "b"
        min(range(3, 3)) => 3
        "#,
    );
}

#[test]
fn objects() {
    check(
        r#"
        createObject('a', 1, 'b', 'x') => {"a": 1, "b": "x"}
        createObject('Name', 1).name => 1
        createObject('a', createObject('b', createArray(7)))['A'].b[0] => 7
        items(createObject('b', 2, 'a', 1)) => [{"key": "a", "value": 1}, {"key": "b", "value": 2}]
        objectKeys(createObject('b', 2, 'a', 1)) => ["a", "b"]
        shallowMerge(createArray(createObject('a', 1), createObject('A', 2, 'b', 3))) => {"a": 2, "b": 3}
        union(createObject('a', createObject('x', 1)), createObject('A', createObject('y', 2))) => {"a": {"x": 1, "y": 2}}
        intersection(createObject('a', 1, 'b', 2), createObject('a', 1, 'b', 3)) => {"a": 1}
        contains(createObject('Key', 1), 'key') => true
        empty(createObject()) => true
        length(createObject('a', 1)) => 1
        tryGet(createObject('a', createArray(1, 2)), 'a', 1) => 2
        tryGet(createObject('a', 1), 'b', 'c') => null
        json('{"a": [true, null, 1.5]}') => {"a": [true, null, 1.5]}
        json('null') => null
        json('"text"') => "text"
        "#,
    );
}

#[test]
fn lambdas() {
    check(
        r#"
        map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2))) => [0, 2, 4]
        map(createArray('a', 'b'), lambda('x', 'i', concat(lambdaVariables('x'), lambdaVariables('i')))) => ["a0", "b1"]
        filter(range(0, 5), lambda('i', greater(lambdaVariables('I'), 2))) => [3, 4]
        reduce(range(1, 4), 0, lambda('sum', 'n', add(lambdaVariables('sum'), lambdaVariables('n')))) => 10
        sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b')))) => [1, 2, 3]
        toObject(createArray('a', 'b'), lambda('k', lambdaVariables('k')), lambda('k', length(lambdaVariables('k')))) => {"a": 1, "b": 1}
        toObject(createArray('a'), lambda('k', concat('k', lambdaVariables('k')))) => {"ka": "a"}
        groupBy(createArray('ab', 'ac', 'b'), lambda('s', first(lambdaVariables('s')))) => {"a": ["ab", "ac"], "b": ["b"]}
        mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1))) => {"a": 2}
        map(range(0, 2), lambda('i', map(range(0, 2), lambda('j', add(mul(lambdaVariables('i'), 10), lambdaVariables('j')))))) => [[0, 1], [10, 11]]
        "#,
    );
}

#[test]
fn networks() {
    check(
        r#"
        parseCidr('10.144.1.7/20') => {"network": "10.144.0.0", "netmask": "255.255.240.0", "broadcast": "10.144.15.255", "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20}
        parseCidr('0.0.0.0/0').broadcast => "255.255.255.255"
        parseCidr('10.0.0.4/32').lastUsable => "10.0.0.4"
        parseCidr('fdad:3236:5555::/48').netmask => "ffff:ffff:ffff::"
        cidrSubnet('10.144.0.0/20', 24, 1) => "10.144.1.0/24"
        cidrSubnet('10.144.0.0/20', 20, 0) => "10.144.0.0/20"
        cidrSubnet('fdad:3236:5555::/48', 52, 4) => "fdad:3236:5555:4000::/52"
        cidrSubnet('::/0', 0, 0) => "::/0"
        cidrHost('10.144.3.0/24', 0) => "10.144.3.1"
        cidrHost('10.144.3.0/24', 253) => "10.144.3.254"
        "#,
    );
}

#[test]
fn dates() {
    check(
        r#"
        dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y') => "2023-04-07 14:53:14Z"
        dateTimeAdd('2020-04-07 14:53:14Z', '-P9D') => "2020-03-29 14:53:14Z"
        dateTimeAdd('2020-01-31T00:00:00Z', 'P1M', 'yyyy-MM-dd') => "2020-02-29"
        dateTimeAdd('2020-12-31T23:59:59+01:00', 'PT1H1S', 'yyyyMMddTHHmmssZ') => "20210101T000000Z"
        dateTimeAdd('20200407T145314Z', 'P1W', 's') => "2020-04-14T14:53:14"
        dateTimeFromEpoch(1683040573) => "2023-05-02T15:16:13Z"
        dateTimeToEpoch('2023-05-02T15:16:13Z') => 1683040573
        dateTimeToEpoch('1969-12-31T23:59:59Z') => -1
        "#,
    );
}

#[test]
fn resource_ids() {
    check(
        r#"
        resourceId('Microsoft.Network/virtualNetworks', 'v') => "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/resource-group/providers/Microsoft.Network/virtualNetworks/v"
        resourceId('Microsoft.Network/virtualNetworks/subnets/', 'v', 's') => "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/resource-group/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
        resourceId('g', 'Microsoft.Network/virtualNetworks', 'v') => "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"
        resourceId('s', 'g', 'A.B/c', 'v') => "/subscriptions/s/resourceGroups/g/providers/A.B/c/v"
        subscriptionResourceId('A.B/c', 'v') => "/subscriptions/00000000-0000-0000-0000-000000000000/providers/A.B/c/v"
        subscriptionResourceId('s', 'A.B/c', 'v') => "/subscriptions/s/providers/A.B/c/v"
        tenantResourceId('A.B/c', 'v') => "/providers/A.B/c/v"
        managementGroupResourceId('m', 'A.B/c', 'v') => "/providers/Microsoft.Management/managementGroups/m/providers/A.B/c/v"
        extensionResourceId('/subscriptions/s', 'A.B/c', 'v') => "/subscriptions/s/providers/A.B/c/v"
        subscription().id => "/subscriptions/00000000-0000-0000-0000-000000000000"
        resourceGroup().id => "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/resource-group"
        resourceGroup().location => "westeurope"
        deployment().name => "main"
        deployment().properties.template['$schema'] => "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
        environment().suffixes.storage => "core.windows.net"
        tenant().tenantId => "00000000-0000-0000-0000-000000000000"
        managementGroup().name => "management-group"
        "#,
    );
}

#[test]
fn strings_that_are_no_expressions() {
    let template = with_property(r#"["[[not()]", "[open", "x]", "[ 'spaced' ]", "[[", "a [b]"]"#, "");
    let deployment = deploy(&template);
    assert_clean(&deployment);
    let found = deployment.resources[0].body.at_pointer("/properties/x").expect("there is a value").to_json();
    assert_eq!(found, json(r#"["[not()]", "[open", "x]", "spaced", "[", "a [b]"]"#));
}

#[test]
fn user_functions_see_their_own_parameters_only() {
    let sections = r#"
      "parameters": {"p": {"type": "string", "defaultValue": "outer"}},
      "functions": [{"namespace": "Contoso", "members": {
        "greet": {"parameters": [{"name": "who", "type": "string"}],
                  "output": {"type": "string", "value": "[concat('hi ', parameters('who'))]"}},
        "bad": {"parameters": [], "output": {"type": "string", "value": "[parameters('p')]"}}}}],"#;
    let (found, problems) = value_of("contoso.GREET(parameters('p'))", sections);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(found.expect("a value").as_str(), Some("hi outer"));
    let (_, problems) = value_of("contoso.bad()", sections);
    assert!(problems[0].message.contains("parameter 'p' is not found"), "{problems:?}");
}

#[test]
fn the_context_answers() {
    let template = document(
        "t.json",
        &with_property(
            r#"["[parameters('now')]", "[deployment().properties.templateLink.uri]", "[subscription().displayName]"]"#,
            r#""parameters": {"now": {"type": "string", "defaultValue": "[utcNow('yyyy-MM-dd')]"}},"#,
        ),
    );
    let context = DeploymentContext {
        utc_now: Some("2026-01-31T12:00:00Z".to_owned()),
        template_uri: Some("https://x/t.json".to_owned()),
        subscription_name: Some("Production".to_owned()),
        ..DeploymentContext::default()
    };
    let deployment =
        evaluate(&Input { template: &template, parameters: &[], context: &context, links: &NoLinks });
    assert_clean(&deployment);
    let found = deployment.resources[0].body.at_pointer("/properties/x").expect("a value").to_json();
    assert_eq!(found, json(r#"["2026-01-31", "https://x/t.json", "Production"]"#));
}
