//! Every kind of fault, where it is said to be, and that it costs nothing but itself.

use super::*;

#[test]
fn faults_in_expressions() {
    for (expression, told) in [
        ("concat('a'", "expected ',' or ')'"),
        ("'open", "the string is not closed at position 0"),
        ("concat('a') extra", "expected the end of the expression"),
        ("concat(#)", "unexpected character '#' at position 7"),
        ("99999999999999999999", "is out of range"),
        ("true", "expected '('"),
        ("nope('a')", "The template function 'nope' is not valid"),
        ("a.b()", "The template function 'a.b' is not found"),
        ("toLower()", "function requires 1 argument(s) while 0 were provided"),
        ("substring('a')", "function requires between 2 and 3 argument(s) while 1 were provided"),
        ("union()", "function requires at least 1 argument(s) while 0 were provided"),
        ("toLower(1)", "expected to be of type 'String', the provided value is of type 'Integer'"),
        ("add('a', 1)", "expected to be of type 'Integer', the provided value is of type 'String'"),
        ("add(9223372036854775807, 1)", "does not fit 64 bits"),
        ("div(1, 0)", "must not be zero"),
        ("mod(-9223372036854775808, -1)", "does not fit 64 bits"),
        ("int('x')", "'x' is not an integer"),
        ("createArray(1)[1]", "array index '1' is out of bounds"),
        ("createArray(1)[-1]", "array index '-1' is out of bounds"),
        ("createObject('a', 1).b", "property 'b' doesn't exist, available properties are 'a'"),
        ("createObject('a')", "must be even"),
        ("null().x", "property 'x' can't be evaluated"),
        ("'text'.x", "can't be evaluated on a value of type 'String'"),
        ("createArray(1)[true()]", "can't index a value of type 'Array'"),
        ("substring('abc', 2, 5)", "must refer to a location within the string"),
        ("substring('abc', 4)", "cannot be larger than the length of the string"),
        ("padLeft('a', 3, 'xy')", "one character"),
        ("format('{0} {1}', 'a')", "the format item '{1}' has no argument"),
        ("format('{0', 'a')", "has a brace without its partner"),
        ("format('{0:Q}', 1)", "the format 'Q' is not supported"),
        ("json('{')", "is not valid JSON"),
        ("base64ToString('%')", "not valid base64"),
        ("base64ToString('/w==')", "not UTF-8"),
        ("dataUriToString('x')", "is not a data URI"),
        ("if('yes', 1, 2)", "must be of type 'Boolean'"),
        ("and(1)", "must be of type 'Boolean'"),
        ("min(createArray())", "must not be empty"),
        ("flatten(createArray(1))", "must be an array of arrays"),
        ("parameters('p')", "The template parameter 'p' is not found"),
        ("variables('v')", "The template variable 'v' is not found"),
        ("copyIndex()", "'copyIndex' is not expected at this location"),
        ("copyIndex('x')", "The copy loop 'x' is not around it"),
        ("lambdaVariables('x')", "The lambda variable 'x' is not found"),
        ("lambda('x', 1)", "may only be an argument of a lambda function"),
        ("map(range(0, 1), 'x')", "the argument must be a lambda"),
        ("filter(range(0, 1), lambda('x', 1))", "must give a boolean"),
        ("map('x', lambda('x', 1))", "may not be of type 'String'"),
        ("resourceId('A.B/c')", "requires '1' resource name argument(s)"),
        ("resourceId('x')", "fully qualified resource type"),
        ("cidrSubnet('10.0.0.0/24', 20, 0)", "must lie between 24 and 32"),
        ("cidrSubnet('10.0.0.0/24', 26, 4)", "is not within the network"),
        ("cidrHost('10.0.0.0/30', 2)", "is not within the network"),
        ("parseCidr('10.0.0.0')", "is not a network in CIDR notation"),
        ("parseCidr('10.0.0.0/33')", "is not a network in CIDR notation"),
        ("dateTimeAdd('never', 'P1D')", "not a date and time"),
        ("dateTimeAdd('2020-01-01', '1 day')", "is not an ISO 8601 duration"),
        ("dateTimeAdd('2020-01-01', 'P9000Y')", "outside the years"),
        ("dateTimeFromEpoch(9999999999999)", "outside the years"),
    ] {
        let (value, problems) = value_of(expression, "");
        assert_eq!(problems.len(), 1, "{expression}: {problems:?}");
        let problem = &problems[0];
        assert!(problem.message.contains(told), "{expression}: {}", problem.message);
        assert_eq!(problem.code, Code::InvalidTemplate, "{expression}");
        assert_eq!(problem.pointer, "/resources/0/properties/x", "{expression}");
        let value = value.unwrap_or_else(|| panic!("{expression}: the resource is lost"));
        assert_eq!(value.as_unknown().expect("unknown").reasons(), [Reason::Failed], "{expression}");
    }
}

