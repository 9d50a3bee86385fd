//! Codes about times, modes and tags of ours.

use palisade_model::Code;

use super::{Case, error, of_rule};
use crate::support::{nsg, rule, tags};

pub(super) fn cases() -> Vec<Case> {
    let tagged = |list: &[(&str, &str)], changes: &[(&str, &str)]| {
        let mut spec = nsg(vec![rule(changes)]);
        spec.nsgs[0].tags = tags(list);
        spec
    };
    vec![
        of_rule(
            Code::PalInvalidTime,
            "notBefore \"tomorrow\" of security rule /nsgs/web/securityRules/r is not a time of the years 1970 to 2106 \
             (write 2026-01-31T08:00:00Z)",
            &[("notBefore", "tomorrow")],
        ),
        of_rule(
            Code::PalEmptyWindow,
            "security rule /nsgs/web/securityRules/r is in force at no time: its notBefore is not before its expiresAt \
             (correct one of them)",
            &[("notBefore", "2026-01-31T08:00:00Z"), ("expiresAt", "2026-01-31T08:00:00Z")],
        ),
        error(
            Code::PalInvalidTag,
            "\"notAfter=2026-01-31T08:00:00Z\" in tag palisade-rule:r of /nsgs/web is not one of audit, notBefore=..., \
             expiresAt=...",
            tagged(&[("palisade-rule:r", "notAfter=2026-01-31T08:00:00Z")], &[]),
        ),
        error(
            Code::PalTagWithoutRule,
            "tag palisade-rule:ssh of /nsgs/web names no rule of it (correct the name, or remove the tag)",
            tagged(&[("palisade-rule:ssh", "audit")], &[]),
        ),
        error(
            Code::PalTagDiffers,
            "mode of security rule /nsgs/web/securityRules/r is not what the NSG's tag says of it (remove one of them)",
            tagged(&[("palisade-rule:r", "audit")], &[("mode", "Enforce")]),
        ),
    ]
}
