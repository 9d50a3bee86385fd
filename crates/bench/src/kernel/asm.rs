//! The few eBPF instructions that the benchmark's own programs need, as words.
//!
//! Two programs of a few dozen instructions do not pay for a second compiler run. Names and encoding follow RFC 9669.
//! Nothing here knows what a program is for.

/// A register; [`R10`](Reg) is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reg(pub u8);

/// How many bytes a load or store moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Two bytes.
    Half,
    /// Four bytes.
    Word,
    /// Eight bytes.
    Double,
}

/// An operation on a register, in its form with a constant; [`Alu::with_register`] is the other form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alu {
    /// Addition.
    Add = 0x07,
    /// Multiplication.
    Multiply = 0x27,
    /// Bitwise and.
    And = 0x57,
    /// Logical shift to the right.
    ShiftRight = 0x77,
    /// Bitwise exclusive or.
    Xor = 0xa7,
    /// Assignment.
    Move = 0xb7,
}

/// Set in an operation that takes its operand from a register.
const FROM_REGISTER: u8 = 0x08;
const LOAD_MEMORY: u8 = 0x61;
const STORE_MEMORY: u8 = 0x63;
const ATOMIC_DOUBLE: u8 = 0xdb;
const ATOMIC_ADD: i32 = 0;
const TO_BIG_ENDIAN: u8 = 0xdc;
const JUMP_IF_GREATER: u8 = 0x2d;
const LOAD_CONSTANT: u8 = 0x18;
/// In a constant: it stands for the map with this descriptor, or for the address of the map's first value.
const MAP: Reg = Reg(1);
const MAP_VALUE: Reg = Reg(2);
const JUMP: u8 = 0x05;
const CALL: u8 = 0x85;
const TAIL_CALL: i32 = 12;
const EXIT: u8 = 0x95;

/// A program under construction.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Program {
    words: Vec<u64>,
}

impl Width {
    const fn bits(self) -> u8 {
        match self {
            Self::Word => 0x00,
            Self::Half => 0x08,
            Self::Double => 0x18,
        }
    }
}

impl Program {
    /// The instructions.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// `to op= value`.
    pub fn constant(&mut self, op: Alu, to: Reg, value: i32) -> &mut Self {
        self.push(op as u8, to, Reg(0), 0, value)
    }

    /// `to op= from`.
    pub fn register(&mut self, op: Alu, to: Reg, from: Reg) -> &mut Self {
        self.push(op as u8 | FROM_REGISTER, to, from, 0, 0)
    }

    /// `to = *(from + offset)`.
    pub fn load(&mut self, width: Width, to: Reg, from: Reg, offset: i16) -> &mut Self {
        self.push(LOAD_MEMORY | width.bits(), to, from, offset, 0)
    }

    /// `*(to + offset) = from`.
    pub fn store(&mut self, width: Width, to: Reg, offset: i16, from: Reg) -> &mut Self {
        self.push(STORE_MEMORY | width.bits(), to, from, offset, 0)
    }

    /// `*(to + offset) += from`, eight bytes, atomically.
    pub fn add_atomically(&mut self, to: Reg, offset: i16, from: Reg) -> &mut Self {
        self.push(ATOMIC_DOUBLE, to, from, offset, ATOMIC_ADD)
    }

    /// The low half of `register` in network order.
    pub fn swap_to_network(&mut self, register: Reg) -> &mut Self {
        self.push(TO_BIG_ENDIAN, register, Reg(0), 0, 16)
    }

    /// `to` is the address of the first value of the map with this descriptor.
    pub fn map_value(&mut self, to: Reg, map: i32) -> &mut Self {
        self.push(LOAD_CONSTANT, to, MAP_VALUE, 0, map).push(0, Reg(0), Reg(0), 0, 0)
    }

    /// Ends the program with `value` if `left > right`.
    pub fn return_if_greater(&mut self, left: Reg, right: Reg, value: i32) -> &mut Self {
        self.push(JUMP_IF_GREATER, left, right, 1, 0).push(JUMP, Reg(0), Reg(0), 2, 0).end(value)
    }

    /// Goes on with the first program of an array of programs, with the context that is in `context`.
    pub fn tail_call(&mut self, context: Reg, programs: i32) -> &mut Self {
        self.register(Alu::Move, Reg(1), context)
            .push(LOAD_CONSTANT, Reg(2), MAP, 0, programs)
            .push(0, Reg(0), Reg(0), 0, 0)
            .constant(Alu::Move, Reg(3), 0)
            .push(CALL, Reg(0), Reg(0), 0, TAIL_CALL)
    }

    /// Ends the program with `value`.
    pub fn end(&mut self, value: i32) -> &mut Self {
        self.constant(Alu::Move, Reg(0), value).push(EXIT, Reg(0), Reg(0), 0, 0)
    }

    fn push(&mut self, code: u8, to: Reg, from: Reg, offset: i16, value: i32) -> &mut Self {
        self.words.push(word(code, to, from, offset, value));
        self
    }
}

const fn word(code: u8, to: Reg, from: Reg, offset: i16, value: i32) -> u64 {
    code as u64
        | (to.0 as u64) << 8
        | (from.0 as u64) << 12
        | (offset as u16 as u64) << 16
        | (value as u32 as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_encoded_as_the_standard_says() {
        let mut program = Program::default();
        program.load(Width::Word, Reg(2), Reg(1), 4).add_atomically(Reg(1), 8, Reg(2)).end(-1);
        assert_eq!(
            program.words(),
            [0x0000_0000_0004_1261, 0x0000_0000_0008_21db, 0xffff_ffff_0000_00b7, 0x95]
        );
    }

    #[test]
    fn a_map_takes_two_words() {
        let mut program = Program::default();
        program.map_value(Reg(3), 7);
        assert_eq!(program.words(), [0x0000_0007_0000_2318, 0]);
    }
}
