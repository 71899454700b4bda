//! A connection's socket, which sqlx does not hand out: found among those that are connected to the server's address.
use std::os::fd::RawFd;

/// Descriptors of the TCP sockets that are connected to this port.
#[cfg(target_os = "linux")]
pub fn connected_to_port(port: u16) -> Vec<RawFd> {
    open().filter(|&fd| peer_port(fd) == Some(port) && is_tcp(fd)).collect()
}

#[cfg(target_os = "linux")]
fn open() -> impl Iterator<Item = RawFd> {
    let listed = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    listed.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
}

/// The port of this end.
#[cfg(target_os = "linux")]
pub fn local_port(fd: RawFd) -> Option<u16> {
    port(fd, libc::getsockname)
}

/// The port of the other end.
#[cfg(target_os = "linux")]
pub fn peer_port(fd: RawFd) -> Option<u16> {
    port(fd, libc::getpeername)
}

#[cfg(target_os = "linux")]
type Name = unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

#[cfg(target_os = "linux")]
fn port(fd: RawFd, name: Name) -> Option<u16> {
    // SAFETY: the storage is large enough for every address family and read only after success.
    unsafe {
        let mut address: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        if name(fd, (&raw mut address).cast(), &mut length) != 0 {
            return None;
        }
        match i32::from(address.ss_family) {
            libc::AF_INET => Some(u16::from_be((*(&raw const address).cast::<libc::sockaddr_in>()).sin_port)),
            libc::AF_INET6 => Some(u16::from_be((*(&raw const address).cast::<libc::sockaddr_in6>()).sin6_port)),
            _ => None,
        }
    }
}

/// Descriptors of the unix sockets that are connected to a path with this end: its folder may have several names.
#[cfg(target_os = "linux")]
pub fn connected_to(end: &str) -> Vec<RawFd> {
    open().filter(|&fd| is_peer(fd, end)).collect()
}

#[cfg(target_os = "linux")]
fn is_peer(fd: RawFd, end: &str) -> bool {
    // SAFETY: the storage is large enough for every address family and read only after success.
    let address = unsafe {
        let mut address: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        if libc::getpeername(fd, (&raw mut address).cast(), &mut length) != 0
            || i32::from(address.ss_family) != libc::AF_UNIX
        {
            return false;
        }
        *(&raw const address).cast::<libc::sockaddr_un>()
    };
    let name = address.sun_path.iter().map(|&c| c as u8);
    name.take_while(|&c| c != 0).collect::<Vec<_>>().ends_with(end.as_bytes())
}

#[cfg(target_os = "linux")]
fn is_tcp(fd: RawFd) -> bool {
    let (mut kind, mut length) = (0i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: `kind` has the length that is passed.
    unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, (&raw mut kind).cast(), &mut length) == 0
            && kind == libc::SOCK_STREAM
    }
}

/// Small packets leave at once, and a peer that vanished is noticed: sqlx 0.9.0 sets neither.
#[cfg(target_os = "linux")]
pub fn tune(fd: RawFd) {
    for (level, option, value) in [
        (libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 60),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 10),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3),
    ] {
        let value: i32 = value;
        // SAFETY: a four-byte option; a refusal leaves the socket as it was.
        unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t) };
    }
}

/// Whether something waits to be read, or the peer has closed.
#[cfg(target_os = "linux")]
pub fn has_news(fd: RawFd) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLIN | libc::POLLRDHUP, revents: 0 };
    // SAFETY: one entry, which lives longer than the call; zero milliseconds never wait.
    unsafe { libc::poll(&raw mut asked, 1, 0) > 0 }
}

/// Ends both directions; the descriptor stays with its owner.
#[cfg(target_os = "linux")]
pub fn shut(fd: RawFd) {
    // SAFETY: a refusal changes nothing.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Nothing is known here.
#[cfg(not(target_os = "linux"))]
pub fn connected_to_port(_port: u16) -> Vec<RawFd> {
    vec![]
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
pub fn local_port(_fd: RawFd) -> Option<u16> {
    None
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
pub fn peer_port(_fd: RawFd) -> Option<u16> {
    None
}

/// Nothing is known here that could be shut.
#[cfg(not(target_os = "linux"))]
pub fn shut(_fd: RawFd) {}

/// Sets nothing here.
#[cfg(not(target_os = "linux"))]
pub fn tune(_fd: RawFd) {}

/// Nothing is known here; connections that rested are pinged.
#[cfg(not(target_os = "linux"))]
pub fn has_news(_fd: RawFd) -> bool {
    false
}

/// Nothing is known here.
#[cfg(not(target_os = "linux"))]
pub fn connected_to(_end: &str) -> Vec<RawFd> {
    vec![]
}
