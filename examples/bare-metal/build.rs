//! Passes the linker script of the start-up crate, and the memory of the board that QEMU simulates, to the linker.

use std::env::var;
use std::error::Error;
use std::fs::write;
use std::path::Path;

/// Memory of `mps2-an386`, a Cortex-M4F. The nodes fit into far less.
const ARM: &str = "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 512K  RAM : ORIGIN = 0x20000000, LENGTH = 128K }";

/// Memory of `virt`, which has no flash at the address of its first instruction.
const RISCV: &str = "MEMORY { FLASH : ORIGIN = 0x80000000, LENGTH = 512K  RAM : ORIGIN = 0x80100000, LENGTH = 128K }
REGION_ALIAS(\"REGION_TEXT\", FLASH);
REGION_ALIAS(\"REGION_RODATA\", FLASH);
REGION_ALIAS(\"REGION_DATA\", RAM);
REGION_ALIAS(\"REGION_BSS\", RAM);
REGION_ALIAS(\"REGION_HEAP\", RAM);
REGION_ALIAS(\"REGION_STACK\", RAM);
SECTIONS { /DISCARD/ : { *(.eh_frame) } }"; // Only unwinding reads these tables.

fn main() -> Result<(), Box<dyn Error>> {
    let memory = if var("CARGO_CFG_TARGET_ARCH")? == "arm" { ARM } else { RISCV };
    let folder = var("OUT_DIR")?;
    write(Path::new(&folder).join("memory.x"), memory)?;
    println!("cargo:rustc-link-search={folder}");
    // Before the script that uses it.
    if var("CARGO_CFG_TARGET_ARCH")? != "arm" {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
