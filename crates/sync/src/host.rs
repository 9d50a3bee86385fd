//! Names of hosts. The common name of a host's certificate is its name, so what is a name is decided in one place.

/// Longest name: that of one label of a host's domain name.
pub const NAME_BYTES_MAX: usize = 63;

/// A text that is not the name of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "host name \"{name}\" is not a name (write 1 to {NAME_BYTES_MAX} letters, digits, \"-\", \"_\" or \".\", with a letter or digit first)"
)]
pub struct HostNameError {
    name: String,
}

/// The name in the form that both sides compare: lower case.
///
/// # Errors
/// If it is not one.
pub fn name(text: &str) -> Result<String, HostNameError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !begins || text.len() > NAME_BYTES_MAX || !text.bytes().all(fits) {
        return Err(HostNameError { name: text.to_owned() });
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_bounded() {
        assert_eq!(name("Host-1.example").unwrap(), "host-1.example");
        let longest = "x".repeat(NAME_BYTES_MAX);
        assert_eq!(name(&longest).unwrap(), longest);
        for wrong in ["", "-a", ".a", "a b", "a/b", "ä", "a\n", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
