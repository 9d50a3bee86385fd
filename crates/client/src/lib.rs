//! A small client of a Palisade server.
