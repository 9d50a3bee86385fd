//! Disks as QEMU writes them, and as somebody writes them who wants more than to be read.

mod attacks;
mod tools;
mod trees;
