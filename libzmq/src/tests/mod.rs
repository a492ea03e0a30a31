//! Tests that call the functions as C code does.

mod calls;
mod input;
