//! COPY with back-pressure in both directions.
//!
//! sqlx loses the thread of the conversation when a COPY does not end cleanly, so everything here runs to a clean end or
//! reports an error after which the connection is closed.
use crate::connection::reply::Reply;
use crate::error::Error;
use futures_util::StreamExt;
use sqlx::postgres::PgConnection;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Poll, Waker};

/// Chunks that may lie between the two sides.
const ROOM: usize = 4;

#[derive(Default)]
struct Pipe {
    chunks: VecDeque<Vec<u8>>,
    ended: Option<Result<(), String>>,
    closed: bool,
    started: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(waker: &mut Option<Waker>) {
        if let Some(w) = waker.take() {
            w.wake();
        }
    }
}

/// Chunks on their way to the server.
#[derive(Default)]
pub struct CopyIn(Mutex<Pipe>);

impl CopyIn {
    fn pipe(&self) -> std::sync::MutexGuard<'_, Pipe> {
        self.0.lock().expect("the pipe of a COPY")
    }

    /// Hands over a chunk; waits while the server is behind. False when the COPY has ended already.
    pub async fn put(&self, chunk: Vec<u8>, reply: &Reply) -> bool {
        let mut chunk = Some(chunk);
        poll_fn(|cx| {
            let mut pipe = self.pipe();
            if pipe.closed || reply.gave_up() {
                return Poll::Ready(false);
            }
            if pipe.chunks.len() >= ROOM {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            pipe.chunks.extend(chunk.take());
            Pipe::wake(&mut pipe.reader);
            Poll::Ready(true)
        })
        .await
    }

    /// A last chunk, however far the server is, and then no more.
    pub fn finish(&self, last: Vec<u8>) {
        self.pipe().chunks.push_back(last);
        self.end(Ok(()));
    }

    /// No more chunks: commit what was sent, or throw it away for the given reason.
    pub fn end(&self, how: Result<(), String>) {
        let mut pipe = self.pipe();
        pipe.ended.get_or_insert(how);
        Pipe::wake(&mut pipe.reader);
    }

    async fn next(&self, reply: &Reply) -> Result<Option<Vec<u8>>, String> {
        poll_fn(|cx| {
            let mut pipe = self.pipe();
            if reply.gave_up() {
                return Poll::Ready(Err("cancelled by the client".to_owned()));
            }
            if let Some(chunk) = pipe.chunks.pop_front() {
                Pipe::wake(&mut pipe.writer);
                return Poll::Ready(Ok(Some(chunk)));
            }
            match &pipe.ended {
                Some(Ok(())) => Poll::Ready(Ok(None)),
                Some(Err(why)) => Poll::Ready(Err(why.clone())),
                None => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    pub(crate) async fn run(&self, pg: &mut PgConnection, sql: &str, reply: &Reply) -> Result<(), Error> {
        let result = self.transfer(pg, sql, reply).await;
        let mut pipe = self.pipe();
        pipe.closed = true;
        pipe.chunks.clear();
        Pipe::wake(&mut pipe.writer);
        result
    }

    async fn transfer(&self, pg: &mut PgConnection, sql: &str, reply: &Reply) -> Result<(), Error> {
        let mut copy = pg.copy_in_raw(sql).await.map_err(|e| Error::from_sqlx(e, true))?;
        loop {
            match self.next(reply).await {
                Ok(Some(chunk)) => {
                    if let Err(e) = copy.send(chunk).await {
                        return Err(Error::from_sqlx(e, true));
                    }
                }
                Ok(None) => break,
                Err(why) => {
                    // Only an abort that the server confirmed leaves the connection in step.
                    return match copy.abort(why).await {
                        Ok(()) => Err(Error::Abandoned),
                        Err(e) => Err(Error::Protocol(format!("COPY was not aborted cleanly: {e}"))),
                    };
                }
            }
        }
        let affected = copy.finish().await.map_err(|e| Error::from_sqlx(e, true))?;
        reply.with(|a| a.affected = affected);
        Ok(())
    }
}

/// Chunks on their way from the server.
#[derive(Default)]
pub struct CopyOut(Mutex<Pipe>);

impl CopyOut {
    fn pipe(&self) -> std::sync::MutexGuard<'_, Pipe> {
        self.0.lock().expect("the pipe of a COPY")
    }

    /// Everything that has come, at least one chunk; `None` behind the last.
    pub async fn take(&self, reply: &Reply) -> Option<Vec<u8>> {
        poll_fn(|cx| {
            let mut pipe = self.pipe();
            if reply.gave_up() {
                return Poll::Ready(None);
            }
            if pipe.chunks.is_empty() {
                if pipe.closed {
                    return Poll::Ready(None);
                }
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let all = pipe.chunks.drain(..).flatten().collect();
            Pipe::wake(&mut pipe.writer);
            Poll::Ready(Some(all))
        })
        .await
    }

    async fn put(&self, chunk: Vec<u8>, reply: &Reply) {
        let mut chunk = Some(chunk);
        poll_fn(|cx| {
            let mut pipe = self.pipe();
            if reply.gave_up() {
                return Poll::Ready(()); // read on, to the end that the cancel brings
            }
            if pipe.chunks.len() >= ROOM {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            pipe.chunks.extend(chunk.take());
            Pipe::wake(&mut pipe.reader);
            Poll::Ready(())
        })
        .await;
    }

    pub(crate) async fn run(&self, pg: &mut PgConnection, sql: &str, reply: &Reply) -> Result<(), Error> {
        let result = self.transfer(pg, sql, reply).await;
        let mut pipe = self.pipe();
        pipe.closed = true;
        Pipe::wake(&mut pipe.reader);
        result
    }

    /// Whether the server agreed to the COPY.
    pub fn has_started(&self) -> bool {
        self.pipe().started
    }

    async fn transfer(&self, pg: &mut PgConnection, sql: &str, reply: &Reply) -> Result<(), Error> {
        const CHUNK: usize = 64 * 1024;
        let mut stream = pg.copy_out_raw(sql).await.map_err(|e| Error::from_sqlx(e, true))?;
        self.pipe().started = true;
        let mut buffer = Vec::with_capacity(CHUNK);
        while let Some(piece) = stream.next().await {
            buffer.extend_from_slice(&piece.map_err(|e| Error::from_sqlx(e, true))?);
            if buffer.len() >= CHUNK {
                self.put(std::mem::replace(&mut buffer, Vec::with_capacity(CHUNK)), reply).await;
            }
        }
        if !buffer.is_empty() {
            self.put(buffer, reply).await;
        }
        Ok(())
    }
}
