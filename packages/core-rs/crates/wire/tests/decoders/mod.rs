//! Every decoder by a number, for the damaged values of tests/damage.rs and for the fuzz target.

use data_bridge_wire::array::Array;
use data_bridge_wire::composite::Fields;
use data_bridge_wire::hstore::Pairs;
use data_bridge_wire::interval::Interval;
use data_bridge_wire::network::{Network, mac, parse_mac};
use data_bridge_wire::range::{Range, Ranges};
use data_bridge_wire::{WireError, bits, numeric, sparse, text_search, vector};

/// How many decoders there are.
pub const COUNT: u8 = 14;

/// Reads `b` to its end with decoder `n`; what can be written is written and must read as the same.
pub fn read(n: u8, b: &[u8]) -> Result<(), WireError> {
    match n % COUNT {
        0 => {
            let a = Array::read(b)?;
            let (mut elements, mut seen) = (a.elements(), 0);
            while elements.next()?.is_some() {
                seen += 1;
            }
            assert_eq!(seen, a.count);
        }
        1 => {
            let text = bits::read(b)?;
            let mut again = vec![];
            assert!(bits::write(text.as_bytes(), &mut again));
            assert_eq!(bits::read(&again).as_ref(), Ok(&text));
        }
        2 => {
            let mut fields = Fields::read(b)?;
            while fields.next()?.is_some() {}
        }
        3 => {
            let mut pairs = Pairs::read(b)?;
            while pairs.next()?.is_some() {}
        }
        4 => {
            let it = Interval::read(b)?;
            let mut again = vec![];
            it.write(&mut again);
            assert_eq!(again, b);
        }
        5 => {
            let it = Network::read(b)?;
            let mut again = vec![];
            it.write(&mut again);
            assert_eq!(Network::read(&again), Ok(it));
            assert_eq!(Network::parse(&format!("{}/{}", it.address, it.prefix), it.is_cidr), Some(it));
        }
        6 => assert_eq!(parse_mac(&mac(b)?, b.len()).as_deref(), Some(b)),
        7 => {
            let mut text = vec![];
            numeric::read(b, &mut text)?;
            let mut again = vec![];
            // The bytes may say more digits than the server ever keeps.
            numeric::write(&text, &mut again)?;
            // Once in the canonical form, it stays there.
            let (mut same, mut twice) = (vec![], vec![]);
            numeric::read(&again, &mut same).expect("what was written can be read");
            numeric::write(&same, &mut twice).expect("what was read can be written");
            assert_eq!(twice, again);
        }
        8 => {
            let it = Range::read(b)?;
            assert_eq!(it.bounds().len(), 2);
        }
        9 => {
            text_search::vector(b)?;
        }
        10 => {
            let mut ranges = Ranges::read(b)?;
            while let Some(one) = ranges.next()? {
                Range::read(one)?;
            }
        }
        11 => {
            let mut again = vec![];
            // The bytes may say more than a server would: only what it sends can be written.
            let text = sparse::read(b)?;
            if sparse::write(&text, &mut again).is_some() {
                let same = sparse::read(&again).expect("what was written can be read");
                let mut twice = vec![];
                sparse::write(&same, &mut twice).expect("what was read can be written");
                assert_eq!(twice, again);
            }
        }
        12 => {
            text_search::query(b)?;
        }
        _ => {
            for f in vector::read(b, 4)? {
                assert_eq!(f.len(), 4);
            }
        }
    }
    Ok(())
}