/// Evaluates a template that must have exactly one problem.
#[track_caller]
fn sole_problem(deployment: &Deployment) -> &Problem {
    assert_eq!(deployment.problems.len(), 1, "{:#?}", deployment.problems);
    &deployment.problems[0]
}

#[test]
fn problems_name_file_line_and_resource() {
    let deployment = deploy(
        "{\"resources\": [\n {\"type\": \"A.B/c\", \"name\": \"n\",\n  \"properties\": \"[nope()]\"}]}",
    );
    let problem = sole_problem(&deployment);
    assert_eq!((problem.source.as_str(), problem.at.line, problem.at.column), ("main.json", 3, 17));
    assert_eq!(
        problem.message,
        "Unable to process template language expressions for resource '/subscriptions/\
         00000000-0000-0000-0000-000000000000/resourceGroups/resource-group/providers/A.B/c/n' at line '3' and \
         column '17'. 'The template function 'nope' is not valid. Please see https://aka.ms/arm-functions for \
         usage details'"
    );
    assert!(problem.to_string().starts_with("main.json:3:17: InvalidTemplate: "));
}

#[test]
fn a_bad_resource_does_not_lose_the_others() {
    let deployment = deploy(
        r#"{"resources": [
          {"type": "A.B/c", "name": "[nope()]"},
          {"type": "A.B/c"},
          {"name": "typeless"},
          {"type": "A.B/c", "name": 5},
          {"type": "A.B/c", "name": "two/many"},
          {"type": "A.B/c/d", "name": "too-few"},
          {"type": "[parameters('missing')]", "name": "n"},
          {"type": "A.B/c", "name": "odd", "condition": "sometimes"},
          {"type": "A.B/c", "name": "lots", "copy": {"name": "l", "count": 801}},
          {"type": "A.B/c", "name": "less", "copy": {"name": "l", "count": -1}},
          {"type": "A.B/c", "name": "none", "copy": {"name": "l"}},
          {"type": "A.B/c", "name": "text", "copy": {"name": "l", "count": "x"}},
          {"type": "Microsoft.Resources/deployments", "name": "empty"},
          {"type": "A.B/c", "name": "fine"}]}"#,
    );
    let told: Vec<&str> = deployment.problems.iter().map(|p| p.message.as_str()).collect();
    for part in [
        "'nope' is not valid",
        "has no 'name' property",
        "has no 'type' property",
        "'name' must be of type 'String', it is of type 'Integer'",
        "'two/many' for type 'A.B/c' at line '6' and column '11' has incorrect segment lengths",
        "'too-few' for type 'A.B/c/d'",
        "parameter 'missing' is not found",
        "condition must be of type 'Boolean'",
        "count '801' is not valid",
        "count '-1' is not valid",
        "has no 'count'",
        "count must be of type 'Integer'",
        "the deployment has no 'properties'",
    ] {
        assert!(told.iter().any(|message| message.contains(part)), "{part}: {told:#?}");
    }
    assert!(names(&deployment).contains(&"fine".to_owned()));
}

#[test]
fn values_that_need_themselves() {
    let template = with_property(
        r#""[variables('a')]""#,
        r#""variables": {"a": "[variables('b')]", "b": "[variables('a')]", "c": "fine"},
           "parameters": {"p": {"type": "string", "defaultValue": "[parameters('p')]"}},"#,
    );
    let deployment = deploy(&template);
    let told: Vec<&str> = deployment.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(told.len(), 2, "one for each cycle: {told:#?}");
    assert!(told[0].contains("the variable 'a' depends on itself"), "{told:#?}");
    assert!(told[1].contains("the parameter 'p' depends on itself"), "{told:#?}");
}

