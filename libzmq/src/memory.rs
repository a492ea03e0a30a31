//! Reads and writes memory of C code.

use crate::errno::Errno;
use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use core::slice;

/// Returns the bytes at `data`. Without bytes, `data` may be null.
///
/// # Errors
/// `EFAULT` for a null pointer with bytes.
///
/// # Safety
/// `data` must be null, or valid for reads of `len` bytes during `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Result<&'a [u8], Errno> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Errno::FAULT),
        // SAFETY: The caller has promised that the bytes are readable.
        (false, _) => Ok(unsafe { slice::from_raw_parts(data.cast(), len) }),
    }
}

/// Returns the text at `text`.
///
/// # Errors
/// `EINVAL` for a null pointer and for text that is not UTF-8.
///
/// # Safety
/// `text` must be null, or point to a string that ends with a zero byte and stays valid during `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str, Errno> {
    if text.is_null() {
        return Err(Errno::INVALID);
    }
    // SAFETY: The caller has promised that the string is readable and ends.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Errno::INVALID)
}

/// Copies the value of an option to `target`, fills the rest of the memory there with zeros, and stores the length of the value
/// in `len`.
///
/// # Errors
/// `EFAULT` for null pointers, `EINVAL` if the memory is too short.
///
/// # Safety
/// `len` must be null, or valid for reads and writes; `target` must be null, or valid for writes of `len` bytes.
pub(crate) unsafe fn write_option(value: &[u8], target: *mut c_void, len: *mut usize) -> Result<(), Errno> {
    if target.is_null() || len.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: The caller has promised that the pointer is valid.
    let size = unsafe { len.read() };
    let rest = size.checked_sub(value.len()).ok_or(Errno::INVALID)?;
    let target = target.cast::<u8>();
    // SAFETY: The caller has promised that `size` bytes are writable, and `value` has at most as many.
    unsafe { ptr::copy_nonoverlapping(value.as_ptr(), target, value.len()) };
    // SAFETY: The rest are `rest` bytes, which are writable too.
    unsafe { target.wrapping_add(value.len()).write_bytes(0, rest) };
    // SAFETY: The caller has promised that the pointer is valid.
    unsafe { len.write(value.len()) };
    Ok(())
}
