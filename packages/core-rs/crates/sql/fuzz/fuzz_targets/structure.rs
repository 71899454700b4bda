//! Any JSON text is a structure that compiles, or an error with a path. Seed it with the arrays of contract/corpus.
#![no_main]

use data_bridge_ir::decode;
use data_bridge_sql::{Style, compile, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    match decode(&&tree) {
        Ok(decoded) => {
            assert_eq!(compile(&decoded).params, decoded.params);
            for style in [Style::Format, Style::Pyformat, Style::Named] {
                let (_, slots) = render(&decoded, style, true);
                assert!(slots.iter().all(|slot| *slot < decoded.params));
            }
        }
        Err(error) => assert!(error.path.starts_with('$')),
    }
});
