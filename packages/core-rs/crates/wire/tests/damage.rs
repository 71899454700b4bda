//! No byte makes a decoder panic, read beyond the value or allocate what the value only promises.

mod decoders;

use decoders::{COUNT, read};

/// A small generator (xorshift), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A sound value for every decoder.
fn sound() -> Vec<(u8, Vec<u8>)> {
    vec![
        (
            0,
            [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1][..], &[0, 0, 0, 1, 7, 255, 255, 255, 255]]
                .concat(),
        ),
        (1, vec![0, 0, 0, 9, 0xaa, 0x80]),
        (2, vec![0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 1, 5]),
        (3, [&[0, 0, 0, 1, 0, 0, 0, 1, b'a', 0, 0, 0, 1, b'b'][..]].concat()),
        (4, vec![0; 16]),
        (5, vec![2, 24, 0, 4, 10, 0, 0, 1]),
        (6, vec![8, 0, 0x2b, 1, 2, 3]),
        (7, vec![0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88]),
        (8, vec![2, 0, 0, 0, 1, 7, 0, 0, 0, 1, 9]),
        (9, [&[0, 0, 0, 1][..], b"a\0", &[0, 1, 0xc0, 1]].concat()),
        (10, vec![0, 0, 0, 1, 0, 0, 0, 11, 2, 0, 0, 0, 1, 7, 0, 0, 0, 1, 9]),
        (11, [&[0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0][..], &[0, 0, 0, 3], &1.5f32.to_be_bytes()].concat()),
        (12, [&[0, 0, 0, 2, 2, 1, 1, 8, 1][..], b"b\0"].concat()),
        (13, [&[0, 1, 0, 0][..], &1.5f32.to_be_bytes()].concat()),
    ]
}

#[test]
fn sound_values_are_read() {
    for (n, b) in sound() {
        assert_eq!(read(n, &b), Ok(()), "{n}");
    }
}

#[test]
fn damaged_values_are_errors_or_values() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (n, whole) in sound() {
        for _ in 0..20_000 {
            let mut b = whole.clone();
            for _ in 0..=random.next() % 3 {
                match random.next() % 4 {
                    0 if !b.is_empty() => {
                        let at = random.next() as usize % b.len();
                        b[at] = random.next() as u8;
                    }
                    1 if !b.is_empty() => b.truncate(random.next() as usize % b.len()),
                    2 => b.extend_from_slice(&random.next().to_be_bytes()[..random.next() as usize % 8]),
                    _ => {
                        let at = random.next() as usize % (b.len() + 1);
                        b.insert(at, [0, 1, 2, 0x7f, 0x80, 0xff][random.next() as usize % 6]);
                    }
                }
            }
            let _ = read(n, &b);
        }
    }
}

#[test]
fn noise_is_an_error_or_a_value() {
    let mut random = Random(42);
    for _ in 0..100_000 {
        let n = random.next() as u8 % COUNT;
        let b: Vec<u8> = (0..random.next() % 40).map(|_| random.next() as u8).collect();
        let _ = read(n, &b);
    }
}
