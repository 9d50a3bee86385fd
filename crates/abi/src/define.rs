//! The macros that define a struct or a set of constants once, for Rust and for the generated C header.
//!
//! It must not know what is defined with it.

/// One field of a shared struct, as the C header and the object's type information name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CField {
    /// Field name, the same in both languages.
    pub name: &'static str,
    /// Rust type as written: `u32`, `[u8; 6]`, or the name of another shared struct.
    pub rust_type: &'static str,
    /// Distance in bytes from the start of the struct.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
    /// What it holds; becomes the comment in the header.
    pub doc: &'static str,
}

/// One shared struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CStruct {
    /// Rust name, such as `NicDescriptor`; the C name is derived from it.
    pub name: &'static str,
    /// What it is; becomes the comment in the header.
    pub doc: &'static str,
    /// Fields in order.
    pub fields: &'static [CField],
    /// Size in bytes.
    pub size: usize,
}

/// One shared constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CConst {
    /// Name, upper case.
    pub name: &'static str,
    /// Value.
    pub value: u64,
    /// What it means; becomes the comment in the header.
    pub doc: &'static str,
}

/// A type that is only bytes: any bit pattern is a value and there is no padding.
///
/// # Safety
/// Implementors are `repr(C)`, hold integers, arrays of them or other `Pod` types, and leave no byte between fields.
pub unsafe trait Pod: Copy + Default + 'static {
    /// How C sees the type.
    const DESCRIPTION: CStruct;

    /// The bytes of the value, in memory order.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: `Pod` promises that every byte of the value is initialised.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }

    /// Reads a value from the front of `bytes`; `None` if they are too few.
    fn read_from(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..size_of::<Self>())?;
        // SAFETY: the slice is long enough, any bit pattern is a value, and the read does not need alignment.
        Some(unsafe { core::ptr::read_unaligned(bytes.as_ptr().cast()) })
    }
}

/// Defines `repr(C)` structs and their description for the header; refuses padding at compile time.
macro_rules! shared_structs {
    ($( $(#[doc = $doc:literal])+ pub struct $name:ident { $( $(#[doc = $fdoc:literal])+ pub $field:ident : $ty:ty, )+ } )+) => { $(
        $(#[doc = $doc])+
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name { $( $(#[doc = $fdoc])+ pub $field: $ty, )+ }

        impl Default for $name {
            // By hand: the standard library derives it only for arrays of up to 32 elements.
            fn default() -> Self {
                // SAFETY: `Pod` allows any bit pattern, so also zeros.
                unsafe { core::mem::zeroed() }
            }
        }

        const _: () = assert!(
            size_of::<$name>() == 0 $(+ size_of::<$ty>())+,
            concat!("shared struct ", stringify!($name), " has hidden padding")
        );

        // SAFETY: `repr(C)`, and the assertion above shows that the fields leave no gap.
        unsafe impl $crate::Pod for $name {
            const DESCRIPTION: $crate::CStruct = $crate::CStruct {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),+),
                fields: &[ $( $crate::CField {
                    name: stringify!($field),
                    rust_type: stringify!($ty),
                    offset: core::mem::offset_of!($name, $field),
                    size: size_of::<$ty>(),
                    doc: concat!($($fdoc, "\n"),+),
                } ),+ ],
                size: size_of::<$name>(),
            };
        }
    )+

        /// Every struct of this module, in the order of definition.
        pub const STRUCTS: &[$crate::CStruct] = &[$( <$name as $crate::Pod>::DESCRIPTION ),+];
    };
}

/// Defines public constants and lists them for the header.
macro_rules! shared_constants {
    ($( $(#[doc = $doc:literal])+ pub const $name:ident : $ty:ty = $value:expr; )+) => {
        $( $(#[doc = $doc])+ pub const $name: $ty = $value; )+

        /// Every constant of this module that the kernel program knows too.
        pub const CONSTANTS: &[$crate::CConst] = &[
            $( $crate::CConst { name: stringify!($name), value: $name as u64, doc: concat!($($doc, "\n"),+) } ),+
        ];
    };
}

/// Defines a `repr(u8)` enum of codes, its text form, and its constants for the header.
macro_rules! shared_codes {
    ($(#[doc = $doc:literal])+ pub enum $name:ident ($prefix:literal) { $( $(#[doc = $vdoc:literal])+ $variant:ident = $value:literal, )+ }) => {
        $(#[doc = $doc])+
        #[repr(u8)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[doc = $vdoc])+ $variant = $value, )+ }

        impl $name {
            /// Every code, in numeric order.
            pub const ALL: &[Self] = &[$( Self::$variant ),+];
            /// The codes as constants for the header; the prefix and the variant's name make the C name.
            pub const CODES: &[$crate::CConst] = &[
                $( $crate::CConst { name: concat!($prefix, stringify!($variant)), value: $value, doc: concat!($($vdoc, "\n"),+) } ),+
            ];

            /// The code's name, as outputs print it.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant), )+ }
            }

            /// The code of a number that the kernel reported; `None` for a number that no code has.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $( $value => Some(Self::$variant), )+ _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
