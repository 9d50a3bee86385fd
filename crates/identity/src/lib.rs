//! Who somebody is, and what they may do: principals and their secrets, tokens, roles and where they hold.
