//! What is kept of the parameters while it may have to be sent again.
use crate::connection::arguments::Arguments;
use crate::connection::reply::{Reply, Typed};
use crate::error::Error;
use std::sync::Arc;

/// What a second attempt of a statement sends: a copy, or values that the caller encodes once more.
pub(crate) enum Second {
    Copy(Arguments),
    Encode(Arc<[Typed]>),
}

impl Second {
    pub(crate) fn of(args: &Arguments, types: Arc<[Typed]>) -> Self {
        if args.is_large() { Self::Encode(types) } else { Self::Copy(args.clone()) }
    }

    pub(crate) async fn arguments(&self, reply: &Reply) -> Result<Arguments, Error> {
        match self {
            Self::Copy(args) => Ok(args.clone()),
            Self::Encode(types) => reply.ask(types.clone()).await,
        }
    }
}
