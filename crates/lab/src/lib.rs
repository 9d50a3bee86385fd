//! An estate of network namespaces or QEMU guests to try things on
