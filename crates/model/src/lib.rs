//! Network security groups, tags and networks: what a user wrote, what survived validation
