//! Which rule decides: the naive oracle, and the classes and bit vectors that agree with it
