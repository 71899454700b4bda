//! The first byte chooses a decoder, the rest is its value.
#![no_main]

#[path = "../../tests/decoders/mod.rs"]
mod decoders;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((n, b)) = data.split_first() {
        let _ = decoders::read(*n, b);
    }
});