#[test]
fn unused_faults_are_found_too() {
    let deployment = deploy(r#"{"variables": {"unused": "[nope()]"}, "resources": []}"#);
    let problem = sole_problem(&deployment);
    assert!(problem.message.starts_with(
        "Deployment template validation failed: 'The template variable 'unused' is not valid: "
    ));
    assert_eq!(problem.pointer, "/variables/unused");
}

#[test]
fn outputs_have_a_code_of_their_own() {
    let deployment =
        deploy(r#"{"resources": [], "outputs": {"o": {"type": "string", "value": "[nope()]"}}}"#);
    let problem = sole_problem(&deployment);
    assert_eq!(problem.code, Code::DeploymentOutputEvaluationFailed);
    assert!(problem.message.starts_with("The template output 'o' is not valid: "), "{}", problem.message);
}

#[test]
fn duplicate_keys_have_a_code_of_their_own() {
    let deployment = deploy("{\"resources\": [],\n \"Resources\": [{}]}");
    let problem = sole_problem(&deployment);
    assert_eq!((problem.code, problem.at.line), (Code::InvalidRequestContent, 2));
    assert!(problem.message.contains("'Resources' already exists at line 1"), "{}", problem.message);
}

#[test]
fn what_is_no_template_is_said_so() {
    for text in ["[]", "{}", "{\"resources\": 5}", "null"] {
        let deployment = deploy(text);
        assert!(sole_problem(&deployment).message.contains("Required property 'resources'"), "{text}");
    }
}

#[test]
fn parameters_are_checked() {
    let declared = |declaration: &str, given: &str| {
        let template = format!(r#"{{"parameters": {{"p": {declaration}}}, "resources": []}}"#);
        deploy_with(&template, &[&format!(r#"{{"p": {{"value": {given}}}}}"#)])
    };
    for (declaration, given, told) in [
        (r#"{"type": "string"}"#, "5", "Expected 'String'. Actual 'Integer'"),
        (r#"{"type": "int"}"#, "\"x\"", "Expected 'Integer'. Actual 'String'"),
        (r#"{"type": "bool"}"#, "1", "Expected 'Boolean'. Actual 'Integer'"),
        (r#"{"type": "array"}"#, "{}", "Expected 'Array'. Actual 'Object'"),
        (r#"{"type": "string", "allowedValues": ["a", "b"]}"#, "\"c\"", "allowed value(s): 'a,b'"),
        (r#"{"type": "int", "allowedValues": [1, 2]}"#, "3", "allowed value(s): '1,2'"),
        (r#"{"type": "array", "allowedValues": ["a", "b"]}"#, "[\"a\", \"c\"]", "allowed value(s): 'a,b'"),
        (r#"{"type": "string", "minLength": 3}"#, "\"ab\"", "length of the value is '2'"),
        (r#"{"type": "array", "maxLength": 1}"#, "[1, 2]", "less than or equal to '1'"),
        (r#"{"type": "int", "minValue": 1}"#, "0", "The value is '0'"),
        (r#"{"type": "int", "maxValue": 9}"#, "10", "less than or equal to '9'"),
    ] {
        let deployment = declared(declaration, given);
        let problem = sole_problem(&deployment);
        assert!(problem.message.contains(told), "{declaration} {given}: {}", problem.message);
        assert_eq!(problem.source, "parameters.json", "{declaration}");
    }
    for (declaration, given) in [
        (r#"{"type": "string", "allowedValues": ["a", "b"]}"#, "\"B\""),
        (r#"{"type": "array", "allowedValues": ["a", "b"]}"#, "[\"a\", \"b\"]"),
        (r#"{"type": "string", "nullable": true}"#, "null"),
        (r#"{"type": "int", "minValue": 1, "maxValue": 1}"#, "1"),
        (r#"{"type": "secureObject"}"#, "{}"),
        (r#"{"type": "string", "maxLength": 8}"#, "\"GEN-UNIQUE-8\""),
    ] {
        assert_clean(&declared(declaration, given));
    }
    assert!(
        sole_problem(&declared(r#"{"type": "strong"}"#, "1")).message.contains("is not a parameter type")
    );
    let stranger = deploy_with(r#"{"resources": []}"#, &[r#"{"parameters": {"x": {"value": 1}}}"#]);
    assert_eq!(sole_problem(&stranger).code, Code::UndeclaredParameter);
    assert!(sole_problem(&stranger).message.contains("they are not present in the original template"));
}

#[test]
fn references_do_not_belong_into_variables() {
    let deployment = deploy(r#"{"variables": {"v": "[reference('x')]"}, "resources": []}"#);
    assert!(sole_problem(&deployment).message.contains("'reference' is not expected at this location"));
}
