//! What happens around requests, apart from the interface: an application with layers is an application again.
//!
//! [`Events`] hear of the application's start, and of the start and the end of each request.  A [`Filter`] gets request
//! and response before the application, may change them, put its own [`Sink`](super::Sink) around the response, or
//! answer itself.
//!
//! ```
//! use mongrel2::app::layers::{Events, Layers, OnEnd};
//! use mongrel2::app::{AppError, Request, Response};
//!
//! struct Log;
//!
//! impl Events for Log {
//!     fn request_starts(&self, request: &mut Request) -> Option<OnEnd> {
//!         let path = request.uri().path().to_owned();
//!         Some(Box::new(move |outcome| println!("{path}: {outcome:?}")))
//!     }
//! }
//!
//! async fn hello(_: Request, mut response: Response) -> Result<(), AppError> {
//!     Ok(response.send(200, (), "Hello\n").await?)
//! }
//!
//! let app = Layers::new().events(Log).around(hello);
//! ```

mod events;
mod filter;
#[cfg(test)]
mod tests;
mod watched;

use std::fmt;
use std::sync::Arc;

use super::{AppError, Application, Request, Response};
pub use events::{Answer, Events, OnEnd, Outcome};
use filter::{ErasedApplication, ErasedFilter};
pub use filter::{Filter, Next};
use watched::Watch;

/// Layers that are to be put around an application.
#[derive(Default)]
pub struct Layers {
    events: Vec<Box<dyn Events>>,
    filters: Vec<Box<dyn ErasedFilter>>,
}

impl Layers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells these of what happens.  They see requests before, and outcomes behind, all filters.
    #[must_use]
    pub fn events(mut self, events: impl Events) -> Self {
        self.events.push(Box::new(events));
        self
    }

    /// Adds a filter; the first one is the outermost.
    #[must_use]
    pub fn filter(mut self, filter: impl Filter) -> Self {
        self.filters.push(Box::new(filter));
        self
    }

    /// Puts the layers around an application, and says that it starts.
    pub fn around<A: Application>(self, app: A) -> Layered<A> {
        self.events.iter().for_each(|events| events.application_starts());
        Layered { app, events: self.events.into(), filters: self.filters }
    }
}

/// An application with layers around it.
pub struct Layered<A> {
    app: A,
    events: Arc<[Box<dyn Events>]>,
    filters: Vec<Box<dyn ErasedFilter>>,
}

impl<A: Application> Application for Layered<A> {
    async fn call(&self, mut request: Request, response: Response) -> Result<(), AppError> {
        let app: &dyn ErasedApplication = &self.app;
        let next = Next::new(&self.filters, app);
        if self.events.is_empty() {
            return next.call(request, response).await;
        }
        let (watch, call) = Watch::start(&self.events, &mut request);
        let result = next.call(request, response.wrap(|inner| watched::Watched::new(inner, watch))).await;
        call.returned(&result);
        result
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Layers({} events, {} filters)", self.events.len(), self.filters.len())
    }
}

impl<A: fmt::Debug> fmt::Debug for Layered<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Layered").field(&self.app).finish()
    }
}
