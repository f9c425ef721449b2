//! What stands between the host and the application, and may change what goes through.

use std::fmt;

use crate::app::{AppError, Application, BoxFuture, Request, Response};

/// What gets a request and its response before the application.
pub trait Filter: Send + Sync + 'static {
    /// Passes them on to `next`, or answers itself.
    fn filter(
        &self,
        request: Request,
        response: Response,
        next: Next<'_>,
    ) -> impl Future<Output = Result<(), AppError>> + Send;
}

/// What comes behind a filter: the other filters, and the application.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    filters: &'a [Box<dyn ErasedFilter>],
    app: &'a dyn ErasedApplication,
}

impl<'a> Next<'a> {
    pub(super) fn new(filters: &'a [Box<dyn ErasedFilter>], app: &'a dyn ErasedApplication) -> Self {
        Self { filters, app }
    }

    /// Passes a request and its response on.
    ///
    /// # Errors
    /// Those of who is called.
    pub async fn call(self, request: Request, response: Response) -> Result<(), AppError> {
        match self.filters.split_first() {
            Some((filter, filters)) => filter.filter(request, response, Self { filters, ..self }).await,
            None => self.app.call(request, response).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Next({} filters)", self.filters.len())
    }
}

/// A filter behind a pointer.
pub(super) trait ErasedFilter: Send + Sync {
    fn filter<'a>(
        &'a self,
        request: Request,
        response: Response,
        next: Next<'a>,
    ) -> BoxFuture<'a, Result<(), AppError>>;
}

impl<F: Filter> ErasedFilter for F {
    fn filter<'a>(
        &'a self,
        request: Request,
        response: Response,
        next: Next<'a>,
    ) -> BoxFuture<'a, Result<(), AppError>> {
        Box::pin(Filter::filter(self, request, response, next))
    }
}

/// An application behind a pointer.
pub(super) trait ErasedApplication: Send + Sync {
    fn call(&self, request: Request, response: Response) -> BoxFuture<'_, Result<(), AppError>>;
}

impl<A: Application> ErasedApplication for A {
    fn call(&self, request: Request, response: Response) -> BoxFuture<'_, Result<(), AppError>> {
        Box::pin(Application::call(self, request, response))
    }
}
