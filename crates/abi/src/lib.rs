//! Structs shared with the kernel program; the C header is generated from them
