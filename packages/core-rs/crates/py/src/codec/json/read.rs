//! JSON text to Python objects. The server has checked the syntax; what it promises is verified all the same.
use crate::codec::decode::{Fail, Made, made, text};
use data_bridge_wire::WireError;
use pyo3::ffi::{self, PyObject};
use std::cell::RefCell;
use std::ptr::null_mut;

/// Nesting that is followed; PostgreSQL's own limit depends on its stack.
const DEPTH: u32 = 2000;
/// Keys up to this length are shared between objects.
const SHORT: usize = 32;

/// The text of a key and the string made of it.
type Key = (Box<[u8]>, *mut PyObject);

thread_local! {
    /// Keys of objects repeat from row to row: a direct-mapped cache of interned strings, never emptied.
    static KEYS: RefCell<Vec<Key>> = RefCell::new(vec![(Box::default(), null_mut()); 512]);
}

/// Where reading stands in the text.
pub(super) struct Reader<'a> {
    b: &'a [u8],
    at: usize,
}

fn bad<T>(what: &'static str) -> Result<T, Fail> {
    Err(Fail::Wire(WireError::Malformed(what)))
}

/// A new reference to the object that the text stands for.
pub fn read(b: &[u8]) -> Made {
    let mut r = Reader::new(b);
    let value = r.value(0)?;
    r.space();
    if r.at == b.len() {
        return Ok(value);
    }
    // SAFETY: `value` is ours.
    unsafe { ffi::Py_DECREF(value) };
    bad("text after the JSON value")
}

impl<'a> Reader<'a> {
    pub(super) fn new(b: &'a [u8]) -> Self {
        Self { b, at: 0 }
    }

