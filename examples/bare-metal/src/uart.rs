//! [`Uart`]: the serial port of the board, as a stream.

use sansmq_proto::{Buf, Outbox, Stream, StreamError};

/// The serial port. It has no flow control and no end.
#[derive(Debug)]
pub struct Uart(());

#[cfg(target_arch = "arm")]
mod registers {
    //! UART 0 of `mps2-an386` (CMSDK).

    /// Content of a register.
    pub(super) type Word = u32;
    /// Byte that was received, or byte to send.
    pub(super) const DATA: *mut Word = 0x4000_4000 as *mut Word;
    /// State; the other functions of this module explain it.
    pub(super) const STATE: *mut Word = 0x4000_4004 as *mut Word;
    /// Values to write at the start, in this order: divider of the bit rate, and enabled directions.
    pub(super) const SETUP: [(*mut Word, Word); 2] = [(0x4000_4010 as *mut Word, 16), (0x4000_4008 as *mut Word, 3)];

    pub(super) const fn word(byte: u8) -> Word {
        byte as Word
    }

    pub(super) const fn is_received(state: Word) -> bool {
        state & 2 != 0
    }

    pub(super) const fn has_room(state: Word) -> bool {
        state & 1 == 0
    }
}

#[cfg(target_arch = "riscv32")]
mod registers {
    //! UART 0 of `virt` (16550).

    /// Content of a register.
    pub(super) type Word = u8;
    /// Byte that was received, or byte to send.
    pub(super) const DATA: *mut Word = 0x1000_0000 as *mut Word;
    /// State; the other functions of this module explain it.
    pub(super) const STATE: *mut Word = 0x1000_0005 as *mut Word;
    /// Values to write at the start. None: to switch the queues on would discard what the peer has sent already.
    pub(super) const SETUP: [(*mut Word, Word); 0] = [];

    pub(super) const fn word(byte: u8) -> Word {
        byte
    }

    pub(super) const fn is_received(state: Word) -> bool {
        state & 1 != 0
    }

    pub(super) const fn has_room(state: Word) -> bool {
        state & 0x20 != 0
    }
}

impl Uart {
    /// Switches the serial port on. Must be called once.
    pub(crate) fn new() -> Self {
        for (register, value) in registers::SETUP {
            // SAFETY: the address of a register of this board, which only this type writes.
            unsafe { register.write_volatile(value) };
        }
        Self(())
    }
}

impl Stream for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let mut count = 0;
        while count < buffer.len() && registers::is_received(state()) {
            // SAFETY: the address of a register of this board. Reading it removes the byte, which only this method does.
            let word = unsafe { registers::DATA.read_volatile() };
            buffer[count] = word.to_le_bytes()[0];
            count += 1;
        }
        if count == 0 { Err(StreamError::WouldBlock) } else { Ok(count) }
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let mut count = 0;
        for &byte in data.chunk() {
            if !registers::has_room(state()) {
                break;
            }
            // SAFETY: the address of a register of this board. Writing it sends the byte, which only this method does.
            unsafe { registers::DATA.write_volatile(registers::word(byte)) };
            count += 1;
        }
        if count == 0 { Err(StreamError::WouldBlock) } else { Ok(count) }
    }

    /// Has no effect: a serial port has no end.
    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok(())
    }
}

fn state() -> registers::Word {
    // SAFETY: the address of a register of this board. Reading it has no effect.
    unsafe { registers::STATE.read_volatile() }
}
