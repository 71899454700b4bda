//! `inet`, `cidr`, `macaddr` and `macaddr8`.
use crate::WireError;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `PGSQL_AF_INET`; IPv6 has the next number.
const V4: u8 = 2;
const V6: u8 = 3;

/// An address with the length of its network part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The address; for a `cidr` all bits behind the prefix are 0.
    pub address: IpAddr,
    /// Bits of the network part.
    pub prefix: u8,
    /// Whether this is a `cidr`.
    pub is_cidr: bool,
}

impl Network {
    /// How many bits the address has.
    #[must_use]
    pub fn width(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Reads what `network_send` writes.
    ///
    /// # Errors
    /// [`WireError`] for an unknown family or an address of another length.
    pub fn read(b: &[u8]) -> Result<Self, WireError> {
        let [family, prefix, is_cidr, length, rest @ ..] = b else { return Err(WireError::Truncated) };
        if usize::from(*length) != rest.len() {
            return Err(WireError::Malformed("length of a network address"));
        }
        let address = match *family {
            V4 => IpAddr::V4(Ipv4Addr::from(crate::exact::<4>(rest)?)),
            V6 => IpAddr::V6(Ipv6Addr::from(crate::exact::<16>(rest)?)),
            _ => return Err(WireError::Malformed("family of a network address")),
        };
        let it = Self { address, prefix: *prefix, is_cidr: *is_cidr != 0 };
        if it.prefix > it.width() { Err(WireError::Malformed("prefix of a network address")) } else { Ok(it) }
    }

    /// Writes what [`Self::read`] reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        let family = if self.address.is_ipv4() { V4 } else { V6 };
        out.extend([family, self.prefix, u8::from(self.is_cidr), self.width() / 8]);
        match self.address {
            IpAddr::V4(a) => out.extend(a.octets()),
            IpAddr::V6(a) => out.extend(a.octets()),
        }
    }

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `::1/128`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str, is_cidr: bool) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(p) if p.bytes().all(|c| c.is_ascii_digit()) => p.parse().ok().filter(|p| *p <= width)?,
            Some(_) => return None,
            None => width,
        };
        Some(Self { address, prefix, is_cidr })
    }

    /// Whether bits behind the prefix are set, which a `cidr` must not have.
    #[must_use]
    pub fn has_host_bits(&self) -> bool {
        match self.address {
            IpAddr::V4(a) => u32::from(a).checked_shl(self.prefix.into()).unwrap_or(0) != 0,
            IpAddr::V6(a) => u128::from(a).checked_shl(self.prefix.into()).unwrap_or(0) != 0,
        }
    }
}

/// `08:00:2b:01:02:03`, for six or eight bytes.
///
/// # Errors
/// [`WireError::Malformed`] for any other number of bytes.
pub fn mac(b: &[u8]) -> Result<String, WireError> {
    if !matches!(b.len(), 6 | 8) {
        return Err(WireError::Malformed("length of a MAC address"));
    }
    let mut text = String::with_capacity(23);
    for (i, byte) in b.iter().enumerate() {
        let _ = write!(text, "{}{byte:02x}", if i > 0 { ":" } else { "" });
    }
    Ok(text)
}

/// The bytes of a MAC address in any of the usual spellings; `None` when it has not `length` bytes.
#[must_use]
pub fn parse_mac(text: &str, length: usize) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|c| !matches!(c, b':' | b'-' | b'.')).collect();
    if digits.len() != length * 2 {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            Some((high * 16 + low) as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0", "::/0"] {
            let it = Network::parse(text, true).unwrap();
            let mut b = vec![];
            it.write(&mut b);
            assert_eq!(Network::read(&b), Ok(it), "{text}");
            for n in 0..b.len() {
                assert!(Network::read(&b[..n]).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in ["", "10.0.0", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/", "::1/129", "a"] {
            assert_eq!(Network::parse(text, false), None, "{text}");
        }
    }

    #[test]
    fn host_bits() {
        assert!(Network::parse("10.0.0.1/8", true).unwrap().has_host_bits());
        assert!(!Network::parse("10.0.0.1", true).unwrap().has_host_bits());
        assert!(Network::parse("::1/0", true).unwrap().has_host_bits());
    }

    #[test]
    fn mac_addresses() {
        let b = parse_mac("08-00-2B-01-02-03", 6).unwrap();
        assert_eq!(mac(&b).unwrap(), "08:00:2b:01:02:03");
        assert_eq!(parse_mac("0800.2b01.0203", 6).unwrap(), b);
        assert_eq!(parse_mac("08002b01020", 6), None);
        assert_eq!(parse_mac("08002b01020g", 6), None);
        assert!(mac(&b[..5]).is_err());
    }
}
