//! A place in the queue for a connection.
use crate::connection::Connection;
use crate::connection::reply::Reply;
use crate::error::Error;
use crate::event_loop::executor::Home;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Instant;

#[derive(Default)]
struct Cell {
    got: Option<Result<Connection, Error>>,
    gone: bool,
    waker: Option<Waker>,
}

/// One caller in the queue.
pub struct Waiter {
    /// Where its connection must live.
    pub home: Arc<Home>,
    /// Since when it waits.
    pub since: Instant,
    cell: Mutex<Cell>,
}

/// How the wait ended.
pub enum Served {
    /// With a connection.
    Connection(Box<Connection>),
    /// With the reason why there will be none.
    Failed(Error),
    /// The caller went away; a connection that was assigned to it meanwhile must go to the next.
    GaveUp(Option<Box<Connection>>),
    /// The time was over.
    TooLate,
}

impl Waiter {
    pub(crate) fn new(home: Arc<Home>) -> Arc<Self> {
        Arc::new(Self { home, since: Instant::now(), cell: Mutex::default() })
    }

    /// Assigns what was waited for; returns it when the waiter is gone.
    pub(crate) fn give(&self, what: Result<Connection, Error>) -> Option<Result<Connection, Error>> {
        let waker = {
            let mut cell = self.cell.lock().expect("a waiter");
            if cell.gone || cell.got.is_some() {
                return Some(what);
            }
            cell.got = Some(what);
            cell.waker.take()
        };
        if let Some(w) = waker {
            w.wake();
        }
        None
    }

    /// Waits until `until`, or for as long as the caller does.
    pub(crate) async fn served(&self, home: &Home, reply: &Reply, until: Instant) -> Served {
        let mut limit = home.reactor.sleep(until);
        let mut deadline = reply.deadline.map(|(at, _)| home.reactor.sleep(at));
        poll_fn(|cx| {
            {
                let mut cell = self.cell.lock().expect("a waiter");
                if reply.gave_up() {
                    cell.gone = true;
                    let left = cell.got.take().and_then(Result::ok);
                    return Poll::Ready(Served::GaveUp(left.map(Box::new)));
                }
                match cell.got.take() {
                    Some(Ok(connection)) => return Poll::Ready(Served::Connection(Box::new(connection))),
                    Some(Err(e)) => return Poll::Ready(Served::Failed(e)),
                    None => cell.waker = Some(cx.waker().clone()),
                }
            }
            if let Some(d) = deadline.as_mut()
                && d.as_mut().poll(cx).is_ready()
            {
                deadline = None;
                reply.expire();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if limit.as_mut().poll(cx).is_ready() {
                let mut cell = self.cell.lock().expect("a waiter");
                if cell.got.is_some() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                cell.gone = true;
                return Poll::Ready(Served::TooLate);
            }
            Poll::Pending
        })
        .await
    }
}
