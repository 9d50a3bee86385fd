//! Who may do what where: assignments put together with roles.
//!
//! Rights only add up; there are no denials. An assignment whose role is not known gives nothing.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::role::{Role, built_in};
use crate::scope::Scope;

/// A role that a principal has at a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Its id, which is its name in Azure's words.
    pub id: Uuid,
    /// Object id of who has the role.
    pub principal: Uuid,
    /// What that is: `User`, `ServicePrincipal` or `Group`.
    pub principal_type: String,
    /// Id of the role.
    pub role: Uuid,
    /// Where it holds.
    pub scope: Scope,
    /// Why, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created: u64,
    /// Object id of who made it.
    pub created_by: String,
}

/// What somebody may do, made ready for many questions.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    held: Vec<(Scope, Cow<'static, Role>)>,
}

impl Rights {
    /// Takes the role of each assignment from those that are built in, and else from `custom`.
    pub fn new(
        assignments: impl IntoIterator<Item = Assignment>,
        custom: impl Fn(Uuid) -> Option<Role>,
    ) -> Self {
        let role = |id| match built_in().iter().find(|role| role.id == id) {
            Some(role) => Some(Cow::Borrowed(role)),
            None => custom(id).map(Cow::Owned),
        };
        let held = assignments.into_iter().filter_map(|one| Some((one.scope, role(one.role)?))).collect();
        Self { held }
    }

    /// Whether `action` is allowed at `scope`.
    #[must_use]
    pub fn allow(&self, action: &str, scope: &Scope) -> bool {
        self.held.iter().any(|(at, role)| at.contains(scope) && role.allows(action))
    }

    /// Whether `action` is allowed at `scope` or at any place below it.
    #[must_use]
    pub fn allow_within(&self, action: &str, scope: &Scope) -> bool {
        self.held.iter().any(|(at, role)| (at.contains(scope) || scope.contains(at)) && role.allows(action))
    }

    /// The roles that hold at `scope`.
    pub fn at<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Role> {
        self.held.iter().filter(|(at, _)| at.contains(scope)).map(|(_, role)| role.as_ref())
    }

    /// Whether rights may be given to others at `scope`: what only owners and access administrators may.
    #[must_use]
    pub fn administer(&self, scope: &Scope) -> bool {
        self.allow("Microsoft.Authorization/elevateAccess/action", scope)
    }
}

/// Whether `principal` may take `action` at `scope`.
#[must_use]
pub fn allows(
    assignments: &[Assignment],
    custom: &[Role],
    principal: Uuid,
    action: &str,
    scope: &Scope,
) -> bool {
    let own = assignments.iter().filter(|one| one.principal == principal).cloned();
    Rights::new(own, |id| custom.iter().find(|role| role.id == id).cloned()).allow(action, scope)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{Assignment, Rights, allows};
    use crate::role::{Permission, Role, built_in, id};
    use crate::scope::Scope;

    const WHO: Uuid = Uuid::from_u128(1);

    fn assignment(role: Uuid, scope: &str) -> Assignment {
        Assignment {
            id: Uuid::from_u128(2),
            principal: WHO,
            principal_type: "User".to_owned(),
            role,
            scope: Scope::new(scope).unwrap(),
            description: None,
            created: 0,
            created_by: String::new(),
        }
    }

    fn check(role: Uuid, at: &str, action: &str, scope: &str, expect: bool) {
        let scope = Scope::new(scope).unwrap();
        assert_eq!(
            allows(&[assignment(role, at)], &[], WHO, action, &scope),
            expect,
            "{role} at {at}: {action} {scope}"
        );
        assert!(!allows(&[assignment(role, at)], &[], Uuid::from_u128(9), action, &scope), "nobody else");
    }

    #[test]
    fn roles_of_azure_allow_what_they_allow_there() {
        const NSG: &str =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/n";
        const WRITE: &str = "Microsoft.Network/networkSecurityGroups/write";
        const READ: &str = "Microsoft.Network/networkSecurityGroups/read";
        const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";
        for (role, read, write, assign) in [
            (id::OWNER, true, true, true),
            (id::CONTRIBUTOR, true, true, false),
            (id::READER, true, false, false),
            (id::NETWORK_CONTRIBUTOR, true, true, false),
            (id::USER_ACCESS_ADMINISTRATOR, true, false, true),
            (id::SECURITY_OPERATOR, true, false, false),
        ] {
            for at in ["/", "/subscriptions/S", "/subscriptions/s/resourcegroups/G", NSG] {
                check(role, at, READ, NSG, read);
                check(role, at, WRITE, NSG, write);
                check(role, at, ASSIGN, NSG, assign);
            }
            check(role, "/subscriptions/s/resourceGroups/other", READ, NSG, false);
            check(role, NSG, READ, "/subscriptions/s", false);
        }
        check(id::SECURITY_OPERATOR, "/", "Palisade.Network/quarantines/write", NSG, true);
        check(id::CONTRIBUTOR, "/", "Microsoft.Authorization/principals/write", "/", false);
        check(id::NETWORK_CONTRIBUTOR, "/", "Microsoft.Compute/virtualMachines/write", NSG, false);
    }

    #[test]
    fn only_owners_and_access_administrators_administer() {
        for role in built_in() {
            let rights = Rights::new([assignment(role.id, "/")], |_| None);
            let expect = [id::OWNER, id::USER_ACCESS_ADMINISTRATOR].contains(&role.id);
            assert_eq!(rights.administer(&Scope::root()), expect, "{}", role.name);
            assert_eq!(role.check(), Ok(()), "{}", role.name);
        }
    }

    #[test]
    fn a_role_that_nobody_knows_allows_nothing() {
        check(Uuid::from_u128(77), "/", "a/read", "/", false);
    }

    #[test]
    fn rights_below_are_seen_from_above() {
        let rights = Rights::new([assignment(id::READER, "/subscriptions/s/resourceGroups/g")], |_| None);
        let at = |text: &str| Scope::new(text).unwrap();
        assert!(!rights.allow("a/read", &at("/subscriptions/s")));
        assert!(rights.allow_within("a/read", &at("/subscriptions/s")));
        assert!(rights.allow_within("a/read", &at("/subscriptions/s/resourceGroups/g/x/y")));
        assert!(!rights.allow_within("a/read", &at("/subscriptions/t")));
        assert!(!rights.allow_within("a/write", &at("/subscriptions/s")));
    }

    proptest! {
        /// More assignments never allow less, and exclusions take out of their own permission alone.
        #[test]
        fn rights_add_up(actions in prop::collection::vec("[ab*]{1,3}", 1..3), not in prop::collection::vec("[ab*]{1,3}", 0..2),
            more in "[ab*]{1,3}", action in "[ab]{1,3}") {
            let role = |n: u128, actions: Vec<String>, not_actions: Vec<String>| Role {
                id: Uuid::from_u128(n), name: "r".to_owned(), description: String::new(), built_in: false,
                permissions: vec![Permission { actions, not_actions }], assignable_scopes: vec![Scope::root()],
            };
            let custom = [role(10, actions, not), role(11, vec![more.clone()], vec![])];
            let one = [assignment(custom[0].id, "/")];
            let two = [assignment(custom[0].id, "/"), assignment(custom[1].id, "/")];
            let ask = |held: &[Assignment]| allows(held, &custom, WHO, &action, &Scope::root());
            prop_assert_eq!(ask(&two), ask(&one) || crate::matches(&more, &action));
        }
    }
}
