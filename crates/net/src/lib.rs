//! Addresses, prefixes, port ranges, protocols and packets: values that cannot be wrong