    fn space(&mut self) {
        while matches!(self.b.get(self.at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        self.space();
        let c = self.b.get(self.at).copied();
        self.at += 1;
        c
    }

    pub(super) fn peek(&mut self) -> Option<u8> {
        self.space();
        self.b.get(self.at).copied()
    }

    /// Passes a word, if it stands here.
    pub(super) fn passes(&mut self, word: &[u8]) -> bool {
        let stands = self.b[self.at..].starts_with(word);
        if stands {
            self.at += word.len();
        }
        stands
    }

    fn word(&mut self, word: &[u8], object: *mut PyObject) -> Made {
        if !self.passes(word) {
            return bad("JSON literal");
        }
        // SAFETY: an immortal or static object.
        Ok(unsafe { ffi::Py_NewRef(object) })
    }

    fn value(&mut self, depth: u32) -> Made {
        if depth > DEPTH {
            return Err(Fail::Wire(WireError::Unrepresentable("JSON nested deeper than 2,000 levels")));
        }
        // SAFETY: the interpreter is attached; every reference made here is returned or released.
        unsafe {
            match self.peek() {
                Some(b'{') => {
                    let dict = made(ffi::PyDict_New())?;
                    self.object(dict, depth).inspect_err(|_| ffi::Py_DECREF(dict))?;
                    Ok(dict)
                }
                Some(b'[') => {
                    let list = made(ffi::PyList_New(0))?;
                    self.array(list, depth).inspect_err(|_| ffi::Py_DECREF(list))?;
                    Ok(list)
                }
                Some(b'"') => match self.string()? {
                    Text::Plain(s) => text(s),
                    Text::Escaped(s) => text(&s),
                },
                Some(b't') => self.word(b"true", ffi::Py_True()),
                Some(b'f') => self.word(b"false", ffi::Py_False()),
                Some(b'n') => self.word(b"null", ffi::Py_None()),
                Some(b'-' | b'0'..=b'9') => self.number(),
                _ => bad("JSON value"),
            }
        }
    }

    /// Reads the members of an object into `dict`.
    ///
    /// # Safety
    /// The thread is attached to the interpreter, and `dict` is a live dict that nothing else can see yet.
    unsafe fn object(&mut self, dict: *mut PyObject, depth: u32) -> Result<(), Fail> {
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return bad("key of a JSON object");
            }
            let key = match self.string()? {
                Text::Plain(s) => key(s)?,
                Text::Escaped(s) => text(&s)?,
            };
            // SAFETY: `key` and `value` are ours and released here.
            unsafe {
                if self.next() != Some(b':') {
                    ffi::Py_DECREF(key);
                    return bad("JSON object");
                }
                let value = self.value(depth + 1).inspect_err(|_| ffi::Py_DECREF(key))?;
                let set = ffi::PyDict_SetItem(dict, key, value);
                ffi::Py_DECREF(key);
                ffi::Py_DECREF(value);
                if set < 0 {
                    return Err(Fail::Python);
                }
            }
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(()),
                _ => return bad("JSON object"),
            }
        }
    }

    /// Reads the elements of an array into `list`.
    ///
    /// # Safety
    /// The thread is attached to the interpreter, and `list` is a live list that nothing else can see yet.
    unsafe fn array(&mut self, list: *mut PyObject, depth: u32) -> Result<(), Fail> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let value = self.value(depth + 1)?;
            // SAFETY: `value` is ours and released here.
            unsafe {
                let set = ffi::PyList_Append(list, value);
                ffi::Py_DECREF(value);
                if set < 0 {
                    return Err(Fail::Python);
                }
            }
            match self.next() {
                Some(b',') => {}
                Some(b']') => return Ok(()),
                _ => return bad("JSON array"),
            }
        }
    }

    pub(super) fn string(&mut self) -> Result<Text<'a>, Fail> {
        let b = self.b;
        let start = self.at + 1;
        let mut i = start;
        loop {
            match b.get(i) {
                Some(b'"') => {
                    self.at = i + 1;
                    return Ok(Text::Plain(&b[start..i]));
                }
                Some(b'\\') => break,
                Some(_) => i += 1,
                None => return bad("JSON string"),
            }
        }
        let mut out = b[start..i].to_vec();
        loop {
            match b.get(i) {
                Some(b'"') => {
                    self.at = i + 1;
                    return Ok(Text::Escaped(out));
                }
                Some(b'\\') => {
                    i += 2;
                    match b.get(i - 1) {
                        Some(b'n') => out.push(b'\n'),
                        Some(b't') => out.push(b'\t'),
                        Some(b'r') => out.push(b'\r'),
                        Some(b'b') => out.push(8),
                        Some(b'f') => out.push(12),
                        Some(b'u') => {
                            let mut c = hex(b, i)?;
                            i += 4;
                            if (0xD800..0xDC00).contains(&c) && b.get(i) == Some(&b'\\') && b.get(i + 1) == Some(&b'u')
                            {
                                let low = hex(b, i + 2)?;
                                if (0xDC00..0xE000).contains(&low) {
                                    c = 0x1_0000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                                    i += 6;
                                }
                            }
                            // A lone surrogate is legal in `json` and in no Unicode text.
                            let Some(c) = char::from_u32(c) else { return bad("JSON escape of a lone surrogate") };
                            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        Some(c @ (b'"' | b'\\' | b'/')) => out.push(*c),
                        _ => return bad("JSON escape"),
                    }
                }
                Some(c) => {
                    out.push(*c);
                    i += 1;
                }
                None => return bad("JSON string"),
            }
        }
    }

    /// Passes a number and returns its text.
    pub(super) fn digits(&mut self) -> &'a [u8] {
        let start = self.at;
        while matches!(self.b.get(self.at), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        &self.b[start..self.at]
    }

    fn number(&mut self) -> Made {
        let Ok(s) = std::str::from_utf8(self.digits()) else { return bad("JSON number") };
        // SAFETY: the interpreter is attached.
        unsafe {
            if let Ok(n) = s.parse::<i64>() {
                return made(ffi::PyLong_FromLongLong(n));
            }
            if s.bytes().any(|c| matches!(c, b'.' | b'e' | b'E')) {
                return match s.parse::<f64>() {
                    Ok(f) if f.is_finite() => made(ffi::PyFloat_FromDouble(f)),
                    _ => bad("JSON number, which no float can hold"),
                };
            }
            match std::ffi::CString::new(s) {
                Ok(c) => made(ffi::PyLong_FromString(c.as_ptr(), null_mut(), 10)),
                Err(_) => bad("JSON number"),
            }
        }
    }
}

/// A string of the text, as it stands there or with its escapes read.
pub(super) enum Text<'a> {
    Plain(&'a [u8]),
    Escaped(Vec<u8>),
}

fn hex(b: &[u8], at: usize) -> Result<u32, Fail> {
    b.get(at..at + 4)
        .and_then(|h| std::str::from_utf8(h).ok())
        .and_then(|h| u32::from_str_radix(h, 16).ok())
        .ok_or(Fail::Wire(WireError::Malformed("JSON escape")))
}

/// A new reference to the str of a key.
pub(super) fn key(s: &[u8]) -> Made {
    if s.is_empty() || s.len() > SHORT {
        return text(s);
    }
    let hash = (s[0] as usize).wrapping_mul(31)
        ^ (s[s.len() - 1] as usize).wrapping_mul(131)
        ^ (s[s.len() / 2] as usize).wrapping_mul(17)
        ^ (s.len() * 7);
    KEYS.with_borrow_mut(|keys| {
        let place = &mut keys[hash % 512];
        // SAFETY: the cache owns a reference to every object in it.
        unsafe {
            if *place.0 == *s {
                return Ok(ffi::Py_NewRef(place.1));
            }
            let mut object = text(s)?;
            ffi::PyUnicode_InternInPlace(&mut object);
            let before = std::mem::replace(place, (s.into(), ffi::Py_NewRef(object)));
            ffi::Py_XDECREF(before.1);
            Ok(object)
        }
    })
}
